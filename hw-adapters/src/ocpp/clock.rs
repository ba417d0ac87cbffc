//! A charge point's clock, as its messages show it: what of its readings is new, and what time it would say
//! it is. Pure.
//!
//! Charge points store readings while they are away and send them afterwards, some with clocks that are
//! hours or years off. So a reading's age is judged by the charge point's own clock, learned from what it
//! stamps; only where that clock seems to be meant as ours does ours count.

use super::Now;

/// A reading older than this, by the charge point's own clock, is none of the present.
const OLD_MS: i64 = 300_000;
/// For so long old readings are held for what was stored up; after that it is the clock that has changed.
const OLD_AT_MOST_MS: u64 = 120_000;
/// A clock that is within this of ours is meant as ours, give or take a time zone left out.
pub(super) const OURS_WITHIN_MS: i64 = 26 * 3_600_000;

/// What is known of a charge point's clock.
#[derive(Clone, Debug, Default)]
pub(super) struct StationClock {
    /// By how much it is ahead of our `real_ms`, at the most seen.
    ahead_ms: Option<i64>,
    /// The newest reading's time by it.
    newest_ms: Option<i64>,
    /// Since when readings have been old.
    old_since_ms: Option<u64>,
}

/// How a reading stands to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Newness {
    /// Of the present.
    New,
    /// The same reading again.
    Same,
    /// Of the past.
    Old,
}

impl StationClock {
    /// It has started anew, and set its clock.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// It stamped something that it did just now, or earlier.
    pub(super) fn hear(&mut self, now: Now, stamp_ms: Option<i64>) {
        let Some(stamp_ms) = stamp_ms else { return };
        let ahead_ms = stamp_ms.saturating_sub(real(now));
        self.ahead_ms = Some(self.ahead_ms.map_or(ahead_ms, |known| known.max(ahead_ms)));
    }

    /// What time it is by it now, in milliseconds since 1970; ours where it never said.
    pub(super) fn now_ms(&self, now: Now) -> i64 {
        self.ahead_ms.map_or(now.utc_s.saturating_mul(1000), |ahead_ms| real(now).saturating_add(ahead_ms))
    }

    /// Judges a reading taken at `taken_ms` by it, and remembers it. One without a time is new.
    pub(super) fn judge(&mut self, now: Now, taken_ms: Option<i64>) -> Newness {
        let Some(taken_ms) = taken_ms else { return Newness::New };
        let behind = self.newest_ms.is_some_and(|newest_ms| taken_ms < newest_ms);
        if behind || self.age_ms(now, taken_ms) > OLD_MS {
            let since_ms = *self.old_since_ms.get_or_insert(now.real_ms);
            if now.real_ms.saturating_sub(since_ms) < OLD_AT_MOST_MS {
                return Newness::Old;
            }
            self.ahead_ms = None;
        } else if self.newest_ms == Some(taken_ms) {
            return Newness::Same;
        }
        self.old_since_ms = None;
        self.newest_ms = Some(taken_ms);
        self.hear(now, Some(taken_ms));
        Newness::New
    }

    fn age_ms(&self, now: Now, taken_ms: i64) -> i64 {
        let ours_ms = now.utc_s.saturating_mul(1000).saturating_sub(taken_ms);
        match self.ahead_ms {
            Some(ahead_ms) => real(now).saturating_add(ahead_ms).saturating_sub(taken_ms),
            None if ours_ms < OURS_WITHIN_MS => ours_ms,
            None => 0,
        }
    }
}

fn real(now: Now) -> i64 {
    i64::try_from(now.real_ms).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UTC_S: i64 = 1_704_067_200;

    /// Readings by when they come and what time they bear, both in seconds from a common start.
    fn check(readings: &[(u64, i64, Newness)], start_s: i64) {
        let mut clock = StationClock::default();
        for (index, (at_s, taken_s, expected)) in readings.iter().enumerate() {
            let now = Now { utc_s: UTC_S + i64::try_from(*at_s).unwrap(), real_ms: at_s * 1000 };
            assert_eq!(clock.judge(now, Some((start_s + taken_s) * 1000)), *expected, "{index}");
        }
    }

    #[test]
    fn what_was_stored_up_is_old_and_a_changed_clock_is_believed_in_the_end() {
        use Newness::{New, Old, Same};
        let own_clock = 100_000;
        check(&[(0, 0, New), (60, 60, New), (61, 60, Same), (62, 30, Old), (63, 63, New)], own_clock);
        // Away for an hour, then what was stored meanwhile, then the present.
        check(&[(0, 0, New), (3600, 900, Old), (3601, 1800, Old), (3602, 3602, New)], own_clock);
        // A stamp from the future, and the clock's going back, cost two minutes and no more.
        check(
            &[(0, 0, New), (10, 9_000_000, New), (20, 20, Old), (139, 139, Old), (140, 140, New)],
            own_clock,
        );
        // From the start, where its clock is ours.
        check(&[(0, -3600, Old), (1, 1, New)], UTC_S);
        // A zone was left out: it takes two minutes to see that.
        check(&[(0, -18_000, Old), (130, -17_870, New), (140, -17_860, New)], UTC_S);
    }

    #[test]
    fn its_time_is_told_from_what_it_said_last() {
        let mut clock = StationClock::default();
        let at = |real_ms| Now { utc_s: UTC_S, real_ms };
        assert_eq!(clock.now_ms(at(0)), UTC_S * 1000);
        clock.hear(at(1000), Some(50_000));
        assert_eq!(clock.now_ms(at(3000)), 52_000);
        clock.hear(at(3000), Some(i64::MIN));
        assert_eq!(clock.now_ms(at(3000)), 52_000);
    }
}
