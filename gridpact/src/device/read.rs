//! `gridpact device read` and `watch`.

use super::args::{ReadArgs, WatchArgs};
use super::print::Shown;
use super::target::{open, Target};
use super::{models, DeviceCommandError};
use hw_adapters::device::{Device, DeviceError};
use serde_json::json;
use std::io::Write;
use std::time::Duration;
use tokio::time::{sleep, Instant};

/// Between readings of a charge point that has not connected yet.
const AGAIN: Duration = Duration::from_millis(500);

/// Reads the device once.
pub async fn run(args: &ReadArgs, out: &mut impl Write) -> Result<(), DeviceCommandError> {
    if args.all {
        return models::run(args, out).await;
    }
    let mut target = open(&args.target).await?;
    let shown = first(&mut target).await?;
    match args.json {
        true => writeln!(out, "{}", described(&target, &shown))?,
        false => writeln!(out, "{}", shown.line())?,
    }
    Ok(())
}

/// Reads it again and again.
pub async fn watch(args: &WatchArgs, out: &mut impl Write) -> Result<(), DeviceCommandError> {
    let mut target = open(&args.target).await?;
    let mut read = first(&mut target).await;
    let mut count = 1;
    loop {
        match (&read, args.json) {
            (Ok(shown), true) => writeln!(out, "{}", described(&target, shown))?,
            (Ok(shown), false) => writeln!(out, "{}", shown.line())?,
            (Err(error), true) => {
                writeln!(out, "{}", json!({ "name": target.name, "error": error.to_string() }))?
            }
            (Err(error), false) => writeln!(out, "{error}")?,
        }
        out.flush()?;
        if args.count.is_some_and(|most| count >= most) {
            return read.map(drop).map_err(DeviceCommandError::from);
        }
        count += 1;
        sleep(Duration::from_secs_f64(args.every_s.clamp(0.1, 3_600.0))).await;
        read = read_once(&mut target.device).await;
    }
}

fn described(target: &Target, shown: &Shown) -> serde_json::Value {
    let mut json = shown.json();
    json["name"] = json!(target.name);
    json["age_ms"] = json!(u64::try_from(target.device.age().as_millis()).unwrap_or(u64::MAX));
    json
}

/// The first reading, waited for as long as the target has patience for.
pub async fn first(target: &mut Target) -> Result<Shown, DeviceError> {
    let until = Instant::now() + target.patience;
    loop {
        match read_once(&mut target.device).await {
            Err(DeviceError::Silent { .. }) if Instant::now() < until => sleep(AGAIN).await,
            read => return read,
        }
    }
}

/// Reads whatever it is.
pub async fn read_once(device: &mut Device) -> Result<Shown, DeviceError> {
    Ok(match device {
        Device::Meter(meter) => Shown::Meter(meter.read().await?),
        Device::Battery(battery) => Shown::Battery(battery.read().await?),
        Device::Generator(generator) => Shown::Generator(generator.read().await?),
        Device::Charger(charger) => Shown::Charger(charger.read().await?),
        Device::HeatPump(pump) => Shown::HeatPump(pump.read().await?),
        Device::Plug(plug) => Shown::Plug(plug.read().await?),
    })
}
