//! How long to leave a device alone after it has failed: not at all the first time, then ever longer,
//! with jitter so that a street of controllers does not knock at once. Reads no clock.

use std::time::Duration;

/// The wait after the second failure in a row, before jitter.
const FIRST: Duration = Duration::from_millis(250);
/// The longest wait, before jitter.
const LONGEST: Duration = Duration::from_secs(16);

/// Failures in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// An answer came.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// It failed again; gives how long to wait before the next attempt. `random` is any number, drawn anew
    /// each time: it makes the wait anything from half to all of its length.
    pub fn failed(&mut self, random: u64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let Some(doublings) = self.failures.checked_sub(2) else { return Duration::ZERO };
        let whole = FIRST.saturating_mul(1 << doublings.min(16)).min(LONGEST);
        let half = whole / 2;
        half + half.mul_f64((random >> 11) as f64 / (1u64 << 53) as f64)
    }

    /// Failures in a row so far.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_the_second_failure_on_and_begin_again_after_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..10).map(|_| backoff.failed(0).as_millis()).collect();
        assert_eq!(waits, [0, 125, 250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
        assert_eq!(backoff.failed(u64::MAX).as_millis(), 16_000);
        backoff.succeeded();
        assert_eq!((backoff.failed(0), backoff.failures()), (Duration::ZERO, 1));
    }
}
