//! Virtual time and a network that delays, repeats and loses messages by a seed. Links are the broker
//! crate's own outbox and inbox; envelopes are really signed and opened.

use crate::party::{Play, Played};
use crate::world;
use agents::core::{Effect, Incoming, Input, Now};
use agents::timekeeper::core::{Overheard, TimekeeperAct, TimekeeperCore, TimekeeperReport};
use agents::timekeeper::watch::OVERHEARD;
use agents::timekeeper::Progress;
use broker::inbox::{Answer, Arrival, Inbox, Reception};
use broker::outbox::{Effect as Outgoing, Input as Order, Outbox, Sending};
use broker::routes::Routes;
use market::interval::UnixSeconds;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::convert::Infallible;
use std::rc::Rc;
use wire::entry::SignedEnvelope;
use wire::envelope::{open, Opened, Signer};
use wire::message::{Ack, Body};
use wire::party::{Participant, PartyId, Registry, Role};
use wire::topic::Topic;

/// How bad the network is.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    pub loss_percent: u32,
    pub repeat_percent: u32,
    pub delay_ms: u64,
}

/// Wall clock at the simulation's start, in milliseconds since 1970.
const WALL_MS: u64 = 1_700_000_000_000;
const POLL_MS: u64 = 250;
const VALID_MS: u64 = 120_000;

type Perform = Box<dyn FnMut(TimekeeperAct) -> Option<TimekeeperReport>>;

struct Node {
    play: Box<dyn Play>,
    signer: Signer,
    outbox: Outbox,
    inbox: Inbox,
    market: Option<UnixSeconds>,
    /// Messages to all that it listens to.
    listens: Vec<(Role, &'static str)>,
}

enum Event {
    Poll(PartyId),
    Arrive(PartyId, Rc<Opened>),
    Overheard(Rc<Opened>),
}

/// Everyone, and what is on its way between them.
pub struct Network {
    registry: Registry,
    faults: Faults,
    random: SmallRng,
    now_ms: u64,
    next: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<(u64, u64), Event>,
    nodes: BTreeMap<PartyId, Node>,
    timekeeper: Option<(Played<TimekeeperCore, Perform>, Signer)>,
    /// How far the timekeeper says it has come.
    pub progress: Rc<Cell<Progress>>,
    /// Everything noted, by whom.
    pub notes: Vec<(PartyId, &'static str, String)>,
    /// Every bid published, as evidence.
    pub bids: Vec<SignedEnvelope>,
    /// Every day-ahead bid, likewise.
    pub session_bids: Vec<SignedEnvelope>,
    /// What this party says of this kind reaches nobody.
    pub cut: Option<(PartyId, &'static str)>,
    /// What is said to all of this kind does not reach this party.
    pub deaf: Option<(PartyId, &'static str)>,
}

impl Network {
    pub fn new(registry: Registry, faults: Faults, seed: u64) -> Self {
        Self {
            registry,
            faults,
            random: SmallRng::seed_from_u64(seed),
            now_ms: 0,
            next: 0,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            nodes: BTreeMap::new(),
            timekeeper: None,
            progress: Rc::default(),
            notes: Vec::new(),
            bids: Vec::new(),
            session_bids: Vec::new(),
            cut: None,
            deaf: None,
        }
    }

    pub fn add(&mut self, party: PartyId, listens: Vec<(Role, &'static str)>, play: Box<dyn Play>) {
        let mut outbox = Outbox::new(0);
        outbox.step(0, Order::Connected { at: 0 });
        let (signer, inbox) = (world::signer(&party), Inbox::new(4_096));
        self.nodes.insert(party.clone(), Node { play, signer, outbox, inbox, market: None, listens });
        self.schedule(0, Event::Poll(party));
    }

    pub fn add_timekeeper(&mut self, party: PartyId, core: TimekeeperCore) {
        let shown = self.progress.clone();
        // The households here have no physics: their world is where it should be at once.
        let perform: Perform = Box::new(move |act| match act {
            TimekeeperAct::AdvanceWorld(to) => Some(TimekeeperReport::WorldAdvanced(to)),
            TimekeeperAct::Show(progress) => {
                shown.set(progress);
                None
            }
        });
        self.timekeeper = Some((Played { core, perform }, world::signer(&party)));
        self.schedule(0, Event::Poll(party));
    }

    /// Somebody whose messages are believed from now on.
    pub fn believe(&mut self, participant: Participant) {
        self.registry.insert(participant.party.clone(), participant);
    }

    /// A party that falls silent for good.
    pub fn remove(&mut self, party: &PartyId) {
        self.nodes.remove(party);
    }

    /// Plays until `done`, or nothing is left, or this much virtual time has passed.
    pub fn run_until(&mut self, limit_ms: u64, mut done: impl FnMut(&Self) -> bool) {
        while let Some(Reverse(key)) = self.queue.pop() {
            if key.0 > limit_ms || done(self) {
                self.queue.push(Reverse(key));
                return;
            }
            self.now_ms = key.0;
            match self.events.remove(&key) {
                Some(Event::Poll(party)) => self.poll(&party),
                Some(Event::Arrive(party, opened)) => self.arrive(&party, (*opened).clone()),
                Some(Event::Overheard(opened)) => self.overheard((*opened).clone()),
                None => {}
            }
        }
    }

    fn schedule(&mut self, in_ms: u64, event: Event) {
        let key = (self.now_ms + in_ms, self.next);
        self.next += 1;
        self.queue.push(Reverse(key));
        self.events.insert(key, event);
    }

    fn poll(&mut self, party: &PartyId) {
        self.schedule(POLL_MS, Event::Poll(party.clone()));
        if party.role == Role::Timekeeper {
            let now = Now { market: UnixSeconds(0), real_ms: self.now_ms };
            let Some((core, _)) = &mut self.timekeeper else { return };
            let effects = core.step(now, Input::Poll);
            return self.perform_timekeeper(effects);
        }
        let Some(node) = self.nodes.get_mut(party) else { return };
        let effects = node.outbox.step(self.now_ms, Order::Poll);
        self.perform_outbox(party, effects);
        self.step(party, Input::Poll);
    }

    /// Hands an input to a party that has a market time.
    fn step(&mut self, party: &PartyId, input: Input<Infallible>) {
        let now_ms = self.now_ms;
        let Some(node) = self.nodes.get_mut(party) else { return };
        let Some(market) = node.market else { return };
        let effects = node.play.step(Now { market, real_ms: now_ms }, input);
        self.perform(party, effects);
    }

    fn perform(&mut self, party: &PartyId, effects: Vec<Effect<Infallible>>) {
        for effect in effects {
            match effect {
                Effect::Note { event, text } => self.notes.push((party.clone(), event, text)),
                Effect::Send { body, interval, recipient, acknowledged_by, tag } => {
                    let (now_ms, wall) = (self.now_ms, WALL_MS + self.now_ms);
                    let Some(node) = self.nodes.get_mut(party) else { return };
                    let sealed = node.signer.sign(recipient, interval, wall, wall + VALID_MS, &body).unwrap();
                    let sending = Sending {
                        id: sealed.id,
                        raw: sealed.raw,
                        tag,
                        acknowledged_by: acknowledged_by.into_iter().collect(),
                        routes: Routes::only(0),
                        expires_ms: now_ms + VALID_MS,
                    };
                    let effects = node.outbox.step(now_ms, Order::Send(sending));
                    self.perform_outbox(party, effects);
                }
                Effect::Acknowledge { of, verdict } => {
                    let node = self.nodes.get_mut(party).unwrap();
                    if let Some(answer) = node.inbox.answer(&of, verdict) {
                        self.answer(party, answer);
                    }
                }
                Effect::Own(never) => match never {},
            }
        }
    }

    fn answer(&mut self, party: &PartyId, answer: Answer) {
        let wall = WALL_MS + self.now_ms;
        let recipient = Some(answer.of.sender.clone());
        let body = Body::Ack(Ack { of: answer.of, verdict: answer.verdict });
        let signer = &self.nodes[party].signer;
        let sealed = signer.sign(recipient, answer.interval, wall, wall + VALID_MS, &body).unwrap();
        self.publish(&sealed.raw);
    }

    fn perform_outbox(&mut self, party: &PartyId, effects: Vec<Outgoing>) {
        for effect in effects {
            match effect {
                Outgoing::Publish { raw, .. } => self.publish(&raw),
                Outgoing::Answered { tag, by, verdict } => {
                    self.step(party, Input::Answered { tag, by, verdict });
                }
                Outgoing::Expired { .. } => {}
            }
        }
    }

    fn publish(&mut self, raw: &SignedEnvelope) {
        let topic: Topic = raw.topic.parse().unwrap();
        match topic.kind.as_str() {
            "bid" => self.bids.push(raw.clone()),
            "day-ahead-bid" => self.session_bids.push(raw.clone()),
            _ => {}
        }
        if self.cut.as_ref().is_some_and(|(by, kind)| topic.sender == *by && topic.kind.as_str() == *kind) {
            return;
        }
        let hears = |party: &PartyId, node: &Node| {
            let (role, kind) = (topic.sender.role, topic.kind.as_str());
            let deaf = self.deaf.as_ref().is_some_and(|deaf| *deaf == (party.clone(), kind));
            !deaf && (kind == "tick" || node.listens.contains(&(role, kind)))
        };
        let to: Vec<PartyId> = match &topic.recipient {
            Some(to) => vec![to.clone()],
            None => self.nodes.iter().filter(|(p, node)| hears(p, node)).map(|(p, _)| p.clone()).collect(),
        };
        // Once for all receivers; every one of them would come to the same.
        let opened = open(&self.registry, &world::network(), &raw.topic, &raw.bytes).unwrap();
        let opened = Rc::new(opened);
        for party in to {
            self.carry(|| Event::Arrive(party.clone(), opened.clone()));
        }
        let overheard = OVERHEARD.contains(&(topic.sender.role, topic.kind.as_str()));
        let to_all = topic.recipient.is_none() && matches!(topic.kind.as_str(), "block" | "forecast");
        if self.timekeeper.is_some() && (overheard || to_all) {
            self.carry(|| Event::Overheard(opened.clone()));
        }
    }

    /// Once, twice or not at all, after some time.
    fn carry(&mut self, event: impl Fn() -> Event) {
        let Faults { loss_percent, repeat_percent, delay_ms } = self.faults;
        let copies = 1 + u32::from(self.random.random_range(0..100) < repeat_percent);
        for _ in 0..copies {
            let delay = self.random.random_range(1..=delay_ms);
            if self.random.random_range(0..100) >= loss_percent {
                self.schedule(delay, event());
            }
        }
    }

    /// What a link's driver does with a publication.
    fn arrive(&mut self, party: &PartyId, opened: Opened) {
        let now_ms = self.now_ms;
        let Some(node) = self.nodes.get_mut(party) else { return };
        let answerable = !matches!(opened.body, Body::Ack(_) | Body::Tick(_));
        let (id, epoch) = (opened.id.clone(), opened.epoch);
        let (interval, expires_ms) = (opened.interval, opened.expires_ms);
        match node.inbox.arrive(Arrival { id, epoch, interval, expires_ms, answerable, via: 0 }) {
            Reception::AnswerAgain(answer) => self.answer(party, answer),
            Reception::Known | Reception::Replayed => {}
            Reception::Deliver => match opened.body {
                Body::Ack(Ack { of, verdict }) => {
                    let by = opened.id.sender;
                    let effects = node.outbox.step(now_ms, Order::Answer { by, of, verdict });
                    self.perform_outbox(party, effects);
                }
                Body::Tick(tick) => {
                    if node.market < Some(tick.now) {
                        node.market = Some(tick.now);
                        self.step(party, Input::Poll);
                    }
                }
                body => {
                    let raw = opened.raw;
                    let incoming = Incoming { id: opened.id, interval: opened.interval, body, raw };
                    self.step(party, Input::Message(incoming));
                }
            },
        }
    }

    fn overheard(&mut self, opened: Opened) {
        let now = Now { market: UnixSeconds(0), real_ms: self.now_ms };
        let Some((core, _)) = &mut self.timekeeper else { return };
        let effects = match opened.topic.recipient {
            None => {
                let Opened { id, interval, body, raw, .. } = opened;
                core.step(now, Input::Message(Incoming { id, interval, body, raw }))
            }
            Some(_) => {
                let Opened { id, interval, body, .. } = opened;
                let heard = Overheard { id, interval, body };
                core.report(now, TimekeeperReport::Overheard(Box::new(heard)))
            }
        };
        self.perform_timekeeper(effects);
    }

    fn perform_timekeeper(&mut self, effects: Vec<Effect<Infallible>>) {
        for effect in effects {
            match effect {
                Effect::Send { body, interval, .. } => {
                    let wall = WALL_MS + self.now_ms;
                    let Some((_, signer)) = &self.timekeeper else { return };
                    let sealed = signer.sign(None, interval, wall, wall + VALID_MS, &body).unwrap();
                    self.publish(&sealed.raw);
                }
                Effect::Note { event, text } => {
                    self.notes.push((world::party(Role::Timekeeper, "k"), event, text));
                }
                Effect::Acknowledge { of, .. } => panic!("a timekeeper acknowledges nothing, and did {of:?}"),
                Effect::Own(never) => match never {},
            }
        }
    }
}
