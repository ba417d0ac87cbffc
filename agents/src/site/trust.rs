//! Whether the clock is borne out, and, while it is not, whether it was set meanwhile: market time and real time then went
//! different ways.

use crate::core::Now;
use market::interval::UnixSeconds;

/// By how much they may differ, in milliseconds: market time comes in whole seconds, and late.
const SLACK_MS: i64 = 5_000;

/// What is known of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trust {
    sane: bool,
    /// What was last acted on.
    told: bool,
    /// Market and real time when it was first in doubt.
    since: Option<(UnixSeconds, u64)>,
    set: bool,
}

impl Default for Trust {
    fn default() -> Self {
        Self { sane: true, told: true, since: None, set: false }
    }
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The clock is in doubt from now on.
    Doubted,
    /// It is borne out, and always was right.
    BorneOut,
    /// It was set: what was timed by it before is of other times. It is borne out now.
    Set,
}

impl Trust {
    /// The clock is borne out, or not.
    pub fn hear(&mut self, sane: bool) {
        self.sane = sane;
    }

    /// Whether it is.
    pub fn is_sane(&self) -> bool {
        self.sane
    }

    /// Looks at the time, and says what has changed.
    pub fn step(&mut self, now: Now) -> Option<Change> {
        if let Some((market, real_ms)) = self.since {
            let by_market = now.market.0.saturating_sub(market.0).saturating_mul(1_000);
            let by_real = i64::try_from(now.real_ms.saturating_sub(real_ms)).unwrap_or(i64::MAX);
            self.set |= (by_market - by_real).abs() > SLACK_MS;
        }
        if self.sane == self.told {
            return None;
        }
        self.told = self.sane;
        if !self.sane {
            (self.since, self.set) = (Some((now.market, now.real_ms)), false);
            return Some(Change::Doubted);
        }
        self.since = None;
        Some(if self.set { Change::Set } else { Change::BorneOut })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of market seconds, real milliseconds and whether the clock is borne out; the last step's change.
    fn check(steps: &[(i64, u64, bool)], expected: Option<Change>) {
        let mut trust = Trust::default();
        let mut last = None;
        for (market, real_ms, sane) in steps {
            trust.hear(*sane);
            last = trust.step(Now { market: UnixSeconds(*market), real_ms: *real_ms });
        }
        assert_eq!(last, expected, "{steps:?}");
    }

    #[test]
    fn a_clock_that_went_with_real_time_was_right_all_along() {
        check(&[(100, 0, true), (5_000, 10, true)], None);
        check(&[(100, 0, false)], Some(Change::Doubted));
        check(&[(100, 0, false), (130, 30_000, false)], None);
        check(&[(100, 0, false), (700, 600_000, true)], Some(Change::BorneOut));
        check(&[(100, 0, false), (7_300, 600_000, true)], Some(Change::Set));
        // Set back: market time stands still while real time goes on.
        check(&[(100, 0, false), (100, 60_000, false), (160, 61_000, true)], Some(Change::Set));
        // Set twice, and by chance back to where it would be.
        check(&[(100, 0, false), (9_000, 1_000, false), (9_000, 8_900_000, true)], Some(Change::Set));
    }
}
