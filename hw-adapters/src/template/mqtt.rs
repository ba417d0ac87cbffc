//! What templates say of devices on an MQTT broker: which topic means what, and how they are told.

use super::check::In;
use super::discovery::Discovery;
use super::{DeviceKind, PointName, Quantity, TemplateError, Unit};
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

    pub(super) fn check(&self, at: &In<'_>, device: DeviceKind) -> Result<(), TemplateError> {
        if !matches!(device, DeviceKind::Meter | DeviceKind::Plug | DeviceKind::HeatPump) {
            return Err(at.wrong(
                "device",
                &device.word(),
                "on a broker there are meters, plugs and heat pumps",
            ));
        }
        at.number("stale_after_s", f64::from(self.stale_after_s), 1.0..=86_400.0)?;
        at.number("answer_within_ms", f64::from(self.answer_within_ms), 100.0..=60_000.0)?;
        at.count("settings", self.settings.len(), 0..=16)?;
        let settings = at.key("settings");
        for (name, setting) in &self.settings {
            let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            if !plain || name == "value" {
                return Err(settings.wrong(name, &"its name", "it must be of a-z and _, and not value"));
            }
            settings.key(name).text("about", &setting.about, 1..=200)?;
        }
        if let Some(availability) = &self.availability {
            let at = at.key("availability");
            at.topic("topic", &availability.topic, self.settings.keys())?;
            at.count("online", availability.online.len(), 1..=8)?;
            at.count("offline", availability.offline.len(), 1..=8)?;
            check_path(&at, availability.path.as_ref())?;
        }
        at.count("ask", self.ask.len(), 0..=8)?;
        for ask in &self.ask {
            let at = at.key("ask");
            at.topic("topic", &ask.topic, self.settings.keys())?;
            at.placeholders("payload", &ask.payload, self.settings.keys())?;
            at.number("every_s", f64::from(ask.every_s), 1.0..=86_400.0)?;
        }
        for (name, point) in &self.points {
            point.check(&at.key("points").key(name.word()), *name, &self.settings)?;
        }
        self.commands.check(&at.key("commands"), &self.settings)?;
        if let Some(thermostat) = &self.thermostat {
            let at = at.key("thermostat");
            thermostat.low.check(&at.key("low"))?;
            thermostat.high.check(&at.key("high"))?;
        }
        if let Some(scan) = &self.scan {
            let at = at.key("scan");
            at.text("filter", &scan.filter, 1..=128)?;
            at.number("level", f64::from(scan.level), 0.0..=15.0)?;
            if !self.settings.contains_key(&scan.setting) {
                return Err(at.wrong("setting", &scan.setting, "there is no such key in [mqtt.settings]"));
            }
        }
        match &self.discovery {
            Some(discovery) => discovery.check(&at.key("discovery"), device, &self.settings),
            None => self.complete(at, device),
        }
    }

    /// Whether there is everything such a device must have.
    fn complete(&self, at: &In<'_>, device: DeviceKind) -> Result<(), TemplateError> {
        let points = at.key("points");
        let need = |names: &[PointName]| {
            if names.iter().any(|name| self.points.contains_key(name)) {
                return Ok(());
            }
            let words: Vec<&str> = names.iter().map(|name| name.word()).collect();
            Err(points.wrong(&words.join(" or "), &"missing", &format!("a {} must have it", device.word())))
        };
        let commands = at.key("commands");
        match device {
            DeviceKind::Meter => {
                need(&[PointName::Power])?;
                need(&[PointName::Imported])
            }
            DeviceKind::Plug => {
                need(&[PointName::Power])?;
                need(&[PointName::On])?;
                match self.commands.switch {
                    Some(_) => Ok(()),
                    None => Err(commands.wrong("switch", &"missing", "a plug must have it")),
                }
            }
            _ => {
                need(&[PointName::Room])?;
                need(&[PointName::Power, PointName::Running])?;
                self.told(&commands, &points)
            }
        }
    }

    /// Whether a heat pump can be told more and less, and its state shows what it was told.
    fn told(&self, commands: &In<'_>, points: &In<'_>) -> Result<(), TemplateError> {
        let Commands { power, setpoint, mode, .. } = &self.commands;
        let has = |name| self.points.contains_key(&name);
        match (power, &self.thermostat) {
            (Some(_), _) if has(PointName::HeldPower) => Ok(()),
            (Some(_), _) => Err(points.wrong("held_power", &"missing", "what is told must be read back")),
            (None, None) => Err(commands.wrong(
                "power",
                &"missing",
                "a heat pump takes a power, or has [mqtt.thermostat]",
            )),
            (None, Some(thermostat)) => {
                let levels = [&thermostat.low, &thermostat.high];
                let by_setpoint = levels.iter().any(|level| level.setpoint_celsius.is_some());
                let by_mode = levels.iter().any(|level| level.mode.is_some());
                if by_setpoint && (setpoint.is_none() || !has(PointName::Setpoint)) {
                    return Err(commands.wrong(
                        "setpoint",
                        &"missing",
                        "[mqtt.thermostat] needs it, and the point",
                    ));
                }
                if by_mode && (mode.is_none() || !has(PointName::Mode)) {
                    return Err(commands.wrong(
                        "mode",
                        &"missing",
                        "[mqtt.thermostat] needs it, and the point",
                    ));
                }
                Ok(())
            }
        }
    }
}

fn check_path(at: &In<'_>, path: Option<&String>) -> Result<(), TemplateError> {
    let Some(path) = path else { return Ok(()) };
    at.text("path", path, 1..=128)?;
    match crate::mqtt::path::JsonPath::parse(path) {
        Some(_) => Ok(()),
        None => Err(at.wrong("path", &format!("{path:?}"), "it must be of the form a.b[0].c")),
    }
}

impl PointTemplate {
    /// All its topics.
    pub fn topics(&self) -> impl Iterator<Item = &String> {
        self.topic.iter().chain(&self.topics)
    }

    fn check(
        &self,
        at: &In<'_>,
        name: PointName,
        settings: &BTreeMap<String, Setting>,
    ) -> Result<(), TemplateError> {
        let sources = usize::from(self.topic.is_some()) + usize::from(!self.topics.is_empty());
        if sources + usize::from(self.constant.is_some()) != 1 {
            return Err(at.wrong("topic, topics or constant", &sources, "exactly one must be there"));
        }
        at.count("topics", self.topics.len(), 0..=6)?;
        for topic in self.topics() {
            at.topic("topic", topic, settings.keys())?;
        }
        check_path(at, self.path.as_ref())?;
        at.count("also", self.also.len(), 0..=4)?;
        for place in &self.also {
            let at = at.key("also");
            at.topic("topic", &place.topic, settings.keys())?;
            check_path(&at, place.path.as_ref())?;
        }
        if !self.also.is_empty() && !self.topics.is_empty() {
            return Err(at.wrong(
                "also",
                &self.also.len(),
                "what is added from several topics has one place for each",
            ));
        }
        let quantity = name.quantity();
        match (self.unit, quantity) {
            (None, Quantity::Switch | Quantity::Word) => {}
            (Some(unit), _) if unit.fits(quantity) => {}
            (unit, _) => return Err(at.wrong("unit", &format!("{unit:?}"), "it is no unit of this point")),
        }
        if quantity == Quantity::Switch {
            at.count("on", self.on.len(), 1..=8)?;
            at.count("off", self.off.len(), 1..=8)?;
        } else if !self.on.is_empty() || !self.off.is_empty() {
            return Err(at.wrong("on", &format!("{:?}", self.on), "only what is on or off has words for it"));
        }
        if self.scale.is_some_and(|scale| scale == 0.0) {
            return Err(at.wrong("scale", &0, "it must not be 0"));
        }
        at.number("scale", self.scale.unwrap_or(1.0), -1e9..=1e9)?;
        at.number("constant", self.constant.unwrap_or(0.0), -1e9..=1e9)?;
        let (min, max) = (self.min.unwrap_or(-1e15), self.max.unwrap_or(1e15));
        if min.is_nan() || max.is_nan() || min >= max {
            return Err(at.wrong("min", &min, &format!("it must lie below max, which is {max}")));
        }
        at.number("step", self.step.unwrap_or(1.0), 1e-6..=1e6)?;
        at.number("frozen_after_s", f64::from(self.frozen_after_s.unwrap_or(10)), 10.0..=86_400.0)
    }
}

impl Commands {
    fn check(&self, at: &In<'_>, settings: &BTreeMap<String, Setting>) -> Result<(), TemplateError> {
        let payload = |at: &In<'_>, key: &str, payload: &String, valued: bool| {
            at.text(key, payload, 1..=512)?;
            at.placeholders(key, payload, settings.keys())?;
            if valued && !payload.contains("{value}") {
                return Err(at.wrong(key, &format!("{payload:?}"), "it must have {value} in it"));
            }
            Ok(())
        };
        if let Some(switch) = &self.switch {
            let at = at.key("switch");
            at.topic("topic", &switch.topic, settings.keys())?;
            payload(&at, "on", &switch.on, false)?;
            payload(&at, "off", &switch.off, false)?;
        }
        if let Some(power) = &self.power {
            let at = at.key("power");
            at.topic("topic", &power.topic, settings.keys())?;
            payload(&at, "value", &power.value, true)?;
            payload(&at, "release", &power.release, false)?;
            if !power.unit.fits(Quantity::Power) {
                return Err(at.wrong("unit", &format!("{:?}", power.unit), "it is no unit of power"));
            }
        }
        for (name, command) in [("setpoint", &self.setpoint), ("mode", &self.mode)] {
            let Some(command) = command else { continue };
            let at = at.key(name);
            at.topic("topic", &command.topic, settings.keys())?;
            payload(&at, "value", &command.value, true)?;
            let (min, max) = (command.min.unwrap_or(-50.0), command.max.unwrap_or(95.0));
            at.number("min", min, -50.0..=95.0)?;
            at.number("max", max, -50.0..=95.0)?;
            if min >= max {
                return Err(at.wrong("min", &min, &format!("it must lie below max, which is {max}")));
            }
            at.number("step", command.step.unwrap_or(0.1), 0.01..=10.0)?;
            if command.unit.is_some_and(|unit| !unit.fits(Quantity::Temperature)) {
                return Err(at.wrong("unit", &format!("{:?}", command.unit), "it is no unit of temperature"));
            }
        }
        Ok(())
    }
}

impl Level {
    fn check(&self, at: &In<'_>) -> Result<(), TemplateError> {
        if self.setpoint_celsius.is_none() && self.mode.is_none() {
            return Err(at.wrong("setpoint_celsius or mode", &"missing", "one of them must be there"));
        }
        at.number("setpoint_celsius", self.setpoint_celsius.unwrap_or(20.0), -10.0..=90.0)?;
        self.mode.iter().try_for_each(|mode| at.text("mode", mode, 1..=32))
    }
}
