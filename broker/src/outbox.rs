//! What was sent and is not answered yet: the same bytes again, ever more seldom, until every
//! receiver has answered or the message expires. Pure: no clock, no socket.
//!
//! Where several connections may carry a message that is to be answered, it goes out on one of them, and
//! only what is not answered goes out again on all. A broker that withholds messages so costs the first
//! repetition's wait, and until then nobody carries or checks anything twice.
//!
//! A thousand may wait for answers at a time, and each step is to cost what it does, not what waits: when each
//! next needs something stands in an order of its own.

use crate::routes::Routes;
use std::collections::{BTreeMap, BTreeSet};
use wire::entry::SignedEnvelope;
use wire::message::{MessageRef, Verdict};
use wire::party::PartyId;

/// Time from the first sending to the first repetition. Each one after waits twice as long.
pub const FIRST_REPEAT_MS: u64 = 500;
/// Longest time between two repetitions.
pub const LONGEST_REPEAT_MS: u64 = 8_000;

/// A message to be sent. Times here and below are milliseconds since an arbitrary start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sending {
    /// Its name.
    pub id: MessageRef,
    /// Topic and bytes.
    pub raw: SignedEnvelope,
    /// The sender's own mark, given back with every answer.
    pub tag: u64,
    /// Who must answer; for none, it is sent once.
    pub acknowledged_by: BTreeSet<PartyId>,
    /// Which connections may carry it.
    pub routes: Routes,
    /// When repeating it makes no sense any more.
    pub expires_ms: u64,
}

/// What the outbox is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Send this.
    Send(Sending),
    /// Somebody answered one of ours, or says so of a message that is none of ours.
    Answer {
        /// Who answered.
        by: PartyId,
        /// Which message.
        of: MessageRef,
        /// What they said.
        verdict: Verdict,
    },
    /// A connection stands, subscriptions included.
    Connected {
        /// Which.
        at: usize,
    },
    /// A connection that stood is gone.
    Disconnected {
        /// Which.
        at: usize,
    },
    /// Time has passed.
    Poll,
}

/// What the outbox wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Publish these bytes on this topic.
    Publish {
        /// Topic and bytes.
        raw: SignedEnvelope,
        /// Whether they were published before.
        again: bool,
        /// On which connections.
        over: Routes,
    },
    /// Tell the sender of an answer.
    Answered {
        /// The sender's mark.
        tag: u64,
        /// Who answered.
        by: PartyId,
        /// What they said.
        verdict: Verdict,
    },
    /// Tell the sender that it expired unanswered.
    Expired {
        /// The sender's mark.
        tag: u64,
        /// Who never answered.
        unanswered: Vec<PartyId>,
    },
}

#[derive(Debug)]
struct Pending {
    sending: Sending,
    published: bool,
    answered: bool,
    next_ms: u64,
    wait_ms: u64,
    /// Its place in [`Outbox::due`].
    due_ms: u64,
}

/// Boot and sequence number of a message of ours.
type Name = (u64, u64);

/// Everything sent and not answered, by sequence number.
#[derive(Debug, Default)]
pub struct Outbox {
    standing: Routes,
    /// Whose turn it is to carry what is published first; moves on where nobody answered.
    turn: usize,
    bytes: usize,
    pending: BTreeMap<Name, Pending>,
    /// When each of them is to be published or expires, whichever comes first.
    due: BTreeSet<(u64, Name)>,
}

impl Outbox {
    /// An empty outbox, not connected. `turn` says which of several connections is tried first; parties
    /// that choose it at random share the brokers evenly.
    pub fn new(turn: usize) -> Self {
        Self { turn, ..Self::default() }
    }

    /// Messages waiting for answers, or for a connection.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Bytes of these messages, topics included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// When [`Input::Poll`] next has something to do.
    pub fn next_due_ms(&self) -> Option<u64> {
        self.due.first().map(|(due_ms, _)| *due_ms)
    }

    /// Takes one input at `now_ms`.
    pub fn step(&mut self, now_ms: u64, input: Input) -> Vec<Effect> {
        match input {
            Input::Send(sending) => self.add(now_ms, sending),
            Input::Answer { by, of, verdict } => return self.answer(by, &of, verdict),
            Input::Connected { at } => self.connected(now_ms, at),
            Input::Disconnected { at } => self.stands(self.standing.without(at)),
            Input::Poll => {}
        }
        self.advance(now_ms)
    }

    fn add(&mut self, now_ms: u64, sending: Sending) {
        let name = (sending.id.boot, sending.id.sequence);
        self.remove(name);
        let (published, answered, wait_ms) = (false, false, FIRST_REPEAT_MS);
        let mut pending = Pending { sending, published, answered, next_ms: now_ms, wait_ms, due_ms: 0 };
        pending.due_ms = due(&pending, self.standing);
        self.bytes += size(&pending.sending);
        self.due.insert((pending.due_ms, name));
        self.pending.insert(name, pending);
    }

    fn remove(&mut self, name: Name) {
        if let Some(pending) = self.pending.remove(&name) {
            self.bytes -= size(&pending.sending);
            self.due.remove(&(pending.due_ms, name));
        }
    }

    /// What only this connection can carry may have been lost when it broke, and goes out at once. What
    /// others carry as well is repeated in its time: a broker that comes and goes changes nothing there.
    fn connected(&mut self, now_ms: u64, at: usize) {
        let standing = self.standing.with(at);
        for pending in self.pending.values_mut() {
            if pending.sending.routes.and(standing) == Routes::only(at) {
                pending.next_ms = now_ms;
                pending.wait_ms = FIRST_REPEAT_MS;
            }
        }
        self.stands(standing);
    }

    /// Other connections stand than before: what is due changes for all.
    fn stands(&mut self, standing: Routes) {
        self.standing = standing;
        for pending in self.pending.values_mut() {
            pending.due_ms = due(pending, standing);
        }
        self.due = self.pending.iter().map(|(name, pending)| (pending.due_ms, *name)).collect();
    }

    fn answer(&mut self, by: PartyId, of: &MessageRef, verdict: Verdict) -> Vec<Effect> {
        let name = (of.boot, of.sequence);
        let Some(pending) = self.pending.get_mut(&name) else { return Vec::new() };
        let sending = &mut pending.sending;
        if sending.id.sender != of.sender || !sending.acknowledged_by.remove(&by) {
            return Vec::new();
        }
        pending.answered = true;
        let tag = sending.tag;
        if sending.acknowledged_by.is_empty() {
            self.remove(name);
        }
        vec![Effect::Answered { tag, by, verdict }]
    }

    /// Sees to all that is due, in the order it was sent.
    fn advance(&mut self, now_ms: u64) -> Vec<Effect> {
        let due = self.due.iter().take_while(|(due_ms, _)| *due_ms <= now_ms);
        let mut names: Vec<Name> = due.map(|(_, name)| *name).collect();
        names.sort_unstable();
        let mut effects = Vec::with_capacity(names.len());
        let turn = self.turn;
        let mut unheard = false;
        for name in names {
            unheard |= self.attend(now_ms, turn, name, &mut effects);
        }
        if unheard {
            self.turn = self.turn.wrapping_add(1);
        }
        effects
    }

    /// Publishes a message that is due, or gives it up. Whether nobody answered what one of several connections carried.
    fn attend(&mut self, now_ms: u64, turn: usize, name: Name, effects: &mut Vec<Effect>) -> bool {
        let Some(pending) = self.pending.get_mut(&name) else { return false };
        let Sending { raw, tag, acknowledged_by, routes, expires_ms, .. } = &pending.sending;
        if now_ms >= *expires_ms {
            if !acknowledged_by.is_empty() {
                let unanswered = acknowledged_by.iter().cloned().collect();
                effects.push(Effect::Expired { tag: *tag, unanswered });
            }
            self.remove(name);
            return false;
        }
        let usable = routes.and(self.standing);
        let first = !pending.published && !acknowledged_by.is_empty();
        let over = if first { usable.pick(turn) } else { usable };
        let unheard = pending.published && !pending.answered && usable.len() > 1;
        effects.push(Effect::Publish { raw: raw.clone(), again: pending.published, over });
        if acknowledged_by.is_empty() {
            self.remove(name);
            return unheard;
        }
        pending.published = true;
        pending.next_ms = now_ms + pending.wait_ms;
        pending.wait_ms = (pending.wait_ms * 2).min(LONGEST_REPEAT_MS);
        self.due.remove(&(pending.due_ms, name));
        pending.due_ms = due(pending, self.standing);
        self.due.insert((pending.due_ms, name));
        unheard
    }
}

/// When a message is to be published or expires; without a connection that may carry it, it can only expire.
fn due(pending: &Pending, standing: Routes) -> u64 {
    match pending.sending.routes.and(standing).is_empty() {
        false => pending.next_ms.min(pending.sending.expires_ms),
        true => pending.sending.expires_ms,
    }
}

fn size(sending: &Sending) -> usize {
    sending.raw.topic.len() + sending.raw.bytes.len()
}

#[cfg(test)]
mod tests;
