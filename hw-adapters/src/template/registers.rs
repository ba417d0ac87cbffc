//! What templates say of plain Modbus devices: which register means what.

use super::check::In;
use super::wire::check_serial;
use super::{DeviceKind, PointName, Quantity, TemplateError, Unit};
use crate::modbus::SerialLine;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A device read by a table of registers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterTemplate {
    /// Which of Modbus' tables its points lie in.
    pub table: RegisterTable,
    /// TCP port, where it is reached through a gateway.
    #[serde(default = "modbus_port")]
    pub port: u16,
    /// Modbus unit it has as delivered.
    #[serde(default = "first_unit")]
    pub unit: u8,
    /// Milliseconds within which it must answer one request.
    #[serde(default = "one_second")]
    pub answer_within_ms: u32,
    /// Most registers it gives in one answer.
    #[serde(default = "read_max")]
    pub read_max: u16,
    /// Its serial line as delivered, where it has one.
    pub serial: Option<SerialLine>,
    /// Where its points lie.
    pub points: BTreeMap<PointName, RegisterPoint>,
}

/// A table of Modbus registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RegisterTable {
    /// Input registers, read by function 4.
    Input,
    /// Holding registers, read by function 3.
    Holding,
}

/// One point among registers.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterPoint {
    /// Its address on the wire, which counts from 0.
    pub address: u16,
    /// How its registers are read.
    pub kind: RegisterKind,
    /// The unit it is told in.
    pub unit: Unit,
    /// What it is multiplied by.
    #[serde(default = "whole")]
    pub scale: f64,
}

/// How registers make a number; the first register is the higher unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegisterKind {
    /// One register.
    Uint16,
    /// One register, in two's complement.
    Int16,
    /// Two registers.
    Uint32,
    /// Two registers, in two's complement.
    Int32,
    /// Two registers, IEEE 754.
    Float32,
    /// Two registers, IEEE 754, the lower first.
    Float32Swapped,
    /// Four registers.
    Uint64,
    /// Four registers, in two's complement.
    Int64,
}

impl RegisterKind {
    /// How many registers it takes.
    pub fn registers(self) -> u16 {
        match self {
            Self::Uint16 | Self::Int16 => 1,
            Self::Uint32 | Self::Int32 | Self::Float32 | Self::Float32Swapped => 2,
            Self::Uint64 | Self::Int64 => 4,
        }
    }
}

fn modbus_port() -> u16 {
    502
}

fn first_unit() -> u8 {
    1
}

fn one_second() -> u32 {
    1000
}

fn read_max() -> u16 {
    60
}

fn whole() -> f64 {
    1.0
}

impl RegisterTemplate {
    pub(super) fn check(&self, at: &In<'_>, device: DeviceKind) -> Result<(), TemplateError> {
        if device != DeviceKind::Meter {
            return Err(at.wrong("device", &device.word(), "by a table of registers there are meters"));
        }
        at.number("port", f64::from(self.port), 1.0..=65_535.0)?;
        at.number("unit", f64::from(self.unit), 0.0..=247.0)?;
        at.number("answer_within_ms", f64::from(self.answer_within_ms), 100.0..=60_000.0)?;
        at.number("read_max", f64::from(self.read_max), 4.0..=125.0)?;
        self.serial.iter().try_for_each(|serial| check_serial(&at.key("serial"), *serial))?;
        let points = at.key("points");
        for (name, point) in &self.points {
            let at = points.key(name.word());
            let known = [PointName::Power, PointName::Imported, PointName::Exported];
            if !known.contains(name) {
                return Err(points.wrong(
                    name.word(),
                    &point.address,
                    "of a meter there are power, imported and exported",
                ));
            }
            point.check(&at, name.quantity())?;
        }
        for needed in [PointName::Power, PointName::Imported] {
            if !self.points.contains_key(&needed) {
                return Err(points.wrong(needed.word(), &"missing", "a meter must have it"));
            }
        }
        Ok(())
    }
}

impl RegisterPoint {
    fn check(&self, at: &In<'_>, quantity: Quantity) -> Result<(), TemplateError> {
        let last = 65_536 - u32::from(self.kind.registers());
        at.number("address", f64::from(self.address), 0.0..=f64::from(last))?;
        if !self.unit.fits(quantity) {
            return Err(at.wrong("unit", &format!("{:?}", self.unit), "it is no unit of this point"));
        }
        if self.scale == 0.0 {
            return Err(at.wrong("scale", &self.scale, "it must not be 0"));
        }
        at.number("scale", self.scale, -1e9..=1e9)
    }
}
