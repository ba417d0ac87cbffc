//! The OCPP central system over real sockets, against a charge point spoken word by word.

use futures::{SinkExt, StreamExt};
use hw_adapters::device::{Charger, DeviceError};
use hw_adapters::metrics::DeviceMetrics;
use hw_adapters::ocpp::{CentralSystem, OcppCharger, StationConfig};
use market::units::Milliwatt;
use serde_json::{json, Value};
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{client_async, WebSocketStream};

fn config(identity: &str) -> StationConfig {
    StationConfig {
        name: format!("charger {identity}"),
        identity: identity.to_owned(),
        phases: 3,
        power_max: Milliwatt(11_040_000),
        answer_within_ms: 20_000,
    }
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

async fn dial(
    address: SocketAddr,
    path: &str,
    protocol: Option<&str>,
) -> Result<WebSocketStream<TcpStream>, Error> {
    let stream = TcpStream::connect(address).await?;
    let mut request = format!("ws://{address}{path}").into_client_request()?;
    if let Some(protocol) = protocol {
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocol.parse().unwrap());
    }
    Ok(client_async(request, stream).await?.0)
}

/// A charge point that answers by a table and says what the test tells it to.
struct Station {
    socket: WebSocketStream<TcpStream>,
    limit_w: f64,
    obeys: bool,
    /// The car is gone, which is told only after a profile for its transaction was refused.
    left: bool,
}

impl Station {
    async fn connect(address: SocketAddr) -> Self {
        let socket = dial(address, "/ocpp/CP-1", Some("ocpp1.6")).await.unwrap();
        Self { socket, limit_w: 11_040.0, obeys: true, left: false }
    }

    async fn send(&mut self, frame: Value) {
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// Makes a call and serves what comes before its answer.
    async fn call(&mut self, action: &str, payload: Value) -> Value {
        self.send(json!([2, "call", action, payload])).await;
        loop {
            let frame = self.next().await.expect("the connection stands");
            if frame[0] == 2 {
                self.serve(frame).await;
            } else {
                return frame;
            }
        }
    }

    async fn next(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(text)) => return serde_json::from_str(text.as_str()).ok(),
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                _ => return None,
            }
        }
    }

    async fn serve(&mut self, frame: Value) {
        let id = frame[1].clone();
        let (answer, then) = match frame[2].as_str().unwrap() {
            "GetConfiguration" => (
                json!({ "configurationKey": [{ "key": "ChargingScheduleAllowedChargingRateUnit", "readonly": true, "value": "Power" },
                    { "key": "MeterValuesSampledData", "readonly": false, "value": "Power.Active.Import" }] }),
                None,
            ),
            "TriggerMessage" if frame[3]["requestedMessage"] == "MeterValues" => {
                let values = json!([{ "value": "0.004", "unit": "kWh" },
                    { "value": self.limit_w.to_string(), "measurand": "Power.Active.Import", "unit": "W" }]);
                let payload = json!({ "connectorId": 1, "meterValue": [{ "timestamp": "2024-01-01T00:00:00", "sampledValue": values }]});
                (json!({ "status": "Accepted" }), Some(json!([2, "m", "MeterValues", payload])))
            }
            "TriggerMessage" => {
                let payload = json!({ "connectorId": 1, "status": "Charging", "errorCode": "NoError" });
                (json!({ "status": "Accepted" }), Some(json!([2, "n", "StatusNotification", payload])))
            }
            "SetChargingProfile"
                if self.left && frame[3]["csChargingProfiles"]["transactionId"].is_number() =>
            {
                let transaction = frame[3]["csChargingProfiles"]["transactionId"].clone();
                let end = json!({ "transactionId": transaction, "meterStop": 9, "timestamp": "2024-01-01T00:00:00" });
                (json!({ "status": "Rejected" }), Some(json!([2, "e", "StopTransaction", end])))
            }
            "SetChargingProfile" => {
                let periods = &frame[3]["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"];
                if self.obeys {
                    self.limit_w = periods[0]["limit"].as_f64().unwrap();
                }
                (json!({ "status": "Accepted" }), None)
            }
            "GetCompositeSchedule" => {
                let periods = json!([{ "startPeriod": 0, "limit": self.limit_w }]);
                let schedule = json!({ "chargingRateUnit": "W", "chargingSchedulePeriod": periods });
                (json!({ "status": "Accepted", "connectorId": 1, "chargingSchedule": schedule }), None)
            }
            other => panic!("asked for {other}"),
        };
        self.send(json!([3, id, answer])).await;
        if let Some(call) = then {
            self.send(call).await;
        }
    }

    /// Boots, begins a transaction, and has been asked for its configuration and status.
    async fn boot(&mut self) {
        let boot = json!({ "chargePointVendor": "V", "chargePointModel": "M" });
        assert_eq!(self.call("BootNotification", boot).await[2]["status"], "Accepted");
        for _ in 0..2 {
            let frame = self.next().await.unwrap();
            assert_eq!(frame[0], 2);
            self.serve(frame).await;
        }
        self.send(json!([2, "t", "StartTransaction", { "connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": "2024-01-01T00:00:00" }])).await;
        // Two answers, to the status that was triggered and to the transaction.
        assert_eq!(self.next().await.unwrap()[1], "n");
        assert_eq!(self.next().await.unwrap()[1], "t");
    }

    /// Serves whatever comes, as long as the connection stands.
    async fn run(mut self) {
        while let Some(frame) = self.next().await {
            if frame[0] == 2 {
                self.serve(frame).await;
            }
        }
    }
}

#[tokio::test]
async fn a_limit_is_written_and_read_back() {
    let mut house = House::new().await;
    let mut station = Station::connect(house.charger.address()).await;
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
    let mut station = Station::connect(house.charger.address()).await;
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
    let mut station = Station::connect(house.charger.address()).await;
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
    let mut station = Station::connect(house.charger.address()).await;
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
    let mut station = Station::connect(house.charger.address()).await;
    station.boot().await;
    // The peer may have closed before the last byte is written.
    station.socket.send(Message::text("x".repeat(1 << 20))).await.ok();
    house.until_refused("charger CP-1", "oversized").await;
    assert!(matches!(house.charger.read().await, Err(DeviceError::Silent { .. })));
    let transaction = house.charger.station().transaction;
    assert!(transaction.is_some());
    let mut again = Station::connect(house.charger.address()).await;
    again.call("Heartbeat", json!({})).await;
    let running = tokio::spawn(again.run());
    assert_eq!(house.charger.limit(Milliwatt(6_000_000)).await, Ok(Milliwatt(6_000_000)));
    assert_eq!(house.charger.station().transaction, transaction);
    running.abort();
}

#[tokio::test]
async fn the_newer_connection_replaces_the_older() {
    let mut house = House::new().await;
    let mut older = Station::connect(house.charger.address()).await;
    older.boot().await;
    let mut newer = Station::connect(house.charger.address()).await;
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
    assert!(dial(address, "/ocpp/CP-1", Some("ocpp2.0.1")).await.is_err());
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
