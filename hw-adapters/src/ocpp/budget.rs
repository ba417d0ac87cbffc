//! How many messages a connection may send: a burst, and a steady rate. Pure.

/// Messages at once: what a charge point stored while it was away.
const BURST: u64 = 1000;
/// Milliseconds for one more.
const REFILL_MS: u64 = 20;

/// What a connection may still send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    left: u64,
    filled_ms: u64,
}

impl Budget {
    /// A new connection's.
    pub(super) fn new(now_ms: u64) -> Self {
        Self { left: BURST, filled_ms: now_ms }
    }

    /// Takes one message off it; false where there was none left.
    pub(super) fn take(&mut self, now_ms: u64) -> bool {
        let more = now_ms.saturating_sub(self.filled_ms) / REFILL_MS;
        self.filled_ms += more * REFILL_MS;
        self.left = (self.left + more).min(BURST);
        let some = self.left > 0;
        self.left = self.left.saturating_sub(1);
        some
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_and_a_flood_is_not() {
        let mut budget = Budget::new(0);
        assert_eq!((0..2 * BURST).filter(|_| budget.take(0)).count() as u64, BURST);
        assert!(!budget.take(REFILL_MS - 1));
        assert!(budget.take(REFILL_MS));
        assert!(!budget.take(REFILL_MS));
        assert_eq!((0..2 * BURST).filter(|_| budget.take(10_000_000)).count() as u64, BURST);
    }
}
