//! How much may come, in units a second with some in advance. Pure: the caller gives the time.

/// An allowance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Units a second, at least 1.
    pub per_second: u32,
    /// Units that may come at once after a rest.
    pub burst: u32,
}

/// What was taken of an allowance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Time up to which it is used up, in microseconds of the caller's clock.
    spent_to_us: u64,
}

impl Bucket {
    /// Takes `units` at `now_ms`, where any are left; the last may be overdrawn.
    pub fn take(&mut self, rate: Rate, units: u32, now_ms: u64) -> bool {
        let left = self.has_any(rate, now_ms);
        if left {
            let spent_to = self.spent_to_us.max(now_ms.saturating_mul(1_000));
            self.spent_to_us = spent_to.saturating_add(cost_us(rate).saturating_mul(units.into()));
        }
        left
    }

    /// Whether anything is left at `now_ms`.
    pub fn has_any(&self, rate: Rate, now_ms: u64) -> bool {
        let ahead = cost_us(rate).saturating_mul(rate.burst.into());
        self.spent_to_us < now_ms.saturating_mul(1_000).saturating_add(ahead)
    }
}

fn cost_us(rate: Rate) -> u64 {
    (1_000_000 / u64::from(rate.per_second.max(1))).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 10, burst: 3 };

    fn check(steps: &[(u64, u32, bool)]) {
        let mut bucket = Bucket::default();
        for (now_ms, units, expected) in steps {
            assert_eq!(bucket.take(RATE, *units, *now_ms), *expected, "{units} at {now_ms}");
        }
    }

    #[test]
    fn a_burst_is_taken_and_then_as_much_as_time_brings() {
        check(&[(0, 1, true), (0, 1, true), (0, 1, true), (0, 1, false), (99, 1, true), (99, 1, false)]);
    }

    #[test]
    fn a_rest_saves_up_no_more_than_the_burst() {
        check(&[(60_000, 1, true), (60_000, 1, true), (60_000, 1, true), (60_000, 1, false)]);
    }

    #[test]
    fn what_is_overdrawn_is_waited_for() {
        check(&[(0, 20, true), (1_600, 1, false), (1_701, 1, true)]);
    }

    #[test]
    fn over_any_time_no_more_comes_than_burst_and_rate_allow() {
        let mut bucket = Bucket::default();
        let taken = (0..10_000u64).filter(|at| bucket.take(RATE, 1, *at)).count();
        assert!((100..=104).contains(&taken), "{taken} in ten seconds");
    }
}
