//! Limits as conversations: set, renewed, set again, kept until there is something to limit; and what lies in a
//! charge point.

use super::*;
use crate::ocpp::profile::{DEFAULT_PROFILE_ID, SESSION_PROFILE_ID, STATION_MAX_PROFILE_ID};

#[test]
fn a_limit_lives_briefly_and_is_renewed_at_half_its_life() {
    let mut talk = Talk::set_up();
    let profile = limited(&mut talk, 6000);
    assert_eq!(profile["chargingProfileId"], SESSION_PROFILE_ID);
    assert_eq!(profile["transactionId"], 42);
    assert_eq!(profile["chargingSchedule"]["duration"], 910);
    assert_eq!(profile["chargingSchedule"]["startSchedule"], "2023-12-31T23:59:51Z");
    for _ in 0..449 {
        talk.step(Input::Heard);
        assert!(!talk.after_ms(1000).iter().any(|effect| matches!(effect, Effect::Send(_))));
    }
    talk.step(Input::Heard);
    let renewed = sent(&talk.after_ms(1000)[0]);
    assert_eq!(renewed[3]["csChargingProfiles"]["chargingSchedule"]["startSchedule"], "2024-01-01T00:07:21Z");
    let read = sent(&talk.answers(json!([3, renewed[1], { "status": "Accepted" }]))[0]);
    assert_eq!(read[2], "GetCompositeSchedule");
    assert_eq!(talk.answers(json!([3, read[1], holds(9000.0)])), vec![]);
    let disobeyed = Some((Milliwatt(6_000_000), Some(Milliwatt(9_000_000))));
    assert_eq!(talk.core.station().disobeyed, disobeyed);
}

#[test]
fn a_limit_is_set_again_after_reconnecting_and_booting() {
    let mut talk = Talk::set_up();
    limited(&mut talk, 6000);
    for boots in [false, true] {
        talk.step(Input::Disconnected);
        talk.step(Input::Connected(Version::V16));
        let mut effects = talk.says(if boots { "BootNotification" } else { "Heartbeat" }, json!({}));
        let mut calls = Vec::new();
        while let Some(Effect::Send(text)) = effects.pop() {
            let call: Value = serde_json::from_str(&text).unwrap();
            calls.push(call[2].as_str().unwrap().to_owned());
            effects = talk.answers(json!([3, call[1], holds(4140.0)]));
        }
        let expected = [
            "GetConfiguration",
            "TriggerMessage",
            "GetCompositeSchedule",
            "SetChargingProfile",
            "GetCompositeSchedule",
        ];
        assert_eq!(calls, expected);
    }
}

#[test]
fn a_limit_without_a_transaction_waits_for_one_and_wears_nothing() {
    let mut talk = Talk::set_up();
    for ticket in 0..100 {
        let kept = Effect::Resolve { ticket, outcome: Ok(json!({ "status": "Kept" })) };
        assert_eq!(talk.step(Input::Limit { ticket, power: Milliwatt(6_000_000) }), vec![kept]);
    }
    let effects = talk.says("StartTransaction", json!({ "connectorId": 1, "meterStart": 0 }));
    assert_eq!(sent(&effects[1])[3]["csChargingProfiles"]["chargingProfilePurpose"], "TxProfile");
    // What is refused is tried again, and not at once.
    assert_eq!(talk.answers(json!([3, "g4", { "status": "Rejected" }])).len(), 1);
    assert_eq!(talk.after_ms(9999), vec![]);
    assert_eq!(sent(&talk.after_ms(1)[0])[2], "SetChargingProfile");
}

/// What a charge point says lies in it, and which of our profiles is then written.
fn check_standing(bounds: Bounds, lies: Value, written: &[i64]) {
    let mut talk = Talk { core: Core::new(CoreConfig { bounds, ..CONFIG }, 41), real_ms: 1000 };
    talk.step(Input::Connected(Version::V16));
    talk.says("Heartbeat", json!({}));
    let unit = json!([{ "key": KEY_RATE_UNIT, "value": "Power" }]);
    talk.answers(json!([3, "g1", { "configurationKey": unit }]));
    talk.answers(json!([3, "g2", { "status": "Accepted" }]));
    let mut effects = talk.answers(json!([3, "g3", lies]));
    let mut ids = Vec::new();
    while let Some(Effect::Send(text)) = effects.first() {
        let call: Value = serde_json::from_str(text).unwrap();
        ids.push(call[3]["csChargingProfiles"]["chargingProfileId"].as_i64().unwrap());
        effects = talk.answers(json!([3, call[1], { "status": "Accepted" }]));
    }
    assert_eq!(ids, written, "{lies}");
    // Nothing is written again within the hour, whatever it says.
    talk.step(Input::Connected(Version::V16));
    talk.says("BootNotification", json!({}));
    for _ in 0..2 {
        let id = format!("g{}", talk.core.calls_made);
        talk.answers(json!([3, id, {}]));
    }
    let id = format!("g{}", talk.core.calls_made);
    assert_eq!(talk.answers(json!([3, id, lies])), vec![]);
}

#[test]
fn a_low_default_lies_in_the_charge_point_and_stricter_ones_of_others_stay() {
    let later = |watt: f64| {
        json!({ "status": "Accepted", "chargingSchedule": { "chargingRateUnit": "W", "chargingSchedulePeriod": [
            { "startPeriod": 0, "limit": 11_040.0 }, { "startPeriod": 3600, "limit": watt }] } })
    };
    check_standing(BOUNDS, holds(11_040.0), &[DEFAULT_PROFILE_ID]);
    check_standing(BOUNDS, json!({ "status": "Rejected" }), &[DEFAULT_PROFILE_ID]);
    check_standing(BOUNDS, holds(4140.0), &[]);
    check_standing(BOUNDS, holds(2000.0), &[]);
    check_standing(BOUNDS, later(0.0), &[]);
    check_standing(BOUNDS, later(9000.0), &[DEFAULT_PROFILE_ID]);
    let fused = Bounds { power_max: Milliwatt(6_900_000), fuse: Some(Milliwatt(6_900_000)), ..BOUNDS };
    check_standing(fused, holds(11_040.0), &[STATION_MAX_PROFILE_ID, DEFAULT_PROFILE_ID]);
    check_standing(fused, holds(6900.0), &[DEFAULT_PROFILE_ID]);
}
