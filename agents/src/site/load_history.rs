//! What a site takes besides its devices in hours to come: as a day before where it was read then, and
//! otherwise as now, changed as the feeder's load is forecast to change.

use market::interval::Interval;
use market::units::Milliwatt;
use std::collections::BTreeMap;

/// Seconds of a day.
const DAY_S: i64 = 86_400;
/// How long readings are kept, in seconds: a day and as much again for a day ahead.
const KEPT_S: i64 = 2 * DAY_S;

/// Base loads as read, by the interval they were read in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadHistory {
    read: BTreeMap<Interval, Milliwatt>,
}

impl LoadHistory {
    /// Takes a reading, and forgets what is too old to tell anything.
    pub fn take(&mut self, interval: Interval, power: Milliwatt) {
        self.read.insert(interval, power);
        let oldest = Interval(interval.start().plus(-KEPT_S));
        self.read = self.read.split_off(&oldest);
    }

    /// The last reading by `here` that is no older than `age_s` seconds; none where what is known is older than that.
    pub fn latest(&self, here: Interval, age_s: i64) -> Option<Milliwatt> {
        let oldest = Interval(here.start().plus(-age_s.max(0)));
        self.read.range(oldest..=here).next_back().map(|(_, power)| *power)
    }

    /// What is expected in `interval`, where `now` was read last and the feeder's load is forecast to be
    /// `ratio` of its own then.
    pub fn expect(&self, interval: Interval, now: Milliwatt, ratio: Option<f64>) -> Milliwatt {
        let a_day_before = |days: i64| self.read.get(&Interval(interval.start().plus(-days * DAY_S)));
        let before = a_day_before(1).or_else(|| a_day_before(2));
        before.copied().unwrap_or_else(|| Milliwatt((now.0 as f64 * ratio.unwrap_or(1.0)).round() as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::interval::UnixSeconds;

    #[test]
    fn a_reading_is_too_old_after_a_while() {
        let at = |start| Interval(UnixSeconds(start));
        let mut loads = LoadHistory::default();
        loads.take(at(900), Milliwatt(1));
        loads.take(at(1_800), Milliwatt(2));
        let check = |here, expected: Option<i64>| {
            assert_eq!(loads.latest(at(here), 1_800), expected.map(Milliwatt), "at {here}");
        };
        check(0, None);
        check(900, Some(1));
        check(1_800, Some(2));
        check(3_600, Some(2));
        check(4_500, None);
    }

    fn check(read: &[(i64, i64)], at_hour: i64, ratio: Option<f64>, expected: i64) {
        let hour = |hour: i64| Interval(UnixSeconds(hour * 3_600));
        let mut history = LoadHistory::default();
        read.iter().for_each(|(at, power)| history.take(hour(*at), Milliwatt(*power)));
        assert_eq!(history.expect(hour(at_hour), Milliwatt(600), ratio), Milliwatt(expected));
    }

    #[test]
    fn a_day_before_tells_more_than_now_and_now_with_the_feeder_more_than_now_alone() {
        check(&[(5, 100), (6, 200)], 29, Some(1.5), 100);
        check(&[(5, 100), (28, 300)], 53, Some(1.5), 100);
        check(&[(5, 100), (29, 300)], 53, Some(1.5), 300);
        check(&[(5, 100)], 30, Some(1.5), 900);
        check(&[(5, 100)], 30, None, 600);
        // Read three days ago, and forgotten.
        check(&[(5, 100), (72, 300)], 53, None, 600);
    }
}
