//! Which of several profiles holds when, and what is no profile.

use super::*;

const NOW: UnixSeconds = UnixSeconds(1_704_067_200);

/// A profile by id, purpose, level and the fields that differ from one relative watt period.
fn profile(id: i64, purpose: &str, level: i64, watt: f64, change: Value) -> Profile {
    let mut inner = json!({
        "chargingProfileId": id, "stackLevel": level, "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative",
        "chargingSchedule": { "chargingRateUnit": "W", "chargingSchedulePeriod": [{ "startPeriod": 0, "limit": watt }] },
    });
    for (name, value) in change.as_object().unwrap() {
        inner[name] = value.clone();
    }
    Profile::parse(Version::V16, &json!({ "connectorId": 1, "csChargingProfiles": inner }), 3).unwrap()
}

fn check(profiles: Vec<Profile>, start_s: i64, expected: &[(i64, Option<i64>)]) {
    let mut held = Profiles::default();
    for profile in profiles {
        assert!(held.set(profile));
    }
    let limits = held.limits(NOW, Some(NOW.plus(start_s)));
    let got: Vec<(i64, Option<i64>)> =
        limits.iter().map(|limit| (limit.from.0 - NOW.0, limit.power.map(|power| power.0 / 1000))).collect();
    assert_eq!(got, expected);
}

#[test]
fn the_purpose_and_then_the_level_decides() {
    let default = || profile(1, "TxDefaultProfile", 0, 6000.0, json!({}));
    let own = || profile(2, "TxProfile", 0, 9000.0, json!({}));
    check(vec![], 0, &[(0, None)]);
    check(vec![default()], 0, &[(0, Some(6000))]);
    check(vec![default(), own()], 0, &[(0, Some(9000))]);
    check(
        vec![default(), own(), profile(3, "ChargePointMaxProfile", 0, 7000.0, json!({}))],
        0,
        &[(0, Some(7000))],
    );
    check(vec![default(), profile(4, "TxDefaultProfile", 1, 8000.0, json!({}))], 0, &[(0, Some(8000))]);
    check(vec![default(), profile(5, "TxDefaultProfile", 0, 5000.0, json!({}))], 0, &[(0, Some(5000))]);
    check(vec![default(), profile(1, "TxDefaultProfile", 3, 4500.0, json!({}))], 0, &[(0, Some(4500))]);
}

#[test]
fn schedules_run_from_where_they_begin_and_as_long_as_they_hold() {
    let steps = json!([{ "startPeriod": 0, "limit": 10 }, { "startPeriod": 900, "limit": 0 }]);
    let amperes = |kind: Value| {
        let mut change = json!({ "chargingSchedule": { "duration": 1800, "chargingRateUnit": "A",
            "startSchedule": "2024-01-01T00:10:00Z", "chargingSchedulePeriod": steps } });
        for (name, value) in kind.as_object().unwrap() {
            change[name] = value.clone();
        }
        profile(1, "TxDefaultProfile", 0, 0.0, change)
    };
    check(vec![amperes(json!({}))], -600, &[(0, Some(6900)), (300, Some(0)), (1200, None)]);
    let absolute = json!({ "chargingProfileKind": "Absolute" });
    check(vec![amperes(absolute)], 0, &[(0, None), (600, Some(6900)), (1500, Some(0)), (2400, None)]);
    let daily = json!({ "chargingProfileKind": "Recurring", "recurrencyKind": "Daily" });
    check(vec![amperes(daily)], 0, &[(0, None), (600, Some(6900)), (1500, Some(0)), (2400, None)]);
    let until = json!({ "chargingProfileKind": "Absolute", "validTo": "2024-01-01T00:20:00" });
    check(vec![amperes(until)], 0, &[(0, None), (600, Some(6900)), (1200, None)]);
}

#[test]
fn what_is_no_profile_is_refused_by_field() {
    let refuse = |change: Value, field: &str| {
        let mut inner = json!({
            "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": { "chargingRateUnit": "W", "chargingSchedulePeriod": [{ "startPeriod": 0, "limit": 1 }] },
        });
        for (name, value) in change.as_object().unwrap() {
            inner[name] = value.clone();
        }
        assert_eq!(
            Profile::parse(Version::V16, &json!({ "connectorId": 1, "csChargingProfiles": inner }), 3),
            Err(field)
        );
    };
    refuse(json!({ "stackLevel": 9 }), "stackLevel");
    refuse(json!({ "chargingProfilePurpose": "Mine" }), "chargingProfilePurpose");
    refuse(json!({ "chargingProfileKind": "Absolute" }), "startSchedule");
    refuse(json!({ "chargingSchedule": {} }), "chargingRateUnit");
    let periods = json!([{ "startPeriod": 5, "limit": 1 }]);
    refuse(
        json!({ "chargingSchedule": { "chargingRateUnit": "W", "chargingSchedulePeriod": periods } }),
        "startPeriod",
    );
    let periods = json!([{ "startPeriod": 0, "limit": -1 }]);
    refuse(
        json!({ "chargingSchedule": { "chargingRateUnit": "W", "chargingSchedulePeriod": periods } }),
        "limit",
    );
}

#[test]
fn profiles_are_cleared_by_id_or_by_what_they_are() {
    let mut held = Profiles::default();
    held.set(profile(1, "TxDefaultProfile", 0, 1.0, json!({})));
    held.set(profile(2, "TxProfile", 0, 1.0, json!({})));
    assert!(!held.clear(Version::V16, &json!({ "id": 9 })));
    assert!(held.clear(Version::V16, &json!({ "id": 1 })));
    assert!(!held.clear(Version::V16, &json!({ "chargingProfilePurpose": "TxDefaultProfile" })));
    assert!(held.clear(Version::V16, &json!({ "connectorId": 1, "chargingProfilePurpose": "TxProfile" })));
}

#[test]
fn a_composite_schedule_says_what_holds() {
    let limits = [
        LimitFrom { from: NOW, power: Some(Milliwatt(6_950_000)) },
        LimitFrom { from: NOW.plus(60), power: None },
        LimitFrom { from: NOW.plus(900), power: Some(Milliwatt::ZERO) },
    ];
    let got = composite(&limits, NOW, 900, "A", (Milliwatt(11_040_000), 3));
    let periods = json!([
        { "startPeriod": 0, "limit": 10.0, "numberPhases": 3 },
        { "startPeriod": 60, "limit": 16.0, "numberPhases": 3 },
    ]);
    assert_eq!(got, json!({ "duration": 900, "chargingRateUnit": "A", "chargingSchedulePeriod": periods }));
}
