//! What a site is configured with, and whether it fits together.

use crate::device::base_load::Tariff;
use crate::device::preferences::Preferences;
use hw_adapters::config::DeviceConfig;
use hw_adapters::device::Device;
use hw_adapters::template::Catalogue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use wire::message::MAX_FORECAST;

/// Most devices one site may have.
pub const MAX_DEVICES: usize = 64;

/// A site's meter and devices, and how it goes about its market.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteOptions {
    /// The meter at the connection point.
    pub meter: DeviceConfig,
    /// Everything else that can be read and set.
    #[serde(default)]
    pub devices: Vec<SiteDevice>,
    /// The base load's time-of-use tariff, where its owner has opted in to answer prices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tariff: Option<Tariff>,
    /// Most intervals to look ahead, as far as prices are forecast.
    #[serde(default = "horizon")]
    pub horizon: usize,
    /// Intervals without a firm price after which devices are given back to their own default.
    #[serde(default = "patience")]
    pub patience: u32,
    /// Folder with templates of the site's own, one TOML file a product; they go before the built-in ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub templates: Option<PathBuf>,
    /// Milliseconds within which a device must have answered, or it is left out.
    #[serde(default = "answer_within_ms")]
    pub answer_within_ms: u64,
}

/// One device: how it is reached, and what its owner wants of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteDevice {
    /// How it is reached.
    pub config: DeviceConfig,
    /// What its owner wants of it.
    pub preferences: Preferences,
    /// What it is told where the meter is lost, or no firm price comes for longer than `patience`, in watts: power it
    /// takes at most, negative what it gives at most. None hands it straight back to its own default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safe_w: Option<i64>,
}

fn horizon() -> usize {
    96
}

fn patience() -> u32 {
    2
}

fn answer_within_ms() -> u64 {
    10_000
}

impl SiteOptions {
    /// Templates built in, and those of the site's own folder.
    ///
    /// # Errors
    /// A file that describes no device, naming file, key and value.
    pub fn catalogue(&self) -> Result<Catalogue, String> {
        let built_in = Catalogue::built_in().map_err(|e| e.to_string())?;
        match &self.templates {
            Some(folder) => built_in.with_folder(folder).map_err(|e| e.to_string()),
            None => Ok(built_in),
        }
    }

    /// Makes paths absolute against the configuration file's directory.
    pub fn resolve(&mut self, directory: &Path) {
        self.templates.iter_mut().for_each(|folder| *folder = directory.join(&*folder));
        let devices = self.devices.iter_mut().map(|device| &mut device.config);
        devices.chain([&mut self.meter]).for_each(|config| config.resolve(directory));
    }

    /// Checks every figure.
    ///
    /// # Errors
    /// What is wrong, naming the key or the device.
    pub fn validate(&self) -> Result<(), String> {
        if self.horizon > MAX_FORECAST {
            return Err(format!("horizon is {}, more than the {MAX_FORECAST} ever forecast", self.horizon));
        }
        if !(10..=60_000).contains(&self.answer_within_ms) {
            return Err(format!("answer_within_ms is {}, not within 10 to 60000", self.answer_within_ms));
        }
        if self.devices.len() > MAX_DEVICES {
            return Err(format!("{} devices, more than the {MAX_DEVICES} allowed", self.devices.len()));
        }
        if let Some(tariff) = &self.tariff {
            tariff.validate().map_err(|e| format!("tariff: {e}"))?;
        }
        let mut names = BTreeSet::from([self.meter.name()]);
        for SiteDevice { config, preferences, safe_w } in &self.devices {
            if safe_w.is_some_and(|watts| !(-10_000_000..=10_000_000).contains(&watts)) {
                return Err(format!("{}: safe_w is not within -10000000 to 10000000", config.name()));
            }
            if !names.insert(config.name()) {
                return Err(format!("two devices have the name {:?}", config.name()));
            }
            preferences.validate().map_err(|e| format!("{}: {e}", config.name()))?;
        }
        Ok(())
    }
}

/// Whether preferences are for this kind of device.
pub(super) fn fits(device: &Device, preferences: &Preferences) -> bool {
    matches!(
        (device, preferences),
        (Device::Battery(_), Preferences::Battery(_))
            | (Device::Generator(_), Preferences::Generator(_))
            | (Device::Charger(_), Preferences::Charger(_))
            | (Device::HeatPump(_), Preferences::HeatPump(_))
            | (Device::Plug(_), Preferences::Plug(_))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const METER: &str = "[meter]\nkind = 'sunspec-meter'\nname = 'meter'\naddress = 'a:502'\n";
    const BATTERY: &str = "[[devices]]\n\
        config = { kind = 'sunspec-battery', name = 'battery', address = 'a:503' }\n\
        preferences = { kind = 'battery', reserve_percent = 10.0, wear_eur_per_mwh = 20.0, efficiency = 0.9 }\n";

    fn check(text: &str, expected: Result<(), &str>) {
        let read = toml::from_str::<SiteOptions>(text).map_err(|e| e.to_string());
        match (read.and_then(|options| options.validate()), expected) {
            (Ok(()), Ok(())) => {}
            (Err(reason), Err(part)) => assert!(reason.contains(part), "{reason}, without {part}"),
            (got, _) => panic!("{got:?}, not {expected:?}, for {text}"),
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        check(METER, Ok(()));
        check(&format!("{METER}{BATTERY}"), Ok(()));
        check(&format!("{METER}{BATTERY}{BATTERY}"), Err("\"battery\""));
        check(&format!("horizont = 3\n{METER}"), Err("horizont"));
        check(&format!("horizon = 1000\n{METER}"), Err("horizon"));
        check(&format!("answer_within_ms = 1\n{METER}"), Err("answer_within_ms"));
        check(&format!("{METER}{}", BATTERY.replace("0.9", "1.9")), Err("efficiency"));
        let tariff = "[tariff]\nopt_in_percent = 20.0\n\
            windows = [{ from = '17:00', until = '20:00', price_eur_per_mwh = 300.0 }]\n";
        check(&format!("{METER}{tariff}"), Ok(()));
        check(&format!("{METER}{}", tariff.replace("20.0", "200.0")), Err("opt_in_percent"));
        check(&format!("{METER}{}", tariff.replace("'20:00'", "'24:00'")), Err("24:00"));
        check(BATTERY, Err("meter"));
    }
}
