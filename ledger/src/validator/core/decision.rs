//! Building blocks, and what follows from a height being decided.

use super::{Effect, Now, ValidatorCore};
use crate::block::vote::VoteCertificate;
use crate::block::DecidedBlock;
use crate::consensus::committee::Committee;
use crate::consensus::message::Record;
use crate::consensus::Input;
use crate::execute::{build_block, Executed};
use crate::store::remembered::Remembered;
use market::interval::Interval;
use serde_bytes::ByteBuf;
use std::sync::Arc;
use wire::entry::Entry;
use wire::hash::Hash32;

/// Who is told of a decided block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tell {
    /// Everyone: it was decided here.
    Everyone,
    /// Nobody: somebody told us.
    Nobody,
}

/// Kind and interval of an entry that is about one; a session's is its first.
fn about(entry: &Entry) -> Option<(&'static str, Interval)> {
    match entry {
        Entry::Clearing(clearing) => Some(("clearing", clearing.interval)),
        Entry::DayAhead(session) => Some(("day-ahead", session.session)),
        Entry::Delivery(delivery) => Some(("delivery", delivery.interval)),
        _ => None,
    }
}

impl ValidatorCore {
    /// Builds our block for a round, if there is anything to put into one.
    pub(super) fn build(&mut self, now: Now, round: u32) -> Option<Input> {
        self.wanted = Some(round);
        let by = (&self.me.name, now.wall_ms);
        let (block, executed) = build_block(&self.rules, &self.tip, &self.state, by, self.pool.waiting())?;
        let hash = block.header.hash();
        let bytes = match block.encode() {
            Ok(bytes) => ByteBuf::from(bytes),
            Err(error) => {
                self.note("bad-block", error.to_string());
                return None;
            }
        };
        self.record(&Record::Bytes(bytes.clone()));
        self.candidates.insert(round, block, bytes, Some(executed));
        self.wanted = None;
        Some(Input::Propose { round, block: hash })
    }

    pub(super) fn decide(&mut self, now: Now, hash: &Hash32, certificate: VoteCertificate) {
        let candidate = self.candidates.remove(hash);
        let Some((block, executed)) = candidate.and_then(|known| Some((known.block, known.executed?))) else {
            // Two thirds decided what we hold for wrong or never saw: their block will tell.
            self.catch_up.decided_elsewhere(self.tip.height + 1, self.tip.height, now.real_ms);
            self.note("decided-unknown", format!("block {} was decided and is not known here", hash.short()));
            return;
        };
        let decided = DecidedBlock { block, certificate };
        match decided.encode() {
            Ok(bytes) => self.commit(now, (decided, bytes), executed, Tell::Everyone),
            Err(error) => self.note("bad-block", error.to_string()),
        }
    }

    /// The height is decided: everything about it is over.
    pub(super) fn commit(
        &mut self,
        now: Now,
        (decided, bytes): (DecidedBlock, Vec<u8>),
        executed: Executed,
        tell: Tell,
    ) {
        self.tip = self.tip.after(&decided);
        let governed = self.rules.governed.clone();
        let changed = !Arc::ptr_eq(&governed, &executed.rules.governed);
        self.remember(&decided, &governed, changed);
        self.witness_block(&decided);
        let since = self.pool.decided(decided.block.entries.iter());
        let mut state = executed.state;
        let decided = Arc::new(decided);
        let announced = (tell == Tell::Everyone).then(|| Effect::Announce(bytes.clone()));
        self.effects.push(Effect::Commit { decided: decided.clone(), bytes });
        self.effects.extend(announced);
        let remembered = Remembered::of(&self.rules, &executed.receipts, (&state, &executed.rules));
        let (height, of) = (decided.height(), executed.receipts.iter());
        self.effects.push(Effect::Index { remembered, decided, state: Box::new(state.clone()) });
        let told = of.filter_map(|(entry, _)| about(entry));
        self.effects.extend(told.map(|(kind, interval)| Effect::Decided { height, kind, interval }));
        for since_ms in since {
            self.effects.push(Effect::Final { after_ms: now.real_ms.saturating_sub(since_ms) });
        }
        state.forget_changes();
        self.state = state;
        self.rules = executed.rules;
        self.begin_anew(now);
    }

    /// The chain stands elsewhere: everything about the height that was being decided is over.
    pub(super) fn begin_anew(&mut self, now: Now) {
        self.committee = Arc::new(Committee::after(&self.state, &self.rules));
        self.catch_up.set_peers(&self.me.name, &self.committee.validators);
        let at = self.tip.next(now.wall_ms);
        for (submitter, refusal) in self.pool.refresh(&self.rules, &self.state, at) {
            self.effects.push(Effect::Refused { reason: refusal.reason() });
            self.note("refused", format!("an entry of {submitter}: {refusal}"));
        }
        self.accused.retain(|liar| self.state.voting().contradictions_of(liar) == 0);
        self.begun = false;
        self.wanted = None;
        self.candidates.clear();
        self.timers.clear();
        self.catch_up.reached(self.tip.height, now.real_ms);
        self.download.reached(self.tip.height);
    }
}
