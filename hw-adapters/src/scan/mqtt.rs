//! Looking for devices on a broker: what the templates say such devices publish, and what announces itself for Home
//! Assistant.

use super::{Finding, ScanError};
use crate::mqtt::entity::entities;
use crate::mqtt::login::BrokerLogin;
use crate::mqtt::{address, client_id, connect, Heard};
use crate::template::{Catalogue, Discovery, EntityPattern, ScanTemplate};
use rumqttc::QoS;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::{timeout_at, Instant};

/// Most devices found.
const FOUND_MAX: usize = 500;

/// Listens at `broker` (`host:port`), as `login` says who we are, for so long, and says which devices were noticed.
///
/// # Errors
/// Where there is no broker at that address, or it does not take us.
pub async fn scan_broker(
    (broker, login): (&str, &BrokerLogin),
    catalogue: &Catalogue,
    listen: Duration,
) -> Result<Vec<Finding>, ScanError> {
    let wrong = |reason: String| ScanError { address: broker.to_owned(), reason };
    let host = address(broker).map_err(wrong)?;
    let access = login.access().map_err(|error| wrong(error.to_string()))?;
    let (client, mut heard) = connect(client_id(&format!("scan/{}", std::process::id())), host, &access);
    let deadline = Instant::now() + listen;
    let mut sight = Sight::default();
    let mut last = "no answer".to_owned();
    let mut connected = false;
    while let Ok(Some(said)) = timeout_at(deadline, heard.recv()).await {
        match said {
            Heard::Connected => {
                connected = true;
                for filter in filters(catalogue) {
                    let asked = client.try_subscribe(filter, QoS::AtMostOnce);
                    asked.map_err(|e| wrong(e.to_string()))?;
                }
            }
            Heard::Disconnected(error) if !connected => return Err(wrong(error)),
            Heard::Disconnected(error) => last = error,
            Heard::Message { topic, payload, .. } => sight.see(catalogue, &topic, &payload),
            Heard::Flood => {}
        }
    }
    if connected {
        Ok(sight.findings(broker, catalogue))
    } else {
        Err(wrong(last))
    }
}

fn filters(catalogue: &Catalogue) -> BTreeSet<String> {
    let mqtt = || catalogue.iter().filter_map(|(_, template)| template.mqtt.as_ref());
    let scans = mqtt().filter_map(|mqtt| mqtt.scan.as_ref()).map(|scan| scan.filter.clone());
    let announced = mqtt().filter_map(|mqtt| mqtt.discovery.as_ref()).flat_map(|discovery| {
        ["+/+/config", "+/+/+/config"].map(|rest| format!("{}/{rest}", discovery.prefix))
    });
    scans.chain(announced).collect()
}

/// What has been noticed so far.
#[derive(Default)]
struct Sight {
    /// Names by the template and setting they were noticed for.
    names: BTreeSet<(String, String, String)>,
    /// Names and entities of devices that announced themselves, by identifier.
    announced: BTreeMap<String, (String, Vec<crate::mqtt::entity::Entity>)>,
}

impl Sight {
    fn see(&mut self, catalogue: &Catalogue, topic: &str, payload: &[u8]) {
        if self.names.len() + self.announced.len() >= FOUND_MAX {
            return;
        }
        for (name, template) in catalogue.iter() {
            let Some(mqtt) = &template.mqtt else { continue };
            if let Some((scan, device)) =
                mqtt.scan.as_ref().and_then(|scan| Some((scan, noticed(scan, topic, payload)?)))
            {
                self.names.insert((name.to_owned(), scan.setting.clone(), device));
            }
        }
        let mut prefixes: Vec<&str> = catalogue
            .iter()
            .filter_map(|(_, template)| template.mqtt.as_ref()?.discovery.as_ref())
            .map(|discovery| discovery.prefix.as_str())
            .collect();
        prefixes.dedup();
        for prefix in prefixes {
            for entity in entities(prefix, topic, payload).unwrap_or_default() {
                if let Some((id, name)) = entity.device() {
                    let (_, all) = self.announced.entry(id).or_insert((name, Vec::new()));
                    if all.len() < 64 {
                        all.push(entity);
                    }
                }
            }
        }
    }

    fn findings(self, broker: &str, catalogue: &Catalogue) -> Vec<Finding> {
        let finding = |what: String, templates| Finding {
            protocol: "mqtt",
            address: broker.to_owned(),
            line: None,
            unit: None,
            what,
            models: Vec::new(),
            templates,
        };
        let mut found: Vec<Finding> = self
            .names
            .into_iter()
            .map(|(template, setting, device)| {
                let settings = BTreeMap::from([(setting, device.clone())]);
                finding(device, vec![(template, settings)])
            })
            .collect();
        for (id, (name, entities)) in self.announced {
            let templates: Vec<(String, BTreeMap<String, String>)> = catalogue
                .iter()
                .filter_map(|(template, described)| {
                    let discovery = described.mqtt.as_ref()?.discovery.as_ref()?;
                    complete(discovery, &entities).then(|| {
                        (template.to_owned(), BTreeMap::from([(discovery.setting.clone(), id.clone())]))
                    })
                })
                .collect();
            found.push(finding(name, templates));
        }
        found
    }
}

/// The device's name, where a message is one of those a template looks for.
fn noticed(scan: &ScanTemplate, topic: &str, payload: &[u8]) -> Option<String> {
    let (wanted, levels): (Vec<&str>, Vec<&str>) =
        (scan.filter.split('/').collect(), topic.split('/').collect());
    let fits =
        wanted.len() == levels.len() && wanted.iter().zip(&levels).all(|(w, level)| *w == "+" || w == level);
    let device = levels.get(usize::from(scan.level)).filter(|_| fits)?;
    let begins = scan.begins.as_ref().is_none_or(|begins| device.starts_with(begins.as_str()));
    let text = std::str::from_utf8(payload).ok()?;
    let contains = scan.contains.as_ref().is_none_or(|part| text.contains(part.as_str()));
    (begins && contains && device.len() <= 128).then(|| (*device).to_owned())
}

fn complete(discovery: &Discovery, entities: &[crate::mqtt::entity::Entity]) -> bool {
    let there =
        |pattern: &EntityPattern| pattern.optional || entities.iter().any(|entity| entity.fits(pattern));
    discovery.points.values().all(there) && discovery.commands.iter().all(|(_, pattern)| there(pattern))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(messages: &[(&str, &str)], expected: &[(&str, &str)]) {
        let catalogue = Catalogue::built_in().unwrap();
        let mut sight = Sight::default();
        for (topic, payload) in messages {
            sight.see(&catalogue, topic, payload.as_bytes());
        }
        let found = sight.findings("b:1883", &catalogue);
        let templates = found.iter().flat_map(|finding| {
            finding.templates.iter().map(|(template, _)| (finding.what.as_str(), template.as_str()))
        });
        assert_eq!(templates.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn devices_are_noticed_by_what_they_publish() {
        check(&[("shellies/shellyplug-s-1/online", "true")], &[("shellyplug-s-1", "shelly-gen1-plug")]);
        check(
            &[("shellyplusplugs-2/online", "true"), ("door/online", "true")],
            &[("shellyplusplugs-2", "shelly-gen2-plug")],
        );
        check(
            &[("tele/t/SENSOR", r#"{"ENERGY":{}}"#), ("tele/u/SENSOR", r#"{"DS18B20":{}}"#)],
            &[("t", "tasmota-plug")],
        );
        check(
            &[("zigbee2mqtt/Lamp", r#"{"state":"ON"}"#), ("zigbee2mqtt/Plug", r#"{"power":1}"#)],
            &[("Plug", "zigbee2mqtt-plug")],
        );
        let switch = r#"{"stat_t":"a/r","cmd_t":"a/s","dev":{"ids":["a"],"name":"Boiler"}}"#;
        let power = r#"{"stat_t":"a/p","dev_cla":"power","dev":{"ids":["a"],"name":"Boiler"}}"#;
        check(&[("homeassistant/switch/a/r/config", switch)], &[]);
        let both = [("homeassistant/switch/a/r/config", switch), ("homeassistant/sensor/a/p/config", power)];
        check(&both, &[("Boiler", "homeassistant-plug")]);
        check(&[("homeassistant/switch/a/r/config", "{"), ("x", "\u{0}")], &[]);
    }
}
