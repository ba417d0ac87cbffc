//! The charge point's conversation as a pure function: what the physics do becomes calls, the
//! central system's calls become limits for the physics.

mod obey;

use super::configuration::Configuration;
use super::fault::ChargerFault;
use super::metering::{status, Sample};
use super::profiles::Profiles;
use super::transactions::{Happened, Transactions};
use super::version::Version;
use super::words::{put, Say};
use crate::physics::car::{ChargerSim, ConnectorStatus, LimitFrom};
use market::interval::UnixSeconds;
use market::units::Milliwatt;
use serde_json::{json, Value};
use std::collections::VecDeque;

/// A call not answered within so many milliseconds is given up, or made again where it must be told.
const ANSWER_WITHIN_MS: u64 = 10_000;
/// A boot not accepted is announced again after so many milliseconds.
const BOOT_AGAIN_MS: u64 = 5_000;
/// Between meter values, also where simulated time runs fast.
const METER_EVERY_MS: u64 = 500;
/// Limits are worked out for a day ahead, and again after so many seconds.
const LIMITS_HOLD_S: i64 = 21_600;
/// Most calls that wait.
const QUEUE_MAX: usize = 256;

/// What the core is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A connection stands.
    Connected,
    /// The connection is gone.
    Disconnected,
    /// A text message.
    Text(String),
    /// Time has passed, in reality or in the physics.
    Poll,
}

/// What the core wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send a text message.
    Send(String),
    /// Drop the connection: it starts anew.
    Close,
}

#[derive(Clone, Debug)]
struct Pending {
    id: String,
    say: Say,
    deadline_ms: u64,
}

/// A charge point's conversation.
#[derive(Clone, Debug)]
pub struct Core {
    version: Version,
    configuration: Configuration,
    fault: ChargerFault,
    connected: bool,
    booted: bool,
    /// It is to start anew once what it has to send is sent.
    restarts: bool,
    queue: VecDeque<Say>,
    pending: Option<Pending>,
    /// Answers held back by a fault, with the time they are due.
    late: VecDeque<(u64, String)>,
    calls_made: u64,
    profiles: Profiles,
    transactions: Transactions,
    limits_from: Option<UnixSeconds>,
    status: Option<&'static str>,
    metered: Option<UnixSeconds>,
    metered_ms: u64,
    beat_ms: u64,
}

impl Core {
    /// A charge point that has just been switched on. `meter_interval_s` is by its own clock; `name` is what
    /// its own names for transactions begin with (2.0.1).
    pub fn new(version: Version, name: &str, meter_interval_s: u32) -> Self {
        let prefix = (version == Version::V201).then(|| name.chars().take(20).collect());
        Self {
            version,
            configuration: Configuration::new(meter_interval_s),
            fault: ChargerFault::None,
            connected: false,
            booted: false,
            restarts: false,
            queue: VecDeque::from([Say::Boot("PowerUp")]),
            pending: None,
            late: VecDeque::new(),
            calls_made: 0,
            profiles: Profiles::default(),
            transactions: Transactions::named(prefix),
            limits_from: None,
            status: None,
            metered: None,
            metered_ms: 0,
            beat_ms: 0,
        }
    }

    /// Lets it misbehave from now on.
    pub fn set_fault(&mut self, fault: ChargerFault) {
        if self.fault != fault {
            self.restarts |= fault == ChargerFault::Rebooting;
            self.fault = fault;
            // What it ignored while it disobeyed holds again.
            self.limits_from = None;
        }
    }

    /// Takes one input at `real_ms` milliseconds of real time since an arbitrary start.
    pub fn step(&mut self, real_ms: u64, sim: &mut ChargerSim, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.follow(sim);
        match input {
            Input::Connected => self.connect(real_ms, sim),
            Input::Disconnected => self.disconnect(),
            Input::Text(text) => self.take_text(real_ms, sim, &text),
            Input::Poll => self.poll(real_ms, sim),
        }
        self.set_limits(sim);
        if self.fault == ChargerFault::Silent || !self.connected {
            self.late.clear();
        } else {
            let due = self.late.iter().take_while(|(due_ms, _)| *due_ms <= real_ms).count();
            effects.extend(self.late.drain(..due).map(|(_, text)| Effect::Send(text)));
        }
        if self.restarts && self.late.is_empty() {
            self.restart(sim);
            effects.push(Effect::Close);
        } else if self.connected && self.fault != ChargerFault::Silent {
            self.say_next(real_ms, &mut effects);
        }
        effects
    }

    /// Starts anew: transactions end, and what was theirs; what is in flash stays, and what is still to be told.
    fn restart(&mut self, sim: &ChargerSim) {
        self.restarts = false;
        self.booted = false;
        self.disconnect();
        if let Some(Happened::Ended(number)) = self.transactions.end(sim.now(), sim.register(), "Reboot") {
            self.say(Say::Stop(number));
        }
        self.profiles.end_transaction();
        if sim.status() != ConnectorStatus::Available {
            if let Happened::Began(number) = self.transactions.begin(sim.now(), sim.register()) {
                self.say(Say::Start(number));
            }
        }
        self.queue.retain(|say| !matches!(say, Say::Boot(_)));
        self.queue.push_front(Say::Boot("PowerUp"));
        self.limits_from = None;
    }

    fn connect(&mut self, real_ms: u64, sim: &ChargerSim) {
        self.connected = true;
        self.transactions.offline = false;
        self.beat_ms = real_ms;
        if self.booted {
            // No boot: it only lost its connection. The central system hears how things stand.
            self.say(Say::Status(status(sim, self.transactions.current().is_some()), sim.now()));
        }
    }

    fn disconnect(&mut self) {
        self.connected = false;
        self.transactions.offline = true;
        self.late.clear();
        self.repeat_pending();
        // What happened is still to be told; how things stood is not.
        self.queue.retain(|say| say.is_kept() || matches!(say, Say::Boot(_)));
    }

    /// What must be told and got no answer is told again.
    fn repeat_pending(&mut self) {
        if let Some(pending) = self.pending.take() {
            if pending.say.is_kept() || matches!(pending.say, Say::Boot(_)) {
                self.queue.push_front(pending.say);
            }
        }
    }

    fn say(&mut self, say: Say) {
        let room = self.queue.len() < QUEUE_MAX;
        if !room && say.is_kept() {
            // What happened in between is worth less than that it began and ended.
            if let Some(least) = self.queue.iter().position(|waiting| !waiting.must_be_told()) {
                self.queue.remove(least);
            }
        }
        let wanted = say.must_be_told()
            || (room || say.is_kept()) && (self.connected || say.is_kept()) && !self.queue.contains(&say);
        if wanted {
            self.queue.push_back(say);
        }
    }

    /// Turns what happened in the physics into calls.
    fn follow(&mut self, sim: &ChargerSim) {
        for happened in self.transactions.follow(sim) {
            match happened {
                Happened::Began(number) => {
                    let began = self.transactions.get(number).map_or(sim.now(), |t| t.began);
                    self.status = Some("Preparing");
                    self.say(Say::Status("Preparing", began));
                    self.say(Say::Start(number));
                }
                Happened::Ended(number) => {
                    self.profiles.end_transaction();
                    self.say(Say::Stop(number));
                }
                Happened::Left => {
                    self.say(Say::Status("Available", sim.now()));
                    self.status = Some("Available");
                }
            }
            self.limits_from = None;
        }
        let current = status(sim, self.transactions.current().is_some());
        if self.status != Some(current) {
            self.change_status(current, sim.now());
        }
    }

    /// In 2.0.1 the connector is only in use or not; what it does is the transaction's.
    fn change_status(&mut self, status: &'static str, at: UnixSeconds) {
        let before = self.status.replace(status);
        let used = |status: &str| status != "Available";
        if self.version == Version::V16 || before.map(used) != Some(used(status)) {
            self.say(Say::Status(status, at));
        }
        let current = self.transactions.current().map(|transaction| transaction.number);
        if let (Version::V201, Some(number)) = (self.version, current) {
            let transaction = (number, self.transactions.next_event(number));
            self.say(Say::State { status, at, transaction, offline: !self.connected });
        }
    }

    fn poll(&mut self, real_ms: u64, sim: &ChargerSim) {
        if self.pending.as_ref().is_some_and(|pending| pending.deadline_ms <= real_ms) {
            self.repeat_pending();
        }
        let beat_every_ms = if self.booted { self.configuration.heartbeat_s * 1000 } else { BOOT_AGAIN_MS };
        if real_ms.saturating_sub(self.beat_ms) >= beat_every_ms {
            self.beat_ms = real_ms;
            let boot = |say: &Say| matches!(say, Say::Boot(_));
            let boots = self.pending.as_ref().is_some_and(|pending| boot(&pending.say));
            if self.booted {
                self.say(Say::Heartbeat);
            } else if !boots && !self.queue.iter().any(boot) {
                self.queue.push_front(Say::Boot("PowerUp"));
            }
        }
        let age_s = self.metered.map_or(i64::MAX, |at| sim.now().0 - at.0);
        let due = age_s >= self.configuration.meter_interval_s
            && real_ms.saturating_sub(self.metered_ms) >= METER_EVERY_MS;
        if due && self.transactions.current().is_some() {
            self.meter(real_ms, sim, "Sample.Periodic");
        }
    }

    fn meter(&mut self, real_ms: u64, sim: &ChargerSim, context: &'static str) {
        self.metered = Some(sim.now());
        self.metered_ms = real_ms;
        let current = self.transactions.current().map(|transaction| transaction.number);
        let transaction = current.map(|number| {
            let event = if self.version == Version::V201 { self.transactions.next_event(number) } else { 0 };
            (number, event)
        });
        let sample = Sample::of(sim, context);
        self.say(Say::Meter { sample, transaction, offline: !self.connected });
    }

    fn set_limits(&mut self, sim: &mut ChargerSim) {
        if self.limits_from.is_some_and(|from| sim.now().0 - from.0 < LIMITS_HOLD_S) {
            return;
        }
        let car = sim.status() != ConnectorStatus::Available;
        let current = self.transactions.current();
        let limits = if car && current.is_none() {
            // Charging was ended; the car that is still there gets nothing.
            vec![LimitFrom { from: sim.now(), power: Some(Milliwatt::ZERO) }]
        } else {
            self.profiles.limits(sim.now(), current.map(|transaction| transaction.began))
        };
        if !matches!(self.fault, ChargerFault::Disobeying | ChargerFault::Lying) {
            sim.set_limits(limits);
        }
        self.limits_from = Some(sim.now());
    }

    fn take_text(&mut self, real_ms: u64, sim: &ChargerSim, text: &str) {
        let Ok(Value::Array(frame)) = serde_json::from_str::<Value>(text) else { return };
        let id = frame.get(1).and_then(Value::as_str).unwrap_or_default();
        let payload = |index: usize| frame.get(index).cloned().unwrap_or_default();
        match frame.first().and_then(Value::as_i64) {
            Some(2) => {
                let action = frame.get(2).and_then(Value::as_str).unwrap_or_default();
                let answer = match self.obey(real_ms, sim, action, &payload(3)) {
                    Ok(answer) => json!([3, id, answer]),
                    Err((code, text)) => json!([4, id, code, text, {}]),
                };
                let due_ms = match self.fault {
                    ChargerFault::Late(ms) => real_ms + u64::from(ms),
                    _ => real_ms,
                };
                self.late.push_back((due_ms, answer.to_string()));
            }
            Some(kind @ (3 | 4)) => {
                if let Some(pending) = self.pending.take_if(|pending| pending.id == id) {
                    self.settle(&pending.say, if kind == 3 { payload(2) } else { Value::Null });
                }
            }
            _ => {}
        }
    }

    fn settle(&mut self, say: &Say, answer: Value) {
        match say {
            Say::Boot(_) if answer["status"] == "Accepted" => {
                self.booted = true;
                if let Some(seconds) = answer["interval"].as_u64().filter(|seconds| *seconds > 0) {
                    self.configuration.heartbeat_s = seconds;
                }
                // How things stand is to be told again after a boot.
                self.status = None;
            }
            // Rejected or pending: asked again later.
            Say::Boot(_) => {}
            Say::Start(number) => {
                if let (Version::V16, Some(id)) = (self.version, answer["transactionId"].as_i64()) {
                    self.transactions.set_id(*number, id.to_string());
                }
            }
            Say::Stop(number) => self.transactions.forget(*number),
            Say::Heartbeat
            | Say::Status(..)
            | Say::Meter { .. }
            | Say::State { .. }
            | Say::Profiles { .. } => {}
        }
    }

    fn say_next(&mut self, real_ms: u64, effects: &mut Vec<Effect>) {
        while self.pending.is_none() {
            let boots = matches!(self.queue.front(), Some(Say::Boot(_)));
            if !self.booted && !boots {
                return;
            }
            let Some(say) = self.queue.pop_front() else { return };
            let words = put(self.version, &say, &self.transactions, &self.configuration.measurands);
            let Some((action, payload)) = words else {
                // A transaction the central system gave no id to has no end to be told.
                if let Say::Stop(number) = say {
                    self.transactions.forget(number);
                }
                continue;
            };
            self.calls_made += 1;
            let id = format!("c{}", self.calls_made);
            effects.push(Effect::Send(json!([2, id, action, payload]).to_string()));
            self.pending = Some(Pending { id, say, deadline_ms: real_ms + ANSWER_WITHIN_MS });
        }
    }
}

#[cfg(test)]
mod tests;
