//! Power as a charging profile and back (OCPP 1.6, section 3.13 and 7.8 to 7.13).
//!
//! A charging profile limits current or power from an instant on. Ours is one period of kind
//! `Relative`, so that it means the same whatever the charge point's clock shows.

use super::fields::Fields;
use super::station::{RateUnit, StationState};
use market::units::{Milliwatt, POWER_BOUND};
use serde_json::{json, Value};

/// Nominal phase voltage, by which amperes are converted.
const VOLTAGE: i64 = 230;
/// Least charging current (IEC 61851-1).
const CURRENT_MIN_AMPERE: i64 = 6;

/// Id of our profile for transactions to come.
pub const DEFAULT_PROFILE_ID: i64 = 1;
/// Id of our profile for the transaction under way.
pub const TRANSACTION_PROFILE_ID: i64 = 2;

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

/// The profile that limits the transaction under way, or where there is none those to come, to
/// `limit`, which must be [`feasible`].
pub fn charging_profile(limit: Milliwatt, station: &StationState, phases: u8) -> Value {
    let tenths = limit.0 / step(station.rate_unit, phases).0;
    let period = json!({ "startPeriod": 0, "limit": tenths as f64 / 10.0, "numberPhases": phases });
    let mut profile = json!({
        "chargingProfileId": DEFAULT_PROFILE_ID,
        "stackLevel": station.stack_level,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {
            "chargingRateUnit": station.rate_unit.letter(),
            "chargingSchedulePeriod": [period],
        },
    });
    if let Some(transaction) = station.transaction {
        // An id of its own, since a profile replaces the one with its id whatever the purpose.
        profile["chargingProfileId"] = json!(TRANSACTION_PROFILE_ID);
        profile["chargingProfilePurpose"] = json!("TxProfile");
        profile["transactionId"] = json!(transaction.id);
    }
    profile
}

/// What a composite schedule says of the present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Charging is limited to so much.
    Limit(Milliwatt),
    /// It names no limit.
    NoLimit,
}

/// Reads the answer to `GetCompositeSchedule`.
///
/// # Errors
/// In words, where the charge point refused or its answer can't be right.
pub fn held_limit(payload: &Value, phases: u8) -> Result<Held, String> {
    let fields = Fields(payload);
    let status = fields.text("status").map_err(|e| e.to_string())?;
    if status != "Accepted" {
        return Err(format!("composite schedule: {status}"));
    }
    let Some(schedule) = fields.object("chargingSchedule") else { return Ok(Held::NoLimit) };
    let first =
        schedule.objects("chargingSchedulePeriod").find(|period| period.integer("startPeriod") == Ok(0));
    let Some(period) = first else { return Ok(Held::NoLimit) };
    let limit = period.number("limit").map_err(|e| e.to_string())?;
    let milliwatt_per_unit = match schedule.text("chargingRateUnit").as_deref() {
        Ok("W") => 1000.0,
        Ok("A") => {
            let phases = period.integer("numberPhases").unwrap_or_else(|_| i64::from(phases)).clamp(1, 3);
            (VOLTAGE * 1000 * phases) as f64
        }
        _ => return Err("composite schedule without a unit of A or W".to_owned()),
    };
    // A negative limit stands for no limit in some charge points.
    if limit < 0.0 {
        return Ok(Held::NoLimit);
    }
    let power = (limit * milliwatt_per_unit).round();
    if power > POWER_BOUND.0 as f64 {
        return Ok(Held::NoLimit);
    }
    Ok(Held::Limit(Milliwatt(power as i64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocpp::station::Transaction;
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

    #[test]
    fn a_transaction_gets_a_profile_of_its_own() {
        let mut station = StationState::unknown();
        let profile = charging_profile(Milliwatt(6_900_000), &station, 3);
        assert_eq!(profile["chargingProfilePurpose"], "TxDefaultProfile");
        assert_eq!(profile["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"], 10.0);
        station.transaction = Some(Transaction { id: 77, began_ms: None });
        station.rate_unit = RateUnit::Watt;
        let profile = charging_profile(Milliwatt(6_900_100), &station, 3);
        assert_eq!(profile["transactionId"], 77);
        assert_eq!(profile["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"], 6900.1);
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
            let profile = charging_profile(limit, &station, phases);
            let answer = json!({"status": "Accepted", "chargingSchedule": profile["chargingSchedule"]});
            prop_assert_eq!(held_limit(&answer, phases), Ok(Held::Limit(limit)));
        }
    }
}
