//! The core through whole conversations, as tables of what real devices publish and what comes of it.

use super::core::{Effect, Input, MqttCore, Order, Outcome};
use super::profile::{Overrides, Profile};
use super::state::State;
use crate::template::{Catalogue, Template};
use market::units::Milliwatt;
use std::collections::BTreeMap;

/// A device by a built-in template.
struct Talk {
    core: MqttCore,
    now_ms: u64,
}

fn site(settings: &[(&str, &str)]) -> Overrides {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Overrides { settings, power_max_w: Some(3_000), outdoor_celsius: Some(5.0), ..Overrides::default() }
}

impl Talk {
    fn new(template: &str, settings: &[(&str, &str)]) -> Self {
        Self::with(Catalogue::built_in().unwrap().get(template).unwrap(), &site(settings))
    }

    fn with(template: &Template, site: &Overrides) -> Self {
        let core = MqttCore::new(Profile::resolve(template, site).unwrap());
        let mut talk = Self { core, now_ms: 1_000 };
        talk.core.step(talk.now_ms, Input::Connected);
        talk
    }

    fn hear_as(&mut self, topic: &str, payload: &str, retained: bool) -> Vec<&'static str> {
        let input = Input::Message { topic, payload: payload.as_bytes(), retained };
        let refused = |effect: Effect| match effect {
            Effect::Refused { reason, .. } => Some(reason),
            _ => None,
        };
        self.core.step(self.now_ms, input).into_iter().filter_map(refused).collect()
    }

    fn hear(&mut self, messages: &[(&str, &str)]) {
        for (topic, payload) in messages {
            assert_eq!(self.hear_as(topic, payload, false), [""; 0], "{topic} {payload}");
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.now_ms += seconds * 1_000;
        self.core.step(self.now_ms, Input::Tick);
    }

    fn said(&self) -> String {
        match self.core.state(self.now_ms) {
            Ok((State::Plug(s), age)) => format!("on={} {} W, {age} ms old", s.on, s.power.0 / 1_000),
            Ok((State::Meter(s), age)) => {
                let wh = |energy: market::units::Millijoule| energy.0 / 3_600_000;
                format!("{} W, {}-{} Wh, {age} ms old", s.power.0 / 1_000, wh(s.imported), wh(s.exported))
            }
            Ok((State::HeatPump(s), age)) => {
                format!("{} W, room {}, {age} ms old", s.power.0 / 1_000, s.room_millicelsius)
            }
            Err(lack) => lack.to_string(),
        }
    }

    fn check(&self, expected: &str) {
        assert!(self.said().contains(expected), "{}, not {expected}", self.said());
    }

    fn order(&mut self, order: Order) -> Vec<(String, String)> {
        let sent = |effect: Effect| match effect {
            Effect::Publish { topic, payload } => Some((topic, payload)),
            _ => None,
        };
        self.core.order(self.now_ms, order).unwrap().into_iter().filter_map(sent).collect()
    }
}

const GEN2: &str = "shellyplusplugs-d4";
const STATUS: &str = "shellyplusplugs-d4/status/switch:0";

fn gen2(power: &str, total: &str, on: bool) -> String {
    format!(
        r#"{{"id":0,"source":"MQTT","output":{on},"apower":{power},"voltage":231.1,"aenergy":{{"total":{total}}}}}"#
    )
}

#[test]
fn a_shelly_of_the_second_generation_is_read_switched_and_read_back() {
    let mut talk = Talk::new("shelly-gen2-plug", &[("id", GEN2)]);
    talk.check("it has said no");
    assert_eq!(talk.hear_as("shellyplusplugs-d4/online", "true", true), [""; 0]);
    talk.hear(&[(STATUS, &gen2("812.5", "1000.0", true))]);
    talk.pass(3);
    talk.check("on=true 812 W, 3000 ms old");

    let sent = talk.order(Order::Switch(Some(false)));
    assert_eq!(sent[0].0, "shellyplusplugs-d4/rpc");
    assert!(sent[0].1.contains("\"on\":false"), "{sent:?}");
    assert_eq!(sent[1], ("shellyplusplugs-d4/command".into(), "status_update".into()));
    assert_eq!(talk.core.judge(false), None);
    // A state that was under way already is not the answer yet.
    talk.hear(&[(STATUS, &gen2("812.5", "1000.1", true))]);
    assert_eq!(talk.core.judge(false), None);
    talk.hear(&[(STATUS, &gen2("0.0", "1000.1", false))]);
    assert_eq!(talk.core.judge(false), Some(Outcome::Obeyed));
    // As it was found.
    let back = talk.order(Order::Switch(None));
    assert!(back[0].1.contains("\"on\":true"), "{back:?}");
}

#[test]
fn a_plug_that_lies_is_silent_or_gone_is_told_apart() {
    let mut talk = Talk::new("shelly-gen2-plug", &[("id", GEN2)]);
    talk.hear(&[(STATUS, &gen2("800", "1", true))]);
    talk.order(Order::Switch(Some(false)));
    talk.hear(&[(STATUS, &gen2("800", "1.1", true))]);
    let disobeyed = Outcome::Disobeyed { point: "on", asked: "off".into(), said: "on".into() };
    assert_eq!(talk.core.judge(true), Some(disobeyed));
    talk.order(Order::Switch(Some(false)));
    assert_eq!(talk.core.judge(true), Some(Outcome::Silent));
    // The broker says that the device is gone: what it said before is nothing any more.
    assert_eq!(talk.hear_as("shellyplusplugs-d4/online", "false", false), [""; 0]);
    talk.check("offline");
    assert!(talk.core.order(talk.now_ms, Order::Switch(Some(true))).is_err());
    talk.hear_as("shellyplusplugs-d4/online", "true", false);
    talk.check("it has said no");
    talk.core.step(talk.now_ms, Input::Disconnected);
    talk.check("the broker is not connected");
}

#[test]
fn what_is_stale_frozen_kept_or_beyond_the_nameplate_is_not_passed_on() {
    let mut talk = Talk::new("shelly-gen2-plug", &[("id", GEN2)]);
    assert_eq!(talk.hear_as(STATUS, &gen2("800", "1", true), true), ["retained"]);
    talk.check("it has said no");
    talk.hear(&[(STATUS, &gen2("3600", "1", true))]);
    talk.check("on=true 3600 W");
    // 1.2 times 3 kW and no more.
    assert_eq!(talk.hear_as(STATUS, &gen2("3601", "1", true), false), ["out_of_range"]);
    talk.check("power of 3601 can't be right");
    assert_eq!(talk.hear_as(STATUS, &gen2("\"nan\"", "1", true), false), ["wrong_kind"]);
    talk.check("power");
    assert_eq!(talk.hear_as("other/status", "1", false), ["wrong_topic"]);
    talk.hear(&[(STATUS, &gen2("800", "1", true))]);
    talk.pass(121);
    talk.check("121000 ms old");
    assert!(talk.core.state(talk.now_ms).is_err());
    // 800 W for five minutes are 66 Wh, and its counter stands.
    for _ in 0..10 {
        talk.hear(&[(STATUS, &gen2("800", "5", true))]);
        talk.pass(30);
    }
    talk.check("imported is frozen");
    talk.hear(&[(STATUS, &gen2("800", "72", true))]);
    talk.check("on=true 800 W");
}

#[test]
fn three_phases_are_one_meter_and_each_must_be_fresh() {
    let mut talk = Talk::new("shelly-3em", &[("id", "em")]);
    let topic = |phase: u8, what: &str| format!("shellies/em/emeter/{phase}/{what}");
    for (phase, power) in [(0, "100.5"), (1, "-700.25"), (2, "0")] {
        talk.check("it has said no");
        talk.hear(&[(&topic(phase, "power"), power)]);
        talk.hear(&[(&topic(phase, "total"), "1000.0"), (&topic(phase, "total_returned"), "50")]);
    }
    talk.check("-599 W, 3000-150 Wh, 0 ms old");
    talk.pass(40);
    talk.hear(&[(&topic(0, "power"), "100")]);
    talk.pass(30);
    talk.check("70000 ms old");
    assert!(talk.core.state(talk.now_ms).is_err());
}

#[test]
fn tasmota_zigbee2mqtt_and_esphome_say_it_their_own_ways() {
    let mut talk = Talk::new("tasmota-plug", &[("topic", "sonoff")]);
    talk.hear(&[
        ("tele/sonoff/STATE", r#"{"Time":"2026-01-01T00:00:00","POWER":"ON","Wifi":{"RSSI":70}}"#),
        ("tele/sonoff/SENSOR", r#"{"Time":"2026-01-01T00:00:00","ENERGY":{"Total":3.185,"Power":54}}"#),
    ]);
    talk.check("on=true 54 W");
    assert_eq!(talk.order(Order::Switch(Some(false)))[0], ("cmnd/sonoff/POWER".into(), "OFF".into()));
    talk.hear(&[("stat/sonoff/POWER", "OFF")]);
    assert_eq!(talk.core.judge(false), Some(Outcome::Obeyed));
    talk.hear(&[("stat/sonoff/STATUS8", r#"{"StatusSNS":{"ENERGY":{"Total":3.186,"Power":0}}}"#)]);
    talk.check("on=false 0 W");

    let mut talk = Talk::new("zigbee2mqtt-plug", &[("name", "Boiler")]);
    talk.hear_as("zigbee2mqtt/Boiler/availability", r#"{"state":"online"}"#, true);
    talk.hear(&[("zigbee2mqtt/Boiler", r#"{"state":"ON","power":1987,"energy":12.31,"linkquality":90}"#)]);
    talk.check("on=true 1987 W");
    let sent = talk.order(Order::Switch(Some(false)));
    assert_eq!(sent[0], ("zigbee2mqtt/Boiler/set".into(), r#"{"state":"OFF"}"#.into()));

    // ESPHome says its switch on change only, and keeps it at the broker.
    let mut talk = Talk::new("esphome-plug", &[("node", "boiler")]);
    assert_eq!(talk.hear_as("boiler/switch/relay/state", "ON", true), [""; 0]);
    assert_eq!(talk.hear_as("boiler/sensor/power/state", "12", true), ["retained"]);
    talk.hear(&[("boiler/sensor/power/state", "1000.5")]);
    talk.pass(170);
    talk.hear(&[("boiler/sensor/power/state", "1000.5"), ("boiler/sensor/energy/state", "7.1")]);
    talk.pass(20);
    talk.check("on=true 1000 W, 20000 ms old");
    assert_eq!(talk.hear_as("boiler/sensor/power/state", "nan", false), ["wrong_kind"]);
}

#[test]
fn a_thermostat_takes_more_and_less_and_is_given_back_as_it_was_found() {
    let mut talk = Talk::new("zigbee2mqtt-thermostat", &[("name", "trv")]);
    let state = |setpoint: &str, running: &str| {
        format!(
            r#"{{"local_temperature":20.4,"occupied_heating_setpoint":{setpoint},"system_mode":"heat","running_state":"{running}"}}"#
        )
    };
    talk.hear(&[("zigbee2mqtt/trv", &state("19.5", "heat"))]);
    talk.check("3000 W, room 20400");
    let mut told = |power: Option<i64>, value: &str| {
        let sent = talk.order(Order::Power(power.map(Milliwatt)));
        assert_eq!(sent[0].0, "zigbee2mqtt/trv/set");
        let shown = sent.iter().any(|(_, payload)| payload.contains(value));
        assert!(shown, "{sent:?} without {value}");
        talk.hear(&[("zigbee2mqtt/trv", &state(value, "idle"))]);
        assert_eq!(talk.core.judge(false), Some(Outcome::Obeyed));
    };
    told(Some(3_000_000), "22");
    told(Some(0), "18");
    told(Some(1_499_000), "18");
    told(None, "19.5");
    talk.check("0 W, room 20400");
}

const SWITCH: &str = r#"{"~":"plug1","name":"Relay","uniq_id":"plug1_relay","stat_t":"~/relay","cmd_t":"~/relay/set",
    "pl_on":"1","pl_off":"0","avty_t":"~/status","dev":{"ids":["plug1"],"name":"Boiler"}}"#;
const POWER: &str = r#"{"name":"Power","uniq_id":"plug1_power","stat_t":"plug1/state","dev_cla":"power",
    "unit_of_meas":"kW","val_tpl":"{{ value_json.p | float }}","dev":{"ids":["plug1"],"name":"Boiler"}}"#;

#[test]
fn a_device_that_announces_itself_for_home_assistant_is_followed_by_what_it_says() {
    let mut talk = Talk::new("homeassistant-plug", &[("device", "Boiler")]);
    talk.check("it has not announced itself yet");
    talk.hear_as("homeassistant/switch/plug1/relay/config", SWITCH, true);
    talk.check("no sensor with it for power");
    let other = POWER.replace("plug1", "plug2").replace("Boiler", "Fridge");
    talk.hear_as("homeassistant/sensor/plug2/power/config", &other, true);
    talk.check("no sensor with it for power");
    talk.hear_as("homeassistant/sensor/plug1/power/config", POWER, true);
    talk.hear_as("plug1/status", "online", true);
    talk.hear_as("plug1/relay", "1", true);
    talk.hear(&[("plug1/state", r#"{"p":1.25}"#)]);
    talk.check("on=true 1250 W");
    assert_eq!(talk.order(Order::Switch(Some(false)))[0], ("plug1/relay/set".into(), "0".into()));
    talk.hear(&[("plug1/relay", "0")]);
    assert_eq!(talk.core.judge(false), Some(Outcome::Obeyed));
    // Taken back: followed no longer.
    assert_eq!(talk.hear_as("homeassistant/sensor/plug1/power/config", "", true), [""; 0]);
    talk.check("no sensor with it for power");
    // A value that would have to be reckoned is not guessed at.
    let program = POWER.replace("value_json.p | float", "value_json.p * 1000");
    talk.hear_as("homeassistant/sensor/plug1/power/config", &program, true);
    talk.check("is a program");
    assert_eq!(talk.hear_as("homeassistant/sensor/plug1/power/config", "{", true), ["malformed"]);
}

#[test]
fn all_of_a_device_may_be_announced_at_once() {
    let mut talk = Talk::new("homeassistant-plug", &[("device", "0AFFD2")]);
    let all = r#"{"dev":{"ids":"0AFFD2","name":"Plug"},"o":{"name":"maker"},"avty_t":"p/lwt","cmps":{
        "r":{"p":"switch","uniq_id":"r","stat_t":"p/r","cmd_t":"p/r/set"},
        "w":{"p":"sensor","uniq_id":"w","dev_cla":"power","unit_of_meas":"W","stat_t":"p/w"}}}"#;
    assert_eq!(talk.hear_as("homeassistant/device/0AFFD2/config", all, true), [""; 0]);
    talk.hear(&[("p/lwt", "online"), ("p/r", "ON"), ("p/w", "60")]);
    talk.check("on=true 60 W");
    talk.hear(&[("p/lwt", "offline")]);
    talk.check("offline");
}

#[test]
fn a_site_fills_in_what_the_template_leaves_open_and_nothing_else() {
    let catalogue = Catalogue::built_in().unwrap();
    let check = |template: &str, site: Overrides, named: &[&str]| {
        let error = Profile::resolve(catalogue.get(template).unwrap(), &site).unwrap_err().to_string();
        for part in named {
            assert!(error.contains(part), "{error} without {part}");
        }
    };
    check("shelly-gen2-plug", site(&[]), &["settings.id", "MQTT prefix"]);
    check("shelly-gen2-plug", site(&[("id", "a"), ("di", "b")]), &["settings.di", "id"]);
    check("shelly-gen2-plug", site(&[("id", "a/#")]), &["a/#", "wildcards"]);
    check(
        "zigbee2mqtt-thermostat",
        Overrides { outdoor_celsius: None, ..site(&[("name", "a")]) },
        &["outdoor"],
    );
    check(
        "zigbee2mqtt-thermostat",
        Overrides { low_celsius: Some(30.0), ..site(&[("name", "a")]) },
        &["low_celsius"],
    );
    check(
        "zigbee2mqtt-thermostat",
        Overrides { power_max_w: None, ..site(&[("name", "a")]) },
        &["power_max_w"],
    );
    check(
        "shelly-gen2-plug",
        Overrides { stale_after_ms: Some(1), ..site(&[("id", "a")]) },
        &["stale_after_ms"],
    );
    let settings = BTreeMap::from([("id".to_owned(), "x".repeat(200))]);
    check("shelly-gen2-plug", Overrides { settings, ..Overrides::default() }, &["128 bytes"]);
}

/// Lets a program that has switched a plug off end without giving it back, and the next one find it on or off. Gives what
/// that one publishes, and whether it then keeps anything.
fn after_a_crash(found_on: bool) -> (Vec<String>, bool) {
    let mut talk = Talk::new("shelly-gen2-plug", &[("id", GEN2)]);
    talk.hear(&[(STATUS, &gen2("800", "1", true))]);
    let effects = talk.core.order(talk.now_ms, Order::Switch(Some(false))).unwrap();
    // Kept before anything is published.
    let Effect::Keep(Some(kept)) = &effects[0] else { panic!("{effects:?}") };
    let kept = serde_json::from_slice(&serde_json::to_vec(kept).unwrap()).unwrap();

    let mut next = Talk::new("shelly-gen2-plug", &[("id", GEN2)]);
    next.core = next.core.clone().restoring(kept);
    let state = gen2("0", "1", found_on);
    let input = Input::Message { topic: STATUS, payload: state.as_bytes(), retained: false };
    let mut effects = next.core.step(next.now_ms, input);
    let as_found = gen2("800", "1", true);
    let input = Input::Message { topic: STATUS, payload: as_found.as_bytes(), retained: false };
    effects.extend(next.core.step(next.now_ms + 500, input));
    effects.extend(next.core.step(next.now_ms + 60_000, Input::Tick));
    let keeps = effects.iter().rev().find_map(|effect| match effect {
        Effect::Keep(kept) => Some(kept.is_some()),
        _ => None,
    });
    let switched = effects.into_iter().filter_map(|effect| match effect {
        Effect::Publish { payload, .. } if payload.contains("\"on\"") => Some(payload),
        _ => None,
    });
    (switched.collect(), keeps.unwrap_or(true))
}

#[test]
fn what_a_crash_left_switched_is_given_back_and_what_others_set_is_not() {
    let (switched, keeps) = after_a_crash(false);
    assert!(switched.len() == 1 && switched[0].contains("\"on\":true"), "{switched:?}");
    assert!(!keeps);
    // Somebody has switched it on meanwhile.
    assert_eq!(after_a_crash(true), (Vec::new(), false));
}
