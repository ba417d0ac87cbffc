//! Power as a charging profile and back (OCPP 1.6, section 3.13 and 7.8 to 7.13; 2.0.1, use cases K).
//!
//! A charging profile limits current or power from an instant on. Ours are of one period each. What stays in
//! the charge point means the same whatever its clock shows; what is for a transaction ends by itself.

use super::clock::OURS_WITHIN_MS;
use super::fields::{timestamp, Fields};
use super::request::transaction;
use super::station::{RateUnit, StationState};
use super::version::Version;
use market::units::{Milliwatt, POWER_BOUND};
use serde_json::{json, Value};

/// Nominal phase voltage, by which amperes are converted.
pub(super) const VOLTAGE: i64 = 230;
/// Least charging current (IEC 61851-1).
const CURRENT_MIN_AMPERE: i64 = 6;
/// Most periods of a composite schedule that are looked at.
const PERIODS_MAX: usize = 1024;
/// From when on the station's most holds: before any clock began.
const LONG_AGO_S: i64 = 946_684_800;
/// How far before now a transaction's profile begins, for clocks that lag.
const EARLY_MS: i64 = 10_000;

/// Ids of our profiles. A profile replaces whatever has its id, so they are none that others would choose.
pub const STATION_MAX_PROFILE_ID: i64 = 67_790_001;
/// Id of our profile for transactions to come.
pub const DEFAULT_PROFILE_ID: i64 = 67_790_002;
/// Id of our profile for the transaction under way.
pub const SESSION_PROFILE_ID: i64 = 67_790_003;

/// What a profile of ours is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The most the whole charge point may ever take. Stays in it.
    StationMax,
    /// What a transaction may take that nobody steers. Stays in it.
    Default,
    /// The transaction under way, and no longer than so.
    Session {
        /// Its first second, by the charge point's clock, since 1970.
        start_s: i64,
        /// For how long it holds, in seconds.
        duration_s: i64,
    },
}

/// A charging profile of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What it is for.
    pub purpose: Purpose,
    /// The limit, which must be [`feasible`].
    pub limit: Milliwatt,
    /// Phases the limit is shared by.
    pub phases: u8,
}

impl Purpose {
    /// The session from now on for `life_s` seconds, where the charge point's clock shows `theirs_ms`. Where that
    /// is about our time but not quite, a zone may be missing from what it says, and the span covers both.
    pub(super) fn session(theirs_ms: i64, ours_ms: i64, life_s: u32) -> Self {
        let near = theirs_ms.abs_diff(ours_ms) < OURS_WITHIN_MS.unsigned_abs();
        let other_ms = if near { ours_ms } else { theirs_ms };
        let start_s = (theirs_ms.min(other_ms) - EARLY_MS).div_euclid(1000);
        let end_s = theirs_ms.max(other_ms).div_euclid(1000) + i64::from(life_s);
        Self::Session { start_s, duration_s: end_s - start_s }
    }

    /// Whether it stays in the charge point, in flash as a rule.
    pub(super) fn stays(self) -> bool {
        !matches!(self, Self::Session { .. })
    }

    /// Its name in 1.6, which is also its label.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::StationMax => "ChargePointMaxProfile",
            Self::Default => "TxDefaultProfile",
            Self::Session { .. } => "TxProfile",
        }
    }
}

impl Profile {
    /// The connector or EVSE it is for; 0 is the charge point.
    pub(super) fn place(&self) -> i64 {
        match self.purpose {
            Purpose::StationMax => 0,
            Purpose::Default | Purpose::Session { .. } => super::request::CONNECTOR,
        }
    }

    /// The profile in the words of the version and in the unit and at the level that `station` takes.
    pub(super) fn put(&self, station: &StationState) -> Value {
        let tenths = self.limit.0 / step(station.rate_unit, self.phases).0;
        let limit = tenths as f64 / 10.0;
        let mut schedule = json!({
            "chargingRateUnit": station.rate_unit.letter(),
            "chargingSchedulePeriod": [{ "startPeriod": 0, "limit": limit, "numberPhases": self.phases }],
        });
        let (id, kind) = match self.purpose {
            Purpose::StationMax => {
                schedule["startSchedule"] = json!(timestamp(LONG_AGO_S));
                (STATION_MAX_PROFILE_ID, "Absolute")
            }
            Purpose::Default => (DEFAULT_PROFILE_ID, "Relative"),
            Purpose::Session { start_s, duration_s } => {
                schedule["startSchedule"] = json!(timestamp(start_s));
                schedule["duration"] = json!(duration_s);
                (SESSION_PROFILE_ID, "Absolute")
            }
        };
        let mut profile = json!({
            "stackLevel": station.stack_level,
            "chargingProfilePurpose": self.purpose.name(),
            "chargingProfileKind": kind,
        });
        if !self.purpose.stays() {
            profile["transactionId"] = transaction(station);
        }
        match station.version {
            Version::V16 => {
                profile["chargingProfileId"] = json!(id);
                profile["chargingSchedule"] = schedule;
            }
            Version::V201 => {
                profile["id"] = json!(id);
                schedule["id"] = json!(id);
                profile["chargingSchedule"] = json!([schedule]);
                if self.purpose == Purpose::StationMax {
                    profile["chargingProfilePurpose"] = json!("ChargingStationMaxProfile");
                }
            }
        }
        profile
    }
}

/// Least power a car charges at: 6 A on `phases` phases.
pub fn power_min(phases: u8) -> Milliwatt {
    Milliwatt(CURRENT_MIN_AMPERE * VOLTAGE * 1000 * i64::from(phases))
}

/// The finest step of a limit: the standard allows one decimal.
pub fn step(unit: RateUnit, phases: u8) -> Milliwatt {
    match unit {
        RateUnit::Watt => Milliwatt(100),
        RateUnit::Ampere => Milliwatt(VOLTAGE * 100 * i64::from(phases)),
    }
}

/// The limit a charge point can hold that comes closest to `power` from below: within its bounds,
/// nothing where less than 6 A would be left, a whole number of steps.
pub fn feasible(power: Milliwatt, power_max: Milliwatt, unit: RateUnit, phases: u8) -> Milliwatt {
    let step = step(unit, phases).0;
    let whole = power.clamp(Milliwatt::ZERO, power_max).0 / step * step;
    if Milliwatt(whole) < power_min(phases) {
        Milliwatt::ZERO
    } else {
        Milliwatt(whole)
    }
}

/// What a composite schedule says of the present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Charging is limited to so much.
    Limit(Milliwatt),
    /// It names no limit.
    NoLimit,
}

impl Held {
    /// The limit, where there is one.
    pub(super) fn limit(self) -> Option<Milliwatt> {
        match self {
            Self::Limit(limit) => Some(limit),
            Self::NoLimit => None,
        }
    }
}

/// Reads the present out of the answer to `GetCompositeSchedule`.
///
/// # Errors
/// In words, where the charge point refused or its answer can't be right.
pub fn held_limit(payload: &Value, phases: u8) -> Result<Held, String> {
    let periods = composite(payload, phases)?;
    Ok(periods.first().filter(|(start_s, _)| *start_s == 0).map_or(Held::NoLimit, |(_, held)| *held))
}

/// Reads the answer to `GetCompositeSchedule`: from which second on what holds, in order.
///
/// # Errors
/// In words, where the charge point refused or its answer can't be right.
pub fn composite(payload: &Value, phases: u8) -> Result<Vec<(i64, Held)>, String> {
    let fields = Fields(payload);
    let status = fields.text("status").map_err(|e| e.to_string())?;
    if status != "Accepted" {
        return Err(format!("composite schedule: {status}"));
    }
    // 1.6 and 2.0.1 name it differently.
    let schedule = fields.object("chargingSchedule").or_else(|| fields.object("schedule"));
    let Some(schedule) = schedule else { return Ok(Vec::new()) };
    let milliwatt_per_unit = match schedule.text("chargingRateUnit").as_deref() {
        Ok("W") => |_| 1000.0,
        Ok("A") => |phases: i64| (VOLTAGE * 1000 * phases) as f64,
        _ => return Err("composite schedule without a unit of A or W".to_owned()),
    };
    let mut periods = Vec::new();
    for period in schedule.objects("chargingSchedulePeriod").take(PERIODS_MAX) {
        let start_s = period.integer("startPeriod").map_err(|e| e.to_string())?;
        let phases = period.integer("numberPhases").unwrap_or_else(|_| i64::from(phases)).clamp(1, 3);
        let power = period.number("limit").map_err(|e| e.to_string())? * milliwatt_per_unit(phases);
        // A negative limit stands for no limit in some charge points.
        let limited = (0.0..=POWER_BOUND.0 as f64).contains(&power);
        periods.push((
            start_s,
            if limited { Held::Limit(Milliwatt(power.round() as i64)) } else { Held::NoLimit },
        ));
    }
    periods.sort_by_key(|(start_s, _)| *start_s);
    Ok(periods)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocpp::station::{Transaction, TransactionId};
    use proptest::prelude::*;

    fn check_feasible(watt: i64, unit: RateUnit, phases: u8, expected_watt: i64) {
        let got = feasible(Milliwatt(watt * 1000), Milliwatt(11_040_000), unit, phases);
        assert_eq!(got, Milliwatt(expected_watt * 1000), "{watt} W");
    }

    #[test]
    fn a_limit_is_nothing_or_at_least_six_amperes() {
        check_feasible(-5, RateUnit::Watt, 3, 0);
        check_feasible(4139, RateUnit::Watt, 3, 0);
        check_feasible(4140, RateUnit::Watt, 3, 4140);
        check_feasible(4140, RateUnit::Ampere, 3, 4140);
        check_feasible(4208, RateUnit::Ampere, 3, 4140);
        check_feasible(4209, RateUnit::Ampere, 3, 4209);
        check_feasible(1380, RateUnit::Ampere, 1, 1380);
        check_feasible(90_000, RateUnit::Watt, 3, 11_040);
    }

    fn station(version: Version, id: TransactionId) -> StationState {
        let transaction = Some(Transaction { id, began_ms: None });
        StationState { version, transaction, stack_level: 3, ..StationState::unknown() }
    }

    fn check_put(station: &StationState, purpose: Purpose, expected: Value) {
        let profile = Profile { purpose, limit: Milliwatt(6_900_000), phases: 3 };
        assert_eq!(profile.put(station), expected);
    }

    #[test]
    fn profiles_are_put_in_the_words_of_each_version() {
        let session = Purpose::Session { start_s: 1_704_067_200, duration_s: 900 };
        let period = json!([{ "startPeriod": 0, "limit": 10.0, "numberPhases": 3 }]);
        let v16 = station(Version::V16, TransactionId::Number(77));
        check_put(
            &v16,
            session,
            json!({
                "chargingProfileId": SESSION_PROFILE_ID, "stackLevel": 3, "chargingProfilePurpose": "TxProfile",
                "chargingProfileKind": "Absolute", "transactionId": 77,
                "chargingSchedule": { "chargingRateUnit": "A", "startSchedule": "2024-01-01T00:00:00Z", "duration": 900,
                    "chargingSchedulePeriod": period },
            }),
        );
        check_put(
            &v16,
            Purpose::Default,
            json!({
                "chargingProfileId": DEFAULT_PROFILE_ID, "stackLevel": 3,
                "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Relative",
                "chargingSchedule": { "chargingRateUnit": "A", "chargingSchedulePeriod": period },
            }),
        );
        check_put(
            &station(Version::V201, TransactionId::Name("t".into())),
            Purpose::StationMax,
            json!({
                "id": STATION_MAX_PROFILE_ID, "stackLevel": 3,
                "chargingProfilePurpose": "ChargingStationMaxProfile", "chargingProfileKind": "Absolute",
                "chargingSchedule": [{ "id": STATION_MAX_PROFILE_ID, "chargingRateUnit": "A",
                    "startSchedule": "2000-01-01T00:00:00Z", "chargingSchedulePeriod": period }],
            }),
        );
    }

    #[test]
    fn a_session_ends_by_itself_whichever_clock_counts() {
        let check = |theirs_s: i64, ours_s: i64, start_s, duration_s| {
            let got = Purpose::session(theirs_s * 1000, ours_s * 1000, 900);
            assert_eq!(got, Purpose::Session { start_s, duration_s });
        };
        check(100_000, 100_000, 99_990, 910);
        check(100_000, 103_600, 99_990, 4510);
        check(103_600, 100_000, 99_990, 4510);
        check(100_000, 1_704_067_200, 99_990, 910);
    }

    fn check_held(payload: Value, expected: Result<Held, ()>) {
        assert_eq!(held_limit(&payload, 3).map_err(|_| ()), expected, "{payload}");
    }

    #[test]
    fn a_composite_schedule_is_read_back_as_power() {
        let schedule = |unit: &str, limit: Value| {
            json!({"status": "Accepted", "connectorId": 1, "chargingSchedule": {
                "chargingRateUnit": unit, "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}})
        };
        check_held(schedule("W", json!(4140.5)), Ok(Held::Limit(Milliwatt(4_140_500))));
        check_held(schedule("A", json!("6.0")), Ok(Held::Limit(Milliwatt(4_140_000))));
        check_held(schedule("W", json!(-1)), Ok(Held::NoLimit));
        check_held(schedule("V", json!(1)), Err(()));
        check_held(json!({"status": "Accepted"}), Ok(Held::NoLimit));
        let schedule = json!({"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6, "numberPhases": 1}]});
        check_held(
            json!({"status": "Accepted", "schedule": schedule}),
            Ok(Held::Limit(Milliwatt(1_380_000))),
        );
        check_held(json!({"status": "Rejected"}), Err(()));
        check_held(json!({}), Err(()));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(milliwatt in 0i64..30_000_000, watts in any::<bool>(), phases in 1u8..=3) {
            let mut station = StationState::unknown();
            station.rate_unit = if watts { RateUnit::Watt } else { RateUnit::Ampere };
            let limit = feasible(Milliwatt(milliwatt), Milliwatt(22_080_000), station.rate_unit, phases);
            prop_assert!(limit <= Milliwatt(milliwatt) && (limit == Milliwatt::ZERO || limit >= power_min(phases)));
            let profile = Profile { purpose: Purpose::Default, limit, phases }.put(&station);
            let answer = json!({"status": "Accepted", "chargingSchedule": profile["chargingSchedule"]});
            prop_assert_eq!(held_limit(&answer, phases), Ok(Held::Limit(limit)));
        }
    }
}
