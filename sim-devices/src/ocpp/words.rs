//! What a charge point has to say, in the words of each version: OCPP 1.6 (section 4) and 2.0.1 (part 2,
//! chapter 1).

use super::metering::{timestamp, whole_wh, Sample};
use super::transactions::{Transaction, Transactions};
use super::version::Version;
use market::interval::UnixSeconds;
use market::units::Milliwatt;
use serde_json::{json, Value};

/// A call to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Say {
    Boot(&'static str),
    Heartbeat,
    /// The connector's state, in 1.6's words.
    Status(&'static str, UnixSeconds),
    Start(u64),
    Stop(u64),
    /// The meter, and the transaction under way with the number of its event.
    Meter {
        sample: Sample,
        transaction: Option<(u64, u64)>,
        offline: bool,
    },
    /// Profiles that were asked for (2.0.1): the request's number, the EVSE, whether more are to come.
    Profiles {
        request: i64,
        evse: i64,
        profiles: Vec<Value>,
        more: bool,
    },
    /// The transaction's state changed (2.0.1), in 1.6's words for the connector.
    State {
        status: &'static str,
        at: UnixSeconds,
        transaction: (u64, u64),
        offline: bool,
    },
}

impl Say {
    /// What must be told, however long that takes, and in its order.
    pub(super) fn must_be_told(&self) -> bool {
        matches!(self, Self::Start(_) | Self::Stop(_))
    }

    /// What happened in a transaction: told later where there is no connection, as long as there is room.
    pub(super) fn is_kept(&self) -> bool {
        self.must_be_told() || matches!(self, Self::Meter { transaction: Some(_), .. } | Self::State { .. })
    }
}

/// The call's action and payload; none where it has become pointless.
pub(super) fn put(
    version: Version,
    say: &Say,
    transactions: &Transactions,
    measurands: &[&str],
) -> Option<(&'static str, Value)> {
    match (version, say) {
        (_, Say::Heartbeat) => Some(("Heartbeat", json!({}))),
        (Version::V16, say) => put_v16(say, transactions, measurands),
        (Version::V201, say) => put_v201(say, transactions, measurands),
    }
}

fn put_v16(say: &Say, transactions: &Transactions, measurands: &[&str]) -> Option<(&'static str, Value)> {
    Some(match say {
        Say::Boot(_) => {
            let model = json!({ "chargePointVendor": "gridpact", "chargePointModel": "sim-charger" });
            ("BootNotification", model)
        }
        Say::Heartbeat => ("Heartbeat", json!({})),
        Say::Status(status, at) => {
            let payload = json!({ "connectorId": 1, "errorCode": "NoError", "status": status, "timestamp": timestamp(*at) });
            ("StatusNotification", payload)
        }
        Say::Start(number) => {
            let transaction = transactions.get(*number)?;
            let payload = json!({
                "connectorId": 1, "idTag": "local", "meterStart": whole_wh(transaction.register_at_start),
                "timestamp": timestamp(transaction.began),
            });
            ("StartTransaction", payload)
        }
        Say::Stop(number) => {
            let transaction = transactions.get(*number)?;
            let end = transaction.end.as_ref()?;
            let payload = json!({
                "transactionId": number_of(transaction)?, "meterStop": whole_wh(end.register),
                "timestamp": timestamp(end.at), "reason": end.reason,
            });
            ("StopTransaction", payload)
        }
        Say::Meter { sample, transaction, .. } => {
            let mut payload =
                json!({ "connectorId": 1, "meterValue": [sample.value(Version::V16, measurands)] });
            let known = transaction.and_then(|(number, _)| number_of(transactions.get(number)?));
            if let Some(id) = known {
                payload["transactionId"] = json!(id);
            }
            ("MeterValues", payload)
        }
        Say::State { .. } | Say::Profiles { .. } => return None,
    })
}

fn number_of(transaction: &Transaction) -> Option<i64> {
    transaction.id.as_ref()?.parse().ok()
}

fn put_v201(say: &Say, transactions: &Transactions, measurands: &[&str]) -> Option<(&'static str, Value)> {
    let event = |number: u64, kind: &str, trigger: &str, seq: u64, at: UnixSeconds, offline: bool| {
        let id = transactions.get(number)?.id.clone()?;
        Some(json!({
            "eventType": kind, "timestamp": timestamp(at), "triggerReason": trigger, "seqNo": seq,
            "offline": offline, "transactionInfo": { "transactionId": id }, "evse": { "id": 1, "connectorId": 1 },
        }))
    };
    let metered = |at, register, context| {
        let sample = Sample { at, power: Milliwatt::ZERO, register, context };
        json!([sample.value(Version::V201, &["Energy.Active.Import.Register"])])
    };
    Some(match say {
        Say::Boot(reason) => {
            let station = json!({ "model": "sim-charger", "vendorName": "gridpact" });
            ("BootNotification", json!({ "reason": reason, "chargingStation": station }))
        }
        Say::Heartbeat => ("Heartbeat", json!({})),
        Say::Status(status, at) => {
            let status = if *status == "Available" { "Available" } else { "Occupied" };
            let payload = json!({ "timestamp": timestamp(*at), "connectorStatus": status, "evseId": 1, "connectorId": 1 });
            ("StatusNotification", payload)
        }
        Say::Start(number) => {
            let transaction = transactions.get(*number)?;
            let mut payload =
                event(*number, "Started", "CablePluggedIn", 0, transaction.began, transaction.offline)?;
            payload["transactionInfo"]["chargingState"] = json!("EVConnected");
            payload["idToken"] = json!({ "idToken": "local", "type": "Local" });
            payload["meterValue"] =
                metered(transaction.began, transaction.register_at_start, "Transaction.Begin");
            ("TransactionEvent", payload)
        }
        Say::Stop(number) => {
            let end = transactions.get(*number)?.end.as_ref()?;
            let (trigger, state) = match end.reason {
                "EVDisconnected" => ("EVDeparted", "Idle"),
                "Remote" => ("RemoteStop", "EVConnected"),
                "Reboot" => ("ResetCommand", "EVConnected"),
                _ => ("StopAuthorized", "EVConnected"),
            };
            let mut payload = event(*number, "Ended", trigger, end.event, end.at, end.offline)?;
            payload["transactionInfo"]["chargingState"] = json!(state);
            payload["transactionInfo"]["stoppedReason"] = json!(end.reason);
            payload["meterValue"] = metered(end.at, end.register, "Transaction.End");
            ("TransactionEvent", payload)
        }
        Say::Meter { sample, transaction: Some((number, seq)), offline } => {
            let trigger = if sample.context == "Trigger" { "Trigger" } else { "MeterValuePeriodic" };
            let mut payload = event(*number, "Updated", trigger, *seq, sample.at, *offline)?;
            payload["meterValue"] = json!([sample.value(Version::V201, measurands)]);
            ("TransactionEvent", payload)
        }
        Say::Meter { sample, .. } => {
            let value = sample.value(Version::V201, measurands);
            ("MeterValues", json!({ "evseId": 1, "meterValue": [value] }))
        }
        Say::Profiles { request, evse, profiles, more } => {
            let payload = json!({ "requestId": request, "chargingLimitSource": "CSO", "evseId": evse,
                "chargingProfile": profiles, "tbc": more });
            ("ReportChargingProfiles", payload)
        }
        Say::State { status, at, transaction: (number, seq), offline } => {
            let mut payload = event(*number, "Updated", "ChargingStateChanged", *seq, *at, *offline)?;
            payload["transactionInfo"]["chargingState"] = json!(charging_state(status));
            ("TransactionEvent", payload)
        }
    })
}

fn charging_state(status: &str) -> &'static str {
    match status {
        "Charging" => "Charging",
        "SuspendedEV" => "SuspendedEV",
        "SuspendedEVSE" => "SuspendedEVSE",
        _ => "EVConnected",
    }
}
