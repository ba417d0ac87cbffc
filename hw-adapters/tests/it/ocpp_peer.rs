//! The central system with somebody else's charge points, which check every message against the
//! OCA's JSON schemas. Runs where `PEERS_PYTHON` names a Python interpreter with `ocpp`
//! and `websockets` (`pip install ocpp websockets`), and says plainly where it doesn't.

use hw_adapters::device::{Charger, DeviceError};
use hw_adapters::metrics::DeviceMetrics;
use hw_adapters::ocpp::{CentralSystem, OcppCharger, Password, StationConfig, Version};
use market::units::{Milliwatt, MILLIJOULE_PER_WH};
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const PASSWORD: &str = "correct-horse-battery";

struct Peer {
    charger: OcppCharger,
    metrics: DeviceMetrics,
    process: Child,
    tell: ChildStdin,
    hear: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    /// A peer whose car charges; none where there is no interpreter.
    async fn charging(version: Version, unit: &str) -> Option<Self> {
        let Ok(python) = std::env::var("PEERS_PYTHON") else {
            println!("skipped: PEERS_PYTHON is not set");
            return None;
        };
        let metrics = DeviceMetrics::register(&prometheus::Registry::new()).unwrap();
        let system = CentralSystem::listen("127.0.0.1:0".parse().unwrap(), metrics.clone()).await.unwrap();
        let (identity, script, password) = match version {
            Version::V16 => ("CP-1", "ocpp_charge_point.py", None),
            Version::V201 => ("CS-1", "ocpp_charging_station.py", Some(PASSWORD)),
        };
        let config = StationConfig {
            answer_within_ms: 30_000,
            password: password.map(Password::of),
            ..StationConfig::new("charger", identity, 3, Milliwatt(11_040_000))
        };
        let charger = system.charger(config).unwrap();
        let mut process = Command::new(python)
            .arg(format!("{}/tests/peers/{script}", env!("CARGO_MANIFEST_DIR")))
            .arg(format!("ws://{}/ocpp/{identity}", charger.address()))
            .arg(unit)
            .args(password)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let tell = process.stdin.take().unwrap();
        let mut hear = BufReader::new(process.stdout.take().unwrap()).lines();
        assert_eq!(hear.next().unwrap().unwrap(), "ready");
        assert_eq!(charger.station().version, version);
        Some(Self { charger, metrics, process, tell, hear })
    }

    async fn check(mut self, asked: i64, held: i64) {
        let state = self.charger.read().await.unwrap();
        assert!(state.plugged);
        assert_eq!(state.session.0, 500 * MILLIJOULE_PER_WH);
        // Until it is steered, the low default counts that lies in it.
        assert_eq!(state.power, Milliwatt(4_140_000));
        assert_eq!(self.charger.limit(Milliwatt(asked)).await, Ok(Milliwatt(held)));
        assert_eq!(self.charger.read().await.unwrap().power, Milliwatt(held));
        assert_eq!(self.charger.limit(Milliwatt(1)).await, Ok(Milliwatt::ZERO));
        assert_eq!(self.charger.read().await.unwrap().power, Milliwatt::ZERO);
        self.charger.release().await.unwrap();

        writeln!(self.tell, "stop").unwrap();
        assert_eq!(self.hear.next().unwrap().unwrap(), "done");
        assert_eq!(self.charger.station().transaction, None);
        assert!(!self.charger.station().status.unwrap().plugged());
        writeln!(self.tell, "end").unwrap();
        assert!(self.process.wait().unwrap().success(), "the peer found something wrong");
        let refused: u64 = ["bad_field", "unknown_action", "not_a_frame", "unexpected_answer"]
            .map(|reason| self.metrics.refused.with_label_values(&["charger", reason]).get())
            .iter()
            .sum();
        assert_eq!(refused, 0);
    }
}

async fn check(version: Version, unit: &str, asked: i64, held: i64) {
    if let Some(peer) = Peer::charging(version, unit).await {
        peer.check(asked, held).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mobilityhouse_ocpp_charges_by_watts() {
    check(Version::V16, "Current,Power", 6_000_070, 6_000_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mobilityhouse_ocpp_charges_by_amperes() {
    check(Version::V16, "Current", 6_950_000, 6_900_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mobilityhouse_ocpp_201_charges_by_watts() {
    check(Version::V201, "A,W", 6_000_070, 6_000_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mobilityhouse_ocpp_201_charges_by_amperes() {
    check(Version::V201, "A", 6_950_000, 6_900_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mobilityhouse_ocpp_201_is_read_and_set_by_variables() {
    let Some(peer) = Peer::charging(Version::V201, "A,W").await else { return };
    let (rate_unit, colour) = ("SmartChargingCtrlr.RateUnit", "Paint.Colour");
    let read = peer.charger.settings(&[rate_unit, colour]).await.unwrap();
    let values: Vec<_> =
        read.iter().map(|setting| (setting.name.as_str(), setting.value.as_deref())).collect();
    assert_eq!(values, [(rate_unit, Some("A,W")), (colour, None)]);
    assert_eq!(peer.charger.change_setting("SampledDataCtrlr.TxUpdatedInterval", "60").await, Ok(false));
    let stopped = peer.charger.stop().await;
    assert!(matches!(stopped, Err(DeviceError::Refused { .. })), "{stopped:?}");
    let mut process = peer.process;
    process.kill().unwrap();
    process.wait().unwrap();
}
