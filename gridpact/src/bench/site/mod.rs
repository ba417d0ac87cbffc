//! What a site controller costs: many SunSpec devices polled each second by this process, and a whole site controller in a
//! market. The devices are another process of this program.

mod controller;
mod devices;
mod market;

use super::figure::{Figure, Target};
use super::{BenchError, SiteArgs};
use crate::processor_time;
use crate::simulate::process::most_resident_mb;
use hw_adapters::config::{open, DeviceConfig, ModbusConfig};
use hw_adapters::device::{Device, DeviceError};
use hw_adapters::metrics::DeviceMetrics;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::MissedTickBehavior;

/// How often each device is read.
const PERIOD: Duration = Duration::from_secs(1);
/// Seconds before measuring begins: connections are made and maps walked then.
const WARM_UP: Duration = Duration::from_secs(3);
/// Milliseconds within which a device must answer.
const ANSWER_WITHIN_MS: u64 = 1_000;

/// Readings so far, and those that failed.
#[derive(Debug, Default)]
struct Readings {
    done: AtomicU64,
    failed: AtomicU64,
}

/// Polls the devices and says what it took.
///
/// # Errors
/// Where the devices can't be started or opened, or readings fail.
pub(super) fn measure(args: &SiteArgs) -> Result<Vec<Figure>, BenchError> {
    if let Some(count) = args.serve {
        devices::serve(count)?;
        return Ok(Vec::new());
    }
    let devices = devices::Devices::start(args.devices)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(BenchError::Site)?.block_on(poll(args, &devices.addresses))
}

/// Runs a site controller for so many intervals, and says what it took.
///
/// # Errors
/// Where a process can't be started, or no price becomes firm.
pub(super) fn trade(args: &SiteArgs, intervals: u32) -> Result<Vec<Figure>, BenchError> {
    controller::measure(args, intervals)
}

async fn poll(args: &SiteArgs, addresses: &[String]) -> Result<Vec<Figure>, BenchError> {
    let metrics = DeviceMetrics::register(&prometheus::Registry::new())
        .map_err(|e| BenchError::Site(std::io::Error::other(e)))?;
    let readings = Arc::new(Readings::default());
    for (place, address) in addresses.iter().enumerate() {
        let device = open(&config(place, address), &metrics).await;
        let device = device.map_err(|e| BenchError::Site(std::io::Error::other(e)))?;
        tokio::spawn(read_for_ever(device, readings.clone()));
    }
    tokio::time::sleep(WARM_UP).await;
    let before = (processor_time::own_seconds(), Instant::now(), readings.done.load(Ordering::Relaxed));
    tokio::time::sleep(Duration::from_secs(args.seconds.into())).await;
    let after = processor_time::own_seconds();
    let seconds = before.1.elapsed().as_secs_f64();
    let read = readings.done.load(Ordering::Relaxed) - before.2;
    let failed = readings.failed.load(Ordering::Relaxed);
    let share = 100.0 * (after - before.0) / seconds;
    let devices = addresses.len();
    let detail =
        format!("{read} readings in {seconds:.0} s, {failed} failed; meters, inverters and batteries");
    let figure = |name: String, measured, unit, target, detail: &str| Figure {
        name,
        measured,
        unit,
        target,
        detail: detail.to_owned(),
    };
    Ok(vec![
        figure(
            format!("{devices} SunSpec devices polled each second"),
            share,
            "% of a core",
            Target::AtMost(5.0),
            &detail,
        ),
        figure(
            format!("{devices} SunSpec devices, most memory of the process"),
            most_resident_mb().unwrap_or(f64::NAN),
            "MB",
            Target::AtMost(30.0),
            "resident, the program's own pages included",
        ),
        figure(
            "readings that failed".to_owned(),
            failed as f64,
            "",
            Target::AtMost(0.0),
            "each device must answer within a second",
        ),
    ])
}

fn config(place: usize, address: &str) -> DeviceConfig {
    let modbus = ModbusConfig {
        name: format!("device-{place}"),
        address: address.to_owned(),
        serial: None,
        unit: 1,
        answer_within_ms: ANSWER_WITHIN_MS,
        enter_service: None,
        ramp: None,
    };
    match place % 3 {
        0 => DeviceConfig::SunSpecMeter(modbus),
        1 => DeviceConfig::SunSpecGenerator(modbus),
        _ => DeviceConfig::SunSpecBattery(modbus),
    }
}

async fn read_for_ever(mut device: Device, readings: Arc<Readings>) {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let counter = if read(&mut device).await.is_ok() { &readings.done } else { &readings.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

async fn read(device: &mut Device) -> Result<(), DeviceError> {
    match device {
        Device::Meter(meter) => meter.read().await.map(drop),
        Device::Battery(battery) => battery.read().await.map(drop),
        Device::Generator(generator) => generator.read().await.map(drop),
        Device::Charger(charger) => charger.read().await.map(drop),
        Device::HeatPump(pump) => pump.read().await.map(drop),
        Device::Plug(plug) => plug.read().await.map(drop),
    }
}
