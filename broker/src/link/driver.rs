//! The task behind a link: reads the clock, the sockets and the commands, steps inbox and outbox,
//! and performs what they want done.

use super::admission::{Admission, Admitted};
use super::backlog::Backlog;
use super::connection::Connection;
use super::keeping::Keeping;
use super::parties::Parties;
use super::session::SessionEvent;
use super::together::Together;
use super::{wall_clock_ms, LinkConfig, LinkEvent};
use crate::inbox::{Answer, Arrival, Inbox, Reception};
use crate::kept::Record;
use crate::metrics::{LinkMetrics, RECEIVER_FULL};
use crate::outbox::{Effect, Input, Outbox, Sending};
use crate::routes::Routes;
use crate::skew::Clocks;
use rumqttc::Publish;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep_until, Instant};
use wire::entry::SignedEnvelope;
use wire::envelope::{Opened, Sealed, Unchecked};
use wire::freshness::MAX_VALIDITY_MS;
use wire::message::{Ack, Body, MessageRef, Verdict};
use wire::party::PartyId;
use wire::refusal::Refusal;

/// Shortest validity of an answer: the question may be about to expire.
const ANSWER_VALID_MS: u64 = 10_000;
/// Fewest answers remembered, however short the queue.
const FEWEST_ANSWERS: usize = 256;
/// Most events taken in a row, and so most signatures checked together.
const MOST_TOGETHER: usize = 1_024;
/// Most signatures checked one by one in a row: answers to the first go out while later ones are checked.
const MOST_ALONE: usize = 32;

/// What a handle asks of its driver.
#[derive(Debug)]
pub(super) enum Command {
    /// Send this, and repeat it for so long.
    Send { sealed: Sealed, tag: u64, acknowledged_by: Vec<PartyId>, valid_for_ms: u64, routes: Routes },
    /// Hear these broadcasts in place of those named before.
    Listen { filters: Vec<String> },
    /// Answer a message delivered.
    Answer { of: MessageRef, verdict: Verdict, when: When },
}

/// When an answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// At once, and whenever the message is repeated.
    Now,
    /// Not before the message is repeated.
    Asked,
}

/// How a driver is reached.
pub(super) struct Ends {
    /// Messages that wait in the outbox, or will.
    pub waiting: Arc<AtomicUsize>,
    /// Bytes of those that are there.
    pub bytes: Arc<AtomicUsize>,
    /// From the handles.
    pub commands: mpsc::Receiver<Command>,
    /// To the role.
    pub events: mpsc::Sender<LinkEvent>,
    /// Shows which connections stand.
    pub standing: watch::Sender<Routes>,
    /// Shows what others' messages make of our clock.
    pub clocks: watch::Sender<Clocks>,
    /// Whose messages are believed.
    pub parties: Parties,
}

pub(super) struct Driver {
    config: Arc<LinkConfig>,
    metrics: LinkMetrics,
    ends: Ends,
    backlog: Backlog,
    started: Instant,
    outbox: Outbox,
    inbox: Inbox,
    admission: Admission,
    connections: Vec<Connection>,
    /// Which connection is listened to first.
    turn: usize,
    /// Entries that came in together.
    together: Together,
    /// Where answers are kept before they are given.
    keeping: Option<Keeping>,
}

impl Driver {
    pub fn new(
        config: Arc<LinkConfig>,
        metrics: LinkMetrics,
        ends: Ends,
        keeping: Option<(Keeping, Vec<Record>)>,
    ) -> Self {
        let requests = 2 * config.queue + 1;
        let connect = |of: &super::ConnectionConfig| {
            Connection::new(of.clone(), config.identity.clone(), &config.signer, requests)
        };
        let connections: Vec<Connection> = config.connections.iter().map(connect).collect();
        let remembered = (2 * config.queue).max(FEWEST_ANSWERS);
        let mut first = [0];
        // Where the system has no randomness to give, all begin with the first connection.
        let _ = getrandom::fill(&mut first);
        let mut inbox = Inbox::new(remembered);
        let keeping = keeping.map(|(keeping, before)| {
            before.into_iter().for_each(|record| inbox.restore(record));
            keeping
        });
        Self {
            metrics,
            backlog: Backlog::new(connections.len(), config.queue),
            started: Instant::now(),
            outbox: Outbox::new(first[0].into()),
            inbox,
            keeping,
            admission: Admission::new(connections.len(), remembered, ends.parties.clone()),
            ends,
            connections,
            turn: 0,
            together: Together::default(),
            config,
        }
    }

    /// Runs until both the handles and the receiver of events are gone.
    pub async fn run(mut self) {
        let events = self.ends.events.clone();
        loop {
            let commands = &mut self.ends.commands;
            let commands_over = commands.is_closed() && commands.is_empty();
            if commands_over && events.is_closed() {
                break;
            }
            let (due, idle) = (self.next_due(), self.backlog.is_empty());
            tokio::select! {
                command = self.ends.commands.recv(), if !commands_over => {
                    if let Some(command) = command {
                        self.command(command);
                    }
                }
                given = written(&mut self.keeping) => {
                    for (Record { of, verdict, .. }, when) in given {
                        self.answer(&of, verdict, when);
                    }
                }
                (at, event) = next_event(&mut self.connections, &mut self.turn) => {
                    self.session_events(at, event);
                }
                permit = events.reserve(), if !idle => match permit {
                    Ok(permit) => {
                        if let Some(event) = self.backlog.pop() {
                            permit.send(event);
                        }
                    }
                    Err(_) => self.backlog.clear(),
                },
                () = events.closed(), if commands_over => {}
                () = sleep_until(due) => self.time_passed(),
            }
        }
        for connection in self.connections {
            connection.close().await;
        }
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn next_due(&self) -> Instant {
        let outbox = self.outbox.next_due_ms().map(|ms| self.started + Duration::from_millis(ms));
        let connections = self.connections.iter().filter_map(Connection::due);
        // With nothing due, looking again in a minute costs nothing and needs no third case.
        outbox
            .into_iter()
            .chain(connections)
            .min()
            .unwrap_or_else(|| Instant::now() + Duration::from_secs(60))
    }

    fn time_passed(&mut self) {
        let now = Instant::now();
        self.connections.iter_mut().for_each(|connection| connection.time_passed(now));
        self.step(Input::Poll);
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Send { sealed: Sealed { id, raw }, tag, acknowledged_by, valid_for_ms, routes } => {
                let acknowledged_by = acknowledged_by.into_iter().collect();
                let expires_ms = self.now_ms().saturating_add(valid_for_ms);
                self.step(Input::Send(Sending { id, raw, tag, acknowledged_by, routes, expires_ms }));
            }
            Command::Listen { filters } => {
                let now = Instant::now();
                self.connections.iter_mut().take(1).for_each(|first| first.listen(&filters, now));
                self.admission.listen(filters);
            }
            Command::Answer { of, verdict, when } => match &mut self.keeping {
                None => self.answer(&of, verdict, when),
                Some(keeping) => {
                    if let Some(record) = self.inbox.unanswered(&of, &verdict) {
                        keeping.keep(record, when);
                    }
                }
            },
        }
    }

    fn answer(&mut self, of: &MessageRef, verdict: Verdict, when: When) {
        let answer = self.inbox.answer(of, verdict);
        if let Some(answer) = answer.filter(|_| when == When::Now) {
            self.send_answer(answer);
        }
    }

    /// Takes an event and what else has come in meanwhile: the signatures of entries are checked together.
    fn session_events(&mut self, at: usize, event: SessionEvent) {
        let mut alone = usize::from(self.session_event(at, event));
        let mut task = Context::from_waker(Waker::noop());
        for _ in 1..MOST_TOGETHER {
            if alone >= MOST_ALONE {
                break;
            }
            match poll_next(&mut self.connections, &mut self.turn, &mut task) {
                Poll::Ready((at, event)) => alone += usize::from(self.session_event(at, event)),
                Poll::Pending => break,
            }
        }
        self.check_entries();
    }

    fn check_entries(&mut self) {
        let (places, unchecked): (Vec<usize>, Vec<Unchecked>) = self.together.take().into_iter().unzip();
        let senders: Vec<PartyId> = unchecked.iter().map(|one| one.claimed().topic.sender.clone()).collect();
        let checked = Unchecked::check_all(unchecked);
        let now = (self.now_ms(), wall_clock_ms());
        for ((at, sender), checked) in places.into_iter().zip(senders).zip(checked) {
            match self.admission.checked(at, &sender, checked, now) {
                Ok(opened) => self.admitted(at, opened),
                Err(refusal) => self.dropped(at, refusal.word()),
            }
        }
    }

    /// Whether a signature was checked for it.
    fn session_event(&mut self, at: usize, event: SessionEvent) -> bool {
        match event {
            SessionEvent::Publish(publish) => return self.receive(at, &publish),
            SessionEvent::Subscribed => {
                if self.connections[at].subscribed(Instant::now()) {
                    self.metrics.connected.inc();
                    self.stands(at, true, String::new());
                    self.step(Input::Connected { at });
                }
            }
            SessionEvent::Ended { reason } => {
                if self.connections[at].lost(&reason, Instant::now()) {
                    self.stands(at, false, reason);
                    self.step(Input::Disconnected { at });
                }
            }
        }
        false
    }

    /// Shows that a connection stands, or no longer; the role hears of the first and of the last.
    fn stands(&mut self, at: usize, now: bool, reason: String) {
        let before = *self.ends.standing.borrow();
        let after = if now { before.with(at) } else { before.without(at) };
        self.ends.standing.send_replace(after);
        let party = self.config.signer.party().to_string();
        self.metrics
            .standing
            .with_label_values(&[party.as_str(), self.connections[at].name()])
            .set(now.into());
        if before.is_empty() && !after.is_empty() {
            self.backlog.push(LinkEvent::Connected);
        } else if after.is_empty() && !before.is_empty() {
            self.backlog.push(LinkEvent::Disconnected { reason });
        }
    }

    /// Whether a signature was, or may have been, checked for it.
    fn receive(&mut self, at: usize, publish: &Publish) -> bool {
        if self.together.has(&publish.payload) {
            self.metrics.repeated.inc();
            return false;
        }
        let message = (publish.topic.as_str(), &publish.payload[..]);
        let now = (self.now_ms(), wall_clock_ms());
        let admitted = self.admission.admit(&self.config, at, message, now);
        self.tell_of_clocks();
        let alone = matches!(admitted, Ok(Admitted::Opened(_)) | Err(_));
        match admitted {
            Ok(Admitted::NotForUs) => {}
            Ok(Admitted::Opened(opened)) => self.admitted(at, *opened),
            Ok(Admitted::Unchecked(unchecked)) => self.together.push(at, *unchecked),
            Ok(Admitted::Claimed(claimed)) => self.claimed(at, *claimed),
            Ok(Admitted::Known(name)) => {
                let reception = self.inbox.again(&name, at);
                self.repeated(at, reception);
            }
            Err(dropped) => self.dropped(at, dropped.word()),
        }
        alone
    }

    /// Says whose clock was found to be off, or right again.
    fn tell_of_clocks(&mut self) {
        let clocks = self.admission.clocks();
        self.ends.clocks.send_if_modified(|shown| std::mem::replace(shown, clocks) != clocks);
        let Some(skew) = self.admission.take_skew() else { return };
        let me = self.config.signer.party();
        let worst_s = self.admission.worst_skew_ms() as f64 / 1e3;
        self.metrics.skew.with_label_values(&[&me.to_string()]).set(worst_s);
        let (party, ahead_ms) = (skew.party, skew.ahead_ms);
        tracing::warn!(%me, %party, ahead_ms, "another party's clock and ours differ by this much now");
    }

    fn admitted(&mut self, at: usize, opened: Opened) {
        // Checked before the inbox remembers it: the sender repeats what is dropped here.
        if !self.backlog.has_room(at) {
            return self.dropped(at, RECEIVER_FULL);
        }
        let answerable = !matches!(opened.body, Body::Ack(_) | Body::Tick(_) | Body::Consensus(_));
        let (id, epoch) = (opened.id.clone(), opened.epoch);
        let (interval, expires_ms) = (opened.interval, opened.expires_ms);
        match self.inbox.arrive(Arrival { id, epoch, interval, expires_ms, answerable, via: at }) {
            Reception::Deliver => {
                self.admission.took(&opened);
                self.deliver(at, opened);
            }
            repeated => self.repeated(at, repeated),
        }
    }

    /// A message that its receiver is to check: by its number alone it is neither new nor old.
    fn claimed(&mut self, at: usize, claimed: Opened) {
        if !self.backlog.has_room(at) {
            return self.dropped(at, RECEIVER_FULL);
        }
        self.metrics.received(&claimed.body);
        self.backlog.push_message(at, LinkEvent::Claimed(claimed));
    }

    /// A message that is not new.
    fn repeated(&mut self, at: usize, reception: Reception) {
        match reception {
            Reception::AnswerAgain(answer) => {
                self.metrics.repeated.inc();
                self.send_answer(answer);
            }
            Reception::Known | Reception::Deliver => self.metrics.repeated.inc(),
            Reception::Replayed => self.dropped(at, Refusal::Replayed.word()),
        }
    }

    fn deliver(&mut self, at: usize, opened: Opened) {
        self.metrics.received(&opened.body);
        match opened.body {
            Body::Ack(Ack { of, verdict }) => {
                self.step(Input::Answer { by: opened.id.sender, of, verdict });
            }
            _ => self.backlog.push_message(at, LinkEvent::Message(opened)),
        }
    }

    fn dropped(&self, at: usize, reason: &str) {
        self.metrics.dropped.with_label_values(&[reason, self.connections[at].name()]).inc();
    }

    fn send_answer(&mut self, answer: Answer) {
        let now_ms = wall_clock_ms();
        let expires_ms = answer.expires_ms.clamp(now_ms + ANSWER_VALID_MS, now_ms + MAX_VALIDITY_MS);
        let recipient = Some(answer.of.sender.clone());
        let body = Body::Ack(Ack { of: answer.of, verdict: answer.verdict });
        match self.config.signer.sign(recipient, answer.interval, now_ms, expires_ms, &body) {
            // Lost with the connection or for want of room: the repetition will be answered.
            Ok(sealed) => self.publish(&sealed.raw, false, Routes::only(answer.via)),
            Err(e) => tracing::error!(error = %e, "an answer could not be signed"),
        }
    }

    /// Publishes on each of these connections by itself: one that is full or gone keeps nothing from the
    /// others.
    fn publish(&mut self, raw: &SignedEnvelope, again: bool, over: Routes) {
        let mut published = false;
        for connection in over.iter().filter_map(|at| self.connections.get(at)) {
            let taken = connection.publish(raw);
            published |= taken;
            if !taken {
                self.metrics.deferred.with_label_values(&[connection.name()]).inc();
            }
        }
        if published && again {
            self.metrics.resent.inc();
        } else if published {
            let kind = raw.topic.split('/').nth(6).unwrap_or_default();
            self.metrics.sent.with_label_values(&[kind]).inc();
        }
    }

    fn step(&mut self, input: Input) {
        let held = self.outbox.len() + usize::from(matches!(input, Input::Send(_)));
        let effects = self.outbox.step(self.now_ms(), input);
        self.ends.waiting.fetch_sub(held - self.outbox.len(), Ordering::Relaxed);
        self.ends.bytes.store(self.outbox.bytes(), Ordering::Relaxed);
        for effect in effects {
            match effect {
                Effect::Publish { raw, again, over } => self.publish(&raw, again, over),
                Effect::Answered { tag, by, verdict } => {
                    match verdict {
                        Verdict::Accepted => self.metrics.acknowledged.inc(),
                        Verdict::Refused(_) => self.metrics.refused.inc(),
                    }
                    self.backlog.push(LinkEvent::Answered { tag, by, verdict });
                }
                Effect::Expired { tag, unanswered } => {
                    self.metrics.expired.inc();
                    self.backlog.push(LinkEvent::Expired { tag, unanswered });
                }
            }
        }
    }
}

/// Answers that may be given now; for ever where none are kept.
async fn written(keeping: &mut Option<Keeping>) -> Vec<(Record, When)> {
    match keeping {
        Some(keeping) => keeping.written().await,
        None => std::future::pending().await,
    }
}

/// What happens next on any connection, and on which. Each has its turn.
async fn next_event(connections: &mut [Connection], turn: &mut usize) -> (usize, SessionEvent) {
    poll_fn(|task| poll_next(connections, turn, task)).await
}

fn poll_next(
    connections: &mut [Connection],
    turn: &mut usize,
    task: &mut Context<'_>,
) -> Poll<(usize, SessionEvent)> {
    let count = connections.len();
    for at in (*turn..*turn + count).map(|place| place % count) {
        if let Poll::Ready(event) = connections[at].poll_next(task) {
            *turn = at + 1;
            return Poll::Ready((at, event));
        }
    }
    Poll::Pending
}
