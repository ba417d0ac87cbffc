//! Thermostats and meters as other people make them, on Mosquitto, against our adapters. Runs where there are `mosquitto`
//! and a Python interpreter named by `PEERS_PYTHON` with `paho-mqtt`, and says plainly where there aren't.

use crate::mqtt_peer::mosquitto;
use hw_adapters::by_template::TemplateDevice;
use hw_adapters::config::{open, DeviceConfig};
use hw_adapters::device::{Device, HeatPump, MeterState};
use hw_adapters::metrics::DeviceMetrics;
use market::units::{Millijoule, Milliwatt, MILLIJOULE_PER_WH};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The peers' process, which ends when this is dropped.
struct Peers(Child);

impl Drop for Peers {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn peers(python: &str, port: u16) -> Peers {
    let mut child = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/mqtt_climate.py"))
        .args(["127.0.0.1", &port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    Peers(child)
}

async fn device(template: &str, setting: (&str, &str), port: u16) -> Device {
    let thermostat = template.ends_with("thermostat");
    let config = DeviceConfig::Template(Box::new(TemplateDevice {
        name: template.to_owned(),
        template: template.to_owned(),
        broker: Some(format!("127.0.0.1:{port}")),
        settings: [(setting.0.to_owned(), setting.1.to_owned())].into(),
        power_max_w: thermostat.then_some(2_000),
        outdoor_celsius: thermostat.then_some(5.0),
        answer_within_ms: Some(20_000),
        ..TemplateDevice::default()
    }));
    let metrics = DeviceMetrics::register(&prometheus::Registry::new()).unwrap();
    open(&config, &metrics).await.unwrap()
}

/// A thermostat is found at 21 degrees, heating with so much; it is told all of its power, then none, and given back.
async fn check_thermostat(template: &str, setting: (&str, &str), port: u16, heating_w: i64) {
    let Device::HeatPump(mut pump) = device(template, setting, port).await else {
        panic!("{template} is no heat pump")
    };
    let power = |watts: i64| Milliwatt(watts * 1_000);
    let state = pump.read().await.unwrap();
    assert_eq!((state.room_millicelsius, state.power), (20_500, power(heating_w)), "{template}");
    assert_eq!(pump.set_power(Some(power(2_000))).await, Ok(Some(power(2_000))), "{template}");
    assert_eq!(pump.set_power(Some(Milliwatt::ZERO)).await, Ok(Some(Milliwatt::ZERO)), "{template}");
    shows(pump.as_mut(), Milliwatt::ZERO, template).await;
    assert_eq!(pump.set_power(None).await, Ok(None), "{template}");
    shows(pump.as_mut(), power(heating_w), template).await;
}

/// What a thermostat does it says on another topic than what it was told, and a moment later.
async fn shows(pump: &mut dyn HeatPump, expected: Milliwatt, template: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let power = pump.read().await.unwrap().power;
        if power == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{template}: {power:?} instead of {expected:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Every meter shows 1500 W going out, 12 kWh that came in and 3 that went out.
async fn check_meter(template: &str, setting: (&str, &str), port: u16) {
    let Device::Meter(mut meter) = device(template, setting, port).await else {
        panic!("{template} is no meter")
    };
    let kwh = |kwh: i64| Millijoule(kwh * 1_000 * MILLIJOULE_PER_WH);
    let expected = MeterState { power: Milliwatt(-1_500_000), imported: kwh(12), exported: kwh(3) };
    assert_eq!(meter.read().await, Ok(expected), "{template}");
}

#[tokio::test(flavor = "multi_thread")]
async fn thermostats_and_meters_of_seven_families_are_read_and_steered() {
    let Ok(python) = std::env::var("PEERS_PYTHON") else {
        println!("skipped: PEERS_PYTHON is not set");
        return;
    };
    let Some(broker) = mosquitto() else {
        println!("skipped: mosquitto is not installed");
        return;
    };
    let _peers = peers(&python, broker.port);
    check_thermostat("zigbee2mqtt-thermostat", ("name", "Living room"), broker.port, 2_000).await;
    check_thermostat("esphome-thermostat", ("node", "hallway"), broker.port, 2_000).await;
    check_thermostat("homeassistant-thermostat", ("device", "pump-7"), broker.port, 1_800).await;
    check_meter("shelly-3em", ("id", "shellyem3-1"), broker.port).await;
    check_meter("shelly-pro-3em", ("id", "shellypro3em-2"), broker.port).await;
    check_meter("tasmota-meter", ("topic", "meter_3"), broker.port).await;
    check_meter("esphome-meter", ("node", "cellar"), broker.port).await;
}
