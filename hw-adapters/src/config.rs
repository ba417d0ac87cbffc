//! A device as a configuration file names it, and opening it. Unknown keys are refused.

use crate::by_template::TemplateDevice;
use crate::counted::Counted;
use crate::device::Device;
use crate::metrics::DeviceMetrics;
use crate::modbus::Timeouts;
use crate::mqtt::profile::Overrides;
use crate::mqtt::{MqttDevice, MqttError};
use crate::ocpp::{OcppCharger, OcppChargerConfig, OcppError};
use crate::sunspec::{SunSpecBattery, SunSpecGenerator, SunSpecMeter};
use crate::template::{Catalogue, TemplateError};
use market::units::Milliwatt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use thiserror::Error;

/// The template of a heat pump that takes a power.
const HEAT_PUMP: &str = "heat-pump-json";

/// One device of a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind")]
pub enum DeviceConfig {
    /// A SunSpec meter (models 201 to 204) at the site's connection.
    #[serde(rename = "sunspec-meter")]
    SunSpecMeter(ModbusConfig),
    /// A SunSpec battery with an inverter of its own (models 101 to 103, 120, 124).
    #[serde(rename = "sunspec-battery")]
    SunSpecBattery(ModbusConfig),
    /// A SunSpec PV inverter (models 101 to 103, 120, 123).
    #[serde(rename = "sunspec-generator")]
    SunSpecGenerator(ModbusConfig),
    /// A charge point that speaks OCPP 1.6J and connects to us.
    #[serde(rename = "ocpp-charger")]
    OcppCharger(ChargerConfig),
    /// A heat pump that says its state and takes setpoints on an MQTT broker.
    #[serde(rename = "mqtt-heat-pump")]
    MqttHeatPump(HeatPumpConfig),
    /// A product by its template: `gridpact device templates` lists them.
    #[serde(rename = "template")]
    Template(TemplateDevice),
}

/// Where a Modbus TCP device is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModbusConfig {
    /// The device's name within its site, for logs.
    pub name: String,
    /// Host and port, as in `192.168.1.20:502`.
    pub address: String,
    /// Modbus unit identifier, 1 to 247, for most devices 1.
    #[serde(default = "first_unit")]
    #[schemars(range(min = 0, max = 255))]
    pub unit: u8,
    /// Milliseconds within which the device must answer one request, 100 to 60000.
    #[serde(default = "one_second")]
    #[schemars(range(min = 100, max = 60_000))]
    pub answer_within_ms: u64,
}

/// What is known of a charge point before it connects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChargerConfig {
    /// The device's name within its site, for logs.
    pub name: String,
    /// Address and port to listen on for it, as in `0.0.0.0:8180`.
    pub listen: SocketAddr,
    /// Its charge point identity: the last part of the URL it is set to connect to.
    pub identity: String,
    /// Phases it charges on, 1 to 3.
    #[schemars(range(min = 1, max = 3))]
    pub phases: u8,
    /// Most power it charges at, in watts, at least 6 A on its phases.
    pub power_max_w: u32,
    /// Milliseconds within which it must answer one call, 100 to 60000.
    #[serde(default = "five_seconds")]
    #[schemars(range(min = 100, max = 60_000))]
    pub answer_within_ms: u64,
}

/// Where a heat pump's topics are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeatPumpConfig {
    /// The device's name within its site, for logs.
    pub name: String,
    /// The broker's host and port, as in `192.168.1.2:1883`.
    pub broker: String,
    /// What its topics begin with, without the slash before `state` and `set`.
    pub prefix: String,
    /// Milliseconds after which a state counts as stale, 100 to 3600000.
    #[serde(default = "two_minutes")]
    #[schemars(range(min = 100, max = 3_600_000))]
    pub stale_after_ms: u64,
    /// Milliseconds within which its state must show a setpoint, 100 to 60000.
    #[serde(default = "five_seconds")]
    #[schemars(range(min = 100, max = 60_000))]
    pub answer_within_ms: u64,
}

fn first_unit() -> u8 {
    1
}

fn one_second() -> u64 {
    1000
}

fn five_seconds() -> u64 {
    5000
}

fn two_minutes() -> u64 {
    120_000
}

/// A device that can't be opened. A device that is only silent opens, and says so when read.
#[derive(Debug, Error)]
pub enum OpenError {
    /// An address that is none.
    #[error("{device}: address {address:?} is not host:port")]
    Address {
        /// The device's name.
        device: String,
        /// What stands in the configuration.
        address: String,
    },
    /// A time for answers out of range.
    #[error("{device}: answer_within_ms is {given}, not within 100 to 60000")]
    AnswerWithin {
        /// The device's name.
        device: String,
        /// What stands in the configuration.
        given: u64,
    },
    /// The charge point's listener can't be opened.
    #[error("{device}: listening for the charge point: {source}")]
    Ocpp {
        /// The device's name.
        device: String,
        /// Why.
        source: OcppError,
    },
    /// A device on a broker can't be followed.
    #[error(transparent)]
    Mqtt(#[from] MqttError),
    /// A template that is none, or isn't there.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A key the template's protocol needs.
    #[error("{device}: {key} is missing: a device by {protocol} is reached by it")]
    MissingKey {
        /// The device's name.
        device: String,
        /// The key.
        key: &'static str,
        /// The template's protocol.
        protocol: &'static str,
    },
    /// A key that means nothing for the template's protocol.
    #[error("{device}: {key} means nothing to a device by {protocol}")]
    NeedlessKey {
        /// The device's name.
        device: String,
        /// The key.
        key: &'static str,
        /// The template's protocol.
        protocol: &'static str,
    },
}

impl DeviceConfig {
    /// The device's name within its site.
    pub fn name(&self) -> &str {
        match self {
            Self::SunSpecMeter(c) | Self::SunSpecBattery(c) | Self::SunSpecGenerator(c) => &c.name,
            Self::OcppCharger(c) => &c.name,
            Self::MqttHeatPump(c) => &c.name,
            Self::Template(c) => &c.name,
        }
    }

    /// Its kind, as in a configuration file and in metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SunSpecMeter(_) => "sunspec-meter",
            Self::SunSpecBattery(_) => "sunspec-battery",
            Self::SunSpecGenerator(_) => "sunspec-generator",
            Self::OcppCharger(_) => "ocpp-charger",
            Self::MqttHeatPump(_) => "mqtt-heat-pump",
            Self::Template(_) => "template",
        }
    }
}

/// Makes the device usable: listens where the device connects to us; where we connect to it, that
/// happens on first use. Its failures are counted in `metrics`.
///
/// # Errors
/// Where the configuration can't be, or a listener can't be opened.
pub async fn open(config: &DeviceConfig, metrics: &DeviceMetrics) -> Result<Device, OpenError> {
    open_with(config, &Catalogue::built_in()?, metrics).await
}

/// As [`open`], with these templates.
///
/// # Errors
/// Where the configuration can't be, or a listener can't be opened.
pub async fn open_with(
    config: &DeviceConfig,
    catalogue: &Catalogue,
    metrics: &DeviceMetrics,
) -> Result<Device, OpenError> {
    let plain = match config {
        DeviceConfig::Template(device) => match device.plain(catalogue.get(&device.template)?)? {
            Some(plain) => plain,
            None => return device.open(catalogue.get(&device.template)?, metrics),
        },
        plain => plain.clone(),
    };
    open_plain(&plain, catalogue, metrics).await
}

async fn open_plain(
    config: &DeviceConfig,
    catalogue: &Catalogue,
    metrics: &DeviceMetrics,
) -> Result<Device, OpenError> {
    let (kind, metrics) = (config.kind(), metrics.clone());
    Ok(match config {
        DeviceConfig::SunSpecMeter(c) => {
            let meter = SunSpecMeter::new(c.name.clone(), c.address()?, c.unit, c.timeouts()?);
            Device::Meter(Box::new(Counted::new(meter, kind, metrics)))
        }
        DeviceConfig::SunSpecBattery(c) => {
            let battery = SunSpecBattery::new(c.name.clone(), c.address()?, c.unit, c.timeouts()?);
            Device::Battery(Box::new(Counted::new(battery, kind, metrics)))
        }
        DeviceConfig::SunSpecGenerator(c) => {
            let generator = SunSpecGenerator::new(c.name.clone(), c.address()?, c.unit, c.timeouts()?);
            Device::Generator(Box::new(Counted::new(generator, kind, metrics)))
        }
        DeviceConfig::OcppCharger(c) => {
            let charger = c.listen(metrics.clone()).await?;
            Device::Charger(Box::new(Counted::new(charger, kind, metrics)))
        }
        DeviceConfig::MqttHeatPump(c) => {
            let template = catalogue.get(HEAT_PUMP)?;
            let site = c.overrides()?;
            let heat_pump = MqttDevice::new(c.name.clone(), &c.broker, (template, &site), metrics.clone())?;
            Device::HeatPump(Box::new(Counted::new(heat_pump, kind, metrics)))
        }
        DeviceConfig::Template(device) => return device.open(catalogue.get(&device.template)?, &metrics),
    })
}

impl ModbusConfig {
    /// Whether it can be.
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        self.address()?;
        self.timeouts().map(drop)
    }

    fn address(&self) -> Result<String, OpenError> {
        let sound = self
            .address
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
        let (device, address) = (self.name.clone(), self.address.clone());
        sound.then_some(self.address.clone()).ok_or(OpenError::Address { device, address })
    }

    fn timeouts(&self) -> Result<Timeouts, OpenError> {
        let request = Duration::from_millis(answer_within(&self.name, self.answer_within_ms)?);
        // A device's first call walks its whole model chain, some twenty short requests.
        Ok(Timeouts { connect: request, request, operation: request * 5 })
    }
}

impl ChargerConfig {
    async fn listen(&self, metrics: DeviceMetrics) -> Result<OcppCharger, OpenError> {
        let config = OcppChargerConfig {
            name: self.name.clone(),
            listen: self.listen,
            identity: self.identity.clone(),
            phases: self.phases,
            power_max: Milliwatt(i64::from(self.power_max_w) * 1000),
            answer_within_ms: answer_within(&self.name, self.answer_within_ms)?,
        };
        let opened = OcppCharger::listen(config, metrics).await;
        opened.map_err(|source| OpenError::Ocpp { device: self.name.clone(), source })
    }
}

impl HeatPumpConfig {
    fn overrides(&self) -> Result<Overrides, OpenError> {
        Ok(Overrides {
            settings: BTreeMap::from([("prefix".to_owned(), self.prefix.clone())]),
            stale_after_ms: Some(self.stale_after_ms),
            answer_within_ms: Some(answer_within(&self.name, self.answer_within_ms)?),
            ..Overrides::default()
        })
    }
}

fn answer_within(device: &str, given: u64) -> Result<u64, OpenError> {
    let error = OpenError::AnswerWithin { device: device.to_owned(), given };
    (100..=60_000).contains(&given).then_some(given).ok_or(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(value: serde_json::Value) -> String {
        serde_json::from_value::<DeviceConfig>(value).unwrap_err().to_string()
    }

    #[test]
    fn a_device_is_named_by_its_kind_with_what_it_needs() {
        let value = json!({"kind": "sunspec-meter", "name": "meter", "address": "inverter.local:502"});
        let config: DeviceConfig = serde_json::from_value(value).unwrap();
        assert_eq!((config.kind(), config.name()), ("sunspec-meter", "meter"));
        let back = serde_json::to_value(&config).unwrap();
        assert_eq!(back["unit"], 1);
        assert_eq!(back["kind"], "sunspec-meter");
    }

    #[test]
    fn unknown_kinds_keys_and_missing_keys_are_named() {
        let value = json!({"kind": "sunspec-meter", "name": "m", "address": "a:1", "slave": 3});
        assert!(refused(value).contains("slave"));
        assert!(refused(json!({"kind": "toaster", "name": "m"})).contains("toaster"));
        assert!(refused(json!({"kind": "sunspec-battery", "name": "m"})).contains("address"));
    }

    async fn check_refused(address: &str, answer_within_ms: u64, part: &str) {
        let config = DeviceConfig::SunSpecMeter(ModbusConfig {
            name: "meter".into(),
            address: address.into(),
            unit: 1,
            answer_within_ms,
        });
        let metrics = DeviceMetrics::register(&prometheus::Registry::new()).unwrap();
        let error = open(&config, &metrics).await.err().unwrap().to_string();
        assert!(error.contains(part), "{error}");
    }

    #[tokio::test]
    async fn what_cannot_be_is_refused_when_opened() {
        check_refused("meter", 1000, "host:port").await;
        check_refused(":502", 1000, "host:port").await;
        check_refused("meter:70000", 1000, "host:port").await;
        check_refused("meter:502", 10, "answer_within_ms").await;
    }

    #[test]
    fn every_key_is_described_for_the_reference_page() {
        let schema = serde_json::to_value(schemars::schema_for!(DeviceConfig)).unwrap();
        for kind in schema["oneOf"].as_array().unwrap() {
            assert!(kind["description"].is_string(), "{kind:#}");
            for (key, about) in kind["properties"].as_object().unwrap() {
                assert!(key == "kind" || about["description"].is_string(), "{key}");
            }
        }
    }
}
