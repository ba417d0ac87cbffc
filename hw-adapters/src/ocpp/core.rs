//! One charge point's conversation as a pure function: connections come and go, its calls are
//! answered, ours go out one at a time, each answered, refused or timed out.

mod set_up;

use super::frame::Frame;
use super::message::StationCall;
use super::request::StationRequest;
use super::session::Session;
use super::station::{CallFailure, StationState};
use super::steering::{Bounds, Steering};
use super::version::Version;
use serde_json::{json, Value};
use std::collections::VecDeque;

/// Most calls that wait to be sent.
const QUEUE_MAX: usize = 16;
/// How long a charge point that has just connected may stay silent before we speak first.
const SPEAK_FIRST_MS: u64 = 2_000;
/// Calls of our own that bring no answer, one after another, until the connection is given up.
const SILENT_MAX: u32 = 3;

/// Time as the core sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Seconds since 1970, told to charge points that set their clock by us.
    pub utc_s: i64,
    /// Milliseconds of real time since an arbitrary start, for time-outs.
    pub real_ms: u64,
}

/// What the conversation keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreConfig {
    /// A call not answered within so many milliseconds has failed.
    pub answer_within_ms: u64,
    /// How often charge points shall say they are there, in seconds.
    pub heartbeat_s: u32,
    /// A connection on which nothing was heard for so many milliseconds, pings unanswered, is dead.
    pub idle_ms: u64,
    /// What limits keep to.
    pub bounds: Bounds,
}

/// What the core is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A connection stands, on which this version is spoken; an earlier one is gone.
    Connected(Version),
    /// The connection is gone.
    Disconnected,
    /// A text message.
    Text(String),
    /// A ping or pong: a sign of life.
    Heard,
    /// Something is to be asked of the charge point.
    Ask {
        /// Given back with the answer.
        ticket: u64,
        /// What to ask.
        request: StationRequest,
    },
    /// Charging is to be limited from now on, whatever transactions and connections come and go. Answered
    /// as setting the profile is; where there is no transaction to limit yet, with the status `Kept`.
    Limit {
        /// Given back with the answer.
        ticket: u64,
        /// To how much.
        power: market::units::Milliwatt,
    },
    /// The charge point is left to itself from now on.
    Release,
    /// Time has passed.
    Poll,
}

/// What the core wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send a text message.
    Send(String),
    /// Send a ping.
    Ping,
    /// Drop the connection.
    Close,
    /// Something asked has come to its end.
    Resolve {
        /// Which.
        ticket: u64,
        /// The answer's payload, or why there is none.
        outcome: Result<Value, CallFailure>,
    },
    /// A message was refused; count it.
    Refused {
        /// The label.
        reason: &'static str,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    Adapter(u64),
    /// What every connection begins with.
    SetUp,
    /// The transaction's limit, and its reading back.
    Steering,
}

/// A call that waits to be sent.
#[derive(Clone, Debug, PartialEq)]
enum Job {
    Request(StationRequest),
    /// The profile for the transaction, made when it is sent.
    Session,
}

#[derive(Clone, Debug)]
struct Pending {
    id: String,
    asker: Asker,
    request: StationRequest,
    deadline_ms: u64,
}

/// The conversation with one charge point.
#[derive(Clone, Debug)]
pub struct Core {
    config: CoreConfig,
    session: Session,
    steering: Steering,
    queue: VecDeque<(Asker, Job)>,
    pending: Option<Pending>,
    calls_made: u64,
    heard_ms: u64,
    pinged_ms: u64,
    set_up_due_ms: Option<u64>,
    remote_start_due_ms: Option<u64>,
    /// Calls of the set-up that brought no answer, in a row.
    silent: u32,
}

impl Core {
    /// A charge point not heard of yet. `seed` keeps transaction ids apart from those of an
    /// earlier run; the time in seconds is good.
    pub fn new(config: CoreConfig, seed: i64) -> Self {
        Self {
            config,
            session: Session::new(seed),
            steering: Steering::new(config.bounds),
            queue: VecDeque::new(),
            pending: None,
            calls_made: 0,
            heard_ms: 0,
            pinged_ms: 0,
            set_up_due_ms: None,
            remote_start_due_ms: None,
            silent: 0,
        }
    }

    /// What is known of the charge point.
    pub fn station(&self) -> &StationState {
        &self.session.station
    }

    /// Takes one input.
    pub fn step(&mut self, now: Now, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Connected(version) => self.connect(now, version, &mut effects),
            Input::Disconnected => {
                self.session.station.connected = false;
                self.fail_all(&CallFailure::ConnectionLost, &mut effects);
                self.set_up_due_ms = None;
            }
            Input::Text(text) => {
                self.heard_ms = now.real_ms;
                self.take_text(now, &text, &mut effects);
            }
            Input::Heard => self.heard_ms = now.real_ms,
            Input::Ask { ticket, request } => self.ask(ticket, Job::Request(request), &mut effects),
            Input::Limit { ticket, power } => {
                self.steering.want(power);
                self.ask(ticket, Job::Session, &mut effects);
            }
            Input::Release => self.steering.release(),
            Input::Poll => self.poll(now, &mut effects),
        }
        self.set_up_when_due(now);
        self.steer_when_due(now);
        self.send_next(now, &mut effects);
        effects
    }

    fn connect(&mut self, now: Now, version: Version, effects: &mut Vec<Effect>) {
        self.fail_all(&CallFailure::ConnectionLost, effects);
        self.session.connected(version);
        self.steering.set_again();
        self.heard_ms = now.real_ms;
        self.silent = 0;
        self.set_up_due_ms = Some(now.real_ms + SPEAK_FIRST_MS);
    }

    fn take_text(&mut self, now: Now, text: &str, effects: &mut Vec<Effect>) {
        match Frame::parse(text) {
            Ok(Frame::Call { id, action, payload }) => self.answer(now, id, &action, &payload, effects),
            Ok(Frame::Result { id, payload }) => self.settle(now, &id, Ok(payload), effects),
            Ok(Frame::Error { id, code, description }) => {
                self.settle(now, &id, Err(CallFailure::Refused { code, description }), effects);
            }
            Err(error) => {
                effects.push(Effect::Refused { reason: error.reason() });
                // Whoever made a call, however badly, waits for an answer.
                if let Some(id) = error.call() {
                    let code = error.code(self.session.station.version).to_owned();
                    let refusal = Frame::Error { id: id.to_owned(), code, description: error.to_string() };
                    effects.push(Effect::Send(refusal.text()));
                }
            }
        }
    }

    fn answer(&mut self, now: Now, id: String, action: &str, payload: &Value, effects: &mut Vec<Effect>) {
        let version = self.session.station.version;
        let answer = match StationCall::parse(version, action, payload) {
            Ok(call) => {
                let booted = matches!(call, StationCall::BootNotification { .. });
                if booted {
                    self.steering.set_again();
                }
                if booted || self.set_up_due_ms.is_some() {
                    self.set_up_due_ms = Some(now.real_ms);
                }
                let payload = self.session.take(now, self.config.heartbeat_s, call);
                self.plan_remote_start(now);
                Frame::Result { id, payload }
            }
            Err(error) => {
                effects.push(Effect::Refused { reason: error.reason() });
                Frame::Error { id, code: error.code(version).to_owned(), description: error.to_string() }
            }
        };
        effects.push(Effect::Send(answer.text()));
    }

    fn settle(&mut self, now: Now, id: &str, outcome: Result<Value, CallFailure>, effects: &mut Vec<Effect>) {
        let Some(pending) = self.pending.take_if(|pending| pending.id == id) else {
            // Late, or never asked for. Ids keep it from being taken for another's answer.
            effects.push(Effect::Refused { reason: "unexpected_answer" });
            return;
        };
        self.silent = 0;
        self.settle_profile(now, &pending, &outcome, effects);
        match pending.asker {
            Asker::Adapter(ticket) => {
                self.note_trigger(&pending.request, &outcome);
                effects.push(Effect::Resolve { ticket, outcome });
            }
            Asker::SetUp => self.settle_set_up(now, &pending.request, outcome),
            Asker::Steering => self.settle_steering(&pending.request, &outcome),
        }
    }

    fn ask(&mut self, ticket: u64, job: Job, effects: &mut Vec<Effect>) {
        let failure = if !self.session.station.connected {
            CallFailure::NotConnected
        } else if self.queue.len() >= QUEUE_MAX {
            CallFailure::Busy
        } else {
            self.queue.push_back((Asker::Adapter(ticket), job));
            return;
        };
        effects.push(Effect::Resolve { ticket, outcome: Err(failure) });
    }

    fn poll(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if let Some(pending) = self.pending.take_if(|pending| pending.deadline_ms <= now.real_ms) {
            self.time_out(now, pending, effects);
        }
        if !self.session.station.connected {
            return;
        }
        if now.real_ms.saturating_sub(self.heard_ms) >= self.config.idle_ms {
            effects.push(Effect::Close);
        } else if now.real_ms.saturating_sub(self.heard_ms.max(self.pinged_ms)) >= self.config.idle_ms / 3 {
            self.pinged_ms = now.real_ms;
            effects.push(Effect::Ping);
        }
        self.start_when_due(now);
    }

    /// A charge point that leaves a call unanswered gets a new connection, on which everything is set up anew.
    /// Only what we ask by ourselves, which some never answer, may go unanswered a few times.
    fn time_out(&mut self, now: Now, pending: Pending, effects: &mut Vec<Effect>) {
        let set_up = pending.asker == Asker::SetUp;
        self.silent += 1;
        if set_up {
            self.settle_set_up(now, &pending.request, Err(CallFailure::TimedOut));
        }
        // Some never answer one of the set-up's calls; the others are asked all the same.
        let rest: Vec<_> = self.queue.iter().filter(|(asker, _)| *asker == Asker::SetUp).cloned().collect();
        // Who waited behind it has waited as long: a charge point that hangs holds up nobody twice.
        self.pending = Some(pending);
        self.fail_all(&CallFailure::TimedOut, effects);
        if !set_up || self.silent >= SILENT_MAX {
            effects.push(Effect::Close);
        } else {
            self.queue.extend(rest);
        }
    }

    /// OCPP-J section 4.1.1: no call before the one before was answered or has timed out.
    fn send_next(&mut self, now: Now, effects: &mut Vec<Effect>) {
        while self.pending.is_none() && self.session.station.connected {
            let Some((asker, job)) = self.queue.pop_front() else { return };
            let request = match job {
                Job::Request(request) => request,
                Job::Session => {
                    let station = &self.session.station;
                    match self.steering.session(now, station, &self.session.clock) {
                        Some(profile) => StationRequest::SetProfile(profile),
                        None => {
                            if let Asker::Adapter(ticket) = asker {
                                let outcome = Ok(json!({ "status": "Kept" }));
                                effects.push(Effect::Resolve { ticket, outcome });
                            }
                            continue;
                        }
                    }
                }
            };
            self.calls_made += 1;
            let id = format!("g{}", self.calls_made);
            let (action, payload) = request.put(&self.session.station, self.calls_made);
            let call = Frame::Call { id: id.clone(), action: action.to_owned(), payload };
            effects.push(Effect::Send(call.text()));
            let deadline_ms = now.real_ms + self.config.answer_within_ms;
            self.pending = Some(Pending { id, asker, request, deadline_ms });
        }
    }

    fn fail_all(&mut self, failure: &CallFailure, effects: &mut Vec<Effect>) {
        let pending = self.pending.take().map(|pending| pending.asker);
        let waiting = self.queue.drain(..).map(|(asker, _)| asker);
        for asker in pending.into_iter().chain(waiting) {
            if let Asker::Adapter(ticket) = asker {
                effects.push(Effect::Resolve { ticket, outcome: Err(failure.clone()) });
            }
        }
    }
}

#[cfg(test)]
mod tests;
