//! Conversations as tables: what the charge point sends, what it gets back, what is then known.

use super::*;
use crate::ocpp::station::Transaction;
use market::units::{Millijoule, Milliwatt, MILLIJOULE_PER_WH};
use proptest::prelude::*;
use serde_json::json;

const CONFIG: CoreConfig = CoreConfig { answer_within_ms: 3000, heartbeat_s: 60, idle_ms: 90_000 };

struct Talk {
    core: Core,
    real_ms: u64,
}

impl Talk {
    fn connected() -> Self {
        let mut talk = Self { core: Core::new(CONFIG, 41), real_ms: 1000 };
        assert_eq!(talk.step(Input::Connected), vec![]);
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
        assert_eq!(talk.answers(json!([3, "g2", { "status": "Accepted" }])), vec![]);
        talk
    }

    fn step(&mut self, input: Input) -> Vec<Effect> {
        let now = Now { utc_s: 1_704_067_200, real_ms: self.real_ms };
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
    talk.step(Input::Connected);
    assert_eq!(talk.core.station().status, None);
    assert_eq!(talk.core.station().transaction, Some(Transaction { id: 42, began_ms: None }));
    // It says nothing by itself, and refuses to be asked: what was known stands.
    let effects = talk.after_ms(SPEAK_FIRST_MS);
    assert!(matches!(&effects[..], [Effect::Send(text)] if text.contains("GetConfiguration")));
    talk.answers(json!([4, "g3", "NotSupported", "", {}]));
    talk.answers(json!([3, "g4", { "status": "NotImplemented" }]));
    assert_eq!(talk.core.station().status, Some(ConnectorStatus::Charging));
}

#[test]
fn a_transaction_from_before_our_restart_is_taken_over() {
    let mut talk = Talk::set_up();
    let sampled = json!([{ "value": "900" }]);
    let values = |register: &Value| json!({ "connectorId": 1, "transactionId": 7, "meterValue": [{ "sampledValue": register }]});
    talk.check("MeterValues", values(&sampled), json!({}));
    assert_eq!(talk.core.station().transaction.map(|t| t.id), Some(7));
    assert_eq!(talk.core.station().status, Some(ConnectorStatus::Charging));
    talk.check("MeterValues", values(&json!([{ "value": "950" }])), json!({}));
    assert_eq!(talk.core.station().session(), wh(50));
}

#[test]
fn calls_go_out_one_at_a_time_and_end_once() {
    let mut talk = Talk::set_up();
    let ask = |ticket| Input::Ask { ticket, request: StationRequest::TriggerMessage("MeterValues") };
    let resolved = |ticket, outcome| vec![Effect::Resolve { ticket, outcome }];
    assert!(matches!(&talk.step(ask(1))[..], [Effect::Send(text)] if text.contains("\"g3\"")));
    assert_eq!(talk.step(ask(2)), vec![]);
    let effects = talk.answers(json!([3, "g3", { "status": "Accepted" }]));
    assert_eq!(effects[0], resolved(1, Ok(json!({ "status": "Accepted" })))[0]);
    assert!(matches!(&effects[1], Effect::Send(text) if text.contains("\"g4\"")));
    assert_eq!(talk.answers(json!([3, "g3", {}])), vec![Effect::Refused { reason: "unexpected_answer" }]);
    assert_eq!(talk.after_ms(2999), vec![]);
    assert_eq!(talk.after_ms(1), resolved(2, Err(CallFailure::TimedOut)));
    assert_eq!(talk.answers(json!([3, "g4", {}])), vec![Effect::Refused { reason: "unexpected_answer" }]);
    talk.step(ask(3));
    assert_eq!(talk.step(Input::Disconnected), resolved(3, Err(CallFailure::ConnectionLost)));
    assert_eq!(talk.step(ask(4)), resolved(4, Err(CallFailure::NotConnected)));
}

#[test]
fn who_waits_behind_a_hanging_call_fails_with_it() {
    let mut talk = Talk::set_up();
    for ticket in 0..20 {
        talk.step(Input::Ask { ticket, request: StationRequest::TriggerMessage("MeterValues") });
    }
    assert_eq!(talk.after_ms(3000).len(), 1 + QUEUE_MAX);
}

#[test]
fn a_measurand_that_is_missing_is_configured() {
    let mut talk = Talk::connected();
    talk.says("Heartbeat", json!({}));
    let key = json!({ "key": KEY_SAMPLED, "value": "Energy.Active.Import.Register" });
    talk.answers(json!([3, "g1", { "configurationKey": [key, key] }]));
    let effects = talk.answers(json!([3, "g2", { "status": "Accepted" }]));
    let change = json!([2, "g3", "ChangeConfiguration", { "key": KEY_SAMPLED, "value": MEASURANDS }]);
    assert_eq!(effects, vec![Effect::Send(change.to_string())]);
    assert_eq!(talk.answers(json!([3, "g3", { "status": "Rejected" }])), vec![]);
}

#[test]
fn a_charge_point_that_waits_is_told_to_begin() {
    let mut talk = Talk::set_up();
    talk.says("StatusNotification", json!({ "connectorId": 1, "status": "Preparing" }));
    assert_eq!(talk.after_ms(REMOTE_START_MS - 1), vec![]);
    let start = json!([2, "g3", "RemoteStartTransaction", { "connectorId": 1, "idTag": ID_TAG }]);
    assert_eq!(talk.after_ms(1), vec![Effect::Send(start.to_string())]);
    talk.answers(json!([3, "g3", { "status": "Rejected" }]));
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
    check_refused(r#"[3,"never asked",{}]"#, "unexpected_answer", None);
    check_refused(r#"[2,"s","SelfDestruct",{}]"#, "unknown_action", Some("NotImplemented"));
    check_refused(r#"[2,"s","StopTransaction",{}]"#, "bad_field", Some("OccurenceConstraintViolation"));
    check_refused(&"[".repeat(100), "too_deep", None);
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
            talk.step(Input::Ask { ticket: ticket as u64, request: StationRequest::TriggerMessage("MeterValues") });
            talk.after_ms(ms);
            prop_assert!(talk.core.queue.len() <= QUEUE_MAX + 4);
            prop_assert!(talk.core.station().session() >= Millijoule::ZERO);
        }
    }
}
