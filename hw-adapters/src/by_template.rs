//! A device as a site's configuration names it by its template, and opening it.

use crate::config::{ChargerConfig, ChargerTlsConfig, DeviceConfig, ModbusConfig, OpenError};
use crate::counted::Counted;
use crate::device::Device;
use crate::metrics::DeviceMetrics;
use crate::modbus::{ModbusLink, SerialLine};
use crate::mqtt::login::BrokerLogin;
use crate::mqtt::profile::Overrides;
use crate::mqtt::{MqttDevice, Reach};
use crate::ramp::RampRules;
use crate::registers::RegisterMeter;
use crate::sunspec::enter_service::EnterServiceRules;
use crate::template::{Catalogue, DeviceKind, OcppTemplate, RegisterTemplate, SunSpecTemplate, Template};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// A product by its template, and what is particular about this one of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateDevice {
    /// The device's name within its site, for logs.
    pub name: String,
    /// The template's name: a file of the site's folder `templates`, or one that is built in, without `.toml`.
    pub template: String,
    /// Modbus: host, or host and port where it is not the template's, as in `192.168.1.20:502`; or a serial device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Modbus: how the serial line is set, where it is not as the template has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<SerialLine>,
    /// SunSpec: when it may enter service; none for what its region's standard says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enter_service: Option<EnterServiceRules>,
    /// SunSpec: how fast its setpoints may move, where that is not the template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<RampRules>,
    /// Modbus: unit identifier, where it is not the template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 247))]
    pub unit: Option<u8>,
    /// OCPP: address and port to wait for the charge point on; none for the template's port on every address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// OCPP: the charge point's identity, the last part of the URL it is set to connect to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// OCPP: phases it charges on, where they are not the template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3))]
    pub phases: Option<u8>,
    /// OCPP: amperes that the fuse it hangs on carries on each phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 6, max = 1000))]
    pub fuse_a: Option<u32>,
    /// OCPP: watts a car may take while nobody steers: 0, or at least 6 A on its phases; none for 6 A.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_power_w: Option<u32>,
    /// OCPP: seconds that a limit holds in it without being renewed, where that is not the template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 86_400))]
    pub limit_life_s: Option<u32>,
    /// OCPP: SHA-256, in hexadecimal, of the password it must know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_sha256: Option<String>,
    /// OCPP: certificates, for a charge point that connects by `wss://`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ChargerTlsConfig>,
    /// MQTT: the broker's host and port, as in `192.168.1.2:1883`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<String>,
    /// MQTT: who we are to the broker, where it wants to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<BrokerLogin>,
    /// MQTT: what the template has `{placeholders}` for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// Most power it takes or gives, in watts, where it is not the template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_max_w: Option<u32>,
    /// Milliseconds within which it must answer, 100 to 60000, where that is not the template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 60_000))]
    pub answer_within_ms: Option<u64>,
    /// MQTT: milliseconds after which a value counts as stale, where that is not the template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 86_400_000))]
    pub stale_after_ms: Option<u64>,
    /// Heat pump by MQTT: a topic with the outdoor temperature, a plain number of degrees Celsius.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outdoor_topic: Option<String>,
    /// Heat pump by MQTT: the outdoor temperature to reckon with where nothing says it, in degrees Celsius.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outdoor_celsius: Option<f64>,
    /// Thermostat by MQTT: what it is set to where it is to take no power, in degrees Celsius.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low_celsius: Option<f64>,
    /// Thermostat by MQTT: what it is set to where it is to take all its power, in degrees Celsius.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high_celsius: Option<f64>,
}

impl TemplateDevice {
    /// The same device without a template, where its protocol has a configuration of its own; nothing for one by registers or
    /// on a broker.
    ///
    /// # Errors
    /// Where there is no such template, or the device lacks what it needs.
    pub fn resolved(&self, catalogue: &Catalogue) -> Result<Option<DeviceConfig>, OpenError> {
        self.plain(catalogue.get(&self.template)?)
    }

    /// Makes paths absolute against the configuration file's directory.
    pub(crate) fn resolve(&mut self, directory: &Path) {
        self.tls.iter_mut().for_each(|tls| tls.resolve(directory));
        self.login.iter_mut().for_each(|login| login.resolve(directory));
    }

    /// The same device without a template, where its protocol has a configuration of its own.
    pub(crate) fn plain(&self, template: &Template) -> Result<Option<DeviceConfig>, OpenError> {
        self.fits(template.protocol())?;
        if let Some(sunspec) = &template.sunspec {
            let modbus = self.modbus(sunspec)?;
            return Ok(Some(match template.device {
                DeviceKind::Battery => DeviceConfig::SunSpecBattery(modbus),
                DeviceKind::Generator => DeviceConfig::SunSpecGenerator(modbus),
                _ => DeviceConfig::SunSpecMeter(modbus),
            }));
        }
        match &template.ocpp {
            Some(ocpp) => {
                self.charger(ocpp, template).map(|charger| Some(DeviceConfig::OcppCharger(charger)))
            }
            None => Ok(None),
        }
    }

    /// Opens a device by registers or on a broker.
    pub(crate) fn open(
        &self,
        template: &Template,
        metrics: &DeviceMetrics,
        kept_in: Option<PathBuf>,
    ) -> Result<Device, OpenError> {
        let (kind, metrics) = (template.device.word(), metrics.clone());
        if let Some(registers) = &template.registers {
            let meter = RegisterMeter::new(self.name.clone(), self.link(registers)?, registers.clone());
            return Ok(Device::Meter(Box::new(Counted::new(meter, "register-meter", metrics))));
        }
        let broker = self.needed("broker", self.broker.as_ref(), "mqtt")?;
        let login = self.login.clone().unwrap_or_default();
        let reach = Reach { broker: broker.clone(), login, kept_in };
        let device =
            MqttDevice::new(self.name.clone(), reach, (template, &self.overrides()), metrics.clone())?;
        Ok(match template.device {
            DeviceKind::Plug => Device::Plug(Box::new(Counted::new(device, kind, metrics))),
            DeviceKind::HeatPump => Device::HeatPump(Box::new(Counted::new(device, kind, metrics))),
            _ => Device::Meter(Box::new(Counted::new(device, kind, metrics))),
        })
    }

    fn overrides(&self) -> Overrides {
        Overrides {
            settings: self.settings.clone(),
            power_max_w: self.power_max_w,
            stale_after_ms: self.stale_after_ms,
            answer_within_ms: self.answer_within_ms,
            outdoor_topic: self.outdoor_topic.clone(),
            outdoor_celsius: self.outdoor_celsius,
            low_celsius: self.low_celsius,
            high_celsius: self.high_celsius,
        }
    }

    /// Whether every key given means something to a device by this protocol.
    fn fits(&self, protocol: &'static str) -> Result<(), OpenError> {
        let keys: [(&'static str, bool, &[&str]); 21] = [
            ("serial", self.serial.is_some(), &["sunspec", "modbus"]),
            ("enter_service", self.enter_service.is_some(), &["sunspec"]),
            ("ramp", self.ramp.is_some(), &["sunspec"]),
            ("address", self.address.is_some(), &["sunspec", "modbus"]),
            ("unit", self.unit.is_some(), &["sunspec", "modbus"]),
            ("listen", self.listen.is_some(), &["ocpp"]),
            ("identity", self.identity.is_some(), &["ocpp"]),
            ("phases", self.phases.is_some(), &["ocpp"]),
            ("fuse_a", self.fuse_a.is_some(), &["ocpp"]),
            ("limit_life_s", self.limit_life_s.is_some(), &["ocpp"]),
            ("fallback_power_w", self.fallback_power_w.is_some(), &["ocpp"]),
            ("password_sha256", self.password_sha256.is_some(), &["ocpp"]),
            ("tls", self.tls.is_some(), &["ocpp"]),
            ("power_max_w", self.power_max_w.is_some(), &["ocpp", "mqtt"]),
            ("broker", self.broker.is_some(), &["mqtt"]),
            ("login", self.login.is_some(), &["mqtt"]),
            ("settings", !self.settings.is_empty(), &["mqtt"]),
            ("stale_after_ms", self.stale_after_ms.is_some(), &["mqtt"]),
            (
                "outdoor_topic or outdoor_celsius",
                self.outdoor_topic.is_some() || self.outdoor_celsius.is_some(),
                &["mqtt"],
            ),
            ("low_celsius", self.low_celsius.is_some(), &["mqtt"]),
            ("high_celsius", self.high_celsius.is_some(), &["mqtt"]),
        ];
        match keys.into_iter().find(|(_, given, protocols)| *given && !protocols.contains(&protocol)) {
            Some((key, ..)) => Err(OpenError::NeedlessKey { device: self.name.clone(), key, protocol }),
            None => Ok(()),
        }
    }

    fn needed<'a, T>(
        &self,
        key: &'static str,
        value: Option<&'a T>,
        protocol: &'static str,
    ) -> Result<&'a T, OpenError> {
        value.ok_or_else(|| OpenError::MissingKey { device: self.name.clone(), key, protocol })
    }

    /// The address with the template's port where it has none.
    fn address(&self, port: u16, protocol: &'static str) -> Result<String, OpenError> {
        let address = self.needed("address", self.address.as_ref(), protocol)?;
        let whole = address.starts_with('/')
            || address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        Ok(if whole { address.clone() } else { format!("{address}:{port}") })
    }

    /// How the serial line at `address` is set: as the site says, or as the template does; none over TCP.
    fn serial(&self, address: &str, template: Option<SerialLine>) -> Option<SerialLine> {
        self.serial.or(template.filter(|_| address.starts_with('/')))
    }

    fn modbus(&self, template: &SunSpecTemplate) -> Result<ModbusConfig, OpenError> {
        let address = self.address(template.port, "sunspec")?;
        Ok(ModbusConfig {
            name: self.name.clone(),
            serial: self.serial(&address, template.serial),
            address,
            unit: self.unit.unwrap_or(template.unit),
            answer_within_ms: self.answer_within_ms.unwrap_or(u64::from(template.answer_within_ms)),
            enter_service: self.enter_service,
            ramp: self.ramp.or(template.ramp),
        })
    }

    fn charger(&self, ocpp: &OcppTemplate, template: &Template) -> Result<ChargerConfig, OpenError> {
        let everywhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), ocpp.port);
        let power_max_w = self.power_max_w.or(template.power_max_w);
        let identity = self.needed("identity", self.identity.as_ref(), "ocpp")?;
        let power_max_w = *self.needed("power_max_w", power_max_w.as_ref(), "ocpp")?;
        let (listen, phases) = (self.listen.unwrap_or(everywhere), self.phases.unwrap_or(ocpp.phases));
        Ok(ChargerConfig {
            fuse_a: self.fuse_a,
            fallback_power_w: self.fallback_power_w,
            limit_life_s: self.limit_life_s.unwrap_or(ocpp.limit_life_s),
            password_sha256: self.password_sha256.clone(),
            tls: self.tls.clone(),
            answer_within_ms: self.answer_within_ms.unwrap_or(u64::from(ocpp.answer_within_ms)),
            ..ChargerConfig::new(&self.name, listen, identity, phases, power_max_w)
        })
    }

    fn link(&self, template: &RegisterTemplate) -> Result<ModbusLink, OpenError> {
        let address = self.address(template.port, "modbus")?;
        let answer_within_ms = self.answer_within_ms.unwrap_or(u64::from(template.answer_within_ms));
        let config = ModbusConfig {
            name: self.name.clone(),
            serial: self.serial(&address, template.serial),
            address,
            unit: self.unit.unwrap_or(template.unit),
            answer_within_ms,
            enter_service: None,
            ramp: None,
        };
        let (endpoint, timeouts) = config.reached()?;
        Ok(ModbusLink::new(endpoint, config.unit, timeouts))
    }
}
