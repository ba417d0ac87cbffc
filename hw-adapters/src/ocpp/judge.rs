//! Which readings of a charge point are believed and passed on, and whether its meter shows that it obeys. Pure.

use super::message::ConnectorStatus;
use super::profile::power_min;
use super::station::StationState;
use super::station_config::StationConfig;
use crate::device::{ChargerState, DeviceError};
use market::units::{Millijoule, Milliwatt, MILLIJOULE_PER_WH};

pub(super) const READING: &str = "reading the meter";
/// A reading counts for so long.
const FRESH_MS: u64 = 120_000;
/// A car obeys within 5 s (IEC 61851-1), and meters are read some time after.
const OBEYED_WITHIN_MS: u64 = 30_000;
/// What a meter may show above a limit that is kept, beside a tenth: what a charge point takes for itself.
const OWN_USE: Milliwatt = Milliwatt(200_000);
/// No car takes so much in one stay.
const SESSION_MAX: Millijoule = Millijoule(1_000_000 * MILLIJOULE_PER_WH);

/// What is known of a charge point, `now_ms` after the start that its times count from.
///
/// # Errors
/// Where it is too old, can't be true, or shows that a limit is not kept.
pub(super) fn judged(
    config: &StationConfig,
    state: &StationState,
    now_ms: u64,
) -> Result<ChargerState, DeviceError> {
    let Some(status) = state.status else {
        return Err(silent(config, "it has not said yet whether a car is there".to_owned()));
    };
    let power = if status.plugged() { power(config, state, status, now_ms)? } else { Milliwatt::ZERO };
    let session = state.session();
    if session > SESSION_MAX {
        return Err(bad(config, format!("{session} given to one car")));
    }
    Ok(ChargerState {
        plugged: status.plugged(),
        power,
        session,
        power_min: power_min(config.phases),
        power_max: config.bounded_max(),
    })
}

fn power(
    config: &StationConfig,
    state: &StationState,
    status: ConnectorStatus,
    now_ms: u64,
) -> Result<Milliwatt, DeviceError> {
    let Some(power) = state.power else {
        return match status {
            ConnectorStatus::Charging => Err(bad(config, "it charges and states no power".to_owned())),
            _ => Ok(Milliwatt::ZERO),
        };
    };
    let age_ms = now_ms.saturating_sub(state.read_at_ms);
    if age_ms > FRESH_MS {
        return Err(silent(config, format!("its newest reading is {} s old", age_ms / 1000)));
    }
    if state.frozen {
        return Err(bad(config, format!("it states {power} and its counter stands still")));
    }
    // A tenth of tolerance for voltage, another for the meter.
    if power.0 > config.power_max.0 / 5 * 6 {
        return Err(bad(config, format!("power of {power} with a maximum of {}", config.power_max)));
    }
    if let Some((limit, held)) = state.disobeyed {
        let held = held.map_or("no limit".to_owned(), |held| held.to_string());
        return Err(disobeyed(config, "charging profile", limit, held));
    }
    match state.limit {
        Some((limit, since_ms))
            if state.read_at_ms.saturating_sub(since_ms) > OBEYED_WITHIN_MS
                && power > Milliwatt(limit.0 / 10 * 11) + OWN_USE =>
        {
            Err(disobeyed(config, "charging power", limit, power.to_string()))
        }
        _ => Ok(power),
    }
}

fn silent(config: &StationConfig, reason: String) -> DeviceError {
    DeviceError::Silent { device: config.name.clone(), act: READING, reason }
}

fn bad(config: &StationConfig, reason: String) -> DeviceError {
    DeviceError::BadAnswer { device: config.name.clone(), act: READING, reason }
}

fn disobeyed(config: &StationConfig, what: &'static str, limit: Milliwatt, read: String) -> DeviceError {
    DeviceError::Disobeyed { device: config.name.clone(), what, written: limit.to_string(), read }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of a car that charges with 7 kW, read at 100 s and looked at then, but for what is changed.
    fn check(change: fn(&mut StationState), after_ms: u64, expected: Result<i64, &str>) {
        let config = StationConfig::new("c", "CP-1", 3, Milliwatt(11_040_000));
        let mut state = StationState::unknown();
        state.status = Some(ConnectorStatus::Charging);
        state.power = Some(Milliwatt(7_000_000));
        state.read_at_ms = 100_000;
        change(&mut state);
        let got = judged(&config, &state, state.read_at_ms + after_ms);
        let got = got.map(|state| state.power.0).map_err(|error| error.to_string());
        match (got, expected) {
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            (got, expected) => assert_eq!(got, expected.map_err(str::to_owned)),
        }
    }

    #[test]
    fn what_is_old_impossible_or_against_a_limit_is_not_passed_on() {
        check(|_| (), 0, Ok(7_000_000));
        check(|_| (), FRESH_MS + 1, Err("120 s old"));
        check(|state| state.status = None, 0, Err("whether a car"));
        check(|state| state.status = Some(ConnectorStatus::Available), FRESH_MS + 1, Ok(0));
        check(|state| state.power = None, 0, Err("no power"));
        check(|state| state.frozen = true, 0, Err("stands still"));
        check(|state| state.power = Some(Milliwatt(13_248_000)), 0, Ok(13_248_000));
        check(|state| state.power = Some(Milliwatt(13_248_001)), 0, Err("maximum"));
        check(|state| state.limit = Some((Milliwatt(6_000_000), 69_999)), 0, Err("charging power"));
        check(|state| state.limit = Some((Milliwatt(6_000_000), 70_000)), 0, Ok(7_000_000));
        check(|state| state.limit = Some((Milliwatt(6_200_000), 0)), 0, Ok(7_000_000));
        check(|state| state.limit = Some((Milliwatt::ZERO, 0)), 0, Err("charging power"));
        check(|state| state.disobeyed = Some((Milliwatt(5_000_000), None)), 0, Err("no limit"));
        check(
            |state| {
                state.register_at_start = Some(Millijoule::ZERO);
                state.register = Some(SESSION_MAX + Millijoule(1));
            },
            0,
            Err("one car"),
        );
    }
}
