//! Asking validators for decided blocks that should have been heard by now: of who was away, or cut off, while they were
//! told. Pure.

use crate::core::Effect;
use market::interval::Interval;
use wire::message::{BlockQuestion, Body, Decision};

/// Real time after which a decision is asked for that was not heard of: several times what one takes.
const FIRST_MS: u64 = 3_000;
/// Real time between two questions, in the end.
const MOST_MS: u64 = 60_000;

/// When to ask for one decision: after a while, and then less and less often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asking {
    at_ms: u64,
    wait_ms: u64,
}

impl Asking {
    /// For what may be decided from now on.
    pub fn later(real_ms: u64) -> Self {
        Self { at_ms: real_ms.saturating_add(FIRST_MS), wait_ms: FIRST_MS }
    }

    /// For what may have been decided before.
    pub fn at_once() -> Self {
        Self { at_ms: 0, wait_ms: FIRST_MS }
    }

    /// Whether to ask now. Said once; then it is waited for an answer.
    pub fn is_due(&mut self, real_ms: u64) -> bool {
        let due = real_ms >= self.at_ms;
        if due {
            self.at_ms = real_ms.saturating_add(self.wait_ms);
            self.wait_ms = self.wait_ms.saturating_mul(2).min(MOST_MS);
        }
        due
    }
}

/// The question, to every validator: nobody must answer it, for there may be nothing to send.
pub(crate) fn question<E>(interval: Interval, decided: Decision) -> Effect<E> {
    Effect::Send {
        body: Body::BlockQuestion(BlockQuestion { interval, decided }),
        interval,
        recipient: None,
        acknowledged_by: Vec::new(),
        tag: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_come_less_and_less_often() {
        let asked = |mut asking: Asking| -> Vec<u64> {
            (0..400).map(|second| second * 1_000).filter(|at_ms| asking.is_due(*at_ms)).collect()
        };
        let seconds = [0, 3, 9, 21, 45, 93, 153, 213, 273, 333, 393];
        assert_eq!(asked(Asking::at_once()), seconds.map(|second| second * 1_000));
        assert_eq!(asked(Asking::later(2_000))[..3], [5_000, 8_000, 14_000]);
    }
}
