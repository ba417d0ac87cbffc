//! One charge point's conversation as a pure function: connections come and go, its calls are
//! answered, ours go out one at a time, each answered, refused or timed out.

use super::fields::Fields;
use super::frame::Frame;
use super::message::{ConnectorStatus, StationCall};
use super::request::StationRequest;
use super::session::Session;
use super::station::{CallFailure, RateUnit, StationState};
use serde_json::Value;
use std::collections::VecDeque;

/// Most calls that wait to be sent.
const QUEUE_MAX: usize = 16;
/// How long a charge point that has just connected may stay silent before we speak first.
const SPEAK_FIRST_MS: u64 = 2_000;
/// After how long a set-up that got no answer is tried again.
const SET_UP_AGAIN_MS: u64 = 10_000;
/// How long a plugged-in car waits for its charge point to begin by itself before we tell it to,
/// and between such attempts.
const REMOTE_START_MS: u64 = 10_000;
/// On whose account charging is started remotely.
const ID_TAG: &str = "gridpact";

const KEY_RATE_UNIT: &str = "ChargingScheduleAllowedChargingRateUnit";
const KEY_STACK_LEVEL: &str = "ChargeProfileMaxStackLevel";
const KEY_SAMPLED: &str = "MeterValuesSampledData";
const MEASURANDS: &str = "Power.Active.Import,Energy.Active.Import.Register";

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
}

/// What the core is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A connection stands; an earlier one is gone.
    Connected,
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
    SetUp,
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
    queue: VecDeque<(Asker, StationRequest)>,
    pending: Option<Pending>,
    calls_made: u64,
    heard_ms: u64,
    pinged_ms: u64,
    set_up_due_ms: Option<u64>,
    remote_start_due_ms: Option<u64>,
}

impl Core {
    /// A charge point not heard of yet. `seed` keeps transaction ids apart from those of an
    /// earlier run; the time in seconds is good.
    pub fn new(config: CoreConfig, seed: i64) -> Self {
        Self {
            config,
            session: Session::new(seed),
            queue: VecDeque::new(),
            pending: None,
            calls_made: 0,
            heard_ms: 0,
            pinged_ms: 0,
            set_up_due_ms: None,
            remote_start_due_ms: None,
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
            Input::Connected => {
                self.fail_all(&CallFailure::ConnectionLost, &mut effects);
                self.session.connected();
                self.heard_ms = now.real_ms;
                self.set_up_due_ms = Some(now.real_ms + SPEAK_FIRST_MS);
            }
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
            Input::Ask { ticket, request } => self.ask(ticket, request, &mut effects),
            Input::Poll => self.poll(now, &mut effects),
        }
        self.set_up_when_due(now);
        self.send_next(now, &mut effects);
        effects
    }

    fn take_text(&mut self, now: Now, text: &str, effects: &mut Vec<Effect>) {
        match Frame::parse(text) {
            Ok(Frame::Call { id, action, payload }) => self.answer(now, id, &action, &payload, effects),
            Ok(Frame::Result { id, payload }) => self.settle(now, &id, Ok(payload), effects),
            Ok(Frame::Error { id, code, description }) => {
                self.settle(now, &id, Err(CallFailure::Refused { code, description }), effects);
            }
            Err(error) => effects.push(Effect::Refused { reason: error.reason() }),
        }
    }

    fn answer(&mut self, now: Now, id: String, action: &str, payload: &Value, effects: &mut Vec<Effect>) {
        let answer = match StationCall::parse(action, payload) {
            Ok(call) => {
                let booted = matches!(call, StationCall::BootNotification { .. });
                if booted || self.set_up_due_ms.is_some() {
                    self.set_up_due_ms = Some(now.real_ms);
                }
                let payload = self.session.take(now, self.config.heartbeat_s, call);
                self.plan_remote_start(now);
                Frame::Result { id, payload }
            }
            Err(error) => {
                effects.push(Effect::Refused { reason: error.reason() });
                Frame::Error { id, code: error.code().to_owned(), description: error.to_string() }
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
        match pending.asker {
            Asker::Adapter(ticket) => effects.push(Effect::Resolve { ticket, outcome }),
            Asker::SetUp => self.settle_set_up(now, &pending.request, outcome),
        }
    }

    fn settle_set_up(&mut self, now: Now, request: &StationRequest, outcome: Result<Value, CallFailure>) {
        match (request, outcome) {
            (_, Err(CallFailure::TimedOut)) => self.set_up_due_ms = Some(now.real_ms + SET_UP_AGAIN_MS),
            (StationRequest::GetConfiguration(_), Ok(payload)) => self.take_configuration(&payload),
            (StationRequest::TriggerMessage(_), outcome) => {
                let accepted = outcome.is_ok_and(|payload| payload["status"] == "Accepted");
                let station = &mut self.session.station;
                if !accepted && station.status.is_none() {
                    // It can't say; it would have said what changed. The best that is known stands.
                    station.status = self.session.status_before;
                }
            }
            _ => {}
        }
    }

    fn take_configuration(&mut self, payload: &Value) {
        for entry in Fields(payload).objects("configurationKey").take(1000) {
            let value = entry.text_or_empty("value");
            match entry.text_or_empty("key").as_str() {
                KEY_RATE_UNIT => {
                    let watts = value.split(',').any(|unit| matches!(unit.trim(), "Power" | "W"));
                    self.session.station.rate_unit = if watts { RateUnit::Watt } else { RateUnit::Ampere };
                }
                KEY_STACK_LEVEL => {
                    let level = entry.integer("value").unwrap_or(0);
                    self.session.station.stack_level = level.clamp(0, 100);
                }
                // Written only where it must be: some charge points keep it in flash.
                KEY_SAMPLED if !value.contains("Power.Active.Import") => {
                    let change = StationRequest::ChangeConfiguration { key: KEY_SAMPLED, value: MEASURANDS };
                    if !self.queue.iter().any(|(_, queued)| *queued == change) {
                        self.queue.push_back((Asker::SetUp, change));
                    }
                }
                _ => {}
            }
        }
    }

    fn ask(&mut self, ticket: u64, request: StationRequest, effects: &mut Vec<Effect>) {
        let failure = if !self.session.station.connected {
            CallFailure::NotConnected
        } else if self.queue.len() >= QUEUE_MAX {
            CallFailure::Busy
        } else {
            self.queue.push_back((Asker::Adapter(ticket), request));
            return;
        };
        effects.push(Effect::Resolve { ticket, outcome: Err(failure) });
    }

    fn poll(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if let Some(pending) = self.pending.take_if(|pending| pending.deadline_ms <= now.real_ms) {
            if pending.asker == Asker::SetUp {
                self.settle_set_up(now, &pending.request, Err(CallFailure::TimedOut));
            }
            // Who waited behind it has waited as long: a charge point that hangs holds up nobody twice.
            self.pending = Some(pending);
            self.fail_all(&CallFailure::TimedOut, effects);
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
        if self.remote_start_due_ms.is_some_and(|due| due <= now.real_ms) {
            self.remote_start_due_ms = Some(now.real_ms + REMOTE_START_MS);
            self.queue.push_back((Asker::SetUp, StationRequest::RemoteStartTransaction { id_tag: ID_TAG }));
        }
    }

    fn plan_remote_start(&mut self, now: Now) {
        let station = &self.session.station;
        let waits = station.status == Some(ConnectorStatus::Preparing) && station.transaction.is_none();
        self.remote_start_due_ms = match self.remote_start_due_ms {
            _ if !waits => None,
            None => Some(now.real_ms + REMOTE_START_MS),
            due => due,
        };
    }

    fn set_up_when_due(&mut self, now: Now) {
        let due = self.set_up_due_ms.is_some_and(|due| due <= now.real_ms);
        let under_way = self.queue.iter().any(|(asker, _)| *asker == Asker::SetUp);
        if due && !under_way && self.session.station.connected {
            self.set_up_due_ms = None;
            let keys: &[&str] = &[KEY_RATE_UNIT, KEY_STACK_LEVEL, KEY_SAMPLED];
            self.queue.push_back((Asker::SetUp, StationRequest::GetConfiguration(keys)));
            self.queue.push_back((Asker::SetUp, StationRequest::TriggerMessage("StatusNotification")));
        }
    }

    /// OCPP-J section 4.1.1: no call before the one before was answered or has timed out.
    fn send_next(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.pending.is_some() || !self.session.station.connected {
            return;
        }
        let Some((asker, request)) = self.queue.pop_front() else { return };
        self.calls_made += 1;
        let id = format!("g{}", self.calls_made);
        let call =
            Frame::Call { id: id.clone(), action: request.action().to_owned(), payload: request.payload() };
        effects.push(Effect::Send(call.text()));
        let deadline_ms = now.real_ms + self.config.answer_within_ms;
        self.pending = Some(Pending { id, asker, request, deadline_ms });
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
