//! Whether devices do what they said they would: a setpoint that was taken and read back is judged by the power the
//! device is then read to have. One that strays twice running is left out of bids, for ever longer.

use super::schedule::Setpoint;
use crate::device::preferences::Preferences;
use crate::device::Reading;
use market::interval::Interval;
use market::units::Milliwatt;
use std::collections::BTreeMap;

/// So often running a device must stray to be taken out: one reading may have come before it was done.
const STRIKES: u8 = 2;
/// Intervals it is left out for at first, and at most; doubled each time.
const FIRST_TERM: u32 = 4;
const LAST_TERM: u32 = 96;
/// A deviation smaller than this is never one.
const LEAST_TOLERANCE: Milliwatt = Milliwatt(100_000);
/// A battery this near to full or empty has reason to take or give less, in parts of its capacity.
const NEAR_END: i64 = 10;

/// What a device was told, and how it bears itself.
#[derive(Clone, Copy, Debug)]
struct Told {
    power: Option<Milliwatt>,
    taken: bool,
    strikes: u8,
}

#[derive(Clone, Copy, Debug)]
struct Out {
    until: Interval,
    term: u32,
}

/// A device that accepts and does not obey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disobeys {
    /// Its place.
    pub place: usize,
    /// What it was told.
    pub told: Milliwatt,
    /// What it does.
    pub does: Milliwatt,
}

/// All devices' obedience.
#[derive(Clone, Debug, Default)]
pub struct Obedience {
    told: BTreeMap<usize, Told>,
    out: BTreeMap<usize, Out>,
}

impl Obedience {
    /// A setpoint is being written.
    pub fn tell(&mut self, place: usize, setpoint: Setpoint) {
        if !matches!(setpoint, Setpoint::Reactive(_)) {
            self.told.insert(place, Told { power: setpoint.power(), taken: false, strikes: 0 });
        }
    }

    /// What was written was read back, or was not.
    pub fn taken(&mut self, place: usize, taken: bool) {
        if let Some(told) = self.told.get_mut(&place) {
            told.taken = taken;
        }
    }

    /// Judges a device that has had time to obey. Gives it once it strayed often enough to be taken out, until an
    /// interval after `here`.
    pub fn judge(
        &mut self,
        (place, wish): (usize, &Preferences),
        reading: &Reading,
        (here, interval_s): (Interval, i64),
    ) -> Option<Disobeys> {
        let told = self.told.get_mut(&place).filter(|told| told.taken)?;
        let power = told.power?;
        if !strays(power, reading, wish) {
            told.strikes = 0;
            if self.out.get(&place).is_some_and(|out| out.until <= here) {
                self.out.remove(&place);
            }
            return None;
        }
        told.strikes += 1;
        if told.strikes < STRIKES {
            return None;
        }
        // Told once; until it is told anew there is nothing more to say.
        told.taken = false;
        let term = self.out.get(&place).map_or(FIRST_TERM, |out| out.term.saturating_mul(2).min(LAST_TERM));
        self.out.insert(place, Out { until: here.later(i64::from(term), interval_s), term });
        Some(Disobeys { place, told: power, does: reading.power() })
    }

    /// Why a device has no part in the bid for `interval`; none where it has.
    pub fn left_out(&self, place: usize, interval: Interval) -> Option<String> {
        let out = self.out.get(&place).filter(|out| interval < out.until)?;
        Some(format!("it accepts and does not obey; tried again in the {}", out.until))
    }
}

/// Whether a power is not what was told, beyond what can be put down to tolerance, an end of its range, or comfort.
fn strays(told: Milliwatt, reading: &Reading, wish: &Preferences) -> bool {
    let tolerance = |power_max: Milliwatt| Milliwatt(power_max.0 / 20).max(LEAST_TOLERANCE);
    match (reading, wish) {
        (Reading::Battery(state), _) => {
            let tolerance = tolerance(state.charge_max.max(state.discharge_max));
            let told = told.max(-state.discharge_max).min(state.charge_max);
            let left = state.capacity.0 / NEAR_END;
            let full = told > Milliwatt::ZERO && state.stored.0 >= state.capacity.0 - left;
            let empty = told < Milliwatt::ZERO && state.stored.0 <= left;
            let (mut low, mut high) = (told, told);
            if full || empty {
                (low, high) = (told.min(Milliwatt::ZERO), told.max(Milliwatt::ZERO));
            }
            state.power < low - tolerance || state.power > high + tolerance
        }
        // The sun may give less than a limit lets through.
        (Reading::Generator(state), _) => state.power < told - tolerance(state.nameplate),
        // A car may take less.
        (Reading::Charger(state), _) => state.power > told + tolerance(state.power_max),
        (Reading::HeatPump(state), Preferences::HeatPump(wish)) => {
            let cold = state.room_millicelsius as f64 / 1e3 <= wish.comfort_min_celsius;
            !cold && state.power > told + tolerance(state.power_max)
        }
        // What hangs on it may have reasons of its own to take nothing while it is on.
        (Reading::Plug(state), _) if told > Milliwatt::ZERO => !state.on,
        (Reading::Plug(state), _) => state.on || state.power > tolerance(state.power_max),
        (Reading::HeatPump(_), _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::preferences::{BatteryPreferences, GeneratorPreferences, PlugPreferences};
    use hw_adapters::device::{BatteryState, ChargerState, GeneratorState, PlugState};
    use market::interval::UnixSeconds;
    use market::units::Millijoule;

    const HERE: Interval = Interval(UnixSeconds(900));

    fn w(watts: i64) -> Milliwatt {
        Milliwatt(watts * 1_000)
    }

    fn battery(watts: i64, stored_percent: i64) -> (Reading, Preferences) {
        let state = BatteryState {
            power: w(watts),
            stored: Millijoule(stored_percent * 360_000_000),
            capacity: Millijoule(36_000_000_000),
            charge_max: w(4_000),
            discharge_max: w(4_000),
        };
        let wish = BatteryPreferences { reserve_percent: 0.0, wear_eur_per_mwh: 0.0, efficiency: 1.0 };
        (Reading::Battery(state), Preferences::Battery(wish))
    }

    fn check(told: i64, (reading, wish): (Reading, Preferences), expected: bool) {
        assert_eq!(strays(w(told), &reading, &wish), expected, "told {told}: {reading:?}");
    }

    #[test]
    fn a_battery_does_what_it_was_told_unless_it_is_full_or_empty() {
        check(3_000, battery(3_100, 50), false);
        check(3_000, battery(0, 50), true);
        check(-3_000, battery(3_000, 50), true);
        check(-3_000, battery(-3_500, 50), true);
        check(9_000, battery(4_000, 50), false);
        check(3_000, battery(10, 95), false);
        check(-3_000, battery(0, 4), false);
        check(-3_000, battery(3_000, 4), true);
    }

    #[test]
    fn others_may_take_or_give_less_and_never_more() {
        let generator = |watts| {
            let (available, reactive_max) = (None, None);
            let state = GeneratorState { power: w(watts), available, nameplate: w(5_000), reactive_max };
            (Reading::Generator(state), Preferences::Generator(GeneratorPreferences::default()))
        };
        check(-2_000, generator(-2_200), false);
        check(-2_000, generator(0), false);
        check(-2_000, generator(-2_300), true);
        let plug = |on, watts| {
            let state = PlugState { on, power: w(watts), power_max: w(2_000) };
            (Reading::Plug(state), Preferences::Plug(PlugPreferences { worth_eur_per_mwh: 0.0 }))
        };
        check(0, plug(false, 5), false);
        check(0, plug(true, 5), true);
        check(0, plug(false, 1_000), true);
        check(2_000, plug(true, 0), false);
        check(2_000, plug(false, 0), true);
        let state = ChargerState {
            plugged: true,
            power: w(7_000),
            session: Millijoule::ZERO,
            power_min: w(1_380),
            power_max: w(7_360),
        };
        check(6_900, (Reading::Charger(state), battery(0, 0).1), false);
        check(4_000, (Reading::Charger(state), battery(0, 0).1), true);
    }

    #[test]
    fn who_strays_twice_is_left_out_and_for_longer_the_next_time() {
        let mut obedience = Obedience::default();
        let (idle, wish) = battery(0, 50);
        let mut told = |here: Interval| {
            obedience.tell(0, Setpoint::Power(w(3_000)));
            // Not read back: the fault is another.
            assert_eq!(obedience.judge((0, &wish), &idle, (here, 900)), None);
            obedience.taken(0, true);
            assert_eq!(obedience.judge((0, &wish), &idle, (here, 900)), None);
            let out = obedience.judge((0, &wish), &idle, (here, 900));
            assert_eq!(out, Some(Disobeys { place: 0, told: w(3_000), does: w(0) }));
            assert_eq!(obedience.judge((0, &wish), &idle, (here, 900)), None);
            (1..200).find(|n| obedience.left_out(0, here.later(*n, 900)).is_none()).unwrap()
        };
        assert_eq!(told(HERE), 4);
        assert_eq!(told(HERE.later(4, 900)), 8);
        let later = HERE.later(12, 900);
        obedience.tell(0, Setpoint::Power(w(0)));
        obedience.taken(0, true);
        assert_eq!(obedience.judge((0, &wish), &idle, (later, 900)), None);
        assert_eq!(obedience.left_out(0, later), None);
        assert!(obedience.out.is_empty(), "it has proven itself");
    }
}
