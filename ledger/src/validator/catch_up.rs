//! Asking others for blocks they have and we don't, one validator after the other. What comes back is believed for its certificate alone.

use crate::block::validators::ValidatorSet;
use wire::party::Id;

/// Time one answer takes from what we have for them, in milliseconds: answers cost us more than the
/// one who asks.
const ANSWER_COST_MS: u64 = 5;
/// How much may be taken in advance, in milliseconds: a hundred answers at once.
const ANSWERS_AHEAD_MS: u64 = 500;

/// How long nothing may happen before somebody is asked although nobody shows to be ahead, in milliseconds: the
/// last block, and the question after a start, may have been lost, and on a quiet ledger nobody says more.
const QUIET_MS: u64 = 60_000;

/// Where we stand against the others.
#[derive(Debug)]
pub struct CatchUp {
    /// The other validators, in order.
    peers: Vec<Id>,
    wait_ms: u64,
    /// Highest height known to be decided.
    known: u64,
    /// Place of the one asked last.
    asked: usize,
    ask_at: Option<u64>,
    /// When somebody is asked although nobody shows to be ahead; none before a start.
    quiet_at: Option<u64>,
    /// How long after that again.
    quiet_ms: u64,
    answers_spent_to: u64,
}

impl CatchUp {
    /// For one that waits so long before it asks.
    pub fn new(wait_ms: u64) -> Self {
        Self {
            peers: Vec::new(),
            wait_ms,
            known: 0,
            asked: 0,
            ask_at: None,
            quiet_at: None,
            quiet_ms: wait_ms,
            answers_spent_to: 0,
        }
    }

    /// We start, and ask somebody. Should that be lost, others are asked, less and less often.
    pub fn started(&mut self, now_ms: u64) {
        self.quiet_at = Some(now_ms.saturating_add(self.quiet_ms));
    }

    /// These validators, we `me` perhaps among them, are there to be asked, beginning with the one
    /// after us.
    pub fn set_peers(&mut self, me: &Id, validators: &ValidatorSet) {
        let others = validators.members().iter().map(|(name, _)| name).filter(|name| *name != me);
        let (after, before): (Vec<_>, Vec<_>) = others.cloned().partition(|name| name > me);
        let peers = [after, before].concat();
        if peers != self.peers {
            self.peers = peers;
            self.asked = self.peers.len().saturating_sub(1);
        }
    }

    /// The next to be asked, whether or not a question is due.
    pub fn next_peer(&mut self) -> Option<Id> {
        self.asked = (self.asked + 1).checked_rem(self.peers.len())?;
        self.peers.get(self.asked).cloned()
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
        self.quiet_ms = QUIET_MS;
        self.quiet_at = self.quiet_at.map(|_| now_ms.saturating_add(QUIET_MS));
    }

    /// When the next question is due.
    pub fn next_deadline(&self) -> Option<u64> {
        self.ask_at.into_iter().chain(self.quiet_at).min()
    }

    /// Highest height that somebody shows, or says, to be decided.
    pub fn known(&self) -> u64 {
        self.known
    }

    /// Whom to ask for the block after `tip`, where a question is due.
    pub fn ask(&mut self, tip: u64, now_ms: u64) -> Option<Id> {
        if self.ask_at.is_none_or(|at| at > now_ms) {
            return self.ask_anyway(now_ms);
        }
        if self.known <= tip {
            self.ask_at = None;
            return None;
        }
        self.ask_at = Some(now_ms.saturating_add(self.wait_ms));
        self.next_peer()
    }

    fn ask_anyway(&mut self, now_ms: u64) -> Option<Id> {
        self.quiet_at.filter(|at| *at <= now_ms)?;
        self.quiet_ms = self.quiet_ms.saturating_mul(2).min(QUIET_MS);
        self.quiet_at = Some(now_ms.saturating_add(self.quiet_ms));
        self.next_peer()
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::hash::Hash32;

    fn check(catch_up: &mut CatchUp, (tip, now_ms): (u64, u64), expected: Option<&str>) {
        assert_eq!(catch_up.ask(tip, now_ms).as_ref().map(Id::as_str), expected, "at {now_ms}");
    }

    #[test]
    fn peers_are_asked_in_turn_until_we_are_level() {
        let id = |n: u8| format!("v{n}").parse::<Id>().unwrap();
        let set = ValidatorSet::new((0..4).map(|n| (id(n), Hash32([n; 32]))).collect());
        let mut catch_up = CatchUp::new(100);
        catch_up.set_peers(&id(1), &set);
        catch_up.decided_elsewhere(9, 6, 0);
        check(&mut catch_up, (6, 50), None);
        check(&mut catch_up, (6, 100), Some("v2"));
        check(&mut catch_up, (6, 150), None);
        check(&mut catch_up, (6, 200), Some("v3"));
        catch_up.reached(7, 210);
        catch_up.set_peers(&id(1), &set);
        check(&mut catch_up, (7, 300), None);
        check(&mut catch_up, (7, 310), Some("v0"));
        check(&mut catch_up, (7, 410), Some("v2"));
        catch_up.reached(9, 420);
        assert_eq!(catch_up.next_deadline(), None);
    }

    #[test]
    fn after_a_start_others_are_asked_less_and_less_often_until_a_block_comes() {
        let id = |n: u8| format!("v{n}").parse::<Id>().unwrap();
        let set = ValidatorSet::new((0..4).map(|n| (id(n), Hash32([n; 32]))).collect());
        let mut catch_up = CatchUp::new(100);
        catch_up.set_peers(&id(1), &set);
        catch_up.started(0);
        check(&mut catch_up, (6, 99), None);
        check(&mut catch_up, (6, 100), Some("v2"));
        check(&mut catch_up, (6, 299), None);
        check(&mut catch_up, (6, 300), Some("v3"));
        assert_eq!(catch_up.next_deadline(), Some(700));
        catch_up.reached(7, 400);
        check(&mut catch_up, (7, 400 + QUIET_MS - 1), None);
        check(&mut catch_up, (7, 400 + QUIET_MS), Some("v0"));
        assert_eq!(catch_up.next_deadline(), Some(400 + 2 * QUIET_MS));
    }
}
