//! What devices announce for Home Assistant: JSON on `PREFIX/COMPONENT/[NODE/]OBJECT/config`, with abbreviated keys and
//! `~` for what topics begin with, one entity or, on `PREFIX/device/...`, all of a device's.

use super::path::{value_template, Taken};
use super::payload::MAX_PAYLOAD_BYTES;
use super::profile::Presence;
use crate::template::EntityPattern;
use serde_json::{Map, Value};

/// Most entities of one announcement.
const MAX_ENTITIES: usize = 64;

/// Home Assistant's abbreviations of the keys that are read here.
const SHORT: [(&str, &str); 37] = [
    ("act_t", "action_topic"),
    ("act_tpl", "action_template"),
    ("avty", "availability"),
    ("avty_t", "availability_topic"),
    ("avty_tpl", "availability_template"),
    ("cmd_t", "command_topic"),
    ("cmd_tpl", "command_template"),
    ("cmps", "components"),
    ("curr_temp_t", "current_temperature_topic"),
    ("curr_temp_tpl", "current_temperature_template"),
    ("dev", "device"),
    ("dev_cla", "device_class"),
    ("ids", "identifiers"),
    ("max_temp", "max_temp"),
    ("min_temp", "min_temp"),
    ("mode_cmd_t", "mode_command_topic"),
    ("mode_stat_t", "mode_state_topic"),
    ("mode_stat_tpl", "mode_state_template"),
    ("name", "name"),
    ("obj_id", "object_id"),
    ("p", "platform"),
    ("pl_avail", "payload_available"),
    ("pl_not_avail", "payload_not_available"),
    ("pl_off", "payload_off"),
    ("pl_on", "payload_on"),
    ("pl_rst", "payload_reset"),
    ("stat_off", "state_off"),
    ("stat_on", "state_on"),
    ("stat_t", "state_topic"),
    ("t", "topic"),
    ("temp_cmd_t", "temperature_command_topic"),
    ("temp_stat_t", "temperature_state_topic"),
    ("temp_stat_tpl", "temperature_state_template"),
    ("temp_unit", "temperature_unit"),
    ("uniq_id", "unique_id"),
    ("unit_of_meas", "unit_of_measurement"),
    ("val_tpl", "value_template"),
];

/// One thing a device announced.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    component: String,
    keys: Map<String, Value>,
    device: Map<String, Value>,
    node: String,
}

/// The entities announced by a message, none where it is no announcement or takes one back.
///
/// # Errors
/// The label under which a malformed announcement is counted.
pub fn entities(prefix: &str, topic: &str, payload: &[u8]) -> Result<Vec<Entity>, &'static str> {
    let inner = topic.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/'));
    let Some(inner) = inner.and_then(|inner| inner.strip_suffix("/config")) else { return Ok(Vec::new()) };
    if payload.len() > 4 * MAX_PAYLOAD_BYTES {
        return Err("oversized");
    }
    if payload.is_empty() {
        return Ok(Vec::new());
    }
    let Ok(Value::Object(keys)) = serde_json::from_slice(payload) else { return Err("malformed") };
    let keys = expanded(keys);
    let (component, object) = inner.split_once('/').ok_or("malformed")?;
    let node = object.split('/').next().unwrap_or_default().to_owned();
    let device = match keys.get("device") {
        Some(Value::Object(device)) => expanded(device.clone()),
        _ => Map::new(),
    };
    let one = |component: &str, keys| Entity {
        component: component.to_owned(),
        keys,
        device: device.clone(),
        node: node.clone(),
    };
    match keys.get("components") {
        Some(Value::Object(components)) if component == "device" => {
            let shared: Map<String, Value> = keys
                .iter()
                .filter(|(key, _)| key.starts_with("availability") || *key == "~")
                .map(pair)
                .collect();
            let inner = components.values().take(MAX_ENTITIES).filter_map(|keys| {
                let mut all = shared.clone();
                all.extend(expanded(keys.as_object()?.clone()));
                let platform = all.get("platform")?.as_str()?.to_owned();
                Some(one(&platform, with_base(all)))
            });
            Ok(inner.collect())
        }
        _ => Ok(vec![one(component, with_base(keys.clone()))]),
    }
}

fn pair((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

fn expanded(keys: Map<String, Value>) -> Map<String, Value> {
    let long =
        |key: String| SHORT.iter().find(|(short, _)| *short == key).map_or(key, |(_, long)| (*long).into());
    keys.into_iter().map(|(key, value)| (long(key), value)).collect()
}

/// Puts what stands under `~` where topics begin or end with it.
fn with_base(mut keys: Map<String, Value>) -> Map<String, Value> {
    let Some(base) = keys.get("~").and_then(Value::as_str).map(str::to_owned) else { return keys };
    for (key, value) in &mut keys {
        let Value::String(topic) = value else { continue };
        if !key.ends_with("topic") {
            continue;
        }
        if let Some(rest) = topic.strip_prefix('~') {
            *topic = format!("{base}{rest}");
        } else if let Some(rest) = topic.strip_suffix('~') {
            *topic = format!("{rest}{base}");
        }
    }
    keys
}

impl Entity {
    /// Whether it is of the device so called: by identifier, name or node.
    pub fn is_of(&self, device: &str) -> bool {
        let named = |key: &str| match self.device.get(key) {
            Some(Value::String(text)) => text == device,
            Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(device)),
            _ => false,
        };
        self.node == device || named("identifiers") || named("name")
    }

    /// What its device is called: its first identifier, or its name.
    pub fn device(&self) -> Option<(String, String)> {
        let first = match self.device.get("identifiers")? {
            Value::Array(several) => several.first()?.as_str()?,
            one => one.as_str()?,
        };
        let name = self.device.get("name").and_then(Value::as_str).unwrap_or(first);
        Some((first.to_owned(), name.to_owned()))
    }

    /// Whether it is what the pattern describes.
    pub fn fits(&self, pattern: &EntityPattern) -> bool {
        let id = ["unique_id", "object_id", "name"].iter().filter_map(|key| self.text(key));
        let id: String = id.collect::<Vec<_>>().join(" ").to_ascii_lowercase();
        let has = |text: &Option<String>| text.as_ref().map(|text| id.contains(&text.to_ascii_lowercase()));
        self.component == pattern.component
            && pattern.device_class.as_deref().is_none_or(|class| self.text("device_class") == Some(class))
            && has(&pattern.contains).unwrap_or(true)
            && !has(&pattern.without).unwrap_or(false)
            && self.topic(&pattern.topic_key).is_some()
    }

    /// A text among its keys.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.keys.get(key)?.as_str()
    }

    /// A number among them.
    pub fn number(&self, key: &str) -> Option<f64> {
        self.keys.get(key)?.as_f64()
    }

    /// A topic among them, where it is one that can be followed.
    pub fn topic(&self, key: &str) -> Option<String> {
        let topic = self.text(key)?;
        let sound =
            !topic.is_empty() && topic.len() <= 256 && !topic.contains(['+', '#']) && !topic.starts_with('$');
        sound.then(|| topic.to_owned())
    }

    /// Where it says whether it is there.
    pub fn presence(&self) -> Vec<Presence> {
        let listed = self.keys.get("availability").and_then(Value::as_array);
        let listed = listed.into_iter().flatten().take(4).filter_map(|one| {
            let keys = with_base(expanded(one.as_object()?.clone()));
            presence(&Self { keys, ..self.clone() }, "topic", "value_template")
        });
        listed.chain(presence(self, "availability_topic", "availability_template")).collect()
    }
}

fn presence(entity: &Entity, topic_key: &str, template_key: &str) -> Option<Presence> {
    let topic = entity.topic(topic_key)?;
    let path = match entity.text(template_key).and_then(value_template) {
        Some(Taken::At(path)) => Some(path),
        _ => None,
    };
    let word = |key, usual: &str| vec![entity.text(key).unwrap_or(usual).to_owned()];
    let (online, offline) = (word("payload_available", "online"), word("payload_not_available", "offline"));
    Some(Presence { topic, path, online, offline })
}
