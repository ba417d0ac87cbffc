//! The charge point's words for what the physics show: status, meter values, timestamps.

use crate::physics::car::{ChargerSim, ConnectorStatus};
use market::interval::UnixSeconds;
use market::units::{Millijoule, MILLIJOULE_PER_WH};
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

/// A `StatusNotification`'s payload.
pub(super) fn status_notification(status: &str, now: UnixSeconds) -> Value {
    json!({ "connectorId": 1, "errorCode": "NoError", "status": status, "timestamp": timestamp(now) })
}

/// A `MeterValues` payload.
pub(super) fn meter_values(
    sim: &ChargerSim,
    transaction: Option<i64>,
    context: &str,
    measurands: &[&str],
) -> Value {
    let sampled: Vec<Value> = measurands
        .iter()
        .map(|measurand| {
            let (value, unit) = match *measurand {
                "Power.Active.Import" => (format!("{:.3}", sim.power().0 as f64 / 1e3), "W"),
                _ => (format!("{:.3}", sim.register().0 as f64 / MILLIJOULE_PER_WH as f64), "Wh"),
            };
            json!({ "value": value, "context": context, "measurand": measurand, "unit": unit })
        })
        .collect();
    let value = json!({ "timestamp": timestamp(sim.now()), "sampledValue": sampled });
    let mut payload = json!({ "connectorId": 1, "meterValue": [value] });
    if let Some(transaction) = transaction {
        payload["transactionId"] = json!(transaction);
    }
    payload
}
