//! The central system with somebody else's charge point, which checks every message against the
//! OCA's JSON schemas. Runs where `PEERS_PYTHON` names a Python interpreter with `ocpp`
//! and `websockets` (`pip install ocpp websockets`), and says plainly where it doesn't.

use hw_adapters::device::Charger;
use hw_adapters::metrics::DeviceMetrics;
use hw_adapters::ocpp::{OcppCharger, OcppChargerConfig};
use market::units::{Milliwatt, MILLIJOULE_PER_WH};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

async fn check(unit_key: &str, asked: i64, held: i64) {
    let Ok(python) = std::env::var("PEERS_PYTHON") else {
        println!("skipped: PEERS_PYTHON is not set");
        return;
    };
    let metrics = DeviceMetrics::register(&prometheus::Registry::new()).unwrap();
    let config = OcppChargerConfig {
        name: "charger".into(),
        listen: "127.0.0.1:0".parse().unwrap(),
        identity: "CP-1".into(),
        phases: 3,
        power_max: Milliwatt(11_040_000),
        answer_within_ms: 30_000,
    };
    let mut charger = OcppCharger::listen(config, metrics.clone()).await.unwrap();
    let mut peer = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/ocpp_charge_point.py"))
        .arg(format!("ws://{}/ocpp/CP-1", charger.address()))
        .arg(unit_key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut tell = peer.stdin.take().unwrap();
    let mut hear = BufReader::new(peer.stdout.take().unwrap()).lines();
    assert_eq!(hear.next().unwrap().unwrap(), "ready");

    let state = charger.read().await.unwrap();
    assert!(state.plugged);
    assert_eq!(state.session.0, 500 * MILLIJOULE_PER_WH);
    assert_eq!(state.power, Milliwatt(11_040_000));
    assert_eq!(charger.limit(Milliwatt(asked)).await, Ok(Milliwatt(held)));
    assert_eq!(charger.read().await.unwrap().power, Milliwatt(held));
    assert_eq!(charger.limit(Milliwatt(1)).await, Ok(Milliwatt::ZERO));
    charger.release().await.unwrap();

    writeln!(tell, "stop").unwrap();
    assert_eq!(hear.next().unwrap().unwrap(), "done");
    assert_eq!(charger.station().transaction, None);
    assert!(!charger.station().status.unwrap().plugged());
    writeln!(tell, "end").unwrap();
    assert!(peer.wait().unwrap().success(), "the peer found something wrong");
    let refused: u64 = ["bad_field", "unknown_action", "not_a_frame", "unexpected_answer"]
        .map(|reason| metrics.refused.with_label_values(&["charger", reason]).get())
        .iter()
        .sum();
    assert_eq!(refused, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn mobilityhouse_ocpp_charges_by_watts() {
    check("Current,Power", 6_000_070, 6_000_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mobilityhouse_ocpp_charges_by_amperes() {
    check("Current", 6_950_000, 6_900_000).await;
}
