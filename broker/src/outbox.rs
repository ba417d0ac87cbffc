//! What was sent and is not answered yet: the same bytes again, ever more seldom, until every
//! receiver has answered or the message expires. Pure: no clock, no socket.
//!
//! Where several connections may carry a message that is to be answered, it goes out on one of them, and
//! only what is not answered goes out again on all. A broker that withholds messages so costs the first
//! repetition's wait, and until then nobody carries or checks anything twice.

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
}

/// Everything sent and not answered, by sequence number.
#[derive(Debug, Default)]
pub struct Outbox {
    standing: Routes,
    /// Whose turn it is to carry what is published first; moves on where nobody answered.
    turn: usize,
    bytes: usize,
    pending: BTreeMap<(u64, u64), Pending>,
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
        let due = |p: &Pending| match p.sending.routes.and(self.standing).is_empty() {
            false => p.next_ms.min(p.sending.expires_ms),
            true => p.sending.expires_ms,
        };
        self.pending.values().map(due).min()
    }

    /// Takes one input at `now_ms`.
    pub fn step(&mut self, now_ms: u64, input: Input) -> Vec<Effect> {
        match input {
            Input::Send(sending) => {
                let name = (sending.id.boot, sending.id.sequence);
                let wait_ms = FIRST_REPEAT_MS;
                let pending =
                    Pending { sending, published: false, answered: false, next_ms: now_ms, wait_ms };
                self.bytes += size(&pending.sending);
                if let Some(before) = self.pending.insert(name, pending) {
                    self.bytes -= size(&before.sending);
                }
            }
            Input::Answer { by, of, verdict } => return self.answer(by, &of, verdict),
            Input::Connected { at } => self.connected(now_ms, at),
            Input::Disconnected { at } => self.standing = self.standing.without(at),
            Input::Poll => {}
        }
        self.advance(now_ms)
    }

    /// What only this connection can carry may have been lost when it broke, and goes out at once. What
    /// others carry as well is repeated in its time: a broker that comes and goes changes nothing there.
    fn connected(&mut self, now_ms: u64, at: usize) {
        self.standing = self.standing.with(at);
        for pending in self.pending.values_mut() {
            if pending.sending.routes.and(self.standing) == Routes::only(at) {
                pending.next_ms = now_ms;
                pending.wait_ms = FIRST_REPEAT_MS;
            }
        }
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
            self.bytes -= size(sending);
            self.pending.remove(&name);
        }
        vec![Effect::Answered { tag, by, verdict }]
    }

    fn advance(&mut self, now_ms: u64) -> Vec<Effect> {
        let mut effects = Vec::new();
        let (standing, turn) = (self.standing, self.turn);
        let (mut unheard, mut gone) = (false, 0);
        self.pending.retain(|_, pending| {
            let Sending { raw, tag, acknowledged_by, routes, expires_ms, .. } = &pending.sending;
            if now_ms >= *expires_ms {
                if !acknowledged_by.is_empty() {
                    let unanswered = acknowledged_by.iter().cloned().collect();
                    effects.push(Effect::Expired { tag: *tag, unanswered });
                }
                gone += size(&pending.sending);
                return false;
            }
            let usable = routes.and(standing);
            if usable.is_empty() || now_ms < pending.next_ms {
                return true;
            }
            let first = !pending.published && !acknowledged_by.is_empty();
            let over = if first { usable.pick(turn) } else { usable };
            unheard |= pending.published && !pending.answered && usable.len() > 1;
            effects.push(Effect::Publish { raw: raw.clone(), again: pending.published, over });
            pending.published = true;
            pending.next_ms = now_ms + pending.wait_ms;
            pending.wait_ms = (pending.wait_ms * 2).min(LONGEST_REPEAT_MS);
            let keep = !acknowledged_by.is_empty();
            gone += if keep { 0 } else { size(&pending.sending) };
            keep
        });
        self.bytes -= gone;
        if unheard {
            self.turn = self.turn.wrapping_add(1);
        }
        effects
    }
}

fn size(sending: &Sending) -> usize {
    sending.raw.topic.len() + sending.raw.bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_bytes::ByteBuf;
    use wire::party::Role;

    const UP: Input = Input::Connected { at: 0 };
    const DOWN: Input = Input::Disconnected { at: 0 };

    fn party(id: &str) -> PartyId {
        PartyId::new(Role::Aggregator, id.parse().unwrap())
    }

    fn id(sequence: u64) -> MessageRef {
        MessageRef { sender: party("me"), boot: 1, sequence }
    }

    /// To be carried by connection 0.
    fn send(sequence: u64, to: &[&str]) -> Input {
        send_over(sequence, to, &[0])
    }

    fn send_over(sequence: u64, to: &[&str], routes: &[usize]) -> Input {
        Input::Send(Sending {
            id: id(sequence),
            raw: SignedEnvelope { topic: format!("t{sequence}"), bytes: ByteBuf::from([1]) },
            tag: sequence * 10,
            acknowledged_by: to.iter().map(|id| party(id)).collect(),
            routes: routes.iter().copied().collect(),
            expires_ms: 10_000,
        })
    }

    fn answer(sequence: u64, by: &str) -> Input {
        Input::Answer { by: party(by), of: id(sequence), verdict: Verdict::Accepted }
    }

    /// Effects in a form that can be read in a table.
    fn words(effects: &[Effect]) -> Vec<String> {
        let places = |over: &Routes| match over.iter().collect::<Vec<_>>()[..] {
            [0] => String::new(),
            ref places => format!(" over {places:?}"),
        };
        let word = |effect: &Effect| match effect {
            Effect::Publish { raw, again: false, over } => format!("publish {}{}", raw.topic, places(over)),
            Effect::Publish { raw, again: true, over } => format!("repeat {}{}", raw.topic, places(over)),
            Effect::Answered { tag, by, .. } => format!("answered {tag} by {}", by.id),
            Effect::Expired { tag, unanswered } => format!("expired {tag} without {}", unanswered.len()),
        };
        effects.iter().map(word).collect()
    }

    fn check(steps: &[(u64, Input, &[&str])]) {
        let mut outbox = Outbox::new(0);
        for (at, (now_ms, input, expected)) in steps.iter().enumerate() {
            assert_eq!(words(&outbox.step(*now_ms, input.clone())), *expected, "step {at}: {input:?}");
            // Two bytes of topic and one of message.
            assert_eq!(outbox.bytes(), 3 * outbox.len(), "step {at}: {input:?}");
        }
    }

    #[test]
    fn a_message_is_repeated_ever_more_seldom_until_everyone_answered() {
        check(&[
            (0, UP, &[]),
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
            (1, UP, &["publish t1"]),
            (2, answer(1, "b"), &["answered 10 by b"]),
            (10_000, Input::Poll, &["expired 10 without 1"]),
            (10_001, answer(1, "a"), &[]),
        ]);
    }

    #[test]
    fn what_nobody_must_answer_is_sent_once_as_soon_as_there_is_a_connection() {
        check(&[
            (0, send(1, &[]), &[]),
            (1, UP, &["publish t1"]),
            (2, send(2, &[]), &["publish t2"]),
            (9_000, Input::Poll, &[]),
            (9_001, DOWN, &[]),
            (9_002, send(3, &[]), &[]),
            (10_000, UP, &[]),
        ]);
    }

    #[test]
    fn after_a_lost_connection_everything_unanswered_goes_out_again_at_once() {
        check(&[
            (0, UP, &[]),
            (0, send(1, &["a"]), &["publish t1"]),
            (10, DOWN, &[]),
            (700, Input::Poll, &[]),
            (800, UP, &["repeat t1"]),
            (1_300, Input::Poll, &["repeat t1"]),
        ]);
    }

    #[test]
    fn answers_by_strangers_or_to_others_messages_change_nothing() {
        let of = MessageRef { sender: party("other"), ..id(1) };
        let foreign = Input::Answer { by: party("a"), of, verdict: Verdict::Accepted };
        check(&[
            (0, UP, &[]),
            (0, send(1, &["a"]), &["publish t1"]),
            (1, answer(1, "stranger"), &[]),
            (2, answer(7, "a"), &[]),
            (3, foreign, &[]),
            (500, Input::Poll, &["repeat t1"]),
        ]);
    }

    #[test]
    fn what_several_may_carry_goes_out_on_one_and_unanswered_on_all() {
        let up = |at| Input::Connected { at };
        check(&[
            (0, up(0), &[]),
            (0, up(1), &[]),
            (0, up(2), &[]),
            (0, send_over(1, &["a", "b"], &[0, 2]), &["publish t1"]),
            (100, answer(1, "a"), &["answered 10 by a"]),
            (500, Input::Poll, &["repeat t1 over [0, 2]"]),
            // Somebody had answered, so there is nothing wrong with the first.
            (600, send_over(2, &["a"], &[0, 2]), &["publish t2"]),
            (1_100, Input::Poll, &["repeat t2 over [0, 2]"]),
            // Nobody had: the next begins elsewhere.
            (1_200, send_over(3, &["a"], &[0, 2]), &["publish t3 over [2]"]),
            (1_300, send_over(4, &[], &[0, 1, 2]), &["publish t4 over [0, 1, 2]"]),
        ]);
    }

    #[test]
    fn one_connection_more_or_less_changes_no_schedule() {
        let up = |at| Input::Connected { at };
        check(&[
            (0, send_over(1, &["a"], &[0, 1]), &[]),
            (10, up(1), &["publish t1 over [1]"]),
            (100, up(0), &[]),
            (110, Input::Disconnected { at: 1 }, &[]),
            (510, Input::Poll, &["repeat t1"]),
            (600, up(1), &[]),
            (1_510, Input::Poll, &["repeat t1 over [0, 1]"]),
        ]);
    }

    #[test]
    fn the_next_time_due_is_known() {
        let mut outbox = Outbox::new(0);
        assert_eq!(outbox.next_due_ms(), None);
        outbox.step(0, send(1, &["a"]));
        assert_eq!(outbox.next_due_ms(), Some(10_000));
        outbox.step(100, UP);
        assert_eq!(outbox.next_due_ms(), Some(600));
    }
}
