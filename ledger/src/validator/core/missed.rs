//! Sending decided blocks to those who trade and did not hear them: who was away, or cut off, while they were told.

use super::{Effect, Now, ValidatorCore};
use broker::rate::Rate;
use wire::message::{BlockQuestion, Decision};
use wire::party::PartyId;

/// Blocks sent to one asker: what it may have missed of some intervals at once, and then one a second.
const BLOCKS: Rate = Rate { per_second: 1, burst: 8 };

impl ValidatorCore {
    /// Somebody asks for a block. Where there is none, nothing is said: it may be decided yet.
    pub(super) fn missed(&mut self, now: Now, by: PartyId, question: BlockQuestion) {
        if !self.has_decided(&by, &question) {
            return;
        }
        let may = self.sent.entry(by.clone()).or_default().take(BLOCKS, 1, now.real_ms);
        if may && self.catch_up.may_answer(now.real_ms) {
            self.effects.push(Effect::SendBlock { to: by, question });
        }
    }

    /// By what the state keeps; who asks for what it has forgotten asks in vain.
    fn has_decided(&self, by: &PartyId, question: &BlockQuestion) -> bool {
        let cleared = self.state.intervals().get(&question.interval);
        match question.decided {
            Decision::Clearing => cleared.is_some(),
            Decision::DayAhead => self.state.day_ahead().get(&question.interval).is_some(),
            Decision::Delivery => cleared.and_then(|it| it.awards.get(&by.id)).is_some_and(|it| it.settled),
        }
    }
}
