//! What is particular about a product, as data: one TOML file each, read and checked here.
//!
//! A template says what a device is (meter, battery, plug and so on) and by which protocol it is reached:
//! exactly one of `[sunspec]`, `[registers]`, `[ocpp]` and `[mqtt]`. Files in `hw-adapters/templates` are part of
//! the program; a site's own folder adds to them and goes before them. No socket is opened here.

mod catalogue;
mod check;
mod discovery;
mod error;
mod mqtt;
mod mqtt_check;
mod quantity;
mod registers;
mod wire;

pub use catalogue::{Catalogue, MAX_FILE_BYTES};
pub use discovery::{Discovery, EntityCommands, EntityPattern};
pub use error::TemplateError;
pub use mqtt::{
    AskTemplate, Availability, Commands, Level, MqttTemplate, Place, PointTemplate, PowerCommand,
    ScanTemplate, Setting, SwitchCommand, Thermostat, ValueCommand,
};
pub(crate) use quantity::believable;
pub use quantity::{PointName, Quantity, Unit};
pub use registers::{RegisterKind, RegisterPoint, RegisterTable, RegisterTemplate};
pub use wire::{OcppTemplate, SunSpecTemplate};

use serde::Deserialize;

/// What a device is to the site controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceKind {
    /// A meter.
    Meter,
    /// A battery with its inverter.
    Battery,
    /// A generator, as a rule PV.
    Generator,
    /// A charge point for an electric vehicle.
    Charger,
    /// A heat pump, or whatever heats by a thermostat.
    HeatPump,
    /// Something that is switched on and off.
    Plug,
}

impl DeviceKind {
    /// As it stands in a template, on the command line and in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Meter => "meter",
            Self::Battery => "battery",
            Self::Generator => "generator",
            Self::Charger => "charger",
            Self::HeatPump => "heat-pump",
            Self::Plug => "plug",
        }
    }
}

/// One product.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Maker and model, for people.
    pub product: String,
    /// What it is to the site controller.
    pub device: DeviceKind,
    /// Most power it takes or gives, in watts: its nameplate, where the device does not say it itself.
    pub power_max_w: Option<u32>,
    /// What an installer should know.
    pub notes: Option<String>,
    /// Reached by SunSpec over Modbus.
    pub sunspec: Option<SunSpecTemplate>,
    /// Reached by plain Modbus registers.
    pub registers: Option<RegisterTemplate>,
    /// Connects to us by OCPP.
    pub ocpp: Option<OcppTemplate>,
    /// Reached over an MQTT broker.
    pub mqtt: Option<MqttTemplate>,
}

impl Template {
    /// Reads one product's file. `name` and `file` say which in errors and otherwise mean nothing.
    ///
    /// # Errors
    /// Text that is no TOML, a key that is unknown or missing, a value that can't be: the error names the file, the
    /// key and the value.
    pub fn parse(file: &str, text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX_FILE_BYTES {
            return Err(TemplateError::TooLong { file: file.to_owned(), bytes: text.len() });
        }
        let read: Result<Self, toml::de::Error> = toml::from_str(text);
        let template =
            read.map_err(|source| TemplateError::Toml { file: file.to_owned(), source: Box::new(source) })?;
        template.check(&check::In::file(file))?;
        Ok(template)
    }

    /// The protocol it is reached by, as a word.
    pub fn protocol(&self) -> &'static str {
        match self {
            Self { sunspec: Some(_), .. } => "sunspec",
            Self { registers: Some(_), .. } => "modbus",
            Self { ocpp: Some(_), .. } => "ocpp",
            _ => "mqtt",
        }
    }

    fn check(&self, at: &check::In<'_>) -> Result<(), TemplateError> {
        at.text("product", &self.product, 1..=80)?;
        if let Some(notes) = &self.notes {
            at.text("notes", notes, 1..=600)?;
        }
        if let Some(power) = self.power_max_w {
            at.number("power_max_w", f64::from(power), 1.0..=10e6)?;
        }
        let sections = [
            ("sunspec", self.sunspec.is_some()),
            ("registers", self.registers.is_some()),
            ("ocpp", self.ocpp.is_some()),
            ("mqtt", self.mqtt.is_some()),
        ];
        let there: Vec<&str> = sections.iter().filter(|(_, there)| *there).map(|(name, _)| *name).collect();
        if there.len() != 1 {
            let given = if there.is_empty() { "none".to_owned() } else { there.join(" and ") };
            return Err(at.wrong("sunspec, registers, ocpp or mqtt", &given, "exactly one must be there"));
        }
        if let Some(sunspec) = &self.sunspec {
            sunspec.check(&at.key("sunspec"), self.device)?;
        }
        if let Some(registers) = &self.registers {
            registers.check(&at.key("registers"), self.device)?;
        }
        if let Some(ocpp) = &self.ocpp {
            ocpp.check(&at.key("ocpp"), self.device)?;
        }
        if let Some(mqtt) = &self.mqtt {
            mqtt.check(&at.key("mqtt"), self.device)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
