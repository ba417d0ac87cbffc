//! A charge point of OCPP 1.6 that answers by a table.

use futures::{SinkExt, StreamExt};
use serde_json::{json, Value};
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{client_async, WebSocketStream};

/// A websocket on `path`, offering `protocol`.
pub async fn dial(
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
pub struct Station {
    pub socket: WebSocketStream<TcpStream>,
    limit_w: f64,
    pub obeys: bool,
    /// The car is gone, which is told only after a profile for its transaction was refused.
    pub left: bool,
}

impl Station {
    pub async fn dial(address: SocketAddr, identity: &str) -> Self {
        let socket = dial(address, &format!("/ocpp/{identity}"), Some("ocpp1.6")).await.unwrap();
        Self { socket, limit_w: 11_040.0, obeys: true, left: false }
    }

    async fn send(&mut self, frame: Value) {
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// Makes a call and serves what comes before its answer.
    pub async fn call(&mut self, action: &str, payload: Value) -> Value {
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

    pub async fn next(&mut self) -> Option<Value> {
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
            // What lies in it is ours already.
            "GetCompositeSchedule" => {
                let limit_w = if frame[3]["duration"] == 86_400 { 4140.0 } else { self.limit_w };
                let periods = json!([{ "startPeriod": 0, "limit": limit_w }]);
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
    pub async fn boot(&mut self) {
        let boot = json!({ "chargePointVendor": "V", "chargePointModel": "M" });
        assert_eq!(self.call("BootNotification", boot).await[2]["status"], "Accepted");
        let mut status = false;
        for _ in 0..3 {
            let mut frame = self.next().await.unwrap();
            if frame[0] == 3 {
                assert_eq!(frame[1], "n");
                status = true;
                frame = self.next().await.unwrap();
            }
            assert_eq!(frame[0], 2);
            self.serve(frame).await;
        }
        self.send(json!([2, "t", "StartTransaction", { "connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": "2024-01-01T00:00:00" }])).await;
        // Two answers, to the status that was triggered and to the transaction.
        if !status {
            assert_eq!(self.next().await.unwrap()[1], "n");
        }
        assert_eq!(self.next().await.unwrap()[1], "t");
    }

    /// Serves whatever comes, as long as the connection stands.
    pub async fn run(mut self) {
        while let Some(frame) = self.next().await {
            if frame[0] == 2 {
                self.serve(frame).await;
            }
        }
    }
}
