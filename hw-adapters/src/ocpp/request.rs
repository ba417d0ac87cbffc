//! What a central system asks of a charge point, whatever the version, and how it is put in each: OCPP 1.6
//! (section 5) and 2.0.1 (part 2, chapter 1).

use super::profile::Profile;
use super::station::{StationState, TransactionId};
use super::version::Version;
use serde_json::{json, Value};

/// The connector everything is about: we serve charge points with one. In 2.0.1 the EVSE.
pub const CONNECTOR: i64 = 1;

/// A message a charge point is to send now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// What its meter says.
    Meter,
    /// What its connector does.
    Status,
    /// What it is.
    Boot,
    /// That it is there.
    Heartbeat,
    /// How its firmware is.
    Firmware,
}

/// A call to a charge point.
#[derive(Clone, Debug, PartialEq)]
pub enum StationRequest {
    /// Send that message now.
    Trigger(Trigger),
    /// Tell these settings: configuration keys in 1.6, `Component.Variable` in 2.0.1. None means all in 1.6.
    GetSettings(Vec<String>),
    /// Change a setting.
    ChangeSetting {
        /// Which, named as in [`StationRequest::GetSettings`].
        name: String,
        /// To what.
        value: String,
    },
    /// Hold this charging profile.
    SetProfile(Profile),
    /// Forget the charging profile with this id.
    ClearProfile(i64),
    /// Tell what limits the next `duration_s` seconds, in the unit its limits are in.
    GetCompositeSchedule {
        /// For how long.
        duration_s: u32,
    },
    /// Begin charging, for a charge point that waits to be told.
    RemoteStart {
        /// On whose account.
        id_tag: String,
    },
    /// End the transaction under way.
    RemoteStop,
}

impl StationRequest {
    /// The call's action and payload, for a charge point in this state; `number` is one not used before.
    pub fn put(&self, station: &StationState, number: u64) -> (&'static str, Value) {
        match station.version {
            Version::V16 => self.put_v16(station),
            Version::V201 => self.put_v201(station, number),
        }
    }

    fn put_v16(&self, station: &StationState) -> (&'static str, Value) {
        match self {
            Self::Trigger(trigger) => {
                let connector = json!({ "connectorId": CONNECTOR });
                let mut payload = if trigger.is_placed() { connector } else { json!({}) };
                payload["requestedMessage"] = json!(trigger.message(station));
                ("TriggerMessage", payload)
            }
            Self::GetSettings(names) if names.is_empty() => ("GetConfiguration", json!({})),
            Self::GetSettings(names) => ("GetConfiguration", json!({ "key": names })),
            Self::ChangeSetting { name, value } => {
                ("ChangeConfiguration", json!({ "key": name, "value": value }))
            }
            Self::SetProfile(profile) => {
                let payload =
                    json!({ "connectorId": profile.place(), "csChargingProfiles": profile.put(station) });
                ("SetChargingProfile", payload)
            }
            Self::ClearProfile(id) => ("ClearChargingProfile", json!({ "id": id })),
            Self::GetCompositeSchedule { duration_s } => {
                let unit = station.rate_unit.letter();
                let payload =
                    json!({ "connectorId": CONNECTOR, "duration": duration_s, "chargingRateUnit": unit });
                ("GetCompositeSchedule", payload)
            }
            Self::RemoteStart { id_tag } => {
                ("RemoteStartTransaction", json!({ "connectorId": CONNECTOR, "idTag": id_tag }))
            }
            Self::RemoteStop => ("RemoteStopTransaction", json!({ "transactionId": transaction(station) })),
        }
    }

    fn put_v201(&self, station: &StationState, number: u64) -> (&'static str, Value) {
        match self {
            Self::Trigger(trigger) => {
                let mut payload = json!({ "requestedMessage": trigger.message(station) });
                match trigger {
                    Trigger::Status => payload["evse"] = json!({ "id": CONNECTOR, "connectorId": 1 }),
                    trigger if trigger.is_placed() => payload["evse"] = json!({ "id": CONNECTOR }),
                    _ => {}
                }
                ("TriggerMessage", payload)
            }
            Self::GetSettings(names) => {
                let asked: Vec<Value> = names.iter().map(|name| variable(name)).collect();
                ("GetVariables", json!({ "getVariableData": asked }))
            }
            Self::ChangeSetting { name, value } => {
                let mut change = variable(name);
                change["attributeValue"] = json!(value);
                ("SetVariables", json!({ "setVariableData": [change] }))
            }
            Self::SetProfile(profile) => {
                let payload = json!({ "evseId": profile.place(), "chargingProfile": profile.put(station) });
                ("SetChargingProfile", payload)
            }
            Self::ClearProfile(id) => ("ClearChargingProfile", json!({ "chargingProfileId": id })),
            Self::GetCompositeSchedule { duration_s } => {
                let unit = station.rate_unit.letter();
                let payload =
                    json!({ "evseId": CONNECTOR, "duration": duration_s, "chargingRateUnit": unit });
                ("GetCompositeSchedule", payload)
            }
            Self::RemoteStart { id_tag } => {
                let token = json!({ "idToken": id_tag, "type": "Central" });
                let number = number % 1_000_000_000;
                let payload = json!({ "evseId": CONNECTOR, "remoteStartId": number, "idToken": token });
                ("RequestStartTransaction", payload)
            }
            Self::RemoteStop => ("RequestStopTransaction", json!({ "transactionId": transaction(station) })),
        }
    }
}

impl Trigger {
    fn message(self, station: &StationState) -> &'static str {
        match self {
            // What a transaction's meter says travels in its events (2.0.1, use case E02).
            Self::Meter if station.version == Version::V201 && station.transaction.is_some() => {
                "TransactionEvent"
            }
            Self::Meter => "MeterValues",
            Self::Status => "StatusNotification",
            Self::Boot => "BootNotification",
            Self::Heartbeat => "Heartbeat",
            Self::Firmware => "FirmwareStatusNotification",
        }
    }

    /// Whether it is about a connector.
    fn is_placed(self) -> bool {
        matches!(self, Self::Meter | Self::Status)
    }
}

/// The id of the transaction under way, in the version's own form.
pub(super) fn transaction(station: &StationState) -> Value {
    match station.transaction.as_ref().map(|transaction| &transaction.id) {
        Some(TransactionId::Number(number)) => json!(number),
        Some(TransactionId::Name(name)) => json!(name),
        None => Value::Null,
    }
}

fn variable(name: &str) -> Value {
    let (component, variable) = name.split_once('.').unwrap_or(("", name));
    json!({ "component": { "name": component }, "variable": { "name": variable } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocpp::station::Transaction;

    fn check(version: Version, request: &StationRequest, action: &str, payload: Value) {
        let id = match version {
            Version::V16 => TransactionId::Number(7),
            Version::V201 => TransactionId::Name("t7".into()),
        };
        let transaction = Some(Transaction { id, began_ms: None });
        let station = StationState { version, transaction, ..StationState::unknown() };
        assert_eq!(request.put(&station, 5), (action, payload));
    }

    #[test]
    fn requests_are_put_in_the_words_of_each_version() {
        let meter = StationRequest::Trigger(Trigger::Meter);
        let message = json!({ "requestedMessage": "MeterValues", "connectorId": 1 });
        check(Version::V16, &meter, "TriggerMessage", message);
        let message = json!({ "requestedMessage": "TransactionEvent", "evse": { "id": 1 } });
        check(Version::V201, &meter, "TriggerMessage", message);
        let boot = StationRequest::Trigger(Trigger::Boot);
        check(Version::V16, &boot, "TriggerMessage", json!({ "requestedMessage": "BootNotification" }));
        let stop = StationRequest::RemoteStop;
        check(Version::V16, &stop, "RemoteStopTransaction", json!({ "transactionId": 7 }));
        check(Version::V201, &stop, "RequestStopTransaction", json!({ "transactionId": "t7" }));
        let change = StationRequest::ChangeSetting { name: "A.B".into(), value: "1".into() };
        check(Version::V16, &change, "ChangeConfiguration", json!({ "key": "A.B", "value": "1" }));
        let data =
            json!([{ "component": { "name": "A" }, "variable": { "name": "B" }, "attributeValue": "1" }]);
        check(Version::V201, &change, "SetVariables", json!({ "setVariableData": data }));
    }
}
