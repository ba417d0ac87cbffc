//! Seeded nonsense from brokers and in templates' files: nothing panics, and what is passed on can be true. With
//! a million messages:
//!
//! GRIDPACT_FUZZ_CASES=1000000 GRIDPACT_FUZZ_SEED=7 cargo test -p hw-adapters --test it fuzz_mqtt

use hw_adapters::mqtt::core::{Input, MqttCore, Order};
use hw_adapters::mqtt::profile::{Overrides, Profile};
use hw_adapters::mqtt::state::State;
use hw_adapters::template::{Catalogue, Template};

/// Messages unless GRIDPACT_FUZZ_CASES says otherwise.
const CASES: u64 = 20_000;
/// Nameplate of every device, in milliwatts.
const POWER_MAX: i64 = 3_000_000;
/// What real devices say, to be taken apart.
const SAID: [&str; 12] = [
    r#"{"id":0,"source":"init","output":true,"apower":812.5,"aenergy":{"total":6.532,"by_minute":[1.0,2.5],"minute_ts":1700000000}}"#,
    r#"{"Time":"2026-01-01T00:00:00","ENERGY":{"Total":3.185,"Power":54,"Voltage":230}}"#,
    r#"{"state":"ON","power":12.3,"energy":1.23,"linkquality":120}"#,
    r#"{"local_temperature":20.5,"occupied_heating_setpoint":21,"system_mode":"heat","running_state":"idle"}"#,
    r#"{"power_w":812.5,"room_c":20.4,"outdoor_c":3.1,"power_max_w":3000,"mode":"setpoint","setpoint_w":800}"#,
    r#"{"~":"x","stat_t":"~/a","cmd_t":"~/set","dev_cla":"power","unit_of_meas":"W","val_tpl":"{{ value_json.p }}","dev":{"ids":["x"]}}"#,
    r#"{"dev":{"ids":"x"},"cmps":{"a":{"p":"switch","stat_t":"x/a","cmd_t":"x/b"},"b":{"p":"sensor","dev_cla":"energy","unit_of_meas":"kWh","stat_t":"x/c"}}}"#,
    r#"{"state":"online"}"#,
    "ON",
    "1234.5",
    "-0.75",
    "nan",
];

/// SplitMix64 (Steele, Lea and Flood 2014): the same messages from the same seed, everywhere.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// Something said, with up to four bytes changed, cut out or put in.
    fn mangled(&mut self, said: &[u8]) -> Vec<u8> {
        let mut bytes = said.to_vec();
        for _ in 0..self.below(5) {
            let place = self.below(bytes.len());
            match self.below(4) {
                0 if !bytes.is_empty() => bytes[place] = self.next() as u8,
                1 => bytes.truncate(place),
                2 => bytes.insert(place, b"0123456789-+.eE{}[]\",:\\\0 "[self.below(25)]),
                _ => {
                    let piece = bytes[place..].to_vec();
                    bytes.extend(piece.iter().take(40));
                }
            }
        }
        bytes
    }
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn devices() -> Vec<(String, MqttCore, Vec<String>)> {
    let catalogue = Catalogue::built_in().unwrap();
    let on_brokers =
        catalogue.iter().filter_map(|(name, template)| Some((name, template, template.mqtt.as_ref()?)));
    on_brokers
        .map(|(name, template, mqtt)| {
            let site = Overrides {
                settings: mqtt.settings.keys().map(|name| (name.clone(), "x".to_owned())).collect(),
                power_max_w: Some((POWER_MAX / 1_000) as u32),
                outdoor_celsius: Some(5.0),
                ..Overrides::default()
            };
            let profile = Profile::resolve(template, &site).unwrap();
            let announced = ["switch/x/a", "sensor/x/b", "climate/x/c", "device/x"];
            let announced = announced.map(|topic| format!("homeassistant/{topic}/config"));
            let topics =
                profile.topics().into_iter().chain(announced).chain(["x/a".into(), "x/c".into()]).collect();
            (name.to_owned(), MqttCore::new(profile), topics)
        })
        .collect()
}

fn check_state(name: &str, core: &MqttCore, now_ms: u64) {
    let Ok((state, age_ms)) = core.state(now_ms) else { return };
    assert!(age_ms <= 900_000, "{name}: {age_ms} ms old");
    let (power, power_max) = match state {
        State::Meter(state) => {
            assert!(state.imported.0 >= 0 && state.exported.0 >= 0, "{name}: {state:?}");
            (state.power.0.abs(), POWER_MAX)
        }
        State::Plug(state) => (state.power.0, state.power_max.0),
        State::HeatPump(state) => {
            assert!((-90_000..=120_000).contains(&state.room_millicelsius), "{name}: {state:?}");
            (state.power.0, state.power_max.0)
        }
    };
    assert!(power >= 0 && power <= power_max / 5 * 6 + 6, "{name}: {power} of {power_max}");
}

#[test]
fn whatever_devices_say_is_believed_only_where_it_can_be_true() {
    let (cases, seed) = (number("GRIDPACT_FUZZ_CASES", CASES), number("GRIDPACT_FUZZ_SEED", 1));
    let mut chance = Chance(seed);
    let mut devices = devices();
    let mut believed = 0;
    for case in 0..cases {
        let count = devices.len();
        let (name, core, topics) = &mut devices[chance.below(count)];
        let now_ms = case * 50;
        if chance.below(500) == 0 {
            core.step(now_ms, Input::Disconnected);
        }
        if chance.below(100) == 0 || case < 1_000 {
            core.step(now_ms, Input::Connected);
        }
        let said = SAID[chance.below(SAID.len())];
        let payload = chance.mangled(said.as_bytes());
        let topic = topics[chance.below(topics.len())].clone();
        let retained = chance.below(8) == 0;
        core.step(now_ms, Input::Message { topic: &topic, payload: &payload, retained });
        check_state(name, core, now_ms);
        believed += u64::from(core.state(now_ms).is_ok());
        if chance.below(50) == 0 {
            let order = [Order::Switch(Some(true)), Order::Power(None), Order::Switch(None)][chance.below(3)];
            let _ = core.order(now_ms, order);
            let _ = core.judge(chance.below(2) == 0);
        }
    }
    assert!(believed > cases / 1_000, "only {believed} of {cases} messages left a state: nothing was tried");
}

#[test]
fn a_template_by_anyone_is_one_or_is_refused() {
    let (cases, seed) = (number("GRIDPACT_FUZZ_CASES", CASES) / 20, number("GRIDPACT_FUZZ_SEED", 1));
    let mut chance = Chance(seed ^ 0xFEED);
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let files: Vec<Vec<u8>> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    let mut sound = 0;
    for _ in 0..cases {
        let file = chance.below(files.len());
        let mangled = chance.mangled(&files[file]);
        if let Ok(template) = Template::parse("fuzzed.toml", &String::from_utf8_lossy(&mangled)) {
            let site = Overrides { power_max_w: Some(1), outdoor_celsius: Some(0.0), ..Overrides::default() };
            let _ = Profile::resolve(&template, &site);
            sound += 1;
        }
    }
    assert!(sound > 0 && sound < cases, "{sound} of {cases}");
}
