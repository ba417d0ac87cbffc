//! What templates say of devices whose meaning is in the protocol: SunSpec and OCPP; and of serial lines.

use super::check::In;
use super::{DeviceKind, TemplateError};
use crate::modbus::SerialLine;
use crate::ramp::RampRules;
use serde::Deserialize;

/// How a SunSpec device is found. What its registers mean it says itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SunSpecTemplate {
    /// TCP port it listens on as delivered.
    #[serde(default = "modbus_port")]
    pub port: u16,
    /// Modbus unit it has as delivered.
    #[serde(default = "first_unit")]
    pub unit: u8,
    /// Milliseconds within which it must answer one request.
    #[serde(default = "one_second")]
    pub answer_within_ms: u32,
    /// What its common model (1) may name as its maker; any of them at the beginning, in any case.
    #[serde(default)]
    pub makers: Vec<String>,
    /// Its serial line as delivered, where it has one.
    pub serial: Option<SerialLine>,
    /// How fast its setpoints may move; none for as the device itself is set, or as usual.
    pub ramp: Option<RampRules>,
}

/// How a charge point is met.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OcppTemplate {
    /// Phases it charges on.
    pub phases: u8,
    /// Port to wait for it on.
    #[serde(default = "ocpp_port")]
    pub port: u16,
    /// Seconds that a limit holds in it without being renewed.
    #[serde(default = "half_an_hour")]
    pub limit_life_s: u32,
    /// Milliseconds within which it must answer one call.
    #[serde(default = "five_seconds")]
    pub answer_within_ms: u32,
}

fn half_an_hour() -> u32 {
    1_800
}

fn modbus_port() -> u16 {
    502
}

fn ocpp_port() -> u16 {
    8180
}

fn first_unit() -> u8 {
    1
}

fn one_second() -> u32 {
    1000
}

fn five_seconds() -> u32 {
    5000
}

impl SunSpecTemplate {
    pub(super) fn check(&self, at: &In<'_>, device: DeviceKind) -> Result<(), TemplateError> {
        if !matches!(device, DeviceKind::Meter | DeviceKind::Battery | DeviceKind::Generator) {
            let rule = "by SunSpec there are meters, batteries and generators";
            return Err(at.wrong("device", &device.word(), rule));
        }
        at.number("port", f64::from(self.port), 1.0..=65_535.0)?;
        at.number("unit", f64::from(self.unit), 0.0..=247.0)?;
        at.number("answer_within_ms", f64::from(self.answer_within_ms), 100.0..=60_000.0)?;
        at.count("makers", self.makers.len(), 0..=16)?;
        for maker in &self.makers {
            at.text("makers", maker, 1..=32)?;
        }
        if let Some(reason) = self.ramp.and_then(|ramp| ramp.validate().err()) {
            return Err(at.wrong(
                "ramp",
                &reason,
                "a ramp is percent_per_s of 1 to 10000, w_per_s of 1 or more, or both",
            ));
        }
        self.serial.iter().try_for_each(|serial| check_serial(&at.key("serial"), *serial))
    }
}

/// Whether a serial line can be set so.
pub(super) fn check_serial(at: &In<'_>, serial: SerialLine) -> Result<(), TemplateError> {
    at.number("baud", f64::from(serial.baud), 1_200.0..=115_200.0)?;
    at.number("stop_bits", f64::from(serial.stop_bits), 1.0..=2.0)
}

impl OcppTemplate {
    pub(super) fn check(&self, at: &In<'_>, device: DeviceKind) -> Result<(), TemplateError> {
        if device != DeviceKind::Charger {
            return Err(at.wrong("device", &device.word(), "by OCPP there are chargers"));
        }
        at.number("phases", f64::from(self.phases), 1.0..=3.0)?;
        at.number("limit_life_s", f64::from(self.limit_life_s), 60.0..=86_400.0)?;
        at.number("port", f64::from(self.port), 1.0..=65_535.0)?;
        at.number("answer_within_ms", f64::from(self.answer_within_ms), 100.0..=60_000.0)
    }
}
