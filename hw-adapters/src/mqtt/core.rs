//! One device on a broker, deciding: what to follow and ask, what to believe, what to publish for an order and whether
//! it was obeyed. Time is milliseconds of a clock that only goes forwards.

mod keeping;

pub use keeping::Kept;

use super::entity::{self, Entity};
use super::payload::{Payload, Value};
use super::points::{Lack, Points};
use super::profile::{Profile, Source};
use super::state::{state, State};
use crate::template::{DeviceKind, Level, PointName, Quantity, Unit, ValueCommand};
use keeping::Restoring;
use market::units::Milliwatt;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most entities kept of what a device announces.
const MAX_ENTITIES: usize = 64;
/// How far a power may read back from what was asked, in milliwatts.
const POWER_TOLERANCE: u64 = 1_000;
/// How far a temperature may, in thousandths of a degree.
const TEMPERATURE_TOLERANCE: u64 = 250;
/// A device's own filters of discovery topics: with and without a node.
const ANNOUNCED: [&str; 2] = ["+/+/config", "+/+/+/config"];

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// The broker took us.
    Connected,
    /// The broker is gone.
    Disconnected,
    /// A message came.
    Message {
        /// Its topic.
        topic: &'a str,
        /// Its payload.
        payload: &'a [u8],
        /// Whether it says what was and not what is.
        retained: bool,
    },
    /// Time goes by.
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Follow this topic or filter.
    Subscribe(String),
    /// Publish this.
    Publish {
        /// The topic.
        topic: String,
        /// The payload.
        payload: String,
    },
    /// Keep this until it is given back, before anything after it is done; none: nothing is ours any more.
    Keep(Option<Kept>),
    /// Count a message that was refused, by reason, and say why to whoever debugs.
    Refused {
        /// The label.
        reason: &'static str,
        /// In words.
        why: String,
    },
}

/// What a device is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Be on or off; none gives it back to how it was found.
    Switch(Option<bool>),
    /// Take this power; none gives it back to itself.
    Power(Option<Milliwatt>),
}

/// What came of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its state shows it.
    Obeyed,
    /// Its state shows something else: point, what was asked, what it says.
    Disobeyed {
        /// Which point.
        point: &'static str,
        /// What was asked.
        asked: String,
        /// What it says.
        said: String,
    },
    /// It has said nothing of it.
    Silent,
}

/// An order whose effect is waited for.
#[derive(Clone, Debug)]
struct Pending {
    /// Messages after this one count.
    after: u64,
    expected: Vec<(PointName, Value)>,
    /// Whether it gives the device back.
    gives_back: bool,
}

/// How the device was before we told it anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Before {
    on: Option<bool>,
    setpoint: Option<i64>,
    mode: Option<String>,
}

/// The deciding part of an adapter.
#[derive(Clone, Debug)]
pub struct MqttCore {
    profile: Profile,
    /// What is followed now: the profile, or what came of it by discovery.
    followed: Profile,
    unfit: Option<String>,
    entities: BTreeMap<String, Vec<Entity>>,
    connected: bool,
    away: BTreeMap<String, bool>,
    points: Points,
    asked_ms: Vec<Option<u64>>,
    before: Option<Before>,
    pending: Option<Pending>,
    restoring: Option<Restoring>,
    /// Whether it has just been given back.
    given_back: bool,
}

impl MqttCore {
    /// A device of which nothing is known yet.
    pub fn new(profile: Profile) -> Self {
        let unfit = profile.discovery.as_ref().map(|_| "it has not announced itself yet".to_owned());
        Self {
            followed: profile.clone(),
            asked_ms: vec![None; profile.ask.len()],
            profile,
            unfit,
            entities: BTreeMap::new(),
            connected: false,
            away: BTreeMap::new(),
            points: Points::default(),
            before: None,
            pending: None,
            restoring: None,
            given_back: false,
        }
    }

    /// What it is.
    pub fn device(&self) -> DeviceKind {
        self.profile.device
    }

    /// Milliseconds within which an order must show.
    pub fn answer_within_ms(&self) -> u64 {
        self.profile.answer_within_ms
    }

    /// Takes what happened, and gives what is to be done.
    pub fn step(&mut self, now_ms: u64, input: Input<'_>) -> Vec<Effect> {
        let mut out = Vec::new();
        match input {
            Input::Connected => {
                self.connected = true;
                self.asked_ms.fill(None);
                let filters =
                    self.profile.discovery.iter().flat_map(|(discovery, _)| {
                        ANNOUNCED.map(|rest| format!("{}/{rest}", discovery.prefix))
                    });
                out.extend(filters.chain(self.followed.topics()).map(Effect::Subscribe));
                self.ask(now_ms, &mut out);
            }
            Input::Disconnected => {
                self.connected = false;
                self.away.clear();
                self.points.clear();
                self.pending = None;
            }
            Input::Tick => self.ask(now_ms, &mut out),
            Input::Message { topic, payload, retained } => {
                self.hear(now_ms, (topic, payload), retained, &mut out);
            }
        }
        self.give_back_of_before(now_ms, &mut out);
        out
    }

    fn ask(&mut self, now_ms: u64, out: &mut Vec<Effect>) {
        if !self.connected {
            return;
        }
        for (ask, asked_ms) in self.followed.ask.iter().zip(&mut self.asked_ms) {
            let every_ms = u64::from(ask.every_s) * 1000;
            if asked_ms.is_none_or(|at| now_ms.saturating_sub(at) >= every_ms) {
                *asked_ms = Some(now_ms);
                out.push(Effect::Publish { topic: ask.topic.clone(), payload: ask.payload.clone() });
            }
        }
    }

    fn hear(&mut self, now_ms: u64, message: (&str, &[u8]), retained: bool, out: &mut Vec<Effect>) {
        let (topic, payload) = message;
        let mut known = self.announced(topic, payload, out);
        match self.present(topic, payload) {
            Ok(presence) => known |= presence,
            Err((reason, why)) => return out.push(Effect::Refused { reason, why }),
        }
        let of_topic = |source: &&Source| source.places.iter().any(|(followed, _)| followed == topic);
        let mut here = self.followed.points.values().filter(of_topic).peekable();
        if here.peek().is_none() {
            if !known {
                out.push(Effect::Refused { reason: "wrong_topic", why: cut(topic) });
            }
            return;
        }
        if retained && !here.any(|source| source.holds) {
            let why = format!("{} says what was", cut(topic));
            return out.push(Effect::Refused { reason: "retained", why });
        }
        if let Err(error) = self.points.take(&self.followed.points, (topic, payload, retained), now_ms) {
            out.push(Effect::Refused { reason: error.reason(), why: error.to_string() });
        }
        self.remember(now_ms);
    }

    /// Takes an announcement for Home Assistant. True where the topic is one of those.
    fn announced(&mut self, topic: &str, payload: &[u8], out: &mut Vec<Effect>) -> bool {
        let Some((discovery, device)) = &self.profile.discovery else { return false };
        let ours = topic.strip_prefix(&discovery.prefix).is_some_and(|rest| rest.starts_with('/'));
        if !ours || !topic.ends_with("/config") {
            return false;
        }
        let entities = match entity::entities(&discovery.prefix, topic, payload) {
            Ok(entities) => entities,
            Err(reason) => {
                out.push(Effect::Refused { reason, why: cut(topic) });
                return true;
            }
        };
        let of_device: Vec<Entity> = entities.into_iter().filter(|entity| entity.is_of(device)).collect();
        let before = if of_device.is_empty() {
            self.entities.remove(topic)
        } else if self.entities.len() < MAX_ENTITIES || self.entities.contains_key(topic) {
            self.entities.insert(topic.to_owned(), of_device.clone())
        } else {
            out.push(Effect::Refused { reason: "too_many_entities", why: cut(topic) });
            return true;
        };
        if before.unwrap_or_default() == of_device {
            return true;
        }
        let all: Vec<Entity> = self.entities.values().flatten().cloned().collect();
        match self.profile.discovered(&all) {
            Ok(followed) => {
                let known = self.followed.topics();
                let new = followed.topics().into_iter().filter(|topic| !known.contains(topic));
                out.extend(new.map(Effect::Subscribe));
                (self.followed, self.unfit) = (followed, None);
            }
            Err(reason) => self.unfit = Some(format!("what it announces is not enough: {reason}")),
        }
        true
    }

    fn present(&mut self, topic: &str, payload: &[u8]) -> Result<bool, (&'static str, String)> {
        let mut known = false;
        for presence in self.followed.presence.iter().filter(|presence| presence.topic == topic) {
            known = true;
            let word = Payload::new(payload).and_then(|mut payload| payload.word(presence.path.as_ref()));
            let word = word.map_err(|error| (error.reason(), error.to_string()))?.unwrap_or_default();
            let among = |words: &[String]| words.iter().any(|known| known.eq_ignore_ascii_case(&word));
            match (among(&presence.online), among(&presence.offline)) {
                (_, true) => {
                    // What it said before it went is not what it will say when it is back.
                    self.points.clear();
                    self.away.insert(topic.to_owned(), true);
                }
                (true, false) => {
                    let was_away = self.away.insert(topic.to_owned(), false);
                    if was_away == Some(true) {
                        self.asked_ms.fill(None);
                    }
                }
                (false, false) => return Err(("wrong_kind", format!("availability is {word:?}"))),
            }
        }
        Ok(known)
    }

    fn remember(&mut self, now_ms: u64) {
        if self.before.is_some() || self.pending.is_some() {
            return;
        }
        let on = match self.value(PointName::On, now_ms) {
            Ok((Value::Switch(on), _)) => Some(on),
            _ => None,
        };
        let setpoint = match self.value(PointName::Setpoint, now_ms) {
            Ok((Value::Amount(setpoint), _)) => Some(setpoint),
            _ => None,
        };
        let mode = match self.value(PointName::Mode, now_ms) {
            Ok((Value::Word(mode), _)) => Some(mode),
            _ => None,
        };
        let has = |name| self.followed.points.contains_key(&name);
        let all = (on.is_some() || !has(PointName::On))
            && (setpoint.is_some() || !has(PointName::Setpoint))
            && (mode.is_some() || !has(PointName::Mode));
        if all {
            self.before = Some(Before { on, setpoint, mode });
        }
    }

    /// A point's value and age; none where it has not got the point.
    pub(super) fn value(&self, name: PointName, now_ms: u64) -> Result<(Value, u64), Lack> {
        let source = self.followed.points.get(&name).ok_or(Lack::Unsaid(name.word()))?;
        self.points.value(name, source, (now_ms, self.followed.stale_after_ms))
    }

    /// Its profile as it is followed.
    pub(super) fn followed(&self) -> &Profile {
        &self.followed
    }

    /// What it says of itself, with the age of the oldest part in milliseconds.
    ///
    /// # Errors
    /// Why nothing can be passed on.
    pub fn state(&self, now_ms: u64) -> Result<(State, u64), Lack> {
        if !self.connected {
            return Err(Lack::NoBroker);
        }
        if let Some(reason) = &self.unfit {
            return Err(Lack::Announced(reason.clone()));
        }
        if self.away.values().any(|away| *away) {
            return Err(Lack::Offline);
        }
        state(self, now_ms)
    }

    /// What is to be published for an order. What came of it [`judge`](Self::judge) says.
    ///
    /// # Errors
    /// Why it can't be told now.
    pub fn order(&mut self, now_ms: u64, order: Order) -> Result<Vec<Effect>, Lack> {
        let (state, _) = self.state(now_ms)?;
        let mut out = Vec::new();
        let mut expected = Vec::new();
        let before = self.before.clone().unwrap_or_default();
        match order {
            Order::Switch(on) => self.switch(on.or(before.on), (&mut out, &mut expected)),
            Order::Power(power) => self.power(power, state.power_max(), (&mut out, &mut expected)),
        }
        let gives_back = matches!(order, Order::Switch(None) | Order::Power(None));
        self.pend(Pending { after: self.points.messages(), expected, gives_back }, &mut out);
        // What shows it should come soon.
        self.asked_ms.fill(None);
        self.ask(now_ms, &mut out);
        Ok(out)
    }

    fn switch(&self, on: Option<bool>, (out, expected): (&mut Vec<Effect>, &mut Vec<(PointName, Value)>)) {
        let (Some(on), Some(command)) = (on, &self.followed.commands.switch) else { return };
        let payload = if on { &command.on } else { &command.off };
        out.push(Effect::Publish { topic: command.topic.clone(), payload: payload.clone() });
        expected.push((PointName::On, Value::Switch(on)));
    }

    fn power(
        &self,
        power: Option<Milliwatt>,
        power_max: Milliwatt,
        (out, expected): (&mut Vec<Effect>, &mut Vec<(PointName, Value)>),
    ) {
        if let Some(command) = &self.followed.commands.power {
            let (payload, mode) = match power {
                Some(power) => {
                    expected.push((PointName::HeldPower, Value::Amount(power.0)));
                    let number = command.unit.of_thousandths(power.0 as f64);
                    (command.value.replace("{value}", &plain(number)), &command.held_mode)
                }
                None => (command.release.clone(), &command.released_mode),
            };
            out.push(Effect::Publish { topic: command.topic.clone(), payload });
            expected.extend(mode.iter().map(|mode| (PointName::Mode, Value::Word(mode.clone()))));
            return;
        }
        let Some(thermostat) = &self.followed.thermostat else { return };
        let level = match (power, &self.before) {
            (Some(power), _) if power.0.saturating_mul(2) >= power_max.0 => thermostat.high.clone(),
            (Some(_), _) => thermostat.low.clone(),
            (None, Some(before)) => Level {
                setpoint_celsius: before.setpoint.map(|setpoint| setpoint as f64 / 1e3),
                mode: before.mode.clone(),
            },
            (None, None) => return,
        };
        let commands = &self.followed.commands;
        if let (Some(mode), Some(command)) = (level.mode, &commands.mode) {
            out.push(told(command, &mode));
            expected.push((PointName::Mode, Value::Word(mode)));
        }
        if let (Some(celsius), Some(command)) = (level.setpoint_celsius, &commands.setpoint) {
            let (number, thousandths) = taken(command, celsius);
            out.push(told(command, &plain(number)));
            expected.push((PointName::Setpoint, Value::Amount(thousandths)));
        }
    }

    /// What came of the last order; none while that may yet change. `over` when nobody waits any longer.
    pub fn judge(&mut self, over: bool) -> Option<Outcome> {
        let Pending { after, expected, gives_back } = self.pending.as_ref()?;
        let told: Vec<(&(PointName, Value), Option<Value>)> =
            expected.iter().map(|wanted| (wanted, self.points.told_after(wanted.0, *after))).collect();
        let other = |(wanted, said): &&(&(PointName, Value), Option<Value>)| {
            said.as_ref().is_some_and(|said| !same(wanted, said))
        };
        let outcome = if told.iter().all(|(wanted, said)| said.as_ref().is_some_and(|s| same(wanted, s))) {
            Outcome::Obeyed
        } else if !over {
            return None;
        } else if let Some(((point, asked), Some(said))) = told.iter().find(other) {
            Outcome::Disobeyed { point: point.word(), asked: shown(asked), said: shown(said) }
        } else {
            Outcome::Silent
        };
        self.given_back |= *gives_back && outcome == Outcome::Obeyed;
        self.pending = None;
        Some(outcome)
    }
}

fn told(command: &ValueCommand, value: &str) -> Effect {
    Effect::Publish { topic: command.topic.clone(), payload: command.value.replace("{value}", value) }
}

/// The number a command takes for a temperature, within its bounds and steps, and what that is in thousandths of a
/// degree Celsius.
fn taken(command: &ValueCommand, celsius: f64) -> (f64, i64) {
    let unit = command.unit.unwrap_or(Unit::Celsius);
    let number = unit.of_thousandths(celsius * 1e3);
    let step = command.step.filter(|step| *step > 0.0).unwrap_or(0.1);
    let stepped = (number / step).round() * step;
    let bounded = stepped.max(command.min.unwrap_or(f64::MIN)).min(command.max.unwrap_or(f64::MAX));
    (bounded, unit.thousandths(bounded).round() as i64)
}

/// A number without the noise of its last binary digits.
fn plain(number: f64) -> String {
    let rounded = (number * 1e6).round() / 1e6;
    rounded.to_string()
}

fn same((point, asked): &(PointName, Value), said: &Value) -> bool {
    let tolerance = match point.quantity() {
        Quantity::Temperature => TEMPERATURE_TOLERANCE,
        _ => POWER_TOLERANCE,
    };
    match (asked, said) {
        (Value::Amount(asked), Value::Amount(said)) => asked.abs_diff(*said) <= tolerance,
        (Value::Word(asked), Value::Word(said)) => asked.eq_ignore_ascii_case(said),
        (asked, said) => asked == said,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Amount(thousandths) => format!("{:.3}", *thousandths as f64 / 1e3),
        Value::Switch(on) => if *on { "on" } else { "off" }.to_owned(),
        Value::Word(word) => word.clone(),
    }
}

fn cut(topic: &str) -> String {
    topic.chars().take(80).collect()
}
