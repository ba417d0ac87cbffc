//! From the command line, or a site's file, to an open device.

use super::args::TargetArgs;
use super::DeviceCommandError;
use crate::configuration::{self, RoleFile};
use hw_adapters::by_template::TemplateDevice;
use hw_adapters::config::{open_with, DeviceConfig};
use hw_adapters::device::Device;
use hw_adapters::metrics::DeviceMetrics;
use hw_adapters::template::Catalogue;
use prometheus::Registry;
use std::path::Path;
use std::time::Duration;

/// A device to be read or set.
pub struct Target {
    /// What it is called.
    pub name: String,
    /// The device.
    pub device: Device,
    /// How long its first answer may take: a charge point has to connect first.
    pub patience: Duration,
}

/// Templates built in, and those of `folder`.
pub fn catalogue(folder: Option<&Path>) -> Result<Catalogue, DeviceCommandError> {
    let built_in = Catalogue::built_in()?;
    match folder {
        Some(folder) => Ok(built_in.with_folder(folder)?),
        None => Ok(built_in),
    }
}

/// Opens the device that is meant. Says on standard error where it has to be waited for.
pub async fn open(args: &TargetArgs) -> Result<Target, DeviceCommandError> {
    let (config, catalogue) = configured(args)?;
    let registry = Registry::new();
    let metrics = DeviceMetrics::register(&registry).map_err(|e| DeviceCommandError::Site(e.to_string()))?;
    let device = open_with(&config, &catalogue, &metrics, None).await?;
    let mut patience = Duration::ZERO;
    if let Device::Charger(_) = device {
        patience = Duration::from_secs(args.wait_s);
        eprintln!("waiting up to {} s for the charge point to connect to us", args.wait_s);
    }
    Ok(Target { name: config.name().to_owned(), device, patience })
}

/// How the device that is meant is configured.
pub fn configured(args: &TargetArgs) -> Result<(DeviceConfig, Catalogue), DeviceCommandError> {
    match &args.site {
        Some(file) => of_site(file, &args.device),
        None => {
            let catalogue = catalogue(args.templates.as_deref())?;
            Ok((by_template(args, &catalogue)?, catalogue))
        }
    }
}

fn by_template(args: &TargetArgs, catalogue: &Catalogue) -> Result<DeviceConfig, DeviceCommandError> {
    let template = catalogue.get(&args.device)?;
    let address = args.address.clone().unwrap_or_default();
    let mut device = TemplateDevice {
        name: args.device.clone(),
        template: args.device.clone(),
        unit: args.unit,
        serial: args.serial,
        identity: args.identity.clone(),
        login: (template.protocol() == "mqtt").then(|| args.login.login()),
        settings: args.setting.iter().cloned().collect(),
        power_max_w: args.power_max_w,
        outdoor_celsius: args.outdoor_celsius,
        answer_within_ms: args.answer_within_ms,
        ..TemplateDevice::default()
    };
    match template.protocol() {
        "mqtt" => {
            device.broker = Some(if address.contains(':') { address } else { format!("{address}:1883") })
        }
        "ocpp" => {
            let wrong = |_| DeviceCommandError::Site(format!("{address:?} is no ADDRESS:PORT to wait at"));
            device.listen = Some(address.parse().map_err(wrong)?);
        }
        _ => device.address = Some(address),
    }
    Ok(DeviceConfig::Template(Box::new(device)))
}

fn of_site(file: &Path, name: &str) -> Result<(DeviceConfig, Catalogue), DeviceCommandError> {
    let wrong = DeviceCommandError::Site;
    let RoleFile::Site(site) = configuration::load(file).map_err(|e| wrong(e.to_string()))? else {
        return Err(wrong(format!("{} configures no site", file.display())));
    };
    let catalogue = site.site.catalogue().map_err(wrong)?;
    let mut all =
        std::iter::once(&site.site.meter).chain(site.site.devices.iter().map(|device| &device.config));
    let names: Vec<&str> = all.clone().map(DeviceConfig::name).collect();
    let found = all.find(|config| config.name() == name).cloned();
    let config = found.ok_or_else(|| {
        wrong(format!("{} has no device {name:?}; it has {}", file.display(), names.join(", ")))
    })?;
    Ok((config, catalogue))
}
