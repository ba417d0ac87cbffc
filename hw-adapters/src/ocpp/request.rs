//! What a central system asks of a charge point (OCPP 1.6, section 5), as calls to be sent.

use serde_json::{json, Value};

/// The connector everything is about: we serve charge points with one.
pub const CONNECTOR: i64 = 1;

/// A call to a charge point.
#[derive(Clone, Debug, PartialEq)]
pub enum StationRequest {
    /// Send that message now.
    TriggerMessage(&'static str),
    /// Tell the values of these configuration keys.
    GetConfiguration(&'static [&'static str]),
    /// Change a configuration key.
    ChangeConfiguration {
        /// Which.
        key: &'static str,
        /// To what.
        value: &'static str,
    },
    /// Hold this charging profile; the payload is [`profile`](super::profile)'s to make.
    SetChargingProfile(Value),
    /// Forget the charging profile with this id.
    ClearChargingProfile(i64),
    /// Tell what limits the next `duration_s` seconds.
    GetCompositeSchedule {
        /// For how long.
        duration_s: u32,
        /// In amperes (`A`) or watts (`W`).
        unit: &'static str,
    },
    /// Begin charging, for a charge point that waits to be told.
    RemoteStartTransaction {
        /// On whose account.
        id_tag: &'static str,
    },
}

impl StationRequest {
    /// The action's name.
    pub fn action(&self) -> &'static str {
        match self {
            Self::TriggerMessage(_) => "TriggerMessage",
            Self::GetConfiguration(_) => "GetConfiguration",
            Self::ChangeConfiguration { .. } => "ChangeConfiguration",
            Self::SetChargingProfile(_) => "SetChargingProfile",
            Self::ClearChargingProfile(_) => "ClearChargingProfile",
            Self::GetCompositeSchedule { .. } => "GetCompositeSchedule",
            Self::RemoteStartTransaction { .. } => "RemoteStartTransaction",
        }
    }

    /// The payload.
    pub fn payload(&self) -> Value {
        match self {
            Self::TriggerMessage(message) => json!({ "requestedMessage": message, "connectorId": CONNECTOR }),
            Self::GetConfiguration(keys) => json!({ "key": keys }),
            Self::ChangeConfiguration { key, value } => json!({ "key": key, "value": value }),
            Self::SetChargingProfile(profile) => {
                json!({ "connectorId": CONNECTOR, "csChargingProfiles": profile })
            }
            Self::ClearChargingProfile(id) => json!({ "id": id }),
            Self::GetCompositeSchedule { duration_s, unit } => {
                json!({ "connectorId": CONNECTOR, "duration": duration_s, "chargingRateUnit": unit })
            }
            Self::RemoteStartTransaction { id_tag } => json!({ "connectorId": CONNECTOR, "idTag": id_tag }),
        }
    }
}
