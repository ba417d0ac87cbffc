//! What charge points say of themselves: the calls a central system answers, whatever the version. Read from
//! OCPP 1.6 (section 4) here, from 2.0.1 in [`v201`](super::v201).

use super::fields::{FieldError, Fields};
use super::meter::{reading, Reading};
use super::v201::{self, TransactionEvent};
use super::version::Version;
use market::units::Millijoule;
use serde_json::Value;
use thiserror::Error;

/// What a connector does (section 7.7, ChargePointStatus).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectorStatus {
    /// No car.
    Available,
    /// A car, not charging yet.
    Preparing,
    /// Energy flows, or may.
    Charging,
    /// The charge point withholds energy.
    SuspendedEvse,
    /// The car takes none.
    SuspendedEv,
    /// Charging is over, the car still there.
    Finishing,
    /// Held for somebody.
    Reserved,
    /// Out of service.
    Unavailable,
    /// Out of order.
    Faulted,
}

impl ConnectorStatus {
    /// Whether a car is plugged in.
    pub fn plugged(self) -> bool {
        matches!(
            self,
            Self::Preparing | Self::Charging | Self::SuspendedEvse | Self::SuspendedEv | Self::Finishing
        )
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let of = [
            ("available", Self::Available),
            ("preparing", Self::Preparing),
            // OCPP 1.5's only word for a connector in use, still sent by some charge points.
            ("occupied", Self::Preparing),
            ("charging", Self::Charging),
            ("suspendedevse", Self::SuspendedEvse),
            ("suspendedev", Self::SuspendedEv),
            ("finishing", Self::Finishing),
            ("reserved", Self::Reserved),
            ("unavailable", Self::Unavailable),
            ("faulted", Self::Faulted),
        ];
        let text = text.trim().to_ascii_lowercase();
        of.iter().find(|(name, _)| *name == text).map(|(_, status)| *status)
    }
}

/// A call from a charge point.
#[derive(Clone, Debug, PartialEq)]
pub enum StationCall {
    /// It has started.
    BootNotification {
        /// Who made it.
        vendor: String,
        /// What it is.
        model: String,
    },
    /// It is there.
    Heartbeat,
    /// A connector's state.
    StatusNotification {
        /// 0 is the charge point itself; in 2.0.1 the EVSE's number.
        connector: i64,
        /// What it does.
        status: ConnectorStatus,
        /// When by its own clock, in milliseconds since 1970.
        at_ms: Option<i64>,
    },
    /// Somebody wants to charge.
    Authorize,
    /// Charging began.
    StartTransaction {
        /// Where.
        connector: i64,
        /// The energy counter then.
        register: Millijoule,
        /// When by its own clock, in milliseconds since 1970.
        at_ms: Option<i64>,
    },
    /// Charging ended.
    StopTransaction {
        /// The id we gave.
        transaction: i64,
        /// The energy counter then.
        register: Millijoule,
        /// When by its own clock, in milliseconds since 1970.
        at_ms: Option<i64>,
    },
    /// A transaction began, went on or ended (2.0.1).
    TransactionEvent(TransactionEvent),
    /// Its meter.
    MeterValues {
        /// Where; 0 is the charge point's main meter.
        connector: i64,
        /// During which transaction.
        transaction: Option<i64>,
        /// What it says.
        reading: Reading,
    },
    /// Anything of a vendor's own.
    DataTransfer,
    /// Progress of something we never ask for; acknowledged.
    Notice,
}

/// A call that can't be served.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// An action we don't have.
    #[error("action {0} is not known")]
    Unknown(String),
    /// An action the standard has and we don't serve.
    #[error("action {0} is not supported")]
    Unsupported(String),
    /// A field that is missing or wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
}

impl CallError {
    /// The error code to answer with (OCPP-J 1.6, section 4.2.3; 2.0.1 part 4, section 4.3). 1.6 has one of
    /// them with a slip in its spelling.
    pub fn code(&self, version: Version) -> &'static str {
        match self {
            Self::Unknown(_) => "NotImplemented",
            Self::Unsupported(_) => "NotSupported",
            Self::Field(FieldError::Missing(_)) => match version {
                Version::V16 => "OccurenceConstraintViolation",
                Version::V201 => "OccurrenceConstraintViolation",
            },
            Self::Field(FieldError::Wrong(..)) => "TypeConstraintViolation",
        }
    }

    /// The label under which it is counted.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unknown(_) | Self::Unsupported(_) => "unknown_action",
            Self::Field(_) => "bad_field",
        }
    }
}

impl StationCall {
    /// Reads a call's payload.
    ///
    /// # Errors
    /// An action that isn't known, or a field that is missing or wrong.
    pub fn parse(version: Version, action: &str, payload: &Value) -> Result<Self, CallError> {
        match version {
            Version::V16 => Self::parse_v16(action, Fields(payload)),
            Version::V201 => v201::parse(action, Fields(payload)),
        }
    }

    fn parse_v16(action: &str, fields: Fields<'_>) -> Result<Self, CallError> {
        Ok(match action {
            "BootNotification" => Self::BootNotification {
                vendor: fields.text_or_empty("chargePointVendor"),
                model: fields.text_or_empty("chargePointModel"),
            },
            "Heartbeat" => Self::Heartbeat,
            "StatusNotification" => Self::StatusNotification {
                connector: fields.integer("connectorId")?,
                status: ConnectorStatus::parse(&fields.text("status")?)
                    .ok_or(FieldError::Wrong("status", "a charge point status"))?,
                at_ms: fields.instant_ms("timestamp"),
            },
            "Authorize" => Self::Authorize,
            "StartTransaction" => Self::StartTransaction {
                connector: fields.integer("connectorId")?,
                register: register(fields, "meterStart")?,
                at_ms: fields.instant_ms("timestamp"),
            },
            "StopTransaction" => Self::StopTransaction {
                transaction: fields.integer("transactionId")?,
                register: register(fields, "meterStop")?,
                at_ms: fields.instant_ms("timestamp"),
            },
            "MeterValues" => Self::MeterValues {
                connector: fields.integer("connectorId")?,
                transaction: fields.integer("transactionId").ok(),
                reading: reading(fields),
            },
            "DataTransfer" => Self::DataTransfer,
            "FirmwareStatusNotification"
            | "DiagnosticsStatusNotification"
            | "LogStatusNotification"
            | "SecurityEventNotification"
            | "SignedFirmwareStatusNotification" => Self::Notice,
            // Ours to send, or of the security extension's handling of certificates.
            "SignCertificate"
            | "Reset"
            | "RemoteStartTransaction"
            | "RemoteStopTransaction"
            | "ChangeConfiguration"
            | "GetConfiguration"
            | "SetChargingProfile"
            | "TriggerMessage" => return Err(CallError::Unsupported(action.to_owned())),
            other => return Err(CallError::Unknown(other.to_owned())),
        })
    }
}

fn register(fields: Fields<'_>, name: &'static str) -> Result<Millijoule, FieldError> {
    let energy_wh = fields.number(name)?;
    Millijoule::from_wh(energy_wh).ok_or(FieldError::Wrong(name, "an energy in Wh"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::units::MILLIJOULE_PER_WH;
    use serde_json::json;

    fn check(action: &str, payload: Value, expected: Result<StationCall, &str>) {
        let got = StationCall::parse(Version::V16, action, &payload);
        assert_eq!(got.as_ref().map_err(|e| e.code(Version::V16)), expected.as_ref().map_err(|e| *e));
    }

    #[test]
    fn calls_are_read_with_their_usual_slips() {
        check(
            "StatusNotification",
            json!({"connectorId": "1", "status": "charging", "errorCode": "NoError", "vendorX": {}}),
            Ok(StationCall::StatusNotification {
                connector: 1,
                status: ConnectorStatus::Charging,
                at_ms: None,
            }),
        );
        check(
            "StartTransaction",
            json!({"connectorId": 1, "idTag": "x", "meterStart": "1500.0", "timestamp": "2024-01-01T00:00:00"}),
            Ok(StationCall::StartTransaction {
                connector: 1,
                register: Millijoule(1500 * MILLIJOULE_PER_WH),
                at_ms: Some(1_704_067_200_000),
            }),
        );
        check("Heartbeat", json!({}), Ok(StationCall::Heartbeat));
        check("SecurityEventNotification", json!({"type": "x"}), Ok(StationCall::Notice));
    }

    #[test]
    fn what_cannot_be_served_is_refused_with_the_standards_code() {
        check("Explode", json!({}), Err("NotImplemented"));
        check("SignCertificate", json!({ "csr": "x" }), Err("NotSupported"));
        check("StatusNotification", json!({"connectorId": 1}), Err("OccurenceConstraintViolation"));
        check(
            "StatusNotification",
            json!({"connectorId": 1, "status": "Sleeping"}),
            Err("TypeConstraintViolation"),
        );
        check(
            "StopTransaction",
            json!({"transactionId": 1.5, "meterStop": 1}),
            Err("TypeConstraintViolation"),
        );
        check(
            "StopTransaction",
            json!({"transactionId": 1, "meterStop": 1e300}),
            Err("TypeConstraintViolation"),
        );
    }
}
