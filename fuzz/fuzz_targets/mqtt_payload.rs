//! Messages of a device on a broker: topic and payload as they come, to every template's core.
//! `cargo +nightly fuzz run mqtt_payload`

#![no_main]

use hw_adapters::mqtt::core::{Input, MqttCore, Order};
use hw_adapters::mqtt::profile::{Overrides, Profile};
use hw_adapters::template::Catalogue;
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

static CORES: OnceLock<Vec<(MqttCore, Vec<String>)>> = OnceLock::new();

fn cores() -> &'static [(MqttCore, Vec<String>)] {
    CORES.get_or_init(|| {
        let catalogue = Catalogue::built_in().expect("the built-in templates are sound");
        let on_brokers = catalogue.iter().filter_map(|(_, template)| Some((template, template.mqtt.as_ref()?)));
        on_brokers
            .map(|(template, mqtt)| {
                let settings = mqtt.settings.keys().map(|name| (name.clone(), "x".to_owned())).collect();
                let site = Overrides {
                    settings,
                    power_max_w: Some(3_000),
                    outdoor_celsius: Some(5.0),
                    ..Overrides::default()
                };
                let profile = Profile::resolve(template, &site).expect("settings are filled in");
                let announced = ["switch/x/a", "sensor/x/b", "climate/x/c", "device/x"];
                let topics = profile.topics().into_iter();
                let topics = topics.chain(announced.map(|topic| format!("homeassistant/{topic}/config"))).collect();
                (MqttCore::new(profile), topics)
            })
            .collect()
    })
}

fuzz_target!(|data: &[u8]| {
    let [which, place, flags, payload @ ..] = data else { return };
    let all = cores();
    let (core, topics) = &all[usize::from(*which) % all.len()];
    let mut core = core.clone();
    core.step(0, Input::Connected);
    // Several messages, split where a byte 0xFF stands.
    for (count, payload) in payload.split(|byte| *byte == 0xFF).take(16).enumerate() {
        let topic = &topics[(usize::from(*place) + count) % topics.len()];
        let now_ms = 1_000 * (count as u64 + 1);
        core.step(now_ms, Input::Message { topic, payload, retained: flags & 1 == 1 });
        let _ = core.state(now_ms);
        if flags & 2 == 2 {
            let _ = core.order(now_ms, Order::Power(None));
            let _ = core.judge(flags & 4 == 4);
        }
    }
});
