//! Outbox and inbox over a simulated network that loses, repeats and reorders, and two connections that
//! come and go, one of them to a broker that withholds everything: no clock, no socket, and the failing
//! seed is printed.

use crate::world::{aggregator, site};
use broker::inbox::{Answer, Arrival, Inbox, Reception};
use broker::outbox::{Effect, Input, Outbox, Sending};
use broker::routes::Routes;
use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_bytes::ByteBuf;
use std::collections::{BTreeMap, BTreeSet};
use wire::entry::SignedEnvelope;
use wire::message::{MessageRef, Verdict};
use wire::Interval;

const MESSAGES: u64 = 20;
const STEP_MS: u64 = 50;
/// Losing is over by then, so that everything must arrive in the end.
const CALM_FROM_MS: u64 = 60_000;
const END_MS: u64 = 120_000;

/// What is published on the other connection never comes out.
const HONEST: usize = 0;

enum Packet {
    Message(u64),
    Answer(Answer),
}

struct World {
    random: SmallRng,
    now_ms: u64,
    loss: f64,
    outbox: Outbox,
    inbox: Inbox,
    /// By time of arrival.
    flying: BTreeMap<(u64, u64), Packet>,
    sent: u64,
    delivered: Vec<u64>,
    answered: BTreeMap<u64, Verdict>,
}

fn id(sequence: u64) -> MessageRef {
    MessageRef { sender: site(0), boot: 1, sequence }
}

/// What the receiver says of a message; a second opinion would differ.
fn first_verdict(sequence: u64) -> Verdict {
    if sequence.is_multiple_of(3) {
        Verdict::Refused(sequence.to_string())
    } else {
        Verdict::Accepted
    }
}

impl World {
    fn new(seed: u64, loss: f64) -> Self {
        Self {
            random: SmallRng::seed_from_u64(seed),
            now_ms: 0,
            loss,
            outbox: Outbox::new(seed as usize % 2),
            inbox: Inbox::new(MESSAGES as usize),
            flying: BTreeMap::new(),
            sent: 0,
            delivered: Vec::new(),
            answered: BTreeMap::new(),
        }
    }

    fn fly(&mut self, make: impl Fn() -> Packet) {
        let calm = self.now_ms >= CALM_FROM_MS;
        let copies =
            if !calm && self.random.random_bool(self.loss) { 0 } else { self.random.random_range(1..3) };
        for _ in 0..copies {
            self.sent += 1;
            let arrives_ms = self.now_ms + self.random.random_range(1..2_000);
            self.flying.insert((arrives_ms, self.sent), make());
        }
    }

    fn tell_outbox(&mut self, input: Input) {
        for effect in self.outbox.step(self.now_ms, input) {
            match effect {
                Effect::Publish { raw, over, .. } if over.contains(HONEST) => {
                    let sequence = raw.topic.parse().unwrap();
                    self.fly(|| Packet::Message(sequence));
                }
                Effect::Publish { .. } => {}
                Effect::Answered { tag, verdict, .. } => {
                    assert_eq!(self.answered.insert(tag, verdict), None, "{tag} was answered twice");
                }
                Effect::Expired { tag, .. } => panic!("{tag} expired"),
            }
        }
    }

    fn arrive(&mut self, packet: Packet) {
        match packet {
            Packet::Answer(Answer { of, verdict, .. }) => {
                self.tell_outbox(Input::Answer { by: aggregator(), of, verdict });
            }
            Packet::Message(sequence) => {
                let (interval, expires_ms) = (Interval::default(), END_MS);
                let arrival = Arrival {
                    id: id(sequence),
                    epoch: 0,
                    interval,
                    expires_ms,
                    answerable: true,
                    via: HONEST,
                };
                let answer = match self.inbox.arrive(arrival) {
                    Reception::Deliver => {
                        self.delivered.push(sequence);
                        self.inbox.answer(&id(sequence), first_verdict(sequence))
                    }
                    Reception::AnswerAgain(answer) => Some(answer),
                    Reception::Known => None,
                    Reception::Replayed => panic!("{sequence} is taken for a replay"),
                };
                if let Some(answer) = answer {
                    self.fly(|| Packet::Answer(answer.clone()));
                }
            }
        }
    }

    fn run(&mut self) {
        for sequence in 1..=MESSAGES {
            self.tell_outbox(Input::Send(Sending {
                id: id(sequence),
                raw: SignedEnvelope { topic: sequence.to_string(), bytes: ByteBuf::new() },
                tag: sequence,
                acknowledged_by: BTreeSet::from([aggregator()]),
                routes: Routes::only(HONEST).with(1),
                expires_ms: END_MS,
            }));
        }
        while self.now_ms < END_MS && self.answered.len() < MESSAGES as usize {
            let calm = self.now_ms >= CALM_FROM_MS;
            let at = self.random.random_range(0..2);
            match self.random.random_range(0..20) {
                0 if !calm => self.tell_outbox(Input::Disconnected { at }),
                1..=4 => self.tell_outbox(Input::Connected { at }),
                _ => self.tell_outbox(Input::Poll),
            }
            while let Some(next) = self.flying.first_entry().filter(|e| e.key().0 <= self.now_ms) {
                let packet = next.remove();
                self.arrive(packet);
            }
            self.now_ms += STEP_MS;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn everything_is_delivered_once_and_answered_once_with_the_first_verdict(
        seed in any::<u64>(), loss in 0.0..0.9f64,
    ) {
        let mut world = World::new(seed, loss);
        world.run();
        let delivered: BTreeSet<u64> = world.delivered.iter().copied().collect();
        prop_assert_eq!(delivered.len(), world.delivered.len(), "a message was delivered twice");
        let expected: BTreeMap<u64, Verdict> = (1..=MESSAGES).map(|n| (n, first_verdict(n))).collect();
        prop_assert_eq!(&world.answered, &expected);
        prop_assert!(world.outbox.is_empty());
    }
}
