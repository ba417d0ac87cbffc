//! What templates say of devices that announce themselves for Home Assistant: which of the announced entities is
//! which point. (Home Assistant's MQTT discovery: `PREFIX/COMPONENT/[NODE/]OBJECT/config`.)

use super::check::In;
use super::{DeviceKind, PointName, Setting, TemplateError};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Points and commands by what the device announces.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discovery {
    /// What discovery topics begin with.
    #[serde(default = "prefix")]
    pub prefix: String,
    /// The setting that says which device is meant: one of its identifiers, its name or its node.
    pub setting: String,
    /// Which entity is which point.
    pub points: BTreeMap<PointName, EntityPattern>,
    /// Which entity takes which command.
    #[serde(default)]
    pub commands: EntityCommands,
}

/// An entity by what it announces of itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntityPattern {
    /// Its component, as `sensor`, `switch` or `climate`.
    pub component: String,
    /// Its device class, as `power`.
    pub device_class: Option<String>,
    /// A text in its unique or object identifier, where one device has several of a class.
    pub contains: Option<String>,
    /// A text that must not be there.
    pub without: Option<String>,
    /// Which key names the topic.
    #[serde(default = "state_topic")]
    pub topic_key: String,
    /// Which key holds the template by which the value is found.
    #[serde(default = "value_template")]
    pub template_key: String,
    /// Whether the device may lack it.
    #[serde(default)]
    pub optional: bool,
    /// For what is on or off: words that mean on, besides those announced.
    #[serde(default)]
    pub on: Vec<String>,
    /// Words that mean off.
    #[serde(default)]
    pub off: Vec<String>,
}

/// Which entity takes which command.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntityCommands {
    /// On and off.
    pub switch: Option<EntityPattern>,
    /// A power.
    pub power: Option<EntityPattern>,
    /// A temperature.
    pub setpoint: Option<EntityPattern>,
    /// A mode.
    pub mode: Option<EntityPattern>,
}

impl EntityCommands {
    /// All there are, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &EntityPattern)> {
        [("switch", &self.switch), ("power", &self.power), ("setpoint", &self.setpoint), ("mode", &self.mode)]
            .into_iter()
            .filter_map(|(name, pattern)| Some((name, pattern.as_ref()?)))
    }
}

fn prefix() -> String {
    "homeassistant".to_owned()
}

fn state_topic() -> String {
    "state_topic".to_owned()
}

fn value_template() -> String {
    "value_template".to_owned()
}

impl Discovery {
    pub(super) fn check(
        &self,
        at: &In<'_>,
        device: DeviceKind,
        settings: &BTreeMap<String, Setting>,
    ) -> Result<(), TemplateError> {
        at.topic("prefix", &self.prefix, [].iter())?;
        if !settings.contains_key(&self.setting) {
            return Err(at.wrong("setting", &self.setting, "there is no such key in [mqtt.settings]"));
        }
        let points = at.key("points");
        for (name, pattern) in &self.points {
            pattern.check(&points.key(name.word()))?;
        }
        for (name, pattern) in self.commands.iter() {
            pattern.check(&at.key("commands").key(name))?;
        }
        let has = |name| self.points.contains_key(&name);
        let sound = match device {
            DeviceKind::Meter => has(PointName::Power) && has(PointName::Imported),
            DeviceKind::Plug => has(PointName::Power) && has(PointName::On) && self.commands.switch.is_some(),
            _ => has(PointName::Room) && (has(PointName::Power) || has(PointName::Running)),
        };
        if sound {
            return Ok(());
        }
        Err(at.wrong("points", &"incomplete", &format!("a {} needs more points or commands", device.word())))
    }
}

impl EntityPattern {
    fn check(&self, at: &In<'_>) -> Result<(), TemplateError> {
        at.text("component", &self.component, 1..=32)?;
        at.text("topic_key", &self.topic_key, 1..=64)?;
        at.text("template_key", &self.template_key, 1..=64)?;
        for (key, text) in
            [("device_class", &self.device_class), ("contains", &self.contains), ("without", &self.without)]
        {
            text.iter().try_for_each(|text| at.text(key, text, 1..=64))?;
        }
        Ok(())
    }
}
