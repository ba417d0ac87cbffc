//! One core alone on a stage: it is told things one by one, and what it does is written down in words.

use crate::world;
use agents::core::{Effect, Incoming, Input, Now, RoleCore};
use market::interval::{Interval, UnixSeconds};
use std::collections::BTreeMap;
use wire::entry::SignedEnvelope;
use wire::envelope::{open, Signer};
use wire::message::{Body, Verdict};
use wire::party::{PartyId, Registry};

/// What a core is told next.
pub enum Cue<R> {
    /// Time passes.
    Time,
    /// Somebody says this about an interval.
    Said(PartyId, Body),
    /// Its shell reports this.
    Report(R),
}

/// A core, everyone's signers, and what a step's effects are called.
pub struct Stage<C: RoleCore> {
    pub core: C,
    registry: Registry,
    signers: BTreeMap<PartyId, Signer>,
    /// The last envelope of each party.
    heard: BTreeMap<PartyId, SignedEnvelope>,
    act: fn(&C::Act) -> String,
}

impl<C: RoleCore> Stage<C> {
    pub fn new(core: C, registry: Registry, act: fn(&C::Act) -> String) -> Self {
        Self { core, registry, signers: BTreeMap::new(), heard: BTreeMap::new(), act }
    }

    /// A message by `sender`, really signed.
    pub fn message(&mut self, sender: &PartyId, to: &PartyId, interval: Interval, body: &Body) -> Incoming {
        let signer = self.signers.entry(sender.clone()).or_insert_with(|| world::signer(sender));
        let to_all = matches!(body, Body::Forecast(_) | Body::Block(_));
        let sealed = signer.sign((!to_all).then(|| to.clone()), interval, 1, 2, body).unwrap();
        let network = world::network();
        self.heard.insert(sender.clone(), sealed.raw.clone());
        let opened = open(&self.registry, &network, &sealed.raw.topic, &sealed.raw.bytes).unwrap();
        Incoming { id: opened.id, interval, body: opened.body, raw: opened.raw }
    }

    /// The envelope of the last message by `sender`.
    pub fn heard(&self, sender: &PartyId) -> SignedEnvelope {
        self.heard[sender].clone()
    }

    /// Effects of one cue, as they are.
    pub fn step(&mut self, market: i64, real_ms: u64, cue: Cue<C::Report>) -> Vec<Effect<C::Act>> {
        let now = Now { market: UnixSeconds(market), real_ms };
        let nobody = world::party(wire::party::Role::Dso, "d");
        let input = match cue {
            Cue::Time => Input::Poll,
            Cue::Said(sender, body) => Input::Message(self.message(&sender, &nobody, world::FIRST, &body)),
            Cue::Report(report) => Input::Own(report),
        };
        self.core.step(now, input)
    }

    /// Checks what one cue brings about, in words.
    pub fn check(&mut self, market: i64, real_ms: u64, cue: Cue<C::Report>, expected: &str) {
        let effects = self.step(market, real_ms, cue);
        let said: Vec<String> = effects.iter().map(|effect| self.words(effect)).collect();
        assert_eq!(said.join("; "), expected, "at {market} s, {real_ms} ms");
    }

    pub fn words(&self, effect: &Effect<C::Act>) -> String {
        match effect {
            Effect::Send { body: Body::Tick(tick), .. } => format!("tick {}", tick.now.0),
            Effect::Send { body, recipient: Some(to), .. } => format!("{} to {to}", body.kind()),
            Effect::Send { body, recipient: None, acknowledged_by, .. } => {
                format!("{} to all, answered by {}", body.kind(), acknowledged_by.len())
            }
            Effect::Acknowledge { verdict: Verdict::Accepted, .. } => "accepted".to_owned(),
            Effect::Acknowledge { verdict: Verdict::Refused(why), .. } => format!("refused: {why}"),
            Effect::Note { event, .. } => format!("note {event}"),
            Effect::Own(act) => (self.act)(act),
        }
    }
}
