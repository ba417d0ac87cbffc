//! Every message that either of ours sends, in either version, held against the OCA's JSON schemas: central
//! system and charge point talk without a socket through a day of cars, faults, reboots and requests, and a
//! script of its own judges what was said. Runs where `PEERS_PYTHON` names a Python interpreter with `ocpp`, and
//! says plainly where it doesn't.

use hw_adapters::ocpp::profile::{DEFAULT_PROFILE_ID, SESSION_PROFILE_ID};
use hw_adapters::ocpp::request::{StationRequest, Trigger};
use hw_adapters::ocpp::{self as central, Bounds, CoreConfig, Now};
use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt};
use serde_json::{json, Value};
use sim_devices::ocpp as station;
use sim_devices::physics::car::{CarStay, ChargerConfig, ChargerSim};
use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::process::{Command, Stdio};

const START_S: i64 = 1_704_067_200;

/// Both ends of a conversation, and everything said in it.
struct Talk {
    version: &'static str,
    central: central::Core,
    station: station::Core,
    sim: ChargerSim,
    real_ms: u64,
    connected: bool,
    /// Calls not yet answered, by side and message id.
    calls: BTreeMap<(bool, String), String>,
    said: Vec<Value>,
}

impl Talk {
    fn new(version: &'static str) -> Self {
        let stay = |hour: i64| CarStay {
            arrival: UnixSeconds(START_S + hour * 3600),
            departure: UnixSeconds(START_S + hour * 3600 + 7200),
            energy_need: Millijoule(20_000 * 3_600_000),
        };
        let physics = ChargerConfig {
            phases: 3,
            power_max: Milliwatt(11_040_000),
            battery_capacity: Millijoule(60_000 * 3_600_000),
            stays: vec![stay(1), stay(4), stay(7)],
        };
        let bounds = Bounds {
            phases: 3,
            power_max: Milliwatt(9_660_000),
            fuse: Some(Milliwatt(9_660_000)),
            fallback: Milliwatt(4_140_000),
            life_s: 900,
        };
        let config = CoreConfig { answer_within_ms: 5000, heartbeat_s: 60, idle_ms: 900_000, bounds };
        let spoken = if version == "1.6" { station::Version::V16 } else { station::Version::V201 };
        Self {
            version,
            central: central::Core::new(config, 7),
            station: station::Core::new(spoken, "CP-1", 300),
            sim: ChargerSim::new(physics, UnixSeconds(START_S)).unwrap(),
            real_ms: 0,
            connected: false,
            calls: BTreeMap::new(),
            said: Vec::new(),
        }
    }

    /// Takes note of a message from the central system, or from the charge point.
    fn note(&mut self, from_central: bool, text: &str) {
        let frame: Value = serde_json::from_str(text).unwrap();
        let id = frame[1].as_str().unwrap().to_owned();
        let (action, kind, payload) = match frame[0].as_i64() {
            Some(2) => {
                let action = frame[2].as_str().unwrap().to_owned();
                self.calls.insert((from_central, id), action.clone());
                (action, "Request", frame[3].clone())
            }
            Some(3) => (self.calls.remove(&(!from_central, id)).unwrap(), "Response", frame[2].clone()),
            _ => {
                self.calls.remove(&(!from_central, id));
                return;
            }
        };
        self.said
            .push(json!({ "version": self.version, "action": action, "kind": kind, "payload": payload }));
    }

    fn central_hears(&mut self, input: central::Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let now = Now { utc_s: self.sim.now().0, real_ms: self.real_ms };
            for effect in self.central.step(now, input) {
                match effect {
                    central::Effect::Send(text) => {
                        self.note(true, &text);
                        for answer in self.station_hears(station::Input::Text(text)) {
                            inputs.push_back(central::Input::Text(answer));
                        }
                    }
                    central::Effect::Close => self.connected = false,
                    _ => {}
                }
            }
        }
    }

    /// What the charge point sends.
    fn station_hears(&mut self, input: station::Input) -> Vec<String> {
        let mut sent = Vec::new();
        for effect in self.station.step(self.real_ms, &mut self.sim, input) {
            match effect {
                station::Effect::Send(text) => {
                    self.note(false, &text);
                    sent.push(text);
                }
                station::Effect::Close => self.connected = false,
            }
        }
        sent
    }

    fn say(&mut self, input: station::Input) {
        for text in self.station_hears(input) {
            self.central_hears(central::Input::Text(text));
        }
    }

    fn ask(&mut self, request: StationRequest) {
        self.central_hears(central::Input::Ask { ticket: 0, request });
    }

    fn connect(&mut self) {
        self.connected = true;
        let version = if self.version == "1.6" { central::Version::V16 } else { central::Version::V201 };
        self.central_hears(central::Input::Connected(version));
        self.say(station::Input::Connected);
    }

    fn lose(&mut self) {
        self.connected = false;
        self.central_hears(central::Input::Disconnected);
        self.say(station::Input::Disconnected);
    }

    /// Lets minutes pass, with both ends looked at.
    fn pass(&mut self, minutes: u32) {
        for _ in 0..minutes {
            self.sim.step(60);
            self.real_ms += 60_000;
            self.say(station::Input::Poll);
            if !self.connected && self.central.station().connected {
                self.lose();
                self.connect();
            }
            if self.connected {
                self.central_hears(central::Input::Heard);
                self.central_hears(central::Input::Poll);
            }
        }
    }

    fn play(mut self) -> Vec<Value> {
        self.connect();
        self.pass(70);
        assert!(self.central.station().transaction.is_some(), "a car charges");
        for watt in [6_000_000, 0, 99_000_000] {
            self.central_hears(central::Input::Limit { ticket: 1, power: Milliwatt(watt) });
            self.pass(10);
        }
        for trigger in [Trigger::Meter, Trigger::Status, Trigger::Heartbeat, Trigger::Boot, Trigger::Firmware]
        {
            self.ask(StationRequest::Trigger(trigger));
            self.pass(1);
        }
        let (name, other) = match self.version {
            "1.6" => ("HeartbeatInterval", "Colour"),
            _ => ("OCPPCommCtrlr.HeartbeatInterval", "Paint.Colour"),
        };
        self.ask(StationRequest::GetSettings(vec![name.to_owned(), other.to_owned()]));
        for (name, value) in [(name, "60"), (name, "soon"), (other, "red")] {
            self.ask(StationRequest::ChangeSetting { name: name.to_owned(), value: value.to_owned() });
        }
        self.ask(StationRequest::RemoteStop);
        self.pass(2);
        self.ask(StationRequest::RemoteStart { id_tag: "tag".to_owned() });
        self.pass(20);
        self.lose();
        self.pass(120);
        self.connect();
        self.pass(60);
        let reset =
            if self.version == "1.6" { json!({ "type": "Soft" }) } else { json!({ "type": "Immediate" }) };
        // Its answer is to a call that nobody here has made.
        self.calls.insert((true, "r".to_owned()), "Reset".to_owned());
        let answers = self.station_hears(station::Input::Text(json!([2, "r", "Reset", reset]).to_string()));
        assert_eq!(answers.len(), 1);
        self.pass(30);
        for id in [SESSION_PROFILE_ID, DEFAULT_PROFILE_ID] {
            self.ask(StationRequest::ClearProfile(id));
        }
        self.pass(240);
        assert!(self.central.station().transaction.is_none());
        assert!(self.calls.is_empty(), "all is answered: {:?}", self.calls);
        self.said
    }
}

/// What must have been said, so that the judge has something to judge.
const SAID: [(&str, &[&str]); 2] = [
    (
        "1.6",
        &[
            "BootNotification",
            "Heartbeat",
            "StatusNotification",
            "StartTransaction",
            "StopTransaction",
            "MeterValues",
            "GetConfiguration",
            "ChangeConfiguration",
            "TriggerMessage",
            "SetChargingProfile",
            "ClearChargingProfile",
            "GetCompositeSchedule",
            "RemoteStartTransaction",
            "RemoteStopTransaction",
        ],
    ),
    (
        "2.0.1",
        &[
            "BootNotification",
            "Heartbeat",
            "StatusNotification",
            "TransactionEvent",
            "GetVariables",
            "SetVariables",
            "TriggerMessage",
            "SetChargingProfile",
            "ClearChargingProfile",
            "GetCompositeSchedule",
            "RequestStartTransaction",
            "RequestStopTransaction",
        ],
    ),
];

#[test]
fn every_message_fits_the_standards_schema() {
    for (version, actions) in SAID {
        let said = Talk::new(version).play();
        for action in actions {
            for kind in ["Request", "Response"] {
                let found =
                    said.iter().any(|message| message["action"] == *action && message["kind"] == kind);
                assert!(found, "{version} {action} {kind} was never said");
            }
        }
        judge(&said);
    }
}

fn judge(said: &[Value]) {
    let Ok(python) = std::env::var("PEERS_PYTHON") else {
        println!("skipped: PEERS_PYTHON is not set");
        return;
    };
    let mut judge = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/ocpp_schemas.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut tell = judge.stdin.take().unwrap();
    for message in said {
        writeln!(tell, "{message}").unwrap();
    }
    drop(tell);
    let found = judge.wait_with_output().unwrap();
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stdout));
}
