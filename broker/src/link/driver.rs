//! The task behind a link: reads the clock, the socket and the commands, steps inbox and outbox,
//! and performs what they want done.

use super::admission::Admission;
use super::session::{Session, SessionEvent};
use super::{wall_clock_ms, LinkConfig, LinkEvent};
use crate::inbox::{Answer, Arrival, Inbox, Reception};
use crate::metrics::LinkMetrics;
use crate::outbox::{Effect, Input, Outbox, Sending};
use rumqttc::Publish;
use std::collections::VecDeque;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{sleep_until, Instant};
use wire::entry::SignedEnvelope;
use wire::envelope::{Opened, Sealed};
use wire::freshness::MAX_VALIDITY_MS;
use wire::message::{Ack, Body, MessageRef, Verdict};
use wire::party::PartyId;
use wire::refusal::Refusal;

/// Longest wait for a broker to accept connection and subscriptions.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Wait after a connection was lost; it doubles with each failure.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// Longest wait between two attempts.
const LONGEST_RETRY: Duration = Duration::from_secs(5);
/// Shortest validity of an answer: the question may be about to expire.
const ANSWER_VALID_MS: u64 = 10_000;
/// Fewest answers remembered, however short the queue.
const FEWEST_ANSWERS: usize = 256;

/// What a handle asks of its driver.
#[derive(Debug)]
pub(super) enum Command {
    /// Send this, and repeat it for so long.
    Send { sealed: Sealed, tag: u64, acknowledged_by: Vec<PartyId>, valid_for_ms: u64 },
    /// Answer a message delivered.
    Answer { of: MessageRef, verdict: Verdict },
}

/// Where the driver stands with its broker.
enum Connection {
    /// None, and none to be tried before this.
    Waiting(Instant),
    /// Connecting, to be given up at this time.
    Connecting(Session, Instant),
    /// Connected and subscribed.
    Standing(Session),
}

pub(super) struct Driver {
    config: LinkConfig,
    metrics: LinkMetrics,
    waiting: Arc<AtomicUsize>,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<LinkEvent>,
    backlog: VecDeque<LinkEvent>,
    started: Instant,
    outbox: Outbox,
    inbox: Inbox,
    connection: Connection,
    address: usize,
    retry: Duration,
}

impl Driver {
    pub fn new(
        config: LinkConfig,
        metrics: LinkMetrics,
        waiting: Arc<AtomicUsize>,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<LinkEvent>,
    ) -> Self {
        let started = Instant::now();
        let inbox = Inbox::new((2 * config.queue).max(FEWEST_ANSWERS));
        Self {
            config,
            metrics,
            waiting,
            commands,
            events,
            backlog: VecDeque::new(),
            started,
            outbox: Outbox::new(),
            inbox,
            connection: Connection::Waiting(started),
            address: 0,
            retry: FIRST_RETRY,
        }
    }

    /// Runs until both the handles and the receiver of events are gone.
    pub async fn run(mut self) {
        let events = self.events.clone();
        loop {
            let commands_over = self.commands.is_closed() && self.commands.is_empty();
            if commands_over && events.is_closed() {
                break;
            }
            let (due, idle) = (self.next_due(), self.backlog.is_empty());
            tokio::select! {
                command = self.commands.recv(), if !commands_over => {
                    if let Some(command) = command {
                        self.command(command);
                    }
                }
                event = next_event(&mut self.connection) => self.session_event(event),
                permit = events.reserve(), if !idle => match permit {
                    Ok(permit) => {
                        if let Some(event) = self.backlog.pop_front() {
                            permit.send(event);
                        }
                    }
                    Err(_) => self.backlog.clear(),
                },
                () = events.closed(), if commands_over => {}
                () = sleep_until(due) => self.time_passed(),
            }
        }
        if let Connection::Standing(session) = self.connection {
            session.close().await;
        }
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn next_due(&self) -> Instant {
        let outbox = self.outbox.next_due_ms().map(|ms| self.started + Duration::from_millis(ms));
        let connection = match &self.connection {
            Connection::Waiting(until) | Connection::Connecting(_, until) => Some(*until),
            Connection::Standing(_) => None,
        };
        // With nothing due, looking again in a minute costs nothing and needs no third case.
        outbox.into_iter().chain(connection).min().unwrap_or_else(|| Instant::now() + Duration::from_secs(60))
    }

    fn time_passed(&mut self) {
        let now = Instant::now();
        match &self.connection {
            Connection::Waiting(until) if now >= *until => self.start_session(),
            Connection::Connecting(_, until) if now >= *until => {
                self.lost("no answer while connecting".to_owned())
            }
            _ => {}
        }
        self.step(Input::Poll);
    }

    fn start_session(&mut self) {
        let address = &self.config.addresses[self.address % self.config.addresses.len()];
        let party = self.config.signer.party();
        let mut random = [0; 8];
        // Where the system has no randomness to give, the boot still tells this client from others.
        let _ = getrandom::fill(&mut random);
        let number = u64::from_be_bytes(random) ^ self.config.signer.boot();
        let client_id = format!("{}-{}-{number:016x}", party.role.word(), party.id);
        let mut filters = vec![self.config.signer.network().filter_addressed(party)];
        filters.extend(self.config.subscriptions.iter().cloned());
        self.connection = match Session::start(address, client_id, filters, 2 * self.config.queue + 1) {
            Some(session) => Connection::Connecting(session, Instant::now() + CONNECT_TIMEOUT),
            None => Connection::Waiting(Instant::now() + LONGEST_RETRY),
        };
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Send { sealed: Sealed { id, raw }, tag, acknowledged_by, valid_for_ms } => {
                let acknowledged_by = acknowledged_by.into_iter().collect();
                let expires_ms = self.now_ms().saturating_add(valid_for_ms);
                self.step(Input::Send(Sending { id, raw, tag, acknowledged_by, expires_ms }));
            }
            Command::Answer { of, verdict } => {
                if let Some(answer) = self.inbox.answer(&of, verdict) {
                    self.send_answer(answer);
                }
            }
        }
    }

    fn session_event(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Subscribed => {
                let waiting = Connection::Waiting(Instant::now());
                self.connection = match std::mem::replace(&mut self.connection, waiting) {
                    Connection::Connecting(session, _) => Connection::Standing(session),
                    other => other,
                };
                self.retry = FIRST_RETRY;
                self.metrics.connected.inc();
                self.backlog.push_back(LinkEvent::Connected);
                self.step(Input::Connected);
            }
            SessionEvent::Publish(publish) => self.receive(&publish),
            SessionEvent::Ended { reason } => self.lost(reason),
        }
    }

    fn lost(&mut self, reason: String) {
        tracing::info!(party = %self.config.signer.party(), reason, "no connection to the broker");
        let wait = self.retry + self.retry.mul_f64(0.5 * random_fraction());
        let before = std::mem::replace(&mut self.connection, Connection::Waiting(Instant::now() + wait));
        self.retry = (self.retry * 2).min(LONGEST_RETRY);
        if matches!(before, Connection::Standing(_)) {
            self.backlog.push_back(LinkEvent::Disconnected { reason });
            self.step(Input::Disconnected);
        } else {
            self.address += 1;
        }
    }

    fn receive(&mut self, publish: &Publish) {
        let me = self.config.signer.party();
        let admission =
            Admission { registry: &self.config.registry, network: self.config.signer.network(), me };
        match admission.admit(&publish.topic, &publish.payload, wall_clock_ms()) {
            Ok(None) => {}
            Ok(Some(opened)) => self.admitted(opened),
            Err(refusal) => self.metrics.dropped(refusal),
        }
    }

    fn admitted(&mut self, opened: Opened) {
        // Checked before the inbox remembers it: the sender repeats what is dropped here.
        if self.backlog.len() >= self.config.queue {
            return self.metrics.dropped_receiver_full();
        }
        let answerable = !matches!(opened.body, Body::Ack(_) | Body::Tick(_) | Body::Consensus(_));
        let (id, interval, expires_ms) = (opened.id.clone(), opened.interval, opened.expires_ms);
        match self.inbox.arrive(Arrival { id, interval, expires_ms, answerable }) {
            Reception::Deliver => self.deliver(opened),
            Reception::AnswerAgain(answer) => {
                self.metrics.repeated.inc();
                self.send_answer(answer);
            }
            Reception::Known => self.metrics.repeated.inc(),
            Reception::Replayed => self.metrics.dropped(Refusal::Replayed),
        }
    }

    fn deliver(&mut self, opened: Opened) {
        self.metrics.received(&opened.body);
        match opened.body {
            Body::Ack(Ack { of, verdict }) => {
                self.step(Input::Answer { by: opened.id.sender, of, verdict });
            }
            _ => self.backlog.push_back(LinkEvent::Message(opened)),
        }
    }

    fn send_answer(&mut self, answer: Answer) {
        let now_ms = wall_clock_ms();
        let expires_ms = answer.expires_ms.clamp(now_ms + ANSWER_VALID_MS, now_ms + MAX_VALIDITY_MS);
        let recipient = Some(answer.of.sender.clone());
        let body = Body::Ack(Ack { of: answer.of, verdict: answer.verdict });
        match self.config.signer.sign(recipient, answer.interval, now_ms, expires_ms, &body) {
            // Lost with the connection or for want of room: the repetition will be answered.
            Ok(sealed) => self.publish(&sealed.raw, false),
            Err(e) => tracing::error!(error = %e, "an answer could not be signed"),
        }
    }

    fn publish(&mut self, raw: &SignedEnvelope, again: bool) {
        let Connection::Standing(session) = &self.connection else { return };
        if !session.publish(raw) {
            self.metrics.deferred.inc();
        } else if again {
            self.metrics.resent.inc();
        } else {
            let kind = raw.topic.split('/').nth(6).unwrap_or_default();
            self.metrics.sent.with_label_values(&[kind]).inc();
        }
    }

    fn step(&mut self, input: Input) {
        let held = self.outbox.len() + usize::from(matches!(input, Input::Send(_)));
        let effects = self.outbox.step(self.now_ms(), input);
        self.waiting.fetch_sub(held - self.outbox.len(), Ordering::Relaxed);
        for effect in effects {
            match effect {
                Effect::Publish { raw, again } => self.publish(&raw, again),
                Effect::Answered { tag, by, verdict } => {
                    match verdict {
                        Verdict::Accepted => self.metrics.acknowledged.inc(),
                        Verdict::Refused(_) => self.metrics.refused.inc(),
                    }
                    self.backlog.push_back(LinkEvent::Answered { tag, by, verdict });
                }
                Effect::Expired { tag, unanswered } => {
                    self.metrics.expired.inc();
                    self.backlog.push_back(LinkEvent::Expired { tag, unanswered });
                }
            }
        }
    }
}

async fn next_event(connection: &mut Connection) -> SessionEvent {
    match connection {
        Connection::Connecting(session, _) | Connection::Standing(session) => session.next().await,
        Connection::Waiting(_) => pending().await,
    }
}

/// From 0 to 1, so that clients a broker has lost do not all come back at once.
fn random_fraction() -> f64 {
    let mut byte = [0];
    let _ = getrandom::fill(&mut byte);
    f64::from(byte[0]) / 255.0
}
