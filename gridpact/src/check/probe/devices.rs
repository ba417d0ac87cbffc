//! A site's devices: opened as the site opens them, read once, and asked who they are.

use super::configuration::Loaded;
use crate::check::facts::{Answered, DeviceFacts};
use crate::configuration::roles::SiteFile;
use crate::configuration::RoleFile;
use crate::device::read_once;
use futures::future::join_all;
use hw_adapters::config::{open_with, DeviceConfig, ModbusConfig};
use hw_adapters::device::{Device, DeviceError};
use hw_adapters::metrics::DeviceMetrics;
use hw_adapters::modbus::{Endpoint, ModbusLink, Timeouts};
use hw_adapters::scan::scan_units;
use hw_adapters::template::Catalogue;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{sleep, timeout, Instant};

/// How long a device on a broker may take to say anything.
const ON_BROKER: Duration = Duration::from_secs(8);
/// Between tries of one that said nothing yet.
const AGAIN: Duration = Duration::from_millis(250);
/// How long one device may take altogether.
const PATIENCE: Duration = Duration::from_secs(20);
const RUNS: &str = "the site runs and has it; --devices asks in spite of that";

/// All devices. Those of a site that `runs` are asked only where that is wanted: many take one connection alone.
pub async fn of(loaded: &[Loaded], runs: impl Fn(&Loaded) -> bool, wanted: bool) -> Vec<DeviceFacts> {
    let mut facts = Vec::new();
    let sites = loaded.iter().filter_map(|one| match one.role() {
        Some(RoleFile::Site(file)) => Some((one, file)),
        _ => None,
    });
    let sites = sites.map(|(one, file)| site(one.name(), file, !wanted && runs(one)));
    join_all(sites).await.into_iter().for_each(|more| facts.extend(more));
    facts
}

async fn site(name: String, file: &SiteFile, runs: bool) -> Vec<DeviceFacts> {
    // A folder of templates that can't be read is said where configuration is.
    let Ok(catalogue) = file.site.catalogue() else { return Vec::new() };
    let meter = std::iter::once((&file.site.meter, true));
    let all = meter.chain(file.site.devices.iter().map(|device| (&device.config, false)));
    // Devices behind one address take one connection at a time.
    let mut lines: BTreeMap<String, Vec<(&DeviceConfig, bool)>> = BTreeMap::new();
    for (config, meter) in all {
        lines.entry(line(config, &catalogue)).or_default().push((config, meter));
    }
    let line = |line: Vec<(&'_ DeviceConfig, bool)>| {
        let (catalogue, name) = (&catalogue, &name);
        let line: Vec<(DeviceConfig, bool)> =
            line.into_iter().map(|(config, meter)| (config.clone(), meter)).collect();
        async move {
            let mut found = Vec::new();
            for (config, meter) in line {
                let answered = match runs {
                    true => unfit(&config, catalogue).unwrap_or(Answered::NotAsked(RUNS.to_owned())),
                    false => match timeout(PATIENCE, ask(&config, catalogue, meter)).await {
                        Ok(answered) => answered,
                        Err(_) => Answered::Silent(format!("no answer within {} s", PATIENCE.as_secs())),
                    },
                };
                let kind = match &config {
                    DeviceConfig::Template(device) => device.template.clone(),
                    plain => plain.kind().to_owned(),
                };
                found.push(DeviceFacts {
                    name: config.name().to_owned(),
                    site: name.clone(),
                    kind,
                    meter,
                    answered,
                });
            }
            found
        }
    };
    join_all(lines.into_values().map(line)).await.into_iter().flatten().collect()
}

/// What devices share that can't be asked at the same time: an address or a serial line.
fn line(config: &DeviceConfig, catalogue: &Catalogue) -> String {
    match modbus(config, catalogue) {
        Some(modbus) => modbus.address,
        None => format!("device {}", config.name()),
    }
}

/// How it is reached by Modbus with SunSpec, where it is.
fn modbus(config: &DeviceConfig, catalogue: &Catalogue) -> Option<ModbusConfig> {
    let modbus = |config: &DeviceConfig| match config {
        DeviceConfig::SunSpecMeter(modbus)
        | DeviceConfig::SunSpecBattery(modbus)
        | DeviceConfig::SunSpecGenerator(modbus) => Some(modbus.clone()),
        _ => None,
    };
    match config {
        DeviceConfig::Template(device) => modbus(&device.resolved(catalogue).ok()??),
        plain => modbus(plain),
    }
}

/// What can be said against a device without asking it.
fn unfit(config: &DeviceConfig, catalogue: &Catalogue) -> Option<Answered> {
    let DeviceConfig::Template(device) = config else { return None };
    device.resolved(catalogue).err().map(|error| Answered::Unfit(error.to_string()))
}

async fn ask(config: &DeviceConfig, catalogue: &Catalogue, meter: bool) -> Answered {
    if let Some(unfit) = unfit(config, catalogue) {
        return unfit;
    }
    let resolved = match config {
        DeviceConfig::Template(device) => device.resolved(catalogue).ok().flatten(),
        plain => Some(plain.clone()),
    };
    if let Some(DeviceConfig::OcppCharger(charger)) = resolved {
        return Answered::NotAsked(format!(
            "a charge point connects to us, at {}, once the site runs",
            charger.listen
        ));
    }
    let Ok(metrics) = DeviceMetrics::register(&prometheus::Registry::new()) else {
        return Answered::NotAsked("its counters can't be made".to_owned());
    };
    let mut device = match open_with(config, catalogue, &metrics, None).await {
        Ok(device) => device,
        Err(error) => return Answered::Unfit(error.to_string()),
    };
    if meter && !matches!(device, Device::Meter(_)) {
        return Answered::Unfit(format!("{} is no meter, and stands in the meter's place", config.name()));
    }
    let patient = modbus(config, catalogue).is_none();
    match first(&mut device, patient).await {
        Ok(line) => {
            drop(device);
            other(config, catalogue).await.unwrap_or(Answered::Read(line))
        }
        Err(DeviceError::Silent { reason, act, .. }) => {
            Answered::Silent(format!("no answer while {act}: {reason}"))
        }
        Err(error) => {
            drop(device);
            other(config, catalogue).await.unwrap_or_else(|| Answered::Bad(error.to_string()))
        }
    }
}

/// The first reading. A device on a broker may need a while until it has said something.
async fn first(device: &mut Device, patient: bool) -> Result<String, DeviceError> {
    let until = Instant::now() + ON_BROKER;
    loop {
        match read_once(device).await {
            // Its kind stands before it.
            Ok(shown) => {
                return Ok(shown
                    .line()
                    .split_once(": ")
                    .map_or_else(String::new, |(_, rest)| rest.to_owned()))
            }
            Err(DeviceError::Silent { .. }) if patient && Instant::now() < until => sleep(AGAIN).await,
            Err(error) => return Err(error),
        }
    }
}

/// Whether it says that it is another product than its template is for.
async fn other(config: &DeviceConfig, catalogue: &Catalogue) -> Option<Answered> {
    let DeviceConfig::Template(device) = config else { return None };
    let modbus = modbus(config, catalogue)?;
    let endpoint = Endpoint::parse(&modbus.address, modbus.serial).ok()?;
    let timeouts = Timeouts::of(Duration::from_millis(modbus.answer_within_ms));
    let link = |unit| ModbusLink::new(endpoint.clone(), unit, timeouts);
    let found = scan_units((&modbus.address, &[modbus.unit]), link, catalogue, |_| {}).await.ok()?;
    let found = found.into_iter().next()?;
    let fitting: Vec<String> = found.templates.into_iter().map(|(name, _)| name).collect();
    let fits = fitting.contains(&device.template);
    (!fits).then_some(Answered::Other { says: found.what, fitting })
}
