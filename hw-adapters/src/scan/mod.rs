//! What an installer does first: look which devices there are at an address, without writing anything to them.

mod mqtt;
mod sunspec;

pub use mqtt::scan_broker;
pub use sunspec::{scan_units, UnitProgress};

use crate::modbus::SerialLine;
use std::collections::BTreeMap;

/// A device that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `sunspec` or `mqtt`.
    pub protocol: &'static str,
    /// Where: `host:port`, or a serial device's path.
    pub address: String,
    /// How its serial line is set, where it is on one.
    pub line: Option<SerialLine>,
    /// Its Modbus unit.
    pub unit: Option<u8>,
    /// What it says it is, for people.
    pub what: String,
    /// Its SunSpec models.
    pub models: Vec<u16>,
    /// Templates that fit, the most particular first, with the settings they need.
    pub templates: Vec<(String, BTreeMap<String, String>)>,
}

/// Why nothing could be looked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address}: {reason}")]
pub struct ScanError {
    /// Where.
    pub address: String,
    /// Why.
    pub reason: String,
}
