//! The charge point's words for what the physics show: status, meter values, timestamps.

use super::version::Version;
use crate::physics::car::{ChargerSim, ConnectorStatus};
use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt, MILLIJOULE_PER_WH};
use serde_json::{json, Value};
use time::format_description::well_known::Rfc3339;
use time::OffsetDateTime;

/// An instant as the standard writes it.
pub(super) fn timestamp(instant: UnixSeconds) -> String {
    let instant = OffsetDateTime::from_unix_timestamp(instant.0).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    instant.format(&Rfc3339).unwrap_or_else(|_| "1970-01-01T00:00:00Z".to_owned())
}

/// A counter in whole watt-hours, as transactions state it.
pub(super) fn whole_wh(register: Millijoule) -> i64 {
    register.0 / MILLIJOULE_PER_WH
}

/// The connector's state, given whether a transaction is under way.
pub(super) fn status(sim: &ChargerSim, in_transaction: bool) -> &'static str {
    match sim.status() {
        ConnectorStatus::Available => "Available",
        _ if !in_transaction => "Finishing",
        ConnectorStatus::Charging => "Charging",
        ConnectorStatus::SuspendedEv => "SuspendedEV",
        ConnectorStatus::SuspendedEvse => "SuspendedEVSE",
    }
}

/// A sample of the meter, kept until it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) at: UnixSeconds,
    pub(super) power: Milliwatt,
    pub(super) register: Millijoule,
    /// Why it was taken (`ReadingContext`).
    pub(super) context: &'static str,
}

impl Sample {
    /// The meter as it is now.
    pub(super) fn of(sim: &ChargerSim, context: &'static str) -> Self {
        Self { at: sim.now(), power: sim.power(), register: sim.register(), context }
    }

    /// As a `MeterValue` of 1.6, where values are text, or of 2.0.1, where they are numbers.
    pub(super) fn value(&self, version: Version, measurands: &[&str]) -> Value {
        let sampled = measurands.iter().map(|measurand| {
            let (milli, unit) = match *measurand {
                "Power.Active.Import" => (self.power.0 as f64 / 1e3, "W"),
                _ => (self.register.0 as f64 / MILLIJOULE_PER_WH as f64, "Wh"),
            };
            let text = format!("{milli:.3}");
            match version {
                Version::V16 => {
                    json!({ "value": text, "context": self.context, "measurand": measurand, "unit": unit })
                }
                Version::V201 => {
                    let value = (milli * 1e3).round() / 1e3;
                    let unit = json!({ "unit": unit });
                    json!({ "value": value, "context": self.context, "measurand": measurand, "unitOfMeasure": unit })
                }
            }
        });
        json!({ "timestamp": timestamp(self.at), "sampledValue": sampled.collect::<Vec<_>>() })
    }
}
