//! A meter by a table of registers, served by pymodbus over TCP and on a serial line. Runs where `PEERS_PYTHON` names a
//! Python interpreter with `pymodbus` and `pyserial`, and says plainly where it doesn't.

use hw_adapters::by_template::TemplateDevice;
use hw_adapters::config::{open, DeviceConfig};
use hw_adapters::device::{Device, DeviceError, MeterState};
use hw_adapters::metrics::DeviceMetrics;
use market::units::{Millijoule, Milliwatt};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

struct Peer {
    child: Child,
    address: String,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It ends when its standard input does.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn peer(python: &str, way: &str, values: [&str; 3]) -> Peer {
    let mut child = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/pymodbus_meter.py"))
        .arg(way)
        .args(values)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    Peer { child, address: line.strip_prefix("ready ").unwrap().to_owned() }
}

async fn read(peer: &Peer, unit: Option<u8>) -> Result<MeterState, DeviceError> {
    let metrics = DeviceMetrics::register(&prometheus::Registry::new()).unwrap();
    let config = DeviceConfig::Template(Box::new(TemplateDevice {
        name: "meter".into(),
        template: "eastron-sdm630".into(),
        address: Some(peer.address.clone()),
        unit,
        answer_within_ms: Some(3_000),
        ..TemplateDevice::default()
    }));
    match open(&config, &metrics).await.unwrap() {
        Device::Meter(mut meter) => meter.read().await,
        _ => panic!("it is a meter"),
    }
}

async fn check(python: &str, way: &str) {
    let sound = peer(python, way, ["-1234.5", "100.25", "7.5"]);
    let expected = MeterState {
        power: Milliwatt(-1_234_500),
        imported: Millijoule(360_900_000_000),
        exported: Millijoule(27_000_000_000),
    };
    assert_eq!(read(&sound, Some(7)).await, Ok(expected), "{way}");
    let other = read(&sound, None).await;
    assert!(other.is_err(), "nobody is unit 1: {other:?}");
    // The next ones take its port.
    drop(sound);
    for values in [["nan", "1", "1"], ["1", "inf", "1"], ["1", "-5", "1"], ["3e38", "1", "1"]] {
        let wrong = read(&peer(python, way, values), Some(7)).await;
        assert!(matches!(wrong, Err(DeviceError::BadAnswer { .. })), "{way} {values:?}: {wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_eastron_meter_is_read_by_its_template_over_tcp_and_on_a_serial_line() {
    let Ok(python) = std::env::var("PEERS_PYTHON") else {
        println!("skipped: PEERS_PYTHON is not set");
        return;
    };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    check(&python, &port.to_string()).await;
    check(&python, "rtu").await;
}
