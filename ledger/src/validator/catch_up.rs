//! Asking others for blocks they have and we don't, one validator after the other. What comes back is believed for its certificate alone.

use crate::block::vote::ValidatorIndex;

/// Time one answer takes from what we have for them, in milliseconds: answers cost us more than the
/// one who asks.
const ANSWER_COST_MS: u64 = 5;
/// How much may be taken in advance, in milliseconds: a hundred answers at once.
const ANSWERS_AHEAD_MS: u64 = 500;

/// Where we stand against the others.
#[derive(Debug)]
pub struct CatchUp {
    me: ValidatorIndex,
    validators: ValidatorIndex,
    wait_ms: u64,
    /// Highest height known to be decided.
    known: u64,
    peer: ValidatorIndex,
    ask_at: Option<u64>,
    answers_spent_to: u64,
}

impl CatchUp {
    /// For validator `me` of so many.
    pub fn new(me: ValidatorIndex, validators: ValidatorIndex, wait_ms: u64) -> Self {
        Self { me, validators, wait_ms, known: 0, peer: me, ask_at: None, answers_spent_to: 0 }
    }

    /// Somebody shows that this height is decided, while our last is `tip`. Its votes may be on
    /// their way to us, so we ask only after a while.
    pub fn decided_elsewhere(&mut self, height: u64, tip: u64, now_ms: u64) {
        self.known = self.known.max(height);
        if self.known > tip && self.ask_at.is_none() {
            self.ask_at = Some(now_ms.saturating_add(self.wait_ms));
        }
    }

    /// Our last block is `tip` now.
    pub fn reached(&mut self, tip: u64, now_ms: u64) {
        self.ask_at = (self.known > tip).then(|| now_ms.saturating_add(self.wait_ms));
    }

    /// When the next question is due.
    pub fn next_deadline(&self) -> Option<u64> {
        self.ask_at
    }

    /// Highest height that somebody shows, or says, to be decided.
    pub fn known(&self) -> u64 {
        self.known
    }

    /// Whom to ask for the block after `tip`, where a question is due.
    pub fn ask(&mut self, tip: u64, now_ms: u64) -> Option<ValidatorIndex> {
        if self.ask_at.is_none_or(|at| at > now_ms) {
            return None;
        }
        if self.known <= tip || self.validators < 2 {
            self.ask_at = None;
            return None;
        }
        self.ask_at = Some(now_ms.saturating_add(self.wait_ms));
        self.ask_anyway()
    }

    /// Whom to ask where nothing says that there is more, and nothing else is heard either.
    pub fn ask_anyway(&mut self) -> Option<ValidatorIndex> {
        if self.validators < 2 {
            return None;
        }
        self.peer = self.after(self.peer);
        if self.peer == self.me {
            self.peer = self.after(self.peer);
        }
        Some(self.peer)
    }

    /// Whether a question may be answered now.
    pub fn may_answer(&mut self, now_ms: u64) -> bool {
        let spent_to = self.answers_spent_to.max(now_ms);
        let may = spent_to <= now_ms.saturating_add(ANSWERS_AHEAD_MS);
        if may {
            self.answers_spent_to = spent_to.saturating_add(ANSWER_COST_MS);
        }
        may
    }

    fn after(&self, peer: ValidatorIndex) -> ValidatorIndex {
        (peer + 1) % self.validators.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_asked_in_turn_until_we_are_level() {
        let mut catch_up = CatchUp::new(1, 4, 100);
        catch_up.decided_elsewhere(9, 6, 0);
        assert_eq!(catch_up.ask(6, 50), None);
        assert_eq!(catch_up.ask(6, 100), Some(2));
        assert_eq!(catch_up.ask(6, 150), None);
        assert_eq!(catch_up.ask(6, 200), Some(3));
        catch_up.reached(7, 210);
        assert_eq!(catch_up.ask(7, 300), None);
        assert_eq!(catch_up.ask(7, 310), Some(0));
        assert_eq!(catch_up.ask(7, 410), Some(2));
        catch_up.reached(9, 420);
        assert_eq!(catch_up.next_deadline(), None);
    }
}
