//! A template with a site's own settings put in: every topic, payload and figure as it is used.

use super::entity::Entity;
use super::path::{value_template, JsonPath, Taken};
use super::payload::Found;
use crate::template::{
    AskTemplate, Commands, DeviceKind, Discovery, EntityPattern, Level, MqttTemplate, PointName,
    PointTemplate, PowerCommand, Quantity, SwitchCommand, Template, Thermostat, Unit, ValueCommand,
};
use market::units::Milliwatt;
use std::collections::BTreeMap;
use thiserror::Error;

/// A power beyond its nameplate by more than this is not believed.
const NAMEPLATE_TOLERANCE: f64 = 1.2;
/// What a counter counts by where nobody says, in millijoules: 10 Wh.
const STEP_MILLIJOULE: i64 = 36_000_000;

/// What a site says of one device on a broker.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// The template's placeholders.
    pub settings: BTreeMap<String, String>,
    /// Nameplate, in watts.
    pub power_max_w: Option<u32>,
    /// Milliseconds after which a value is stale.
    pub stale_after_ms: Option<u64>,
    /// Milliseconds within which its state must show what it was told.
    pub answer_within_ms: Option<u64>,
    /// A topic with the outdoor temperature as a plain number of degrees Celsius.
    pub outdoor_topic: Option<String>,
    /// The outdoor temperature, where no device says it.
    pub outdoor_celsius: Option<f64>,
    /// A thermostat's temperature for no power.
    pub low_celsius: Option<f64>,
    /// A thermostat's temperature for all its power.
    pub high_celsius: Option<f64>,
}

/// A configuration that makes no device.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProfileError {
    /// A placeholder of the template that nobody fills in.
    #[error("settings.{name} is missing: {about}")]
    Missing {
        /// The setting.
        name: String,
        /// What it is.
        about: String,
    },
    /// A setting the template does not have.
    #[error("the template has no settings.{name}; it has: {known}")]
    Unknown {
        /// The setting.
        name: String,
        /// Those it has.
        known: String,
    },
    /// A value that can't be.
    #[error("{key} is {value:?}: {rule}")]
    Value {
        /// The key.
        key: &'static str,
        /// What stands there.
        value: String,
        /// What must hold.
        rule: &'static str,
    },
    /// Something that neither template nor site says.
    #[error("{what} is known neither from the template nor from the site's configuration: set {key}")]
    Lacking {
        /// What is missing.
        what: &'static str,
        /// The key that says it.
        key: &'static str,
    },
}

/// A topic that says whether the device is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Presence {
    /// The topic.
    pub topic: String,
    /// Where in its JSON; none for a plain payload.
    pub path: Option<JsonPath>,
    /// Words that mean it is there.
    pub online: Vec<String>,
    /// Words that mean it isn't.
    pub offline: Vec<String>,
}

/// One point: where its parts come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Where it is found: topics, and where in their JSON; nowhere where it is `constant`.
    pub places: Vec<(String, Option<JsonPath>)>,
    /// Whether what is found there is added; otherwise the newest counts.
    pub sum: bool,
    /// Whether it is said on change only: it then holds as long as the device says anything.
    pub holds: bool,
    /// How the value is read there.
    pub found: Found,
    /// What it always is, in thousandths; none where it is said.
    pub constant: Option<i64>,
    /// What a counter counts by.
    pub step: i64,
    /// After so long a value that is not 0 and is the very same is frozen.
    pub frozen_after_ms: Option<u64>,
}

/// A device on a broker as it is followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// What it is.
    pub device: DeviceKind,
    /// Where it says whether it is there.
    pub presence: Vec<Presence>,
    /// After so long without a message a value is none.
    pub stale_after_ms: u64,
    /// Within so long its state must show what it was told.
    pub answer_within_ms: u64,
    /// Its points.
    pub points: BTreeMap<PointName, Source>,
    /// How it is told.
    pub commands: Commands,
    /// How its state is asked for.
    pub ask: Vec<AskTemplate>,
    /// How a thermostat takes more and less.
    pub thermostat: Option<Thermostat>,
    /// Its nameplate, where it doesn't say it itself.
    pub power_max: Option<Milliwatt>,
    /// What it follows of Home Assistant's discovery, and which device is meant.
    pub discovery: Option<(Discovery, String)>,
    /// Points of the site's own, which no discovery undoes.
    outdoor: Option<Source>,
}

impl Profile {
    /// The device of `template` with the site's own settings.
    ///
    /// # Errors
    /// What is missing, unknown or can't be, by its key.
    pub fn resolve(template: &Template, site: &Overrides) -> Result<Self, ProfileError> {
        let empty = MqttTemplate::empty();
        let mqtt = template.mqtt.as_ref().unwrap_or(&empty);
        let settings = settings(mqtt, site)?;
        let fill = |text: &str| filled(text, &settings);
        let power_max = site.power_max_w.or(template.power_max_w).map(|w| Milliwatt(i64::from(w) * 1000));
        let mut points: BTreeMap<PointName, Source> =
            mqtt.points.iter().map(|(name, point)| (*name, source(*name, point, &fill))).collect();
        let outdoor = outdoor(site)?;
        points.extend(outdoor.clone().map(|source| (PointName::Outdoor, source)));
        let presence = mqtt.availability.iter().map(|availability| Presence {
            topic: fill(&availability.topic),
            path: availability.path.as_deref().and_then(JsonPath::parse),
            online: availability.online.clone(),
            offline: availability.offline.clone(),
        });
        let discovery = mqtt.discovery.clone().map(|discovery| {
            let device = settings.get(&discovery.setting).cloned().unwrap_or_default();
            (discovery, device)
        });
        let mut profile = Self {
            device: template.device,
            presence: presence.collect(),
            stale_after_ms: bounded("stale_after_ms", site.stale_after_ms, 100..=86_400_000)?
                .unwrap_or(u64::from(mqtt.stale_after_s) * 1000),
            answer_within_ms: bounded("answer_within_ms", site.answer_within_ms, 100..=60_000)?
                .unwrap_or(u64::from(mqtt.answer_within_ms)),
            points,
            commands: filled_commands(&mqtt.commands, &fill),
            ask: mqtt
                .ask
                .iter()
                .map(|ask| AskTemplate {
                    topic: fill(&ask.topic),
                    payload: fill(&ask.payload),
                    ..ask.clone()
                })
                .collect(),
            thermostat: levels(mqtt.thermostat.as_ref(), site)?,
            power_max,
            discovery,
            outdoor,
        };
        if let Some(clock) = profile.points.get_mut(&PointName::Clock) {
            clock.frozen_after_ms.get_or_insert(profile.stale_after_ms);
        }
        profile.bound_power();
        profile.lacks_nothing()?;
        Ok(profile)
    }

    /// The same device by what it announces.
    ///
    /// # Errors
    /// Which point or command none of its entities is.
    pub fn discovered(&self, entities: &[Entity]) -> Result<Self, String> {
        let Some((discovery, _)) = &self.discovery else { return Ok(self.clone()) };
        let mut profile = self.clone();
        for (name, pattern) in &discovery.points {
            let entity = entities.iter().find(|entity| entity.fits(pattern));
            match entity.map(|entity| announced_source(*name, entity, pattern)) {
                Some(Ok(source)) => {
                    profile.points.insert(*name, source);
                    profile.presence.extend(entity.iter().flat_map(|entity| entity.presence()));
                }
                Some(Err(reason)) => return Err(format!("{}: {reason}", name.word())),
                None if pattern.optional || profile.points.contains_key(name) => {}
                None => return Err(format!("no {} with it for {}", pattern.component, name.word())),
            }
        }
        profile.points.extend(self.outdoor.clone().map(|source| (PointName::Outdoor, source)));
        for (name, pattern) in discovery.commands.iter() {
            let Some(entity) = entities.iter().find(|entity| entity.fits(pattern)) else {
                if pattern.optional {
                    continue;
                }
                return Err(format!("no {} that takes {name}", pattern.component));
            };
            profile.take_command(name, entity, pattern)?;
        }
        profile.presence.sort_by(|a, b| a.topic.cmp(&b.topic));
        profile.presence.dedup_by(|a, b| a.topic == b.topic);
        profile.bound_power();
        profile.lacks_nothing().map_err(|e| e.to_string())?;
        Ok(profile)
    }

    fn take_command(&mut self, name: &str, entity: &Entity, pattern: &EntityPattern) -> Result<(), String> {
        let topic =
            entity.topic(&pattern.topic_key).ok_or_else(|| format!("{name}: no {}", pattern.topic_key))?;
        if entity.text("command_template").is_some_and(|text| value_template(text) != Some(Taken::Whole)) {
            return Err(format!("{name}: its command_template is a program"));
        }
        let value = || ValueCommand {
            topic: topic.clone(),
            value: "{value}".to_owned(),
            min: entity.number("min_temp"),
            max: entity.number("max_temp"),
            step: entity.number("temp_step"),
            unit: entity.text("temperature_unit").and_then(Unit::of),
        };
        match name {
            "switch" => {
                let on = entity.text("payload_on").unwrap_or("ON").to_owned();
                let off = entity.text("payload_off").unwrap_or("OFF").to_owned();
                self.commands.switch = Some(SwitchCommand { topic, on, off });
            }
            "power" => {
                let unit = entity.text("unit_of_measurement").and_then(Unit::of).unwrap_or(Unit::W);
                let release = entity.text("payload_reset").unwrap_or("auto").to_owned();
                let (held_mode, released_mode) = (None, None);
                self.commands.power = Some(PowerCommand {
                    topic,
                    value: "{value}".into(),
                    unit,
                    release,
                    held_mode,
                    released_mode,
                });
            }
            "setpoint" => self.commands.setpoint = Some(value()),
            _ => self.commands.mode = Some(ValueCommand { min: None, max: None, step: None, ..value() }),
        }
        Ok(())
    }

    /// No power beyond 1.2 times the nameplate is believed, and none below zero but a meter's.
    fn bound_power(&mut self) {
        let most = self.power_max.map(|power| power.0 as f64 * NAMEPLATE_TOLERANCE);
        let least = if self.device == DeviceKind::Meter { most.map(|most| -most) } else { Some(0.0) };
        for name in [PointName::Power, PointName::HeldPower] {
            let Some(source) = self.points.get_mut(&name) else { continue };
            let (low, high) = source.found.range;
            source.found.range = (low.max(least.unwrap_or(low)), high.min(most.unwrap_or(high)));
        }
    }

    fn lacks_nothing(&self) -> Result<(), ProfileError> {
        let known = |name| self.points.contains_key(&name);
        if self.discovery.is_some() && self.points.keys().all(|name| *name == PointName::Outdoor) {
            // What it has, it has yet to announce.
            return Ok(());
        }
        match self.device {
            DeviceKind::Meter => Ok(()),
            DeviceKind::HeatPump if !known(PointName::Outdoor) => Err(ProfileError::Lacking {
                what: "the outdoor temperature",
                key: "outdoor_topic or outdoor_celsius",
            }),
            _ if self.power_max.is_none() && !known(PointName::PowerMax) => {
                Err(ProfileError::Lacking { what: "the device's most power", key: "power_max_w" })
            }
            _ => Ok(()),
        }
    }

    /// Every topic followed.
    pub fn topics(&self) -> Vec<String> {
        let points = self.points.values().flat_map(|source| source.places.iter().map(|(topic, _)| topic));
        let mut topics: Vec<String> = points.chain(self.presence.iter().map(|p| &p.topic)).cloned().collect();
        topics.sort();
        topics.dedup();
        topics
    }
}

fn settings(mqtt: &MqttTemplate, site: &Overrides) -> Result<BTreeMap<String, String>, ProfileError> {
    let known = || mqtt.settings.keys().cloned().collect::<Vec<_>>().join(", ");
    if let Some(name) = site.settings.keys().find(|name| !mqtt.settings.contains_key(*name)) {
        return Err(ProfileError::Unknown { name: name.clone(), known: known() });
    }
    let mut settings = BTreeMap::new();
    for (name, setting) in &mqtt.settings {
        let value = site.settings.get(name).or(setting.default.as_ref());
        let missing = || ProfileError::Missing { name: name.clone(), about: setting.about.clone() };
        let value = value.ok_or_else(missing)?;
        check_topic("settings", value)?;
        settings.insert(name.clone(), value.clone());
    }
    Ok(settings)
}

fn check_topic(key: &'static str, value: &str) -> Result<(), ProfileError> {
    let sound = !value.is_empty()
        && value.len() <= 128
        && !value.starts_with('$')
        && !value.ends_with('/')
        && !value.contains(|c: char| "+#{}\"".contains(c) || c.is_control());
    let rule = "it must be 1 to 128 bytes without wildcards, braces, quotes and control characters";
    sound.then_some(()).ok_or_else(|| ProfileError::Value {
        key,
        value: value.chars().take(80).collect(),
        rule,
    })
}

fn bounded(
    key: &'static str,
    value: Option<u64>,
    range: std::ops::RangeInclusive<u64>,
) -> Result<Option<u64>, ProfileError> {
    match value {
        Some(given) if !range.contains(&given) => {
            Err(ProfileError::Value { key, value: given.to_string(), rule: "it is out of its range" })
        }
        value => Ok(value),
    }
}

fn filled(text: &str, settings: &BTreeMap<String, String>) -> String {
    settings.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

fn filled_commands(commands: &Commands, fill: &impl Fn(&str) -> String) -> Commands {
    let mut commands = commands.clone();
    if let Some(switch) = &mut commands.switch {
        *switch = SwitchCommand { topic: fill(&switch.topic), on: fill(&switch.on), off: fill(&switch.off) };
    }
    if let Some(power) = &mut commands.power {
        (power.topic, power.value, power.release) =
            (fill(&power.topic), fill(&power.value), fill(&power.release));
    }
    for command in commands.setpoint.iter_mut().chain(&mut commands.mode) {
        (command.topic, command.value) = (fill(&command.topic), fill(&command.value));
    }
    commands
}

fn source(name: PointName, point: &PointTemplate, fill: &impl Fn(&str) -> String) -> Source {
    let unit = point.unit;
    let thousandths = |value: f64| unit.map_or(value, |unit| unit.thousandths(value));
    let (min, max) = (point.min.map(thousandths), point.max.map(thousandths));
    let step = point.step.map(|step| (thousandths(step) as i64).max(1));
    let path = |path: &Option<String>| path.as_deref().and_then(JsonPath::parse);
    let places = point.topics().map(|topic| (fill(topic), path(&point.path)));
    let also = point.also.iter().map(|place| (fill(&place.topic), path(&place.path)));
    Source {
        places: places.chain(also).collect(),
        sum: !point.topics.is_empty(),
        holds: point.holds,
        found: Found {
            point: name,
            unit,
            scale: point.scale.unwrap_or(1.0),
            on: point.on.clone(),
            off: point.off.clone(),
            range: (min.unwrap_or(f64::MIN), max.unwrap_or(f64::MAX)),
        },
        constant: point.constant.map(|value| thousandths(value).round() as i64),
        step: step.unwrap_or(STEP_MILLIJOULE),
        frozen_after_ms: point.frozen_after_s.map(|seconds| u64::from(seconds) * 1000),
    }
}

fn announced_source(name: PointName, entity: &Entity, pattern: &EntityPattern) -> Result<Source, String> {
    let topic = entity.topic(&pattern.topic_key).ok_or_else(|| format!("no {}", pattern.topic_key))?;
    let taken = match entity.text(&pattern.template_key) {
        None => Taken::Whole,
        Some(text) => {
            value_template(text).ok_or_else(|| format!("its {} is a program", pattern.template_key))?
        }
    };
    let path = match taken {
        Taken::Whole => None,
        Taken::At(path) => Some(path),
    };
    let told = entity.text("unit_of_measurement").or_else(|| entity.text("temperature_unit"));
    let unit = match (told, name.quantity()) {
        (_, Quantity::Switch | Quantity::Word) => None,
        (Some(told), quantity) => Some(
            Unit::of(told)
                .filter(|unit| unit.fits(quantity))
                .ok_or_else(|| format!("its unit is {told:?}"))?,
        ),
        (None, Quantity::Temperature) => Some(Unit::Celsius),
        (None, _) => return Err("it has no unit_of_measurement".to_owned()),
    };
    let words = |state: &str, payload: &str, usual: &str, more: &[String]| {
        let announced = entity.text(state).or_else(|| entity.text(payload)).unwrap_or(usual);
        std::iter::once(announced.to_owned()).chain(more.iter().cloned()).collect()
    };
    let found = Found {
        point: name,
        unit,
        scale: 1.0,
        on: words("state_on", "payload_on", "ON", &pattern.on),
        off: words("state_off", "payload_off", "OFF", &pattern.off),
        range: (f64::MIN, f64::MAX),
    };
    let holds = matches!(name.quantity(), Quantity::Switch | Quantity::Word) || name == PointName::Setpoint;
    Ok(Source {
        places: vec![(topic, path)],
        sum: false,
        holds,
        found,
        constant: None,
        step: STEP_MILLIJOULE,
        frozen_after_ms: None,
    })
}

fn outdoor(site: &Overrides) -> Result<Option<Source>, ProfileError> {
    let mut point = PointTemplate { unit: Some(Unit::Celsius), ..PointTemplate::default() };
    if let Some(topic) = &site.outdoor_topic {
        check_topic("outdoor_topic", topic)?;
        point.topic = Some(topic.clone());
    } else if let Some(celsius) = site.outdoor_celsius {
        celsius_within("outdoor_celsius", celsius, -60.0..=60.0)?;
        point.constant = Some(celsius);
    } else {
        return Ok(None);
    }
    Ok(Some(source(PointName::Outdoor, &point, &str::to_owned)))
}

fn celsius_within(
    key: &'static str,
    celsius: f64,
    range: std::ops::RangeInclusive<f64>,
) -> Result<(), ProfileError> {
    let rule = "it is out of its range";
    let wrong = || ProfileError::Value { key, value: celsius.to_string(), rule };
    range.contains(&celsius).then_some(()).ok_or_else(wrong)
}

fn levels(template: Option<&Thermostat>, site: &Overrides) -> Result<Option<Thermostat>, ProfileError> {
    let Some(mut levels) = template.cloned() else { return Ok(None) };
    let set = |level: &mut Level, key, celsius: Option<f64>| match celsius {
        Some(celsius) => {
            level.setpoint_celsius = Some(celsius);
            celsius_within(key, celsius, -10.0..=90.0)
        }
        None => Ok(()),
    };
    set(&mut levels.low, "low_celsius", site.low_celsius)?;
    set(&mut levels.high, "high_celsius", site.high_celsius)?;
    if let (Some(low), Some(high)) = (levels.low.setpoint_celsius, levels.high.setpoint_celsius) {
        if low > high {
            let rule = "it must not lie above high_celsius";
            return Err(ProfileError::Value { key: "low_celsius", value: low.to_string(), rule });
        }
    }
    Ok(Some(levels))
}
