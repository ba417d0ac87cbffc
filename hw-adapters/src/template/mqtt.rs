//! What templates say of devices on an MQTT broker: which topic means what, and how they are told.

use super::discovery::Discovery;
use super::{PointName, Unit};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A device on a broker.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MqttTemplate {
    /// What a site fills in: `{name}` in topics and payloads.
    #[serde(default)]
    pub settings: BTreeMap<String, Setting>,
    /// Where the device, or its last will, says whether it is there.
    pub availability: Option<Availability>,
    /// After so many seconds without a message a point's value is none.
    #[serde(default = "two_minutes")]
    pub stale_after_s: u32,
    /// Milliseconds within which its state must show what it was told.
    #[serde(default = "five_seconds")]
    pub answer_within_ms: u32,
    /// Where its points are found.
    #[serde(default)]
    pub points: BTreeMap<PointName, PointTemplate>,
    /// How it is told.
    #[serde(default)]
    pub commands: Commands,
    /// How its state is asked for.
    #[serde(default)]
    pub ask: Vec<AskTemplate>,
    /// How a thermostat that takes no power takes more and less.
    pub thermostat: Option<Thermostat>,
    /// Its points and commands follow from what it announces for Home Assistant.
    pub discovery: Option<Discovery>,
    /// How such devices are noticed on a broker.
    pub scan: Option<ScanTemplate>,
}

/// A placeholder a site fills in.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// What it is, for people.
    pub about: String,
    /// What it is where the site says nothing.
    pub default: Option<String>,
}

/// A topic that says whether the device is there. Retained messages count here.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Availability {
    /// The topic.
    pub topic: String,
    /// Where in its JSON; none for a plain payload.
    pub path: Option<String>,
    /// Words that mean it is there.
    pub online: Vec<String>,
    /// Words that mean it isn't.
    pub offline: Vec<String>,
}

/// Where one point is found.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointTemplate {
    /// Its topic.
    pub topic: Option<String>,
    /// Topics whose values are added, as a meter's three phases.
    #[serde(default)]
    pub topics: Vec<String>,
    /// Other places where the same is said; the newest counts.
    #[serde(default)]
    pub also: Vec<Place>,
    /// Whether it is said on change only: it then holds, also as a retained message, as long as the device says
    /// anything.
    #[serde(default)]
    pub holds: bool,
    /// A value that is always the same, for what a device has not got.
    pub constant: Option<f64>,
    /// Where in the topic's JSON: `a.b[0].c`. None for a plain payload.
    pub path: Option<String>,
    /// The unit it is told in.
    pub unit: Option<Unit>,
    /// What it is multiplied by.
    pub scale: Option<f64>,
    /// Words that mean on.
    #[serde(default)]
    pub on: Vec<String>,
    /// Words that mean off.
    #[serde(default)]
    pub off: Vec<String>,
    /// Least value that can be true, in its unit.
    pub min: Option<f64>,
    /// Most value that can be true, in its unit.
    pub max: Option<f64>,
    /// What a counter counts by, in its unit: one that stands while power says it has long moved on is frozen.
    pub step: Option<f64>,
    /// A value that is not 0 and has been the very same for so many seconds is frozen.
    pub frozen_after_s: Option<u32>,
}

/// Another place where a point is said.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The topic.
    pub topic: String,
    /// Where in its JSON; none for a plain payload.
    pub path: Option<String>,
}

/// How a device is told.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commands {
    /// On and off.
    pub switch: Option<SwitchCommand>,
    /// An electrical power.
    pub power: Option<PowerCommand>,
    /// A temperature.
    pub setpoint: Option<ValueCommand>,
    /// A mode, by its word.
    pub mode: Option<ValueCommand>,
}

/// How it is switched.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchCommand {
    /// The topic.
    pub topic: String,
    /// The payload for on.
    pub on: String,
    /// The payload for off.
    pub off: String,
}

/// How it is told a power.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerCommand {
    /// The topic.
    pub topic: String,
    /// The payload, with `{value}` for the number.
    pub value: String,
    /// The unit of the number.
    pub unit: Unit,
    /// The payload that hands it back to itself.
    pub release: String,
    /// What its mode says while it holds a power.
    pub held_mode: Option<String>,
    /// What its mode says while it is left to itself.
    pub released_mode: Option<String>,
}

/// How it is told a value.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueCommand {
    /// The topic.
    pub topic: String,
    /// The payload, with `{value}`.
    pub value: String,
    /// Least it takes.
    pub min: Option<f64>,
    /// Most it takes.
    pub max: Option<f64>,
    /// What it takes in steps of.
    pub step: Option<f64>,
    /// The unit of a temperature.
    pub unit: Option<Unit>,
}

/// What is published so that the device says its state.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskTemplate {
    /// The topic.
    pub topic: String,
    /// The payload.
    #[serde(default)]
    pub payload: String,
    /// How often, in seconds.
    #[serde(default = "half_minute")]
    pub every_s: u32,
}

/// What a thermostat is told where it is to take no power, and where it is to take all.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thermostat {
    /// For no power.
    pub low: Level,
    /// For all its power.
    pub high: Level,
}

/// A temperature and a mode; what is absent is left as it is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// The temperature, in degrees Celsius.
    pub setpoint_celsius: Option<f64>,
    /// The mode.
    pub mode: Option<String>,
}

/// How devices of this template are noticed on a broker.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScanTemplate {
    /// The filter followed while scanning; `+` stands for one level.
    pub filter: String,
    /// Which level of the topic, from 0, names the device.
    pub level: u8,
    /// The setting that the name is for.
    pub setting: String,
    /// Only topics whose name begins so.
    pub begins: Option<String>,
    /// Only messages whose payload has this text in it.
    pub contains: Option<String>,
}

fn two_minutes() -> u32 {
    120
}

fn five_seconds() -> u32 {
    5000
}

fn half_minute() -> u32 {
    30
}

impl MqttTemplate {
    /// One that says nothing.
    pub(crate) fn empty() -> Self {
        Self {
            settings: BTreeMap::new(),
            availability: None,
            stale_after_s: two_minutes(),
            answer_within_ms: five_seconds(),
            points: BTreeMap::new(),
            commands: Commands::default(),
            ask: Vec::new(),
            thermostat: None,
            discovery: None,
            scan: None,
        }
    }
}

impl PointTemplate {
    /// All its topics.
    pub fn topics(&self) -> impl Iterator<Item = &String> {
        self.topic.iter().chain(&self.topics)
    }
}
