//! Frames from a seed at a whole conversation in either version: sound ones, changed, cut, mixed and mere
//! bytes. Whatever comes, nothing panics, nothing grows without bound, and every limit sent is 0 or at least
//! 6 A. 20 000 of them here, another 1 000 000 by
//!
//! GRIDPACT_FUZZ_CASES=1000000 GRIDPACT_FUZZ_SEED=4294967296 \
//!     cargo test --release -p hw-adapters --test it ocpp_fuzz -- --ignored --nocapture

use hw_adapters::ocpp::profile::power_min;
use hw_adapters::ocpp::{Bounds, Core, CoreConfig, Effect, Input, Now, Version};
use market::units::{Millijoule, Milliwatt};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::Value;

/// Frames of one conversation.
const FRAMES: u64 = 50;

const SEEDS: [&str; 18] = [
    r#"[2,"1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]"#,
    r#"[2,"2","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Charging","timestamp":"2024-01-01T00:00:00"}]"#,
    r#"[2,"3","StartTransaction",{"connectorId":1,"idTag":"A","meterStart":1000,"timestamp":"2024-01-01T00:00:00Z"}]"#,
    r#"[2,"4","MeterValues",{"connectorId":1,"transactionId":2,"meterValue":[{"timestamp":"2024-01-01T00:05:00Z","sampledValue":[{"value":"7000","measurand":"Power.Active.Import","unit":"W"},{"value":"1.5","unit":"kWh"}]}]}]"#,
    r#"[2,"5","StopTransaction",{"transactionId":2,"meterStop":1900,"timestamp":"2024-01-01T01:00:00Z"}]"#,
    r#"[2,"6","BootNotification",{"reason":"PowerUp","chargingStation":{"model":"M","vendorName":"V"}}]"#,
    r#"[2,"7","StatusNotification",{"timestamp":"2024-01-01T00:00:00Z","connectorStatus":"Occupied","evseId":1,"connectorId":1}]"#,
    r#"[2,"8","TransactionEvent",{"eventType":"Started","timestamp":"2024-01-01T00:00:00Z","triggerReason":"Authorized","seqNo":0,"transactionInfo":{"transactionId":"t","chargingState":"Charging"},"evse":{"id":1},"idToken":{"idToken":"A","type":"Local"}}]"#,
    r#"[2,"9","TransactionEvent",{"eventType":"Updated","timestamp":"2024-01-01T00:05:00Z","triggerReason":"MeterValuePeriodic","seqNo":1,"offline":true,"transactionInfo":{"transactionId":"t"},"meterValue":[{"timestamp":"2024-01-01T00:05:00Z","sampledValue":[{"value":7.5,"measurand":"Power.Active.Import","unitOfMeasure":{"unit":"W","multiplier":3}}]}]}]"#,
    r#"[2,"10","TransactionEvent",{"eventType":"Ended","timestamp":"2024-01-01T01:00:00Z","triggerReason":"EVDeparted","seqNo":2,"transactionInfo":{"transactionId":"t","chargingState":"Idle"}}]"#,
    r#"[2,"11","Heartbeat",{}]"#,
    r#"[2,"12","DataTransfer",{"vendorId":"V","data":"x"}]"#,
    r#"[3,"g1",{"configurationKey":[{"key":"ChargingScheduleAllowedChargingRateUnit","readonly":true,"value":"Power"},{"key":"ChargeProfileMaxStackLevel","readonly":true,"value":"8"},{"key":"MeterValuesSampledData","readonly":false,"value":"SoC"}]}]"#,
    r#"[3,"g1",{"getVariableResult":[{"attributeStatus":"Accepted","attributeValue":"A,W","component":{"name":"SmartChargingCtrlr"},"variable":{"name":"RateUnit"}}]}]"#,
    r#"[3,"g2",{"status":"Accepted"}]"#,
    r#"[3,"g3",{"status":"Accepted","chargingSchedule":{"chargingRateUnit":"W","chargingSchedulePeriod":[{"startPeriod":0,"limit":11040.0},{"startPeriod":900,"limit":0}]}}]"#,
    r#"[3,"g3",{"status":"Accepted","schedule":{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":16,"numberPhases":3}]}}]"#,
    r#"[4,"g4","InternalError","",{}]"#,
];
const TOKENS: [&str; 22] = [
    "null",
    "-1",
    "0",
    "1e308",
    "9223372036854775807",
    "\"NaN\"",
    "\"\"",
    "[]",
    "{}",
    "true",
    "1",
    "\"1\"",
    "[[",
    "\"9999-12-31T23:59:59Z\"",
    "\"0000-01-01T00:00:00\"",
    "\"g1\"",
    "\"Accepted\"",
    "\\ud800",
    "\u{0}",
    "é",
    "\"",
    ",",
];

struct Fuzz {
    rng: SmallRng,
    core: Core,
    now: Now,
    waiting: i64,
}

impl Fuzz {
    fn new(seed: u64) -> Self {
        let bounds = Bounds {
            phases: 3,
            power_max: Milliwatt(11_040_000),
            fuse: None,
            fallback: Milliwatt(4_140_000),
            life_s: 900,
        };
        let config = CoreConfig { answer_within_ms: 5000, heartbeat_s: 60, idle_ms: 90_000, bounds };
        let rng = SmallRng::seed_from_u64(seed);
        let now = Now { utc_s: 1_704_067_200, real_ms: 0 };
        Self { rng, core: Core::new(config, seed as i64), now, waiting: 0 }
    }

    fn step(&mut self, input: Input) {
        let effects = self.core.step(self.now, input);
        assert!(effects.len() < 64, "{effects:?}");
        for effect in effects {
            match effect {
                Effect::Send(text) => check_limits(&serde_json::from_str(&text).unwrap()),
                Effect::Resolve { .. } => self.waiting -= 1,
                _ => {}
            }
        }
        let station = self.core.station();
        assert!(station.session() >= Millijoule::ZERO);
        assert!(station.power.is_none_or(|power| power >= Milliwatt::ZERO));
    }

    fn frame(&mut self) -> String {
        let seed = *SEEDS.choose(&mut self.rng).unwrap();
        // An answer is mostly one to what was asked.
        let calls: u32 = self.rng.random_range(1..30);
        let mut text = seed.replace("\"g1\"", &format!("\"g{calls}\"")).into_bytes();
        for _ in 0..self.rng.random_range(0..4) {
            let at = self.rng.random_range(0..=text.len());
            match self.rng.random_range(0..5) {
                0 => text.truncate(at),
                1 if at < text.len() => text[at] = self.rng.random(),
                2 => {
                    let end = (at + self.rng.random_range(0..20)).min(text.len());
                    let token = TOKENS.choose(&mut self.rng).unwrap().bytes();
                    text.splice(at..end, token);
                }
                3 => {
                    let value = text
                        .iter()
                        .skip(at)
                        .position(|byte| *byte == b':')
                        .map_or(text.len(), |n| at + n + 1);
                    let end = text
                        .iter()
                        .skip(value)
                        .position(|byte| b",}]".contains(byte))
                        .map_or(text.len(), |n| value + n);
                    let token = TOKENS.choose(&mut self.rng).unwrap().bytes();
                    text.splice(value..end, token);
                }
                _ => {
                    let other = SEEDS.choose(&mut self.rng).unwrap().as_bytes();
                    text.extend_from_slice(&other[self.rng.random_range(0..other.len())..]);
                }
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// Every limit we send is nothing, or at least 6 A.
fn check_limits(frame: &Value) {
    let profile = frame.pointer("/3/csChargingProfiles/chargingSchedule");
    let schedule = profile.or_else(|| frame.pointer("/3/chargingProfile/chargingSchedule/0"));
    let Some(schedule) = schedule else { return };
    let watt = if schedule["chargingRateUnit"] == "A" { 690.0 } else { 1.0 };
    for period in schedule["chargingSchedulePeriod"].as_array().unwrap() {
        let milliwatt = (period["limit"].as_f64().unwrap() * watt * 1000.0).round() as i64;
        assert!(milliwatt == 0 || Milliwatt(milliwatt) >= power_min(3), "{frame}");
        assert!(milliwatt <= 11_040_000, "{frame}");
    }
}

fn run(frames: u64, seed: u64) {
    for conversation in 0..frames / FRAMES {
        let mut fuzz = Fuzz::new(seed + conversation);
        for ticket in 0..FRAMES {
            fuzz.now.real_ms += fuzz.rng.random_range(0..2000);
            fuzz.now.utc_s = 1_704_067_200 + fuzz.now.real_ms as i64 / 1000;
            match fuzz.rng.random_range(0..20) {
                0 => {
                    let version = if fuzz.rng.random() { Version::V16 } else { Version::V201 };
                    fuzz.step(Input::Connected(version));
                }
                1 => fuzz.step(Input::Disconnected),
                2 => {
                    fuzz.waiting += 1;
                    let power = Milliwatt(fuzz.rng.random_range(-1000..20_000_000));
                    fuzz.step(Input::Limit { ticket, power });
                }
                _ => {}
            }
            let text = fuzz.frame();
            fuzz.step(Input::Text(text));
            fuzz.step(Input::Poll);
        }
        fuzz.step(Input::Disconnected);
        assert_eq!(fuzz.waiting, 0, "each asker got one answer");
    }
}

#[test]
fn no_frame_brings_a_conversation_down() {
    run(20_000, 0);
}

#[test]
#[ignore = "takes minutes; see above"]
fn no_frame_of_very_many_brings_a_conversation_down() {
    let number =
        |name: &str, or: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(or);
    let (count, first) = (number("GRIDPACT_FUZZ_CASES", 1_000_000), number("GRIDPACT_FUZZ_SEED", 1 << 32));
    run(count, first);
    println!("{count} frames from seed {first}");
}
