//! The actor around a validator's core: hands in what the link brings, performs what the core asks,
//! in its order, and stops where that can't be done. It decides nothing.

use super::core::{Effect, Event, Now};
use super::handle::Parts;
use super::hands::{self, Hands};
use super::reading::Read;
use super::serve;
use crate::block::DecidedBlock;
use crate::consensus::concern::Concern;
use crate::consensus::message::{ConsensusMessage, SnapshotPart};
use crate::execute::OpenedEntry;
use crate::snapshot::Snapshot;
use crate::state::State;
use crate::store::remembered::Remembered;
use actix::{
    Actor, ActorContext, ArbiterHandle, AsyncContext, Context, Handler, Message, SpawnHandle, StreamHandler,
};
use broker::link::{LinkEvent, Outgoing};
use futures::stream::poll_fn;
use market::interval::Interval;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use wire::entry::Entry;
use wire::envelope::{KeyChange, Opened, Under};
use wire::message::{BlockQuestion, Body, Verdict};
use wire::party::{Id, PartyId, Registry};

/// How long a consensus message is worth delivering. Later ones say more.
const CONSENSUS_VALID_MS: u64 = 10_000;
/// How long a broadcast block is.
const BLOCK_VALID_MS: u64 = 60_000;
/// Time between two beats of its heart.
const BEAT: Duration = Duration::from_secs(1);
/// Blocks that votes for may still be on their way.
const LAG: u64 = 2;

/// Asks a validator to stop.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Stop;

/// One validator.
pub(super) struct ValidatorActor {
    parts: Parts,
    /// Its own thread, which ends with it.
    thread: ArbiterHandle,
    start: Instant,
    timer: Option<(u64, SpawnHandle)>,
    /// What the core is to be told next: what it submits itself comes back to it.
    own: VecDeque<Event>,
    /// Whom the link believes.
    registry: Arc<Registry>,
}

impl ValidatorActor {
    pub fn new(parts: Parts, thread: ArbiterHandle) -> Self {
        let registry = parts.core.rules().verifier.heard().clone();
        Self { parts, thread, start: Instant::now(), timer: None, own: VecDeque::new(), registry }
    }

    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { real_ms: self.start.elapsed().as_millis() as u64, wall_ms: wall.as_millis() as u64 }
    }

    fn step(&mut self, event: Event, ctx: &mut Context<Self>) {
        self.own.push_back(event);
        let mut done = Ok(());
        while let (Ok(()), Some(event)) = (&done, self.own.pop_front()) {
            let now = self.now();
            done = match self.parts.core.step(now, event) {
                Ok(effects) => {
                    self.go_by_registry();
                    effects.into_iter().try_for_each(|effect| self.perform(effect))
                }
                Err(error) => Err(error.to_string()),
            };
        }
        match done {
            Ok(()) => {
                self.show();
                self.set_timer(ctx);
            }
            Err(failure) => {
                tracing::error!(validator = %self.party(), failure, "the validator stops: it could vote twice");
                // Only the first failure stops it.
                let _ = self.parts.failure.set(failure);
                ctx.stop();
            }
        }
    }

    /// Believes whom the rules after the last block name, and signs with the key they name.
    fn go_by_registry(&mut self) {
        let registry = self.parts.core.rules().verifier.heard();
        if Arc::ptr_eq(registry, &self.registry) {
            return;
        }
        self.registry = registry.clone();
        self.expect_validators();
        self.parts.link.update_registry(registry.clone());
        let signer = &self.parts.signer;
        match self.registry.get(signer.party()).map(|me| signer.follow(me)) {
            Some(KeyChange::None) => {}
            Some(KeyChange::Rotated) => self.note("key-rotated", "signing with the new key from now on"),
            Some(KeyChange::Foreign) => {
                self.note("key-foreign", "the registry has another key: following alone")
            }
            None => self.note("unregistered", "the registry does not have us: following alone"),
        }
    }

    /// Shows all other validators of the rules as heard now, where they were never heard, and those no more that are none.
    fn expect_validators(&self) {
        let (me, wall_ms) = (self.parts.core.name(), self.now().wall_ms);
        let validators = self.parts.core.rules().verifier.validators().iter().map(|(id, _)| id);
        self.parts.metrics.expect(validators.filter(|id| *id != me).map(Id::as_str), wall_ms);
    }

    /// Shows the chain to who reads it, where somebody does.
    fn show(&mut self) {
        let Parts { core, views, metrics, .. } = &self.parts;
        metrics.waiting.set(i64::try_from(core.waiting()).unwrap_or(i64::MAX));
        let shown = views.borrow().tip.height;
        if views.receiver_count() > 0 && shown != core.tip().height {
            views.send_replace(core.view());
        }
    }

    /// Performs one effect; what the core is to be told in turn waits its turn.
    fn perform(&mut self, effect: Effect) -> Result<(), String> {
        let own = hands::perform(self, effect)?;
        self.own.extend(own);
        Ok(())
    }

    /// Sends to all. What is not sent is repeated by the protocol, not here.
    fn send(&mut self, under: Under, body: Body, valid_for_ms: u64) {
        if let Err(error) = self.parts.link.send_under(under, to_all(body, valid_for_ms)) {
            self.note("unsent", &error.to_string());
        }
    }

    fn note(&self, event: &'static str, text: &str) {
        self.parts.metrics.events.with_label_values(&[event]).inc();
        tracing::warn!(validator = %self.party(), event, "{text}");
    }

    /// Shows that it turns, and whether it has what the others have.
    fn beat(&self) {
        let Parts { core, metrics, .. } = &self.parts;
        metrics.beats.inc();
        metrics.behind.set((core.lag() > LAG).into());
    }

    /// Sends somebody the block it missed.
    fn send_block(&mut self, to: PartyId, question: &BlockQuestion) {
        let sent = match serve::decided(&self.parts.store, &to, question) {
            Ok(None) => return,
            Ok(Some(bytes)) => {
                let body = Body::Block(bytes.into());
                let outgoing = Outgoing { recipient: Some(to), ..to_all(body, CONSENSUS_VALID_MS) };
                self.parts.link.send_under(Under::Before, outgoing).map(|_| ()).map_err(|e| e.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(reason) = sent {
            self.note("unsent", &reason);
        }
    }

    fn party(&self) -> String {
        self.parts.core.name().to_string()
    }

    fn set_timer(&mut self, ctx: &mut Context<Self>) {
        let due = self.parts.core.next_deadline();
        if self.timer.as_ref().map(|(at, _)| *at) == due {
            return;
        }
        if let Some((_, timer)) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        self.timer = due.map(|at| {
            let wait = Duration::from_millis(at.saturating_sub(self.now().real_ms));
            let timer = ctx.run_later(wait, |actor, ctx| {
                actor.timer = None;
                actor.step(Event::Poll, ctx);
            });
            (at, timer)
        });
    }

    fn message(&mut self, message: Opened, ctx: &mut Context<Self>) {
        let sender = message.topic.sender;
        let event = match message.body {
            Body::Submit(entry) => {
                let epoch = message.epoch;
                let opened = OpenedEntry { envelope: message.raw, submitter: sender, entry, epoch };
                Event::Submit { id: Some(message.id), opened: Box::new(opened) }
            }
            Body::Consensus(bytes) => {
                self.heard(&sender.id);
                Event::Consensus { sender: sender.id, bytes: bytes.into_vec() }
            }
            Body::Block(bytes) => Event::Block { bytes: bytes.into_vec() },
            Body::DoubleClearing(proof) => Event::DoubleClearing { proof },
            Body::BlockQuestion(question) => Event::BlockQuestion { by: sender, question },
            Body::RegistryQuestion(question) => Event::Question { by: sender, known: question.known },
            _ => return,
        };
        self.step(event, ctx);
    }

    /// Another validator speaks.
    fn heard(&self, peer: &Id) {
        self.parts.metrics.received.inc();
        self.parts.metrics.heard(peer.as_str(), self.now().wall_ms);
    }

    fn statement(&mut self, claimed: Opened, ctx: &mut Context<Self>) {
        if let Body::Consensus(bytes) = claimed.body {
            self.heard(&claimed.topic.sender.id);
            let event = Event::Statement { sender: claimed.topic.sender.id, bytes: bytes.into_vec() };
            self.step(event, ctx);
        }
    }
}

impl Hands for ValidatorActor {
    fn record(&mut self, height: u64, record: &[u8]) -> Result<(), String> {
        self.parts.wal.append(height, record).map_err(|e| e.to_string())
    }

    fn sync_records(&mut self) -> Result<(), String> {
        self.parts.wal.sync().map_err(|e| e.to_string())
    }

    fn commit(&mut self, decided: &DecidedBlock, encoded: &[u8]) -> Result<(), String> {
        let height = decided.height();
        self.parts.store.log(height, encoded).map_err(|e| e.to_string())?;
        self.parts.metrics.height.set(height as i64);
        self.parts.height.send_replace(height);
        Ok(())
    }

    fn index(
        &mut self,
        decided: &DecidedBlock,
        state: &mut State,
        remembered: &Remembered,
    ) -> Result<(), String> {
        self.parts.store.index(decided, state, Some(remembered)).map_err(|e| e.to_string())
    }

    fn clear_records(&mut self) -> Result<(), String> {
        self.parts.wal.clear().map_err(|e| e.to_string())
    }

    fn install(&mut self, snapshot: &Snapshot) -> Result<(), String> {
        self.parts.store.install(snapshot).map_err(|e| e.to_string())?;
        self.parts.metrics.height.set(snapshot.header.height as i64);
        self.parts.height.send_replace(snapshot.header.height);
        Ok(())
    }

    fn blocks(&mut self, height: u64) -> Result<Option<ConsensusMessage>, String> {
        serve::blocks(&self.parts.store, height).map_err(|e| e.to_string())
    }

    fn snapshot(&mut self, part: SnapshotPart) -> Option<ConsensusMessage> {
        serve::snapshot(&self.parts.store, part).unwrap_or_else(|error| {
            self.note("bad-snapshot", &error.to_string());
            None
        })
    }

    fn publish(&mut self, message: Vec<u8>) {
        self.parts.metrics.sent.inc();
        let under = if Concern::is_question(&message) { Under::Present } else { Under::Before };
        self.send(under, Body::Consensus(message.into()), CONSENSUS_VALID_MS);
    }

    fn announce(&mut self, decided: Vec<u8>) {
        self.send(Under::Before, Body::Block(decided.into()), BLOCK_VALID_MS);
    }

    /// What the others miss of an entry of ours, we still propose.
    fn submit(&mut self, entry: Entry) -> Option<Event> {
        let outgoing = to_all(Body::Submit(entry.clone()), CONSENSUS_VALID_MS);
        match self.parts.link.send_sealed(outgoing) {
            Ok(sealed) => {
                let (submitter, epoch) = (sealed.id.sender, self.parts.signer.epoch());
                let opened = OpenedEntry { envelope: sealed.raw, submitter, entry, epoch };
                Some(Event::Submit { id: None, opened: Box::new(opened) })
            }
            Err(error) => {
                self.note("unsent", &error.to_string());
                None
            }
        }
    }

    fn report(&mut self, effect: Effect) {
        let parts = &mut self.parts;
        match effect {
            Effect::Acknowledge { of, verdict } => {
                if let Err(error) = parts.link.acknowledge(of, verdict) {
                    self.note("unsent", &error.to_string());
                }
            }
            Effect::Summarise { to, bytes } => {
                let body = Body::RegistrySummary(bytes.into());
                let outgoing = Outgoing { recipient: Some(to), ..to_all(body, CONSENSUS_VALID_MS) };
                if let Err(error) = parts.link.send_under(Under::Before, outgoing) {
                    self.note("unsent", &error.to_string());
                }
            }
            Effect::SendBlock { to, question } => self.send_block(to, &question),
            Effect::Gossip(proof) => self.send(Under::Present, Body::DoubleClearing(proof), BLOCK_VALID_MS),
            Effect::AcceptWhenAsked { of } => {
                if let Err(error) = parts.link.acknowledge_when_asked(of, Verdict::Accepted) {
                    self.note("unsent", &error.to_string());
                }
            }
            Effect::Refused { reason } => parts.metrics.refused.with_label_values(&[reason]).inc(),
            Effect::Final { after_ms } => parts.metrics.finality.observe(after_ms as f64 / 1e3),
            Effect::Decided { height, kind, interval } => {
                let trace = parts.core.rules().verifier.network().trace(interval);
                let party = format!("validator/{}", parts.core.name());
                tracing::info!(party, trace, height, kind, "decided");
            }
            Effect::Note { event, text } => self.note(event, &text),
            // The others are performed in their order, and not reported.
            _ => {}
        }
    }
}

impl Actor for ValidatorActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (_, nothing) = tokio::sync::mpsc::channel(1);
        let mut events = std::mem::replace(&mut self.parts.events, nothing);
        ctx.add_stream(poll_fn(move |cx| events.poll_recv(cx)));
        self.expect_validators();
        ctx.run_interval(BEAT, |actor, _| actor.beat());
        let records = std::mem::take(&mut self.parts.records);
        let decided = std::mem::take(&mut self.parts.decided);
        self.step(Event::Started { records, decided }, ctx);
    }
}

impl StreamHandler<LinkEvent> for ValidatorActor {
    fn handle(&mut self, event: LinkEvent, ctx: &mut Self::Context) {
        match event {
            LinkEvent::Message(message) => self.message(message, ctx),
            LinkEvent::Claimed(claimed) => self.statement(claimed, ctx),
            LinkEvent::Disconnected { reason } => self.note("disconnected", &reason),
            // Nothing this validator sends is answered.
            LinkEvent::Connected | LinkEvent::Answered { .. } | LinkEvent::Expired { .. } => {}
        }
    }
}

/// A message that goes to everyone and that nobody answers.
fn to_all(body: Body, valid_for_ms: u64) -> Outgoing {
    Outgoing {
        body,
        interval: Interval::default(),
        recipient: None,
        acknowledged_by: Vec::new(),
        tag: 0,
        valid_for_ms,
    }
}

impl Handler<Stop> for ValidatorActor {
    type Result = ();
    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl Handler<Read> for ValidatorActor {
    type Result = ();
    fn handle(&mut self, read: Read, _: &mut Self::Context) {
        read.answer(&self.parts.store);
    }
}

impl Drop for ValidatorActor {
    fn drop(&mut self) {
        self.thread.stop();
    }
}
