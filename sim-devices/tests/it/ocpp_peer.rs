//! The charge point with somebody else's central system, which checks every message against the
//! OCA's JSON schemas. Runs where `PEERS_PYTHON` names a Python interpreter with `ocpp`
//! and `websockets` (`pip install ocpp websockets`), and says plainly where it doesn't.

use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt};
use sim_devices::ocpp::{ChargePoint, ChargePointConfig, Version};
use sim_devices::physics::car::{CarStay, ChargerConfig, ChargerSim};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

#[tokio::test(flavor = "multi_thread")]
async fn mobilityhouse_ocpp_steers_a_charge_point() {
    check(Version::V16, "ocpp_central_system.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mobilityhouse_ocpp_201_steers_a_charging_station() {
    check(Version::V201, "ocpp_csms.py").await;
}

async fn check(version: Version, script: &str) {
    let Ok(python) = std::env::var("PEERS_PYTHON") else {
        println!("skipped: PEERS_PYTHON is not set");
        return;
    };
    let mut peer = Command::new(python)
        .arg(format!("{}/tests/peers/{script}", env!("CARGO_MANIFEST_DIR")))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stay = CarStay {
        arrival: UnixSeconds(300),
        departure: UnixSeconds(20_000),
        energy_need: Millijoule(50_000 * 3_600_000),
    };
    let config = ChargerConfig {
        phases: 3,
        power_max: Milliwatt(11_040_000),
        battery_capacity: Millijoule(60_000 * 3_600_000),
        stays: vec![stay],
    };
    let sim = Arc::new(Mutex::new(ChargerSim::new(config, UnixSeconds(0)).unwrap()));
    let mut point = None;
    let mut last = String::new();
    for line in BufReader::new(peer.stdout.take().unwrap()).lines() {
        last = line.unwrap();
        match last.split_once(' ') {
            Some(("port", port)) => {
                let url = format!("ws://127.0.0.1:{port}/ocpp");
                let config = ChargePointConfig { version, ..ChargePointConfig::new(&url, "CP-1") };
                point = Some(ChargePoint::start(config, sim.clone()).unwrap());
            }
            Some(("car", seconds)) => sim.lock().unwrap().step(seconds.parse().unwrap()),
            _ => {}
        }
    }
    assert!(peer.wait().unwrap().success(), "the peer found something wrong");
    assert_eq!(last, "done");
    drop(point);
}
