//! What charging stations say of themselves in OCPP 2.0.1 (part 2, chapter 1), read as leniently as 1.6.

use super::fields::{FieldError, Fields};
use super::message::{CallError, ConnectorStatus, StationCall};
use super::meter::{reading, Reading};

/// Longest transaction id; the standard says 36.
const TRANSACTION_MAX_CHARS: usize = 64;

/// What happens to a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It began.
    Started,
    /// Something about it changed, or its meter was read.
    Updated,
    /// It is over.
    Ended,
}

/// A `TransactionEvent`.
#[derive(Clone, Debug, PartialEq)]
pub struct TransactionEvent {
    /// What happens.
    pub kind: EventKind,
    /// The station's name for the transaction.
    pub transaction: String,
    /// Where; missing as a rule once it has been said.
    pub evse: Option<i64>,
    /// What the connector does, as the transaction shows it.
    pub status: Option<ConnectorStatus>,
    /// What the meter says.
    pub reading: Reading,
    /// When by the station's own clock, in milliseconds since 1970.
    pub at_ms: Option<i64>,
    /// It happened while there was no connection.
    pub offline: bool,
    /// It names who charges, and wants to know whether that is right.
    pub asks_authorization: bool,
}

/// Reads a call's payload.
///
/// # Errors
/// An action that isn't known, or a field that is missing or wrong.
pub(super) fn parse(action: &str, fields: Fields<'_>) -> Result<StationCall, CallError> {
    Ok(match action {
        "BootNotification" => {
            let about = fields.object("chargingStation").ok_or(FieldError::Missing("chargingStation"))?;
            StationCall::BootNotification {
                vendor: about.text_or_empty("vendorName"),
                model: about.text_or_empty("model"),
            }
        }
        "Heartbeat" => StationCall::Heartbeat,
        "StatusNotification" => StationCall::StatusNotification {
            connector: fields.integer("evseId")?,
            status: ConnectorStatus::parse(&fields.text("connectorStatus")?)
                .ok_or(FieldError::Wrong("connectorStatus", "a connector status"))?,
            at_ms: fields.instant_ms("timestamp"),
        },
        "Authorize" => StationCall::Authorize,
        "TransactionEvent" => StationCall::TransactionEvent(event(fields)?),
        "MeterValues" => StationCall::MeterValues {
            connector: fields.integer("evseId")?,
            transaction: None,
            reading: reading(fields),
        },
        "DataTransfer" => StationCall::DataTransfer,
        "FirmwareStatusNotification"
        | "PublishFirmwareStatusNotification"
        | "LogStatusNotification"
        | "SecurityEventNotification"
        | "NotifyEvent"
        | "NotifyReport"
        | "NotifyMonitoringReport"
        | "NotifyCustomerInformation"
        | "NotifyDisplayMessages"
        | "NotifyChargingLimit"
        | "ClearedChargingLimit"
        | "ReportChargingProfiles"
        | "ReservationStatusUpdate" => StationCall::Notice,
        "SignCertificate"
        | "Get15118EVCertificate"
        | "GetCertificateStatus"
        | "NotifyEVChargingNeeds"
        | "NotifyEVChargingSchedule"
        | "Reset"
        | "RequestStartTransaction"
        | "RequestStopTransaction"
        | "SetVariables"
        | "GetVariables"
        | "SetChargingProfile"
        | "TriggerMessage" => return Err(CallError::Unsupported(action.to_owned())),
        other => return Err(CallError::Unknown(other.to_owned())),
    })
}

fn event(fields: Fields<'_>) -> Result<TransactionEvent, CallError> {
    let kind = match fields.text("eventType")?.trim().to_ascii_lowercase().as_str() {
        "started" => EventKind::Started,
        "updated" => EventKind::Updated,
        "ended" => EventKind::Ended,
        _ => return Err(FieldError::Wrong("eventType", "Started, Updated or Ended").into()),
    };
    let about = fields.object("transactionInfo").ok_or(FieldError::Missing("transactionInfo"))?;
    let transaction = about.text("transactionId")?;
    if transaction.is_empty() || transaction.chars().count() > TRANSACTION_MAX_CHARS {
        return Err(FieldError::Wrong("transactionId", "1 to 64 characters").into());
    }
    let evse = fields.object("evse").map(|evse| evse.integer("id")).transpose()?;
    let at_ms = fields.instant_ms("timestamp");
    let mut reading = reading(fields);
    reading.taken_ms = reading.taken_ms.or(at_ms);
    Ok(TransactionEvent {
        kind,
        transaction,
        evse,
        status: charging_state(&about.text_or_empty("chargingState")),
        reading,
        at_ms,
        offline: fields.flag("offline"),
        asks_authorization: fields.object("idToken").is_some(),
    })
}

/// Section 3.18, ChargingStateEnumType.
fn charging_state(text: &str) -> Option<ConnectorStatus> {
    match text.trim().to_ascii_lowercase().as_str() {
        "charging" => Some(ConnectorStatus::Charging),
        "evconnected" => Some(ConnectorStatus::Preparing),
        "suspendedev" => Some(ConnectorStatus::SuspendedEv),
        "suspendedevse" => Some(ConnectorStatus::SuspendedEvse),
        "idle" => Some(ConnectorStatus::Available),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocpp::version::Version;
    use market::units::{Millijoule, Milliwatt, MILLIJOULE_PER_WH};
    use serde_json::{json, Value};

    fn read(action: &str, payload: Value) -> Result<StationCall, &'static str> {
        StationCall::parse(Version::V201, action, &payload).map_err(|error| error.code(Version::V201))
    }

    #[test]
    fn a_transaction_event_is_read_with_its_usual_slips() {
        let payload = json!({
            "eventType": "updated", "timestamp": "2024-01-01T00:00:00", "seqNo": "4", "offline": "true",
            "triggerReason": "VendorReason", "transactionInfo": { "transactionId": 77, "chargingState": "Charging" },
            "evse": { "id": "1" },
            "meterValue": { "sampledValue": [
                { "value": "1.5", "unitOfMeasure": { "unit": "kWh" } },
                { "value": 7000, "measurand": "Power.Active.Import" },
            ]},
        });
        let expected = TransactionEvent {
            kind: EventKind::Updated,
            transaction: "77".into(),
            evse: Some(1),
            status: Some(ConnectorStatus::Charging),
            reading: Reading {
                power: Some(Milliwatt(7_000_000)),
                register: Some(Millijoule(1500 * MILLIJOULE_PER_WH)),
                taken_ms: Some(1_704_067_200_000),
            },
            at_ms: Some(1_704_067_200_000),
            offline: true,
            asks_authorization: false,
        };
        assert_eq!(read("TransactionEvent", payload), Ok(StationCall::TransactionEvent(expected)));
    }

    #[test]
    fn what_cannot_be_served_is_refused_with_the_standards_code() {
        assert_eq!(read("StartTransaction", json!({})), Err("NotImplemented"));
        assert_eq!(read("SignCertificate", json!({})), Err("NotSupported"));
        assert_eq!(read("BootNotification", json!({})), Err("OccurrenceConstraintViolation"));
        assert_eq!(
            read("TransactionEvent", json!({ "eventType": "Started" })),
            Err("OccurrenceConstraintViolation")
        );
        let long = json!({ "eventType": "Ended", "transactionInfo": { "transactionId": "x".repeat(65) } });
        assert_eq!(read("TransactionEvent", long), Err("TypeConstraintViolation"));
        assert_eq!(read("NotifyEvent", json!({})), Ok(StationCall::Notice));
    }
}
