//! The task around a device's core: hears the broker, steps, does what the core says, answers who asks.

use super::core::{Effect, Input, Kept, MqttCore, Order, Outcome};
use super::link::{publish, Heard};
use super::points::Lack;
use super::state::State;
use crate::kept;
use crate::metrics::DeviceMetrics;
use rumqttc::{AsyncClient, QoS};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{interval, sleep_until, Instant, MissedTickBehavior};

/// How often time is looked at.
const TICK: Duration = Duration::from_millis(250);

/// What came of an order: what the device says afterwards.
pub(super) type Judged = Result<Outcome, Failure>;

/// What came of reading: the state, with its age in milliseconds.
pub(super) type Known = Result<(State, u64), Lack>;

/// Why an order was not even judged.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The device can't be told.
    Lack(Lack),
    /// The connection takes no more.
    Link(String),
}

/// What is asked of the task.
pub(super) enum Ask {
    /// The state now, waited for a while where there is none yet, with its age in milliseconds.
    Read(oneshot::Sender<Known>),
    /// Do this.
    Order(Order, oneshot::Sender<Judged>),
}

/// The task and what it needs.
pub(super) struct Task {
    pub name: String,
    pub core: MqttCore,
    pub client: AsyncClient,
    pub metrics: DeviceMetrics,
    pub started: Instant,
    /// Where it is kept how the device was found.
    pub kept_in: Option<PathBuf>,
}

/// Who waits, and until when.
#[derive(Default)]
struct Waiting {
    read: Option<(oneshot::Sender<Known>, Instant)>,
    order: Option<(oneshot::Sender<Judged>, Instant)>,
}

impl Waiting {
    fn first(&self) -> Option<Instant> {
        let deadlines = [self.read.as_ref().map(|(_, at)| *at), self.order.as_ref().map(|(_, at)| *at)];
        deadlines.into_iter().flatten().min()
    }
}

impl Task {
    /// Runs until nobody can ask any more.
    pub async fn run(mut self, mut asks: mpsc::Receiver<Ask>, mut heard: mpsc::Receiver<Heard>) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut waiting = Waiting::default();
        loop {
            let deadline = waiting.first();
            tokio::select! {
                said = heard.recv() => match said {
                    Some(said) => self.hear(said).await,
                    None => return,
                },
                ask = asks.recv() => match ask {
                    Some(ask) => self.take(ask, &mut waiting).await,
                    None => return,
                },
                _ = tick.tick() => self.step(Input::Tick).await,
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {}
            }
            self.answer(&mut waiting);
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn hear(&mut self, said: Heard) {
        match said {
            Heard::Connected => self.step(Input::Connected).await,
            Heard::Disconnected(error) => {
                tracing::debug!(device = self.name, error, "the device's broker");
                self.step(Input::Disconnected).await;
            }
            Heard::Message { topic, payload, retained } => {
                self.step(Input::Message { topic: &topic, payload: &payload, retained }).await;
            }
            Heard::Flood => self.metrics.count_refused(&self.name, "flood"),
        }
    }

    async fn step(&mut self, input: Input<'_>) {
        let effects = self.core.step(self.now_ms(), input);
        if let Err(error) = self.perform(effects).await {
            tracing::debug!(device = self.name, error, "requests to the device's broker");
        }
    }

    async fn perform(&self, effects: Vec<Effect>) -> Result<(), String> {
        let mut all = Ok(());
        for effect in effects {
            let done = match effect {
                Effect::Subscribe(topic) => {
                    self.client.try_subscribe(topic, QoS::AtLeastOnce).map_err(|e| e.to_string())
                }
                Effect::Publish { topic, payload } => publish(&self.client, &topic, &payload),
                // Nothing may be done of which it is not known how to undo it.
                Effect::Keep(kept) => {
                    self.keep(kept.as_ref()).await?;
                    Ok(())
                }
                Effect::Refused { reason, why } => {
                    tracing::debug!(device = self.name, reason, why, "a message was refused");
                    self.metrics.count_refused(&self.name, reason);
                    Ok(())
                }
            };
            all = all.and(done);
        }
        all
    }

    async fn keep(&self, kept: Option<&Kept>) -> Result<(), String> {
        let Some(file) = self.kept_in.clone() else { return Ok(()) };
        let wrong = |error: std::io::Error| format!("{}: {error}", file.display());
        let text = kept.map(serde_json::to_vec).transpose().map_err(|error| wrong(error.into()))?;
        let beside = file.clone();
        let written = tokio::task::spawn_blocking(move || kept::write(&beside, text.as_deref())).await;
        written.map_err(|error| wrong(std::io::Error::other(error)))?.map_err(wrong)
    }

    async fn take(&mut self, ask: Ask, waiting: &mut Waiting) {
        let deadline = Instant::now() + Duration::from_millis(self.core.answer_within_ms());
        match ask {
            Ask::Read(reply) => waiting.read = Some((reply, deadline)),
            Ask::Order(order, reply) => {
                let told = match self.core.order(self.now_ms(), order) {
                    Ok(effects) => self.perform(effects).await.map_err(Failure::Link),
                    Err(lack) => Err(Failure::Lack(lack)),
                };
                match told {
                    Ok(()) => waiting.order = Some((reply, deadline)),
                    // Fails where the asker has given up meanwhile.
                    Err(failure) => drop(reply.send(Err(failure))),
                }
            }
        }
    }

    /// Answers those for whom there is something, or for whom it is too late.
    fn answer(&mut self, waiting: &mut Waiting) {
        let now = Instant::now();
        let state = waiting.read.as_ref().map(|_| self.core.state(self.now_ms()));
        // Only what was never said is worth waiting for; what is stale or refused stays so.
        let early = matches!(&state, Some(Err(Lack::Unsaid(_) | Lack::NoBroker | Lack::Announced(_))));
        if let (Some(state), Some((reply, deadline))) = (state, waiting.read.take()) {
            if early && now < deadline {
                waiting.read = Some((reply, deadline));
            } else {
                drop(reply.send(state));
            }
        }
        if let Some((reply, deadline)) = waiting.order.take() {
            match self.core.judge(now >= deadline) {
                Some(outcome) => drop(reply.send(Ok(outcome))),
                None if now < deadline => waiting.order = Some((reply, deadline)),
                None => drop(reply.send(Err(Failure::Lack(Lack::NoBroker)))),
            }
        }
    }
}
