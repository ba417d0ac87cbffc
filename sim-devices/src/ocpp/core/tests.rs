//! Conversations as tables: what the physics do, what the charge point says, what it obeys.

use super::*;
use crate::physics::car::{CarStay, ChargerConfig};
use market::units::Millijoule;
use proptest::prelude::*;

const KWH: i64 = 3_600_000_000;

struct Talk {
    core: Core,
    sim: ChargerSim,
    real_ms: u64,
}

impl Talk {
    /// Cars by arrival and departure, each needing 30 kWh.
    fn new(stays: &[(i64, i64)]) -> Self {
        let stay = |&(arrival, departure): &(i64, i64)| CarStay {
            arrival: UnixSeconds(arrival),
            departure: UnixSeconds(departure),
            energy_need: Millijoule(30 * KWH),
        };
        let config = ChargerConfig {
            phases: 3,
            power_max: Milliwatt(11_040_000),
            battery_capacity: Millijoule(60 * KWH),
            stays: stays.iter().map(stay).collect(),
        };
        let sim = ChargerSim::new(config, UnixSeconds(0)).unwrap();
        Self { core: Core::new(Version::V16, "CP-1", 900), sim, real_ms: 0 }
    }

    fn step(&mut self, input: Input) -> Vec<Value> {
        let effects = self.core.step(self.real_ms, &mut self.sim, input);
        let text = |effect| match effect {
            Effect::Send(text) => serde_json::from_str(&text).ok(),
            Effect::Close => None,
        };
        effects.into_iter().filter_map(text).collect()
    }

    fn hears(&mut self, frame: Value) -> Vec<Value> {
        self.step(Input::Text(frame.to_string()))
    }

    fn after(&mut self, real_ms: u64, simulated_s: u32) -> Vec<Value> {
        self.real_ms += real_ms;
        self.sim.step(simulated_s);
        self.step(Input::Poll)
    }

    /// Answers every call as a central system would; gives what was called, in order.
    fn answer_all(&mut self, mut frames: Vec<Value>) -> Vec<String> {
        let mut called = Vec::new();
        while let Some(frame) = frames.pop() {
            let action = frame[2].as_str().unwrap().to_owned();
            let said = match action.as_str() {
                "StatusNotification" => {
                    let status = frame[3].get("status").or_else(|| frame[3].get("connectorStatus"));
                    status.and_then(Value::as_str).unwrap().to_owned()
                }
                _ => action.clone(),
            };
            called.push(said);
            let answer = match action.as_str() {
                "BootNotification" => json!({ "status": "Accepted", "currentTime": "", "interval": 300 }),
                "StartTransaction" => json!({ "transactionId": 500, "idTagInfo": { "status": "Accepted" } }),
                _ => json!({}),
            };
            let id = frame[1].clone();
            frames = self.hears(json!([3, id, answer]));
            assert!(frames.len() <= 1, "one call at a time");
            if frames.is_empty() {
                frames = self.step(Input::Poll);
            }
        }
        called
    }

    fn booted(stays: &[(i64, i64)]) -> Self {
        let mut talk = Self::new(stays);
        let frames = talk.step(Input::Connected);
        assert_eq!(talk.answer_all(frames)[0], "BootNotification");
        talk
    }

    /// The answer to a call that needs no call in return.
    fn asks(&mut self, action: &str, payload: Value) -> Value {
        self.hears(json!([2, "q", action, payload])).remove(0)[2].clone()
    }

    fn profile(&mut self, purpose: &str, watt: f64, transaction: Option<i64>) -> Value {
        let mut profile = json!({
            "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": purpose, "chargingProfileKind": "Relative",
            "chargingSchedule": { "chargingRateUnit": "W", "chargingSchedulePeriod": [{ "startPeriod": 0, "limit": watt }] },
        });
        if let Some(id) = transaction {
            profile["transactionId"] = json!(id);
        }
        self.asks("SetChargingProfile", json!({ "connectorId": 1, "csChargingProfiles": profile }))["status"]
            .clone()
    }
}

#[test]
fn a_session_is_told_from_plug_to_unplug() {
    let mut talk = Talk::booted(&[(100, 5000)]);
    let frames = talk.after(25, 100);
    assert_eq!(talk.answer_all(frames), ["Preparing", "StartTransaction", "Charging"]);
    let frames = talk.after(600, 900);
    assert_eq!(talk.answer_all(frames), ["MeterValues"]);
    let frames = talk.after(600, 4000);
    assert_eq!(talk.answer_all(frames), ["StopTransaction", "Available"]);
}

#[test]
fn what_happened_without_a_connection_is_told_afterwards() {
    let mut talk = Talk::booted(&[(100, 5000), (6000, 9000)]);
    talk.step(Input::Disconnected);
    assert_eq!(talk.after(25, 7000), Vec::<Value>::new());
    let frames = talk.step(Input::Connected);
    let start = &frames[0];
    assert_eq!(start[3]["timestamp"], "1970-01-01T00:01:40Z");
    let told = talk.answer_all(frames);
    assert_eq!(told, ["StartTransaction", "StopTransaction", "StartTransaction", "Charging"]);
}

#[test]
fn events_of_2_0_1_are_kept_in_order_while_there_is_no_connection() {
    let mut talk = Talk::new(&[(100, 5000)]);
    talk.core = Core::new(Version::V201, "CS-1", 900);
    let frames = talk.step(Input::Connected);
    talk.answer_all(frames);
    talk.step(Input::Disconnected);
    for _ in 0..7 {
        assert_eq!(talk.after(600, 900), Vec::<Value>::new());
    }
    let mut frames = talk.step(Input::Connected);
    let mut events = Vec::new();
    while let Some(frame) = frames.pop() {
        if frame[2] == "TransactionEvent" {
            let event = &frame[3];
            assert_eq!(event["offline"], true);
            assert_eq!(event["seqNo"], events.len());
            events.push(event["eventType"].as_str().unwrap().to_owned());
        }
        frames = talk.hears(json!([3, frame[1], {}]));
        if frames.is_empty() {
            frames = talk.step(Input::Poll);
        }
    }
    assert_eq!((events[0].as_str(), events[events.len() - 1].as_str()), ("Started", "Ended"));
    assert!(events.len() >= 6, "{events:?}");
}

#[test]
fn a_reset_keeps_what_lies_in_it_and_begins_anew() {
    let mut talk = Talk::booted(&[(100, 50_000)]);
    assert_eq!(talk.profile("TxDefaultProfile", 6000.0, None), "Accepted");
    let frames = talk.after(25, 200);
    talk.answer_all(frames);
    assert_eq!(talk.asks("Reset", json!({ "type": "Soft" }))["status"], "Accepted");
    talk.step(Input::Disconnected);
    let frames = talk.step(Input::Connected);
    let told = talk.answer_all(frames);
    assert_eq!(told[..3], ["BootNotification", "StopTransaction", "StartTransaction"]);
    assert_eq!(talk.sim.power(), Milliwatt(6_000_000));
}

#[test]
fn a_start_that_got_no_answer_is_told_again() {
    let mut talk = Talk::booted(&[(100, 5000)]);
    let frames = talk.after(25, 100);
    let id = frames[0][1].clone();
    let start = talk.hears(json!([3, id, {}])).remove(0);
    assert_eq!(start[2], "StartTransaction");
    let again = talk.after(ANSWER_WITHIN_MS, 0).remove(0);
    assert_eq!(again[3], start[3]);
    assert_ne!(again[1], start[1]);
}

#[test]
fn profiles_limit_the_physics_as_long_as_they_hold() {
    let mut talk = Talk::booted(&[(100, 5000), (6000, 9000)]);
    assert_eq!(talk.profile("TxDefaultProfile", 6000.0, None), "Accepted");
    assert_eq!(talk.profile("TxProfile", 5000.0, None), "Rejected");
    let frames = talk.after(25, 200);
    talk.answer_all(frames);
    assert_eq!(talk.sim.power(), Milliwatt(6_000_000));
    assert_eq!(talk.profile("TxProfile", 5000.0, Some(499)), "Rejected");
    assert_eq!(talk.profile("TxProfile", 5000.0, Some(500)), "Accepted");
    assert_eq!(talk.sim.power(), Milliwatt(5_000_000));
    let schedule = talk
        .asks("GetCompositeSchedule", json!({ "connectorId": 1, "duration": 60, "chargingRateUnit": "W" }));
    assert_eq!(schedule["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"], 5000.0);
    // The profile has the default one's id and replaced it; both are gone with the transaction.
    let frames = talk.after(600, 6500);
    talk.answer_all(frames);
    assert_eq!(talk.sim.power(), Milliwatt(11_040_000));
}

#[test]
fn charging_is_ended_and_begun_from_afar() {
    let mut talk = Talk::booted(&[(100, 50_000)]);
    let frames = talk.after(25, 200);
    talk.answer_all(frames);
    assert_eq!(talk.asks("RemoteStopTransaction", json!({ "transactionId": 1 }))["status"], "Rejected");
    let frames = talk.hears(json!([2, "q", "RemoteStopTransaction", { "transactionId": 500 }]));
    assert_eq!(frames[0][2]["status"], "Accepted");
    assert_eq!(talk.answer_all(frames[1..].to_vec()), ["StopTransaction", "Finishing"]);
    assert_eq!(talk.sim.power(), Milliwatt::ZERO);
    let frames = talk.hears(json!([2, "q", "RemoteStartTransaction", { "connectorId": 1, "idTag": "x" }]));
    assert_eq!(frames[0][2]["status"], "Accepted");
    assert_eq!(talk.answer_all(frames[1..].to_vec()), ["StartTransaction", "Charging"]);
    assert_eq!(talk.sim.power(), Milliwatt(11_040_000));
}

fn check_fault(fault: ChargerFault, status: &str, held_w: f64, power: Milliwatt) {
    let mut talk = Talk::booted(&[(100, 50_000)]);
    let frames = talk.after(25, 200);
    talk.answer_all(frames);
    talk.core.set_fault(fault);
    assert_eq!(talk.profile("TxDefaultProfile", 6000.0, None), status);
    assert_eq!(talk.sim.power(), power);
    let schedule = talk
        .asks("GetCompositeSchedule", json!({ "connectorId": 1, "duration": 60, "chargingRateUnit": "W" }));
    assert_eq!(schedule["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"], held_w);
}

#[test]
fn it_misbehaves_as_told() {
    check_fault(ChargerFault::None, "Accepted", 6000.0, Milliwatt(6_000_000));
    check_fault(ChargerFault::Refusing, "Rejected", 11_040.0, Milliwatt(11_040_000));
    check_fault(ChargerFault::Disobeying, "Accepted", 11_040.0, Milliwatt(11_040_000));
    let mut talk = Talk::booted(&[]);
    talk.core.set_fault(ChargerFault::Late(300));
    assert_eq!(talk.hears(json!([2, "q", "GetConfiguration", {}])), Vec::<Value>::new());
    assert_eq!(talk.after(299, 0), Vec::<Value>::new());
    assert_eq!(talk.after(1, 0).len(), 1);
    talk.core.set_fault(ChargerFault::Silent);
    assert_eq!(talk.hears(json!([2, "q", "GetConfiguration", {}])), Vec::<Value>::new());
    talk.core.set_fault(ChargerFault::None);
    assert_eq!(talk.after(1000, 0), Vec::<Value>::new());
}

proptest! {
    #[test]
    fn no_text_brings_it_down(texts in prop::collection::vec(".{0,100}", 0..20), numbers in prop::collection::vec(any::<i64>(), 12)) {
        let mut talk = Talk::booted(&[(100, 5000)]);
        for text in texts {
            talk.step(Input::Text(text));
        }
        for (index, number) in numbers.iter().enumerate() {
            let period = json!({ "startPeriod": number, "limit": numbers[(index + 1) % 12] });
            let profile = json!({
                "chargingProfileId": number, "stackLevel": number % 10, "chargingProfilePurpose": "TxDefaultProfile",
                "chargingProfileKind": "Recurring", "recurrencyKind": "Daily",
                "chargingSchedule": { "chargingRateUnit": "A", "duration": number, "startSchedule": "2024-01-01T00:00:00Z",
                    "chargingSchedulePeriod": [{ "startPeriod": 0, "limit": 3.5 }, period] },
            });
            talk.hears(json!([2, "q", "SetChargingProfile", { "connectorId": 1, "csChargingProfiles": profile }]));
            talk.after(25, 100);
            talk.hears(json!([2, "q", "GetCompositeSchedule", { "duration": number }]));
        }
    }
}
