//! Conversations as tables: what the charge point sends, what it gets back, what is then known.

mod limits;

use super::set_up::{ID_TAG, REMOTE_START_MS};
use super::*;
use crate::ocpp::message::ConnectorStatus;
use crate::ocpp::request::Trigger;
use crate::ocpp::settings::MEASURANDS;
use crate::ocpp::station::{RateUnit, Transaction, TransactionId};
use market::units::{Millijoule, Milliwatt, MILLIJOULE_PER_WH};
use proptest::prelude::*;
use serde_json::json;

const BOUNDS: Bounds = Bounds {
    phases: 3,
    power_max: Milliwatt(11_040_000),
    fuse: None,
    fallback: Milliwatt(4_140_000),
    life_s: 900,
};
const CONFIG: CoreConfig =
    CoreConfig { answer_within_ms: 3000, heartbeat_s: 60, idle_ms: 90_000, bounds: BOUNDS };
const KEY_RATE_UNIT: &str = "ChargingScheduleAllowedChargingRateUnit";
const KEY_STACK_LEVEL: &str = "ChargeProfileMaxStackLevel";
const KEY_SAMPLED: &str = "MeterValuesSampledData";
const METER: StationRequest = StationRequest::Trigger(Trigger::Meter);

struct Talk {
    core: Core,
    real_ms: u64,
}

impl Talk {
    fn connected() -> Self {
        let mut talk = Self { core: Core::new(CONFIG, 41), real_ms: 1000 };
        assert_eq!(talk.step(Input::Connected(Version::V16)), vec![]);
        talk
    }

    /// Past the set-up every connection begins with.
    fn set_up() -> Self {
        let mut talk = Self::connected();
        let keys = talk.says("BootNotification", json!({})).pop();
        assert!(matches!(keys, Some(Effect::Send(text)) if text.contains("GetConfiguration")));
        let trigger = talk.answers(json!([3, "g1", { "configurationKey": [
            { "key": KEY_RATE_UNIT, "readonly": true, "value": "Current,Power" },
            { "key": KEY_STACK_LEVEL, "readonly": true, "value": "8" },
            { "key": KEY_SAMPLED, "readonly": false, "value": "Energy.Active.Import.Register,Power.Active.Import" },
        ]}]));
        assert!(matches!(&trigger[..], [Effect::Send(text)] if text.contains("TriggerMessage")));
        let composite = talk.answers(json!([3, "g2", { "status": "Accepted" }]));
        assert!(matches!(&composite[..], [Effect::Send(text)] if text.contains("GetCompositeSchedule")));
        assert_eq!(talk.answers(json!([3, "g3", holds(4140.0)])), vec![]);
        talk
    }

    fn step(&mut self, input: Input) -> Vec<Effect> {
        let now = Now { utc_s: 1_704_067_200 + self.real_ms as i64 / 1000, real_ms: self.real_ms };
        self.core.step(now, input)
    }

    fn after_ms(&mut self, ms: u64) -> Vec<Effect> {
        self.real_ms += ms;
        self.step(Input::Poll)
    }

    fn answers(&mut self, frame: Value) -> Vec<Effect> {
        self.step(Input::Text(frame.to_string()))
    }

    fn says(&mut self, action: &str, payload: Value) -> Vec<Effect> {
        self.answers(json!([2, "s1", action, payload]))
    }

    /// The charge point's call is answered with `expected`.
    fn check(&mut self, action: &str, payload: Value, expected: Value) {
        let effects = self.says(action, payload);
        assert_eq!(effects, vec![Effect::Send(json!([3, "s1", expected]).to_string())], "{action}");
    }

    fn meter(&mut self, power_w: i64, register_wh: i64, minute: i64) {
        let payload = json!({ "connectorId": 1, "meterValue": [{
        "timestamp": format!("2024-01-01T00:{minute:02}:00"),
        "sampledValue": [
            { "value": power_w.to_string(), "measurand": "Power.Active.Import", "unit": "W" },
            { "value": register_wh.to_string() },
        ]}]});
        self.check("MeterValues", payload, json!({}));
    }
}

/// A composite schedule that holds so many watts, the fallback's where it is ours.
fn holds(watt: f64) -> Value {
    json!({ "status": "Accepted", "chargingSchedule": { "chargingRateUnit": "W",
        "chargingSchedulePeriod": [{ "startPeriod": 0, "limit": watt }] } })
}

fn wh(energy: i64) -> Millijoule {
    Millijoule(energy * MILLIJOULE_PER_WH)
}

#[test]
fn a_session_is_followed_from_plug_to_unplug() {
    let mut talk = Talk::set_up();
    assert_eq!(talk.core.station().rate_unit, RateUnit::Watt);
    assert_eq!(talk.core.station().stack_level, 8);
    let accepted = json!({ "status": "Accepted" });
    let status = |status: &str| json!({ "connectorId": 1, "status": status, "errorCode": "NoError" });
    talk.check("StatusNotification", status("Preparing"), json!({}));
    talk.check("Authorize", json!({ "idTag": "A" }), json!({ "idTagInfo": accepted }));
    let start =
        json!({ "connectorId": 1, "idTag": "A", "meterStart": 1000, "timestamp": "2024-01-01T00:00:00Z" });
    let started = json!({ "transactionId": 42, "idTagInfo": accepted });
    talk.check("StartTransaction", start.clone(), started.clone());
    talk.check("StartTransaction", start, started);
    talk.check("StatusNotification", status("Charging"), json!({}));
    talk.meter(7000, 1500, 5);
    talk.meter(3, 1200, 4);
    assert_eq!(talk.core.station().power, Some(Milliwatt(7_000_000)));
    assert_eq!(talk.core.station().session(), wh(500));
    talk.check(
        "StopTransaction",
        json!({ "transactionId": 42, "meterStop": 1900 }),
        json!({ "idTagInfo": accepted }),
    );
    talk.check("StatusNotification", status("Finishing"), json!({}));
    assert_eq!(talk.core.station().session(), wh(900));
    talk.check("StatusNotification", status("Available"), json!({}));
    assert_eq!(talk.core.station().session(), wh(0));
    assert_eq!(talk.core.station().power, None);
}

#[test]
fn a_transaction_outlives_the_connection() {
    let mut talk = Talk::set_up();
    talk.says("StatusNotification", json!({ "connectorId": 1, "status": "Charging" }));
    talk.says("StartTransaction", json!({ "connectorId": 1, "meterStart": 0 }));
    talk.step(Input::Disconnected);
    talk.step(Input::Connected(Version::V16));
    assert_eq!(talk.core.station().status, None);
    let id = TransactionId::Number(42);
    assert_eq!(talk.core.station().transaction, Some(Transaction { id, began_ms: None }));
    // It says nothing by itself, and refuses to be asked: what was known stands.
    let effects = talk.after_ms(SPEAK_FIRST_MS);
    assert!(matches!(&effects[..], [Effect::Send(text)] if text.contains("GetConfiguration")));
    talk.answers(json!([4, "g4", "NotSupported", "", {}]));
    talk.answers(json!([3, "g5", { "status": "NotImplemented" }]));
    assert_eq!(talk.core.station().status, Some(ConnectorStatus::Charging));
}

#[test]
fn a_transaction_from_before_our_restart_is_taken_over() {
    let mut talk = Talk::set_up();
    let sampled = json!([{ "value": "900" }]);
    let values = |register: &Value| json!({ "connectorId": 1, "transactionId": 7, "meterValue": [{ "sampledValue": register }]});
    talk.check("MeterValues", values(&sampled), json!({}));
    let id = talk.core.station().transaction.as_ref().map(|transaction| transaction.id.clone());
    assert_eq!(id, Some(TransactionId::Number(7)));
    assert_eq!(talk.core.station().status, Some(ConnectorStatus::Charging));
    talk.check("MeterValues", values(&json!([{ "value": "950" }])), json!({}));
    assert_eq!(talk.core.station().session(), wh(50));
}

#[test]
fn calls_go_out_one_at_a_time_and_end_once() {
    let mut talk = Talk::set_up();
    let ask = |ticket| Input::Ask { ticket, request: METER };
    let resolved = |ticket, outcome| vec![Effect::Resolve { ticket, outcome }];
    assert!(matches!(&talk.step(ask(1))[..], [Effect::Send(text)] if text.contains("\"g4\"")));
    assert_eq!(talk.step(ask(2)), vec![]);
    let effects = talk.answers(json!([3, "g4", { "status": "Accepted" }]));
    assert_eq!(effects[0], resolved(1, Ok(json!({ "status": "Accepted" })))[0]);
    assert!(matches!(&effects[1], Effect::Send(text) if text.contains("\"g5\"")));
    assert_eq!(talk.answers(json!([3, "g4", {}])), vec![Effect::Refused { reason: "unexpected_answer" }]);
    assert_eq!(talk.after_ms(2999), vec![]);
    // What hangs gets a new connection, and its late answer is nobody's.
    let failed = resolved(2, Err(CallFailure::TimedOut)).remove(0);
    assert_eq!(talk.after_ms(1), vec![failed, Effect::Close]);
    assert_eq!(talk.answers(json!([3, "g5", {}])), vec![Effect::Refused { reason: "unexpected_answer" }]);
    talk.step(ask(3));
    assert_eq!(talk.step(Input::Disconnected), resolved(3, Err(CallFailure::ConnectionLost)));
    assert_eq!(talk.step(ask(4)), resolved(4, Err(CallFailure::NotConnected)));
}

#[test]
fn who_waits_behind_a_hanging_call_fails_with_it() {
    let mut talk = Talk::set_up();
    for ticket in 0..20 {
        talk.step(Input::Ask { ticket, request: METER });
    }
    assert_eq!(talk.after_ms(3000).len(), 1 + QUEUE_MAX + 1);
}

#[test]
fn a_call_of_the_set_up_that_is_never_answered_holds_up_no_other() {
    let mut talk = Talk::connected();
    assert_eq!(sent(&talk.says("Heartbeat", json!({}))[1])[2], "GetConfiguration");
    assert_eq!(sent(&talk.after_ms(3000)[0])[2], "TriggerMessage");
    let composite = talk.answers(json!([3, "g2", { "status": "Accepted" }]));
    assert_eq!(sent(&composite[0])[2], "GetCompositeSchedule");
    talk.answers(json!([3, "g3", holds(4140.0)]));
    assert_eq!(talk.after_ms(20_000), vec![]);
    // One that answers nothing at all gets a new connection.
    let mut talk = Talk::connected();
    talk.says("Heartbeat", json!({}));
    talk.after_ms(3000);
    talk.after_ms(3000);
    assert_eq!(talk.after_ms(3000), vec![Effect::Close]);
}

#[test]
fn a_measurand_that_is_missing_is_configured() {
    let mut talk = Talk::connected();
    talk.says("Heartbeat", json!({}));
    let key = json!({ "key": KEY_SAMPLED, "value": "Energy.Active.Import.Register" });
    talk.answers(json!([3, "g1", { "configurationKey": [key, key] }]));
    talk.answers(json!([3, "g2", { "status": "Accepted" }]));
    let effects = talk.answers(json!([3, "g3", holds(0.0)]));
    let change = json!([2, "g4", "ChangeConfiguration", { "key": KEY_SAMPLED, "value": MEASURANDS }]);
    assert_eq!(effects, vec![Effect::Send(change.to_string())]);
    assert_eq!(talk.answers(json!([3, "g4", { "status": "Rejected" }])), vec![]);
}

#[test]
fn a_charge_point_that_waits_is_told_to_begin() {
    let mut talk = Talk::set_up();
    talk.says("StatusNotification", json!({ "connectorId": 1, "status": "Preparing" }));
    assert_eq!(talk.after_ms(REMOTE_START_MS - 1), vec![]);
    let start = json!([2, "g4", "RemoteStartTransaction", { "connectorId": 1, "idTag": ID_TAG }]);
    assert_eq!(talk.after_ms(1), vec![Effect::Send(start.to_string())]);
    talk.answers(json!([3, "g4", { "status": "Rejected" }]));
    talk.says("StatusNotification", json!({ "connectorId": 1, "status": "Charging" }));
    assert_eq!(talk.after_ms(REMOTE_START_MS), vec![]);
}

#[test]
fn a_dead_connection_is_pinged_and_dropped() {
    let mut talk = Talk::set_up();
    assert_eq!(talk.after_ms(30_000), vec![Effect::Ping]);
    assert_eq!(talk.after_ms(29_999), vec![]);
    assert_eq!(talk.after_ms(1), vec![Effect::Ping]);
    assert_eq!(talk.step(Input::Heard), vec![]);
    assert_eq!(talk.after_ms(89_999), vec![Effect::Ping]);
    assert_eq!(talk.after_ms(1), vec![Effect::Close]);
}

fn check_refused(text: &str, reason: &'static str, code: Option<&str>) {
    let mut talk = Talk::set_up();
    let before = talk.core.station().clone();
    let effects = talk.step(Input::Text(text.to_owned()));
    assert_eq!(effects[0], Effect::Refused { reason }, "{text}");
    match (code, &effects[1..]) {
        (None, []) => {}
        (Some(code), [Effect::Send(answer)]) => assert!(answer.contains(code), "{answer}"),
        other => panic!("{text}: {other:?}"),
    }
    assert_eq!(talk.core.station(), &before);
}

#[test]
fn what_is_malformed_is_refused_and_changes_nothing() {
    check_refused("hello", "not_json", None);
    check_refused(r#"[9,"x"]"#, "not_a_frame", None);
    check_refused(r#"[2,"s"]"#, "not_a_frame", Some("FormationViolation"));
    check_refused(r#"[2,"s","Heartbeat",7]"#, "not_a_frame", Some("FormationViolation"));
    check_refused(r#"[3,"never asked",{}]"#, "unexpected_answer", None);
    check_refused(r#"[2,"s","SelfDestruct",{}]"#, "unknown_action", Some("NotImplemented"));
    check_refused(r#"[2,"s","StopTransaction",{}]"#, "bad_field", Some("OccurenceConstraintViolation"));
    check_refused(&"[".repeat(100), "too_deep", None);
}

/// Begins a transaction and has its limit set to `watt`; gives the profile.
fn limited(talk: &mut Talk, watt: i64) -> Value {
    talk.says("StatusNotification", json!({ "connectorId": 1, "status": "Charging" }));
    talk.says("StartTransaction", json!({ "connectorId": 1, "meterStart": 0 }));
    let set = talk.step(Input::Limit { ticket: 9, power: Milliwatt(watt * 1000) });
    let call = sent(&set[0]);
    talk.answers(json!([3, call[1], { "status": "Accepted" }]));
    call[3]["csChargingProfiles"].clone()
}

fn sent(effect: &Effect) -> Value {
    match effect {
        Effect::Send(text) => serde_json::from_str(text).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_in_two_zero_one_is_followed_and_limited() {
    let mut talk = Talk { core: Core::new(CONFIG, 41), real_ms: 1000 };
    talk.step(Input::Connected(Version::V201));
    let station = json!({ "reason": "PowerUp", "chargingStation": { "model": "M", "vendorName": "V" } });
    let boot = talk.says("BootNotification", station);
    assert_eq!(sent(&boot[1])[2], "GetVariables");
    talk.answers(json!([3, "g1", { "getVariableResult": [] }]));
    talk.answers(json!([3, "g2", { "status": "Accepted" }]));
    let standing =
        json!({ "chargingRateUnit": "A", "chargingSchedulePeriod": [{ "startPeriod": 0, "limit": 6.0 }] });
    talk.answers(json!([3, "g3", { "status": "Accepted", "schedule": standing }]));
    let occupied = json!({ "timestamp": "2024-01-01T00:00:01Z", "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1 });
    talk.check("StatusNotification", occupied, json!({}));
    assert_eq!(talk.core.station().status, Some(ConnectorStatus::Preparing));
    let event = |kind: &str, state: &str, second: u32, register: i64, offline: bool| {
        json!({ "eventType": kind, "timestamp": format!("2024-01-01T00:00:{second:02}Z"), "triggerReason": "Trigger",
            "seqNo": second, "offline": offline, "transactionInfo": { "transactionId": "t-1", "chargingState": state },
            "evse": { "id": 1 }, "meterValue": [{ "timestamp": format!("2024-01-01T00:00:{second:02}Z"), "sampledValue": [
                { "value": register }, { "value": 7000, "measurand": "Power.Active.Import" }] }] })
    };
    talk.step(Input::Limit { ticket: 1, power: Milliwatt(6_900_000) });
    let effects = talk.says("TransactionEvent", event("Started", "Charging", 2, 1000, false));
    assert_eq!(sent(&effects[0]), json!([3, "s1", {}]));
    let profile = sent(&effects[1])[3]["chargingProfile"].clone();
    assert_eq!(profile["transactionId"], "t-1");
    assert_eq!(profile["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"], 10.0);
    assert_eq!(talk.core.station().power, Some(Milliwatt(7_000_000)));
    talk.says("TransactionEvent", event("Updated", "SuspendedEVSE", 1, 1100, true));
    assert_eq!(talk.core.station().session(), wh(100));
    assert_eq!(talk.core.station().status, Some(ConnectorStatus::SuspendedEvse));
    talk.says("TransactionEvent", event("Ended", "EVConnected", 5, 1500, false));
    assert_eq!(talk.core.station().transaction, None);
    assert_eq!(talk.core.station().status, Some(ConnectorStatus::Finishing));
    assert_eq!(talk.core.station().session(), wh(500));
}

#[test]
fn a_transaction_ends_with_the_version_it_was_begun_in() {
    let mut talk = Talk::set_up();
    limited(&mut talk, 6000);
    talk.step(Input::Connected(Version::V201));
    assert_eq!((&talk.core.station().transaction, talk.core.station().limit), (&None, None));
}

#[test]
fn a_counter_that_stands_still_under_power_is_seen() {
    let mut talk = Talk::set_up();
    talk.says("StatusNotification", json!({ "connectorId": 1, "status": "Charging" }));
    for minute in (0..50).step_by(10) {
        talk.meter(7000, 1500, minute);
        // 7 kW for ten minutes are 1.17 kWh.
        assert_eq!(talk.core.station().frozen, minute >= 20, "{minute}");
        talk.real_ms += 600_000;
    }
    talk.meter(7000, 1600, 50);
    assert!(!talk.core.station().frozen);
}

fn any_text() -> impl Strategy<Value = String> {
    let action = prop::sample::select(vec![
        "BootNotification",
        "StatusNotification",
        "StartTransaction",
        "StopTransaction",
        "MeterValues",
        "DataTransfer",
    ]);
    let value = prop::sample::select(vec![
        "1",
        "-1",
        "1e308",
        "\"\"",
        "\"NaN\"",
        "null",
        "[]",
        "{}",
        "[{\"sampledValue\":[{\"value\":\"1e12\"}]}]",
        "\"Charging\"",
    ]);
    let field = prop::sample::select(vec![
        "connectorId",
        "status",
        "meterStart",
        "meterStop",
        "transactionId",
        "meterValue",
        "timestamp",
    ]);
    let call = (action, prop::collection::vec((field, value), 0..6)).prop_map(|(action, fields)| {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("[2,\"x\",\"{action}\",{{{}}}]", fields.join(","))
    });
    let answer = (0u32..6, ".{0,40}").prop_map(|(id, text)| format!("[3,\"g{id}\",{text}]"));
    prop_oneof![".{0,200}", call, answer]
}

proptest! {
    #[test]
    fn no_text_brings_the_core_down(texts in prop::collection::vec((any_text(), 0u64..5000), 0..30)) {
        let mut talk = Talk::connected();
        for (ticket, (text, ms)) in texts.into_iter().enumerate() {
            talk.step(Input::Text(text));
            talk.step(Input::Ask { ticket: ticket as u64, request: METER });
            talk.after_ms(ms);
            prop_assert!(talk.core.queue.len() <= QUEUE_MAX + 4);
            prop_assert!(talk.core.station().session() >= Millijoule::ZERO);
        }
    }
}
