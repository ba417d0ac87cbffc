//! What was sent and is not answered yet: the same bytes again, ever more seldom, until every
//! receiver has answered or the message expires. Pure: no clock, no socket.

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
    /// The connection stands, subscriptions included.
    Connected,
    /// The connection is gone.
    Disconnected,
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
    next_ms: u64,
    wait_ms: u64,
}

/// Everything sent and not answered, by sequence number.
#[derive(Debug, Default)]
pub struct Outbox {
    connected: bool,
    pending: BTreeMap<(u64, u64), Pending>,
}

impl Outbox {
    /// An empty outbox, not connected.
    pub fn new() -> Self {
        Self::default()
    }

    /// Messages waiting for answers, or for a connection.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// When [`Input::Poll`] next has something to do.
    pub fn next_due_ms(&self) -> Option<u64> {
        let due = |p: &Pending| match self.connected {
            true => p.next_ms.min(p.sending.expires_ms),
            false => p.sending.expires_ms,
        };
        self.pending.values().map(due).min()
    }

    /// Takes one input at `now_ms`.
    pub fn step(&mut self, now_ms: u64, input: Input) -> Vec<Effect> {
        match input {
            Input::Send(sending) => {
                let name = (sending.id.boot, sending.id.sequence);
                let wait_ms = FIRST_REPEAT_MS;
                self.pending.insert(name, Pending { sending, published: false, next_ms: now_ms, wait_ms });
            }
            Input::Answer { by, of, verdict } => return self.answer(by, &of, verdict),
            Input::Connected => {
                self.connected = true;
                // What was published before the connection broke may have been lost with it.
                for pending in self.pending.values_mut() {
                    pending.next_ms = now_ms;
                    pending.wait_ms = FIRST_REPEAT_MS;
                }
            }
            Input::Disconnected => self.connected = false,
            Input::Poll => {}
        }
        self.advance(now_ms)
    }

    fn answer(&mut self, by: PartyId, of: &MessageRef, verdict: Verdict) -> Vec<Effect> {
        let name = (of.boot, of.sequence);
        let Some(pending) = self.pending.get_mut(&name) else { return Vec::new() };
        let sending = &mut pending.sending;
        if sending.id.sender != of.sender || !sending.acknowledged_by.remove(&by) {
            return Vec::new();
        }
        let tag = sending.tag;
        if sending.acknowledged_by.is_empty() {
            self.pending.remove(&name);
        }
        vec![Effect::Answered { tag, by, verdict }]
    }

    fn advance(&mut self, now_ms: u64) -> Vec<Effect> {
        let mut effects = Vec::new();
        let connected = self.connected;
        self.pending.retain(|_, pending| {
            let Sending { raw, tag, acknowledged_by, expires_ms, .. } = &pending.sending;
            if now_ms >= *expires_ms {
                if !acknowledged_by.is_empty() {
                    let unanswered = acknowledged_by.iter().cloned().collect();
                    effects.push(Effect::Expired { tag: *tag, unanswered });
                }
                return false;
            }
            if !connected || now_ms < pending.next_ms {
                return true;
            }
            effects.push(Effect::Publish { raw: raw.clone(), again: pending.published });
            pending.published = true;
            pending.next_ms = now_ms + pending.wait_ms;
            pending.wait_ms = (pending.wait_ms * 2).min(LONGEST_REPEAT_MS);
            !acknowledged_by.is_empty()
        });
        effects
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_bytes::ByteBuf;
    use wire::party::Role;

    fn party(id: &str) -> PartyId {
        PartyId::new(Role::Aggregator, id.parse().unwrap())
    }

    fn id(sequence: u64) -> MessageRef {
        MessageRef { sender: party("me"), boot: 1, sequence }
    }

    fn send(sequence: u64, to: &[&str]) -> Input {
        Input::Send(Sending {
            id: id(sequence),
            raw: SignedEnvelope { topic: format!("t{sequence}"), bytes: ByteBuf::from([1]) },
            tag: sequence * 10,
            acknowledged_by: to.iter().map(|id| party(id)).collect(),
            expires_ms: 10_000,
        })
    }

    fn answer(sequence: u64, by: &str) -> Input {
        Input::Answer { by: party(by), of: id(sequence), verdict: Verdict::Accepted }
    }

    /// Effects in a form that can be read in a table.
    fn words(effects: &[Effect]) -> Vec<String> {
        let word = |effect: &Effect| match effect {
            Effect::Publish { raw, again: false } => format!("publish {}", raw.topic),
            Effect::Publish { raw, again: true } => format!("repeat {}", raw.topic),
            Effect::Answered { tag, by, .. } => format!("answered {tag} by {}", by.id),
            Effect::Expired { tag, unanswered } => format!("expired {tag} without {}", unanswered.len()),
        };
        effects.iter().map(word).collect()
    }

    fn check(steps: &[(u64, Input, &[&str])]) {
        let mut outbox = Outbox::new();
        for (at, (now_ms, input, expected)) in steps.iter().enumerate() {
            assert_eq!(words(&outbox.step(*now_ms, input.clone())), *expected, "step {at}: {input:?}");
        }
    }

    #[test]
    fn a_message_is_repeated_ever_more_seldom_until_everyone_answered() {
        check(&[
            (0, Input::Connected, &[]),
            (0, send(1, &["a", "b"]), &["publish t1"]),
            (499, Input::Poll, &[]),
            (500, Input::Poll, &["repeat t1"]),
            (600, answer(1, "a"), &["answered 10 by a"]),
            (1_499, Input::Poll, &[]),
            (1_500, Input::Poll, &["repeat t1"]),
            (1_600, answer(1, "a"), &[]),
            (1_700, answer(1, "b"), &["answered 10 by b"]),
            (9_999, Input::Poll, &[]),
        ]);
    }

    #[test]
    fn a_message_expires_with_the_names_of_those_who_never_answered() {
        check(&[
            (0, send(1, &["a", "b"]), &[]),
            (1, Input::Connected, &["publish t1"]),
            (2, answer(1, "b"), &["answered 10 by b"]),
            (10_000, Input::Poll, &["expired 10 without 1"]),
            (10_001, answer(1, "a"), &[]),
        ]);
    }

    #[test]
    fn what_nobody_must_answer_is_sent_once_as_soon_as_there_is_a_connection() {
        check(&[
            (0, send(1, &[]), &[]),
            (1, Input::Connected, &["publish t1"]),
            (2, send(2, &[]), &["publish t2"]),
            (9_000, Input::Poll, &[]),
            (9_001, Input::Disconnected, &[]),
            (9_002, send(3, &[]), &[]),
            (10_000, Input::Connected, &[]),
        ]);
    }

    #[test]
    fn after_a_lost_connection_everything_unanswered_goes_out_again_at_once() {
        check(&[
            (0, Input::Connected, &[]),
            (0, send(1, &["a"]), &["publish t1"]),
            (10, Input::Disconnected, &[]),
            (700, Input::Poll, &[]),
            (800, Input::Connected, &["repeat t1"]),
            (1_300, Input::Poll, &["repeat t1"]),
        ]);
    }

    #[test]
    fn answers_by_strangers_or_to_others_messages_change_nothing() {
        let of = MessageRef { sender: party("other"), ..id(1) };
        let foreign = Input::Answer { by: party("a"), of, verdict: Verdict::Accepted };
        check(&[
            (0, Input::Connected, &[]),
            (0, send(1, &["a"]), &["publish t1"]),
            (1, answer(1, "stranger"), &[]),
            (2, answer(7, "a"), &[]),
            (3, foreign, &[]),
            (500, Input::Poll, &["repeat t1"]),
        ]);
    }

    #[test]
    fn the_next_time_due_is_known() {
        let mut outbox = Outbox::new();
        assert_eq!(outbox.next_due_ms(), None);
        outbox.step(0, send(1, &["a"]));
        assert_eq!(outbox.next_due_ms(), Some(10_000));
        outbox.step(100, Input::Connected);
        assert_eq!(outbox.next_due_ms(), Some(600));
    }
}
