//! When cars come and go, told from a charging profile.
//!
//! SimBench's charging profiles are of cars charged the moment they are plugged in, so each run of
//! charging tells an arrival and an energy. What they don't tell, the rules here do. A driver states
//! one need and one departure a day, so a charger has one stay a day: it begins with the run of most
//! energy, needs the energy of all the day's runs, and lasts [`STAY_INTERVALS`] or to the day's end, so
//! that both a coordinated and an uncoordinated day end with nobody still waiting. A charger without
//! a run on the day played takes the next day of the same week that has one; without any that week,
//! it stays empty.

use super::day::{Day, INTERVALS_PER_DAY, INTERVAL_S};
use market::units::{Millijoule, Milliwatt};

/// How long a car stays, in intervals: eight hours, a night or a working day.
pub const STAY_INTERVALS: usize = 32;
/// Most of what full power would give in a stay that a car may need: charging slows towards a full
/// battery, and a need nobody could meet would tell nothing about coordination.
const NEED_SHARE: f64 = 0.7;

/// One stay, in seconds after local midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// Plugged in.
    pub arrival_s: i64,
    /// Unplugged.
    pub departure_s: i64,
    /// What the car needs until then.
    pub energy_need: Millijoule,
}

/// The stay at a charger of `power_max` on `day`, from its profile's week; none where no car comes.
pub fn from_profile(week: &[f64], day: Day, power_max: Milliwatt) -> Option<Stay> {
    let days = (0..7).map(|later| (day.index() + later) % 7);
    let runs = days
        .map(|index| runs(&week[index * INTERVALS_PER_DAY..(index + 1) * INTERVALS_PER_DAY]))
        .find(|runs| !runs.is_empty())?;
    let larger = |a: &&Run, b: &&Run| a.intervals_at_full_power.total_cmp(&b.intervals_at_full_power);
    let arrives = runs.iter().max_by(larger)?.first;
    let departs = (arrives + STAY_INTERVALS).min(INTERVALS_PER_DAY);
    let most = power_max.over_seconds((departs - arrives) as i64 * INTERVAL_S);
    let intervals: f64 = runs.iter().map(|run| run.intervals_at_full_power).sum();
    let wanted = intervals * power_max.over_seconds(INTERVAL_S).0 as f64;
    Some(Stay {
        arrival_s: arrives as i64 * INTERVAL_S,
        departure_s: departs as i64 * INTERVAL_S,
        energy_need: Millijoule(wanted.min(most.0 as f64 * NEED_SHARE).round() as i64),
    })
}

struct Run {
    first: usize,
    intervals_at_full_power: f64,
}

fn runs(day: &[f64]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (interval, fraction) in day.iter().enumerate().filter(|(_, fraction)| **fraction > 0.0) {
        if interval == 0 || day[interval - 1] <= 0.0 {
            runs.push(Run { first: interval, intervals_at_full_power: 0.0 });
        }
        if let Some(run) = runs.last_mut() {
            run.intervals_at_full_power += fraction;
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::super::day::{Season, Weekday};
    use super::*;

    /// Fractions of (interval of the week, fraction) to the stay at a 4 kW charger on Monday, as
    /// (arrival and departure in intervals, need in Wh).
    fn check(fractions: &[(usize, f64)], expected: Option<(i64, i64, i64)>) {
        let mut week = vec![0.0; 7 * INTERVALS_PER_DAY];
        for (interval, fraction) in fractions {
            week[*interval] = *fraction;
        }
        let day = Day { season: Season::Winter, weekday: Weekday::Monday };
        let found = from_profile(&week, day, Milliwatt(4_000_000)).map(|stay| {
            let wh = stay.energy_need.0 / 3_600_000;
            (stay.arrival_s / INTERVAL_S, stay.departure_s / INTERVAL_S, wh)
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn a_run_of_charging_is_a_stay_of_eight_hours() {
        check(&[(30, 0.5), (31, 1.0)], Some((30, 62, 1_500)));
    }

    #[test]
    fn a_stay_begins_with_the_largest_run_needs_all_and_ends_with_the_day() {
        check(&[(10, 1.0), (79, 1.0), (80, 1.0)], Some((79, 96, 3_000)));
    }

    #[test]
    fn a_need_is_bounded_by_what_the_stay_can_give() {
        check(&[(95, 1.0)], Some((95, 96, 700)));
    }

    #[test]
    fn without_a_run_the_next_day_that_has_one_stands_in() {
        check(&[(2 * 96 + 40, 1.0), (6 * 96 + 50, 1.0)], Some((40, 72, 1_000)));
        check(&[], None);
    }
}
