//! The actix shell every role runs in: one actor that owns a role's core and its link, hands in what
//! happens and performs what the core asks. It knows nothing of energy or price.

mod following;
mod learning;
mod linking;
mod proofs;
mod start_error;
mod trace;
mod witness;

pub use learning::{learn, LearnError};
pub use linking::connect;
pub use start_error::StartError;

use crate::chain::Chain;
use crate::clock::{ClockSource, MarketClock, Sanity};
use crate::core::{Effect, Incoming, Input, Now, RoleCore};
use crate::metrics::AgentMetrics;
use crate::terms::Terms;
use actix::fut::{wrap_future, ActorFutureExt};
use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, Recipient, StreamHandler};
use broker::link::{Identity, Link, LinkConfig, LinkEvent, Outgoing};
use broker::metrics::LinkMetrics;
use following::{Following, Step};
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{poll_fn, StreamExt};
use ledger::genesis::Genesis;
use linking::{blocks_of, link_config};
use market::interval::{Interval, UnixSeconds};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use trace::Tracing;
use wire::envelope::{Opened, Signer};
use wire::message::Body;
use wire::party::{PartyId, Role};
use wire::topic::Network;
use witness::Witness;

/// File in a role's folder of what it answered, so that nothing can be played to it again after a restart.
const ANSWERS: &str = "answers.log";
/// Real time between two polls of a core.
const POLL: Duration = Duration::from_millis(250);
/// Reports a performer may have on their way to the core; then its `send` waits.
const REPORTS: usize = 64;
/// Messages kept for the core until there is a market time.
const HELD: usize = 256;
/// Requests to the actor itself, which are few: to stop.
const MAILBOX: usize = 4;

/// What every role of a process is started with.
#[derive(Clone)]
pub struct Common {
    /// What the ledger starts from: participants, feeder, rules.
    pub genesis: Arc<Genesis>,
    /// The ledger as far as it is known at the start: at its genesis, or further.
    pub chain: Chain,
    /// Who this role is, and its key.
    pub signer: Arc<Signer>,
    /// The market's brokers as `host:port`, tried in order: one connection. There may be none.
    pub broker_addresses: Vec<String>,
    /// Validators' own brokers: a connection to the first of each group that answers. There may be none.
    pub validator_brokers: Vec<Vec<String>>,
    /// Who it is towards brokers that speak TLS; none where none does.
    pub identity: Option<Identity>,
    /// Where market time comes from.
    pub clock: ClockSource,
    /// No time before this is: when the program was built.
    pub built: UnixSeconds,
    /// Where the role may keep files.
    pub data_dir: PathBuf,
    /// Where metrics of the role's own are registered.
    pub registry: prometheus::Registry,
    /// The links' counters.
    pub link_metrics: LinkMetrics,
    /// The shells' counters.
    pub metrics: AgentMetrics,
}

impl Common {
    /// What the market goes by at the start.
    pub fn terms(&self) -> Terms {
        Terms::of(self.chain.rules())
    }
}

/// The part of a shell that does what only its role does: reads devices, writes files, sets gauges.
pub trait Performer<C: RoleCore>: Unpin + 'static {
    /// Begins `act` on the actor's own arbiter and returns at once; what takes time is spawned. What comes
    /// of it goes to `reports`, which is bounded: `send(..).await` waits for room.
    fn perform(&mut self, act: C::Act, reports: &mpsc::Sender<C::Report>);

    /// What is still to be done when the role is asked to stop; it must end by itself.
    fn end(&mut self) -> BoxFuture<'static, ()> {
        std::future::ready(()).boxed()
    }
}

/// For roles whose shell has nothing of its own to do.
#[derive(Clone, Copy, Debug)]
pub struct NoPerformer;

impl<C: RoleCore<Act = crate::core::Nothing>> Performer<C> for NoPerformer {
    fn perform(&mut self, act: C::Act, _reports: &mpsc::Sender<C::Report>) {
        match act {}
    }
}

/// What is particular to one role's connection to the market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Filters besides those for messages addressed to it, and for ticks.
    pub subscriptions: Vec<String>,
    /// Most messages waiting for answers, and most waiting to be taken.
    pub queue: usize,
}

/// A role that runs. Dropping the handle leaves it running.
#[derive(Debug)]
pub struct RoleHandle {
    party: PartyId,
    stop: Recipient<Stop>,
    ended: oneshot::Receiver<()>,
}

/// The role did not take the request to stop: its mailbox is full. Ask again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("stopping {party}: its mailbox is full")]
pub struct Busy {
    /// The role.
    pub party: PartyId,
}

impl RoleHandle {
    /// Who it is.
    pub fn party(&self) -> &PartyId {
        &self.party
    }

    /// Asks the role to stop. One that has ended already is no error.
    ///
    /// # Errors
    /// [`Busy`].
    pub fn stop(&self) -> Result<(), Busy> {
        match self.stop.try_send(Stop) {
            Err(actix::dev::SendError::Full(_)) => Err(Busy { party: self.party.clone() }),
            Ok(()) | Err(actix::dev::SendError::Closed(_)) => Ok(()),
        }
    }

    /// Waits until the role has ended.
    pub async fn ended(self) {
        // The sender is dropped with the actor; it never sends.
        let _ = self.ended.await;
    }
}

/// Starts a role on the current arbiter of a running actix system; the caller chooses the arbiter by
/// calling it there (`arbiter.spawn_fn`).
///
/// # Errors
/// [`StartError::Link`].
pub fn start<C: RoleCore, P: Performer<C>>(
    common: &Common,
    mut core: C,
    performer: P,
    connection: Connection,
) -> Result<RoleHandle, StartError> {
    let party = common.signer.party().clone();
    let following = Following::new(&mut core, common.chain.clone());
    let mut subscriptions = connection.subscriptions;
    subscriptions.extend(proofs::heard(&common.genesis.network, party.role));
    if following.takes_blocks() {
        subscriptions.push(common.genesis.network.filter_broadcast(Role::Validator, "block"));
    }
    if common.clock == ClockSource::Simulated {
        subscriptions.push(common.genesis.network.filter_broadcast(Role::Timekeeper, "tick"));
    }
    let registry = following.registry().clone();
    let config = link_config(common, subscriptions, registry, connection.queue);
    std::fs::create_dir_all(&common.data_dir)
        .map_err(|source| StartError::Directory { directory: common.data_dir.clone(), source })?;
    let floor = witness::floor(common.built, &common.data_dir);
    let answers = Some(common.data_dir.join(ANSWERS));
    let (link, events) = Link::connect(LinkConfig { answers, ..config }, common.link_metrics.clone())?;
    let (reports, reports_out) = mpsc::channel(REPORTS);
    let (alive, ended) = oneshot::channel();
    if !following.heard().is_empty() {
        link.listen(blocks_of(&common.genesis.network, following.heard()))?;
    }
    let witness = Witness::new(floor, link.clocks());
    let shell = Shell {
        network: common.genesis.network.clone(),
        core,
        performer,
        following,
        signer: common.signer.clone(),
        link,
        clock: MarketClock::new(common.clock),
        witness,
        started: Instant::now(),
        tracing: Tracing { network: common.genesis.network.clone(), party: party.clone() },
        party: party.clone(),
        metrics: common.metrics.clone(),
        reports,
        held: VecDeque::new(),
        data_dir: common.data_dir.clone(),
        events: Some((events, reports_out)),
        _alive: alive,
    };
    let stop = shell.start().recipient();
    Ok(RoleHandle { party, stop, ended })
}

/// What the actor takes in besides its mailbox.
enum Event<R> {
    Link(Box<LinkEvent>),
    LinkEnded,
    Report(R),
}

type Streams<R> = (mpsc::Receiver<LinkEvent>, mpsc::Receiver<R>);

struct Shell<C: RoleCore, P> {
    network: Network,
    core: C,
    performer: P,
    link: Link,
    following: Following,
    signer: Arc<Signer>,
    clock: MarketClock,
    witness: Witness,
    started: Instant,
    party: PartyId,
    tracing: Tracing,
    metrics: AgentMetrics,
    reports: mpsc::Sender<C::Report>,
    /// What came in before there was a market time.
    held: VecDeque<Input<C::Report>>,
    data_dir: PathBuf,
    /// Until the actor has started.
    events: Option<Streams<C::Report>>,
    _alive: oneshot::Sender<()>,
}

#[derive(Message)]
#[rtype(result = "()")]
struct Stop;

impl<C: RoleCore, P: Performer<C>> Actor for Shell<C, P> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        if let Some((mut events, mut reports)) = self.events.take() {
            let link = poll_fn(move |task| events.poll_recv(task)).map(|event| Event::Link(Box::new(event)));
            let end = futures::stream::once(async { Event::LinkEnded });
            ctx.add_stream(link.chain(end));
            ctx.add_stream(poll_fn(move |task| reports.poll_recv(task)).map(Event::Report));
        }
        ctx.run_interval(POLL, |shell, _| shell.poll());
    }
}

impl<C: RoleCore, P: Performer<C>> Handler<Stop> for Shell<C, P> {
    type Result = ();
    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        let end = wrap_future::<_, Self>(self.performer.end());
        ctx.wait(end.map(|(), _, ctx: &mut Self::Context| ctx.stop()));
    }
}

impl<C: RoleCore, P: Performer<C>> StreamHandler<Event<C::Report>> for Shell<C, P> {
    fn handle(&mut self, event: Event<C::Report>, ctx: &mut Self::Context) {
        match event {
            Event::Link(event) => self.on_link(*event),
            Event::LinkEnded => ctx.stop(),
            Event::Report(report) => self.take(Input::Own(report)),
        }
    }

    // One stream's end is not the actor's: the link's says so itself.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl<C: RoleCore, P: Performer<C>> Shell<C, P> {
    fn poll(&mut self) {
        let (role, id) = (self.party.role.word(), self.party.id.as_str());
        self.metrics.heartbeats.with_label_values(&[role, id]).inc();
        let behind = self.following.is_behind(&mut self.core);
        self.metrics.behind.with_label_values(&[role, id]).set(behind.into());
        let sanity = self.clock.system_says(utc_now(), &self.witness.evidence());
        if self.witness.changes_to(sanity) {
            let will_do = sanity == Sanity::Sane || sanity == Sanity::Unconfirmed && !C::CONFIRMS_CLOCK;
            self.metrics.clock_sane.with_label_values(&[role, id]).set(will_do.into());
            self.core.trust_clock(sanity == Sanity::Sane);
            tracing::info!(party = %self.party, "{}", sanity.words());
        }
        self.time_passed();
    }

    fn time_passed(&mut self) {
        if self.clock.now().is_none() {
            return;
        }
        while let Some(input) = self.held.pop_front() {
            self.step(input);
        }
        self.step(Input::Poll);
    }

    fn on_link(&mut self, event: LinkEvent) {
        let connected =
            self.metrics.connected.with_label_values(&[self.party.role.word(), self.party.id.as_str()]);
        match event {
            LinkEvent::Connected => {
                connected.set(1);
                self.ask(true);
            }
            LinkEvent::Disconnected { reason } => {
                connected.set(0);
                tracing::warn!(party = %self.party, reason, "disconnected");
            }
            LinkEvent::Message(opened) => self.on_message(opened),
            // Comes of a screen, and this link has none.
            LinkEvent::Claimed(_) => {}
            LinkEvent::Answered { tag, by, verdict } => self.take(Input::Answered { tag, by, verdict }),
            LinkEvent::Expired { unanswered, .. } => {
                self.metrics.sends_expired.with_label_values(&[self.party.role.word()]).inc();
                let unanswered: Vec<String> = unanswered.iter().map(ToString::to_string).collect();
                tracing::warn!(party = %self.party, unanswered = unanswered.join(", "), "message expired");
            }
        }
    }

    fn on_message(&mut self, opened: Opened) {
        self.following.witness(&mut self.core, &opened);
        match opened.body {
            Body::Tick(tick) => {
                if self.clock.timekeeper_says(tick) {
                    self.time_passed();
                }
            }
            Body::RegistrySummary(bytes) => {
                let step = self.following.take_summary(&mut self.core, &bytes);
                self.follow(step);
            }
            Body::DoubleClearing(proof) => {
                self.following.told(&mut self.core, &proof);
                self.follow(None);
            }
            Body::Block(bytes) if self.following.takes_blocks() => {
                let step = self.following.take_block(&bytes);
                self.follow(step);
            }
            body => {
                let Opened { id, interval, raw, .. } = opened;
                self.take(Input::Message(Incoming { id, interval, body, raw }));
            }
        }
    }

    /// Hands an input to the core, or keeps it until there is a market time. Links deliver once, so what
    /// does not fit is lost to us, and its sender learns nothing of it: counted and logged.
    fn take(&mut self, input: Input<C::Report>) {
        if self.clock.now().is_some() {
            self.step(input);
        } else if self.held.len() < HELD {
            self.held.push_back(input);
        } else {
            self.note("held-full", "a message came before there was a market time, and too many others");
        }
    }

    fn step(&mut self, input: Input<C::Report>) {
        let Some(market) = self.clock.now() else { return };
        let about = self.tracing.about(&input, self.following.interval_at(market));
        let now = Now { market, real_ms: self.started.elapsed().as_millis() as u64 };
        for effect in self.core.step(now, input) {
            self.perform(effect, about);
        }
        self.follow(None);
        self.ask(false);
    }

    /// Asks what is governed, where that is due.
    fn ask(&mut self, connected: bool) {
        let now_ms = self.started.elapsed().as_millis() as u64;
        let Some(body) = self.following.ask(&mut self.core, connected, now_ms) else { return };
        let (interval, acknowledged_by, tag) = (Interval::default(), Vec::new(), 0);
        self.perform(Effect::Send { body, interval, recipient: None, acknowledged_by, tag }, interval);
    }

    /// Goes by what the chain says of keys by now.
    fn follow(&mut self, first: Option<Step>) {
        let steps = self.following.look(&mut self.core, &self.signer);
        for step in first.into_iter().chain(steps) {
            match step {
                Step::Registry(registry) => self.link.update_registry(registry),
                Step::Listen(validators) => {
                    if let Err(error) = self.link.listen(blocks_of(&self.network, &validators)) {
                        self.note("unheard", &error.to_string());
                    }
                }
                Step::Note(event, text) => self.note(event, &text),
                Step::Accuse(proof) => self.accuse(proof),
                Step::Keep(name, proof) => self.keep(&name, &proof),
            }
        }
    }

    /// Performs an effect of a step that was about an interval.
    fn perform(&mut self, effect: Effect<C::Act>, about: Interval) {
        match effect {
            Effect::Send { body, interval, recipient, acknowledged_by, tag } => {
                let (kind, valid_for_ms) = (body.kind(), valid_for_ms(&body));
                let outgoing = Outgoing { body, interval, recipient, acknowledged_by, tag, valid_for_ms };
                match self.link.send_sealed(outgoing) {
                    Ok(sealed) => {
                        self.tracing.sent(kind, interval);
                        self.core.sent(tag, &sealed.raw);
                    }
                    Err(error) => {
                        self.metrics.sends_refused.with_label_values(&[self.party.role.word(), kind]).inc();
                        tracing::error!(party = %self.party, %error, "message not sent");
                    }
                }
            }
            Effect::Acknowledge { of, verdict } => {
                if let Err(error) = self.link.acknowledge(of, verdict) {
                    self.metrics.sends_refused.with_label_values(&[self.party.role.word(), "ack"]).inc();
                    tracing::error!(party = %self.party, %error, "acknowledgement not sent");
                }
            }
            Effect::Note { event, text } => self.note_about(event, &text, about),
            Effect::Own(act) => self.performer.perform(act, &self.reports),
        }
    }

    fn note(&self, event: &'static str, text: &str) {
        self.note_about(event, text, Interval::default());
    }

    fn note_about(&self, event: &'static str, text: &str, about: Interval) {
        self.metrics.notes.with_label_values(&[self.party.role.word(), event]).inc();
        self.tracing.noted(event, text, about);
    }
}

/// How long a message is worth repeating, in real time: what is overtaken by its successor briefly, a
/// reading as long as a lost broker may take to come back.
fn valid_for_ms(body: &Body) -> u64 {
    match body {
        Body::Tick(_) => 10_000,
        Body::Bid(_) | Body::MeterReading(_) | Body::SetpointReport(_) => 900_000,
        Body::DayAheadBid(_) | Body::DayAheadFirm(_) => 900_000,
        Body::BlockQuestion(_) => 30_000,
        _ => 120_000,
    }
}

fn utc_now() -> UnixSeconds {
    // A clock set before 1970 stands still there.
    UnixSeconds(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64))
}
