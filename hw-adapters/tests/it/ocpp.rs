//! The OCPP central system over real sockets, against a charge point spoken word by word.

use crate::ocpp_station::{dial, Station};
use futures::{SinkExt, StreamExt};
use hw_adapters::device::{Charger, DeviceError};
use hw_adapters::metrics::DeviceMetrics;
use hw_adapters::ocpp::{CentralSystem, OcppCharger, StationConfig};
use market::units::Milliwatt;
use serde_json::json;
use tokio_tungstenite::tungstenite::{Error, Message};

fn config(identity: &str) -> StationConfig {
    let config = StationConfig::new(&format!("charger {identity}"), identity, 3, Milliwatt(11_040_000));
    StationConfig { answer_within_ms: 20_000, ..config }
}

struct House {
    charger: OcppCharger,
    metrics: DeviceMetrics,
}

impl House {
    async fn new() -> Self {
        let metrics = DeviceMetrics::register(&prometheus::Registry::new()).unwrap();
        let system = CentralSystem::listen("127.0.0.1:0".parse().unwrap(), metrics.clone()).await.unwrap();
        Self { charger: system.charger(config("CP-1")).unwrap(), metrics }
    }

    fn refused(&self, device: &str, reason: &str) -> u64 {
        self.metrics.refused.with_label_values(&[device, reason]).get()
    }

    async fn until_refused(&self, device: &str, reason: &str) {
        while self.refused(device, reason) == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn a_limit_is_written_and_read_back() {
    let mut house = House::new().await;
    let mut station = Station::dial(house.charger.address(), "CP-1").await;
    station.boot().await;
    let running = tokio::spawn(station.run());
    let state = house.charger.read().await.unwrap();
    assert!(state.plugged);
    assert_eq!(state.power, Milliwatt(11_040_000));
    assert_eq!(state.session.0, 4 * 3_600_000);
    assert_eq!(house.charger.limit(Milliwatt(7_000_050)).await, Ok(Milliwatt(7_000_000)));
    assert_eq!(house.charger.limit(Milliwatt(4_000_000)).await, Ok(Milliwatt::ZERO));
    assert_eq!(house.charger.limit(Milliwatt(99_000_000)).await, Ok(Milliwatt(11_040_000)));
    running.abort();
}

#[tokio::test]
async fn a_limit_for_a_car_that_has_just_left_is_set_for_the_next_one() {
    let mut house = House::new().await;
    let mut station = Station::dial(house.charger.address(), "CP-1").await;
    station.boot().await;
    station.left = true;
    let running = tokio::spawn(station.run());
    assert_eq!(house.charger.limit(Milliwatt(7_000_000)).await, Ok(Milliwatt(7_000_000)));
    assert_eq!(house.charger.station().transaction, None);
    running.abort();
}

#[tokio::test]
async fn a_charge_point_that_accepts_and_does_not_obey_is_told_on() {
    let mut house = House::new().await;
    let mut station = Station::dial(house.charger.address(), "CP-1").await;
    station.obeys = false;
    station.boot().await;
    let running = tokio::spawn(station.run());
    let got = house.charger.limit(Milliwatt(5_000_000)).await;
    assert!(matches!(got, Err(DeviceError::Disobeyed { .. })), "{got:?}");
    running.abort();
}

#[tokio::test]
async fn frames_that_are_wrong_are_counted_and_the_session_goes_on() {
    let mut house = House::new().await;
    let mut station = Station::dial(house.charger.address(), "CP-1").await;
    station.boot().await;
    let huge = format!(r#"[2,"x","DataTransfer",{{"data":"{}"}}]"#, "x".repeat(70_000));
    for bad in [huge.as_str(), "{}", "hello", r#"[3,"g99",{}]"#, "[[[[[[[[[[[[[[[[[[[["] {
        station.socket.send(Message::text(bad)).await.unwrap();
    }
    station.socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(station.call("Nonsense", json!({})).await[2], "NotImplemented");
    let running = tokio::spawn(station.run());
    assert_eq!(house.charger.limit(Milliwatt(6_000_000)).await, Ok(Milliwatt(6_000_000)));
    assert!(house.charger.station().transaction.is_some());
    for reason in
        ["oversized", "not_a_frame", "not_json", "unexpected_answer", "too_deep", "binary", "unknown_action"]
    {
        assert_eq!(house.refused("charger CP-1", reason), 1, "{reason}");
    }
    running.abort();
}

#[tokio::test]
async fn what_no_charge_point_would_send_ends_the_connection_and_not_the_session() {
    let mut house = House::new().await;
    let mut station = Station::dial(house.charger.address(), "CP-1").await;
    station.boot().await;
    // The peer may have closed before the last byte is written.
    station.socket.send(Message::text("x".repeat(1 << 20))).await.ok();
    house.until_refused("charger CP-1", "oversized").await;
    assert!(matches!(house.charger.read().await, Err(DeviceError::Silent { .. })));
    let transaction = house.charger.station().transaction;
    assert!(transaction.is_some());
    let mut again = Station::dial(house.charger.address(), "CP-1").await;
    again.call("Heartbeat", json!({})).await;
    let running = tokio::spawn(again.run());
    assert_eq!(house.charger.limit(Milliwatt(6_000_000)).await, Ok(Milliwatt(6_000_000)));
    assert_eq!(house.charger.station().transaction, transaction);
    running.abort();
}

#[tokio::test]
async fn the_newer_connection_replaces_the_older() {
    let mut house = House::new().await;
    let mut older = Station::dial(house.charger.address(), "CP-1").await;
    older.boot().await;
    let mut newer = Station::dial(house.charger.address(), "CP-1").await;
    newer.call("Heartbeat", json!({})).await;
    assert_eq!(older.next().await, None);
    let running = tokio::spawn(newer.run());
    assert_eq!(house.charger.limit(Milliwatt(6_000_000)).await, Ok(Milliwatt(6_000_000)));
    running.abort();
}

#[tokio::test]
async fn strangers_and_other_protocols_are_turned_away() {
    let house = House::new().await;
    let address = house.charger.address();
    let stranger = dial(address, "/ocpp/CP-2", Some("ocpp1.6")).await;
    assert!(matches!(stranger, Err(Error::Http(response)) if response.status() == 404));
    house.until_refused("", "unknown_identity").await;
    assert!(dial(address, "/ocpp/CP-1", Some("ocpp2.0")).await.is_err());
    let mut without = dial(address, "/CP-1", None).await.unwrap();
    assert!(matches!(without.next().await, Some(Ok(Message::Close(_))) | None | Some(Err(_))));
    assert!(dial(address, "/CP-1", Some("ocpp2.0.1, ocpp1.6")).await.is_ok());
}

#[tokio::test]
async fn a_configuration_that_cannot_be_is_refused() {
    let metrics = DeviceMetrics::register(&prometheus::Registry::new()).unwrap();
    let system = CentralSystem::listen("127.0.0.1:0".parse().unwrap(), metrics).await.unwrap();
    let _first = system.charger(config("CP-1")).unwrap();
    assert!(system.charger(config("CP-1")).is_err());
    assert!(system.charger(config("CP/2")).is_err());
    assert!(system.charger(StationConfig { phases: 4, ..config("CP-3") }).is_err());
    assert!(system.charger(StationConfig { power_max: Milliwatt(1), ..config("CP-3") }).is_err());
    assert!(system.charger(config("CP-3")).is_ok());
}
