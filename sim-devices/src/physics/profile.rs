//! A series of values over time: what weather and people do, as data.

use market::interval::UnixSeconds;
use std::sync::Arc;

/// Values, as a rule fractions of a peak power, each holding for `step_s`, from `start` on; after the last the first follows
/// again, and before `start` likewise. Shared, so that a thousand sites hold one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// When the first value begins to hold.
    pub start: UnixSeconds,
    /// How long each holds, in seconds, positive.
    pub step_s: i64,
    /// The values; none at all is zero always.
    pub values: Arc<Vec<f64>>,
}

impl Profile {
    /// One value for all time.
    pub fn constant(value: f64) -> Self {
        Self { start: UnixSeconds(0), step_s: 86_400, values: Arc::new(vec![value]) }
    }

    /// The value in force at `now`; zero where there is none or it is no number.
    pub fn at(&self, now: UnixSeconds) -> f64 {
        let count = self.values.len() as i64;
        if count == 0 {
            return 0.0;
        }
        let index = now.0.saturating_sub(self.start.0).div_euclid(self.step_s.max(1)).rem_euclid(count);
        Some(self.values[index as usize]).filter(|value| value.is_finite()).unwrap_or(0.0)
    }

    /// `peak`, in whatever unit, times the value in force at `now`, rounded.
    pub fn of(&self, peak: i64, now: UnixSeconds) -> i64 {
        (peak as f64 * self.at(now)).round() as i64
    }

    /// The first instant after `now` at which another value may hold.
    pub fn next_change(&self, now: UnixSeconds) -> UnixSeconds {
        let step_s = self.step_s.max(1);
        let into = now.0.saturating_sub(self.start.0).rem_euclid(step_s);
        now.plus(step_s - into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_holds_for_its_step_and_the_series_repeats() {
        let profile =
            Profile { start: UnixSeconds(900), step_s: 900, values: Arc::new(vec![0.25, 1.0, f64::NAN]) };
        for (now, expected) in [(900, 250), (1799, 250), (1800, 1000), (2700, 0), (3600, 250), (0, 0)] {
            assert_eq!(profile.of(1000, UnixSeconds(now)), expected, "{now}");
        }
        assert_eq!(profile.next_change(UnixSeconds(1799)), UnixSeconds(1800));
        assert_eq!(profile.next_change(UnixSeconds(1800)), UnixSeconds(2700));
        assert_eq!(Profile { values: Arc::new(vec![]), ..profile }.at(UnixSeconds(0)), 0.0);
    }
}
