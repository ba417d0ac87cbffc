//! A device as a configuration file names it, and opening it. Unknown keys are refused.

mod error;

pub use error::OpenError;

use crate::by_template::TemplateDevice;
use crate::counted::Counted;
use crate::device::Device;
use crate::metrics::DeviceMetrics;
use crate::modbus::{Endpoint, SerialLine, Timeouts};
use crate::mqtt::login::BrokerLogin;
use crate::mqtt::profile::Overrides;
use crate::mqtt::{MqttDevice, Reach};
use crate::ocpp::{CentralSystem, OcppCharger, Password, StationConfig, TlsFiles};
use crate::ramp::RampRules;
use crate::sunspec::enter_service::EnterServiceRules;
use crate::sunspec::{SunSpecBattery, SunSpecDevice, SunSpecGenerator, SunSpecMeter};
use crate::template::Catalogue;
use market::units::Milliwatt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The template of a heat pump that takes a power.
const HEAT_PUMP: &str = "heat-pump-json";

/// One device of a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind")]
pub enum DeviceConfig {
    /// A SunSpec meter (models 201 to 204, 211 to 214) at the site's connection.
    #[serde(rename = "sunspec-meter")]
    SunSpecMeter(ModbusConfig),
    /// A SunSpec battery with an inverter of its own (models 101 to 113 and 120, or 701 and 702; 124, or 704 with
    /// 713 or 802).
    #[serde(rename = "sunspec-battery")]
    SunSpecBattery(ModbusConfig),
    /// A SunSpec PV inverter (models 101 to 113, 120 and 123, or 701, 702 and 704).
    #[serde(rename = "sunspec-generator")]
    SunSpecGenerator(ModbusConfig),
    /// A charge point that speaks OCPP 1.6J or 2.0.1 and connects to us.
    #[serde(rename = "ocpp-charger")]
    OcppCharger(ChargerConfig),
    /// A heat pump that says its state and takes setpoints on an MQTT broker.
    #[serde(rename = "mqtt-heat-pump")]
    MqttHeatPump(HeatPumpConfig),
    /// A product by its template: `gridpact device templates` lists them.
    #[serde(rename = "template")]
    Template(Box<TemplateDevice>),
}

/// Where a Modbus device is, over TCP or on a serial line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModbusConfig {
    /// The device's name within its site, for logs.
    pub name: String,
    /// Host and port, as in `192.168.1.20:502`, or a serial device, as in `/dev/ttyUSB0`.
    pub address: String,
    /// How the serial line is set; 9600 bits a second without parity where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<SerialLine>,
    /// Modbus unit identifier, 1 to 247, for most devices 1.
    #[serde(default = "first_unit")]
    #[schemars(range(min = 0, max = 255))]
    pub unit: u8,
    /// Milliseconds within which the device must answer one request, 100 to 60000.
    #[serde(default = "one_second")]
    #[schemars(range(min = 100, max = 60_000))]
    pub answer_within_ms: u64,
    /// When it may enter service; by EN 50549-1 on a grid of 50 Hz and by IEEE 1547-2018 on one of 60 Hz where
    /// nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enter_service: Option<EnterServiceRules>,
    /// How fast its setpoints may move, as in `{ percent_per_s = 10 }`; as the device itself is set (704, 121), or
    /// else a fifth of its nameplate a second, where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<RampRules>,
}

/// What is known of a charge point before it connects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChargerConfig {
    /// The device's name within its site, for logs.
    pub name: String,
    /// Address and port to listen on for it, as in `0.0.0.0:8180`. Charge points that name the same share it.
    pub listen: SocketAddr,
    /// Its charge point identity: the last part of the URL it is set to connect to.
    pub identity: String,
    /// Phases it charges on, 1 to 3.
    #[schemars(range(min = 1, max = 3))]
    pub phases: u8,
    /// Most power it charges at, in watts, at least 6 A on its phases.
    pub power_max_w: u32,
    /// Amperes that the fuse it hangs on carries on each phase, 6 to 1000. It is never told to take more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 6, max = 1000))]
    pub fuse_a: Option<u32>,
    /// Watts a car may take while nobody steers: 0, or at least 6 A on its phases. It lies in the charge point
    /// and holds when we are gone. None for 6 A.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_power_w: Option<u32>,
    /// Seconds that a limit holds in the charge point without being renewed, 60 to 86400.
    #[serde(default = "half_an_hour")]
    #[schemars(range(min = 60, max = 86_400))]
    pub limit_life_s: u32,
    /// Milliseconds within which it must answer one call, 100 to 60000.
    #[serde(default = "five_seconds")]
    #[schemars(range(min = 100, max = 60_000))]
    pub answer_within_ms: u64,
    /// SHA-256, in hexadecimal, of the password it must know (HTTP basic authentication with its identity).
    /// Choose a long random one. None for no password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_sha256: Option<String>,
    /// Certificates, for a charge point that connects by `wss://`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ChargerTlsConfig>,
}

/// TLS for charge points. Files are PEM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChargerTlsConfig {
    /// Our certificate, with those above it but the authority's.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// The authority that signs charge points' certificates, where they must have one (security profile 3). A
    /// certificate's common name must be the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<PathBuf>,
    /// That authority's revocation lists. All files are read anew when they change; no restart is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<PathBuf>,
}

/// Where a heat pump's topics are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeatPumpConfig {
    /// The device's name within its site, for logs.
    pub name: String,
    /// The broker's host and port, as in `192.168.1.2:1883`.
    pub broker: String,
    /// Who we are to the broker, where it wants to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<BrokerLogin>,
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

fn half_an_hour() -> u32 {
    1800
}

fn five_seconds() -> u64 {
    5000
}

fn two_minutes() -> u64 {
    120_000
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

    /// Makes paths absolute against the configuration file's directory.
    pub fn resolve(&mut self, directory: &Path) {
        match self {
            Self::OcppCharger(charger) => charger.tls.iter_mut().for_each(|tls| tls.resolve(directory)),
            Self::MqttHeatPump(pump) => pump.login.iter_mut().for_each(|login| login.resolve(directory)),
            Self::Template(device) => device.resolve(directory),
            _ => {}
        }
    }
}

/// A SunSpec device as a list of models, where this configuration is one of a SunSpec device.
///
/// # Errors
/// Where the configuration can't be.
pub fn sunspec_models(
    config: &DeviceConfig,
    catalogue: &Catalogue,
) -> Result<Option<SunSpecDevice>, OpenError> {
    let plain = match config {
        DeviceConfig::Template(device) => device.plain(catalogue.get(&device.template)?)?,
        plain => Some(plain.clone()),
    };
    Ok(match plain {
        Some(
            DeviceConfig::SunSpecMeter(c)
            | DeviceConfig::SunSpecBattery(c)
            | DeviceConfig::SunSpecGenerator(c),
        ) => Some(SunSpecDevice::new(c.name.clone(), c.endpoint()?, c.unit, c.timeouts()?)),
        _ => None,
    })
}

/// Makes the device usable: listens where the device connects to us; where we connect to it, that
/// happens on first use. Its failures are counted in `metrics`.
///
/// # Errors
/// Where the configuration can't be, or a listener can't be opened.
pub async fn open(config: &DeviceConfig, metrics: &DeviceMetrics) -> Result<Device, OpenError> {
    open_with(config, &Catalogue::built_in()?, metrics, None).await
}

/// As [`open`], with these templates; a device's state as it was found before the first write is kept in `folder`, and
/// restored from there after a crash.
///
/// # Errors
/// Where the configuration can't be, or a listener can't be opened.
pub async fn open_with(
    config: &DeviceConfig,
    catalogue: &Catalogue,
    metrics: &DeviceMetrics,
    folder: Option<&Path>,
) -> Result<Device, OpenError> {
    let plain = match config {
        DeviceConfig::Template(device) => match device.plain(catalogue.get(&device.template)?)? {
            Some(plain) => plain,
            None => {
                let kept_in = folder.map(|folder| state_file(folder, &device.name));
                return device.open(catalogue.get(&device.template)?, metrics, kept_in);
            }
        },
        plain => plain.clone(),
    };
    open_plain(&plain, catalogue, metrics, folder).await
}

async fn open_plain(
    config: &DeviceConfig,
    catalogue: &Catalogue,
    metrics: &DeviceMetrics,
    folder: Option<&Path>,
) -> Result<Device, OpenError> {
    let file = folder.map(|folder| state_file(folder, config.name()));
    let (kind, metrics) = (config.kind(), metrics.clone());
    Ok(match config {
        DeviceConfig::SunSpecMeter(c) => {
            let meter = SunSpecMeter::new(c.name.clone(), c.endpoint()?, c.unit, c.timeouts()?);
            Device::Meter(Box::new(Counted::new(meter, kind, metrics)))
        }
        DeviceConfig::SunSpecBattery(c) => {
            let battery = SunSpecBattery::new(c.name.clone(), c.endpoint()?, c.unit, c.timeouts()?)
                .entering_service_by(c.enter_service)
                .ramping_by(c.ramp()?);
            let battery = match file {
                Some(file) => battery.keeping_state_in(file),
                None => battery,
            };
            Device::Battery(Box::new(Counted::new(battery, kind, metrics)))
        }
        DeviceConfig::SunSpecGenerator(c) => {
            let generator = SunSpecGenerator::new(c.name.clone(), c.endpoint()?, c.unit, c.timeouts()?)
                .entering_service_by(c.enter_service)
                .ramping_by(c.ramp()?);
            let generator = match file {
                Some(file) => generator.keeping_state_in(file),
                None => generator,
            };
            Device::Generator(Box::new(Counted::new(generator, kind, metrics)))
        }
        DeviceConfig::OcppCharger(c) => {
            let charger = c.listen(metrics.clone()).await?;
            Device::Charger(Box::new(Counted::new(charger, kind, metrics)))
        }
        DeviceConfig::MqttHeatPump(c) => {
            let template = catalogue.get(HEAT_PUMP)?;
            let site = c.overrides()?;
            let reach =
                Reach { broker: c.broker.clone(), login: c.login.clone().unwrap_or_default(), kept_in: file };
            let heat_pump = MqttDevice::new(c.name.clone(), reach, (template, &site), metrics.clone())?;
            Device::HeatPump(Box::new(Counted::new(heat_pump, kind, metrics)))
        }
        DeviceConfig::Template(device) => {
            return device.open(catalogue.get(&device.template)?, &metrics, file)
        }
    })
}

/// A file name that any device name makes, and no two the same.
fn state_file(folder: &Path, device: &str) -> PathBuf {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let name: String = device
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") })
        .collect();
    folder.join(format!("{name}.found.json"))
}

impl ChargerTlsConfig {
    pub(crate) fn resolve(&mut self, directory: &Path) {
        let all = [&mut self.certificate, &mut self.key].into_iter();
        for path in all.chain(&mut self.clients).chain(&mut self.revoked) {
            *path = directory.join(&*path);
        }
    }
}

impl ModbusConfig {
    /// Where it is, once it can be.
    pub(crate) fn reached(&self) -> Result<(Endpoint, Timeouts), OpenError> {
        Ok((self.endpoint()?, self.timeouts()?))
    }

    fn endpoint(&self) -> Result<Endpoint, OpenError> {
        let device = self.name.clone();
        Endpoint::parse(&self.address, self.serial).map_err(|source| OpenError::Address { device, source })
    }

    fn ramp(&self) -> Result<Option<RampRules>, OpenError> {
        if let Some(reason) = self.ramp.and_then(|ramp| ramp.validate().err()) {
            return Err(OpenError::Ramp { device: self.name.clone(), reason });
        }
        Ok(self.ramp)
    }

    fn timeouts(&self) -> Result<Timeouts, OpenError> {
        Ok(Timeouts::of(Duration::from_millis(answer_within(&self.name, self.answer_within_ms)?)))
    }
}

impl ChargerConfig {
    /// A charge point of which no more is said.
    pub fn new(name: &str, listen: SocketAddr, identity: &str, phases: u8, power_max_w: u32) -> Self {
        Self {
            name: name.to_owned(),
            listen,
            identity: identity.to_owned(),
            phases,
            power_max_w,
            fuse_a: None,
            fallback_power_w: None,
            limit_life_s: half_an_hour(),
            answer_within_ms: five_seconds(),
            password_sha256: None,
            tls: None,
        }
    }

    async fn listen(&self, metrics: DeviceMetrics) -> Result<OcppCharger, OpenError> {
        let watts = |watt: u32| Milliwatt(i64::from(watt) * 1000);
        let no_hash = || OpenError::PasswordHash { device: self.name.clone() };
        let password =
            self.password_sha256.as_deref().map(|hash| Password::from_sha256(hash).ok_or_else(no_hash));
        let config = StationConfig {
            fuse_ampere: self.fuse_a,
            fallback: self.fallback_power_w.map(watts),
            life_s: self.limit_life_s,
            answer_within_ms: answer_within(&self.name, self.answer_within_ms)?,
            password: password.transpose()?,
            ..StationConfig::new(&self.name, &self.identity, self.phases, watts(self.power_max_w))
        };
        let tls = self.tls.clone().map(|files| TlsFiles {
            certificate: files.certificate,
            key: files.key,
            clients: files.clients,
            revoked: files.revoked,
        });
        let system = CentralSystem::share(self.listen, tls, metrics).await;
        let opened = system.and_then(|system| system.charger(config));
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
            serial: None,
            unit: 1,
            answer_within_ms,
            enter_service: None,
            ramp: None,
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
