//! Heat pump and its adapter over a broker, `rumqttd` embedded.

use hw_adapters::config::{open, DeviceConfig, HeatPumpConfig as Reached};
use hw_adapters::device::Device;
use hw_adapters::device::{DeviceError, HeatPump, HeatPumpState};
use hw_adapters::metrics::DeviceMetrics;
use market::interval::UnixSeconds;
use market::units::Milliwatt;
use rumqttc::{AsyncClient, MqttOptions, QoS};
use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};
use sim_devices::fault::Fault;
use sim_devices::mqtt::{MqttHeatPump, MqttHeatPumpConfig};
use sim_devices::physics::heat_pump::{Control, HeatPumpConfig, HeatPumpSim};
use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Against hanging only.
const PATIENCE: Duration = Duration::from_secs(60);

/// A broker on a free port; rumqttd binds by itself and does not say where, so one is found first.
fn broker() -> SocketAddr {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let connections = ConnectionSettings {
        connection_timeout_ms: 10_000,
        max_payload_size: 65_536,
        max_inflight_count: 100,
        auth: None,
        external_auth: None,
        dynamic_filters: true,
    };
    let server = ServerSettings {
        name: "v4".into(),
        listen: address,
        tls: None,
        next_connection_delay_ms: 0,
        connections,
    };
    let router = RouterConfig {
        max_connections: 16,
        max_outgoing_packet_count: 200,
        max_segment_size: 1 << 20,
        max_segment_count: 4,
        ..RouterConfig::default()
    };
    let config = Config { router, v4: Some(HashMap::from([("v4".into(), server)])), ..Config::default() };
    std::thread::spawn(move || drop(Broker::new(config).start()));
    while TcpStream::connect(address).is_err() {
        std::thread::sleep(Duration::from_millis(5));
    }
    address
}

struct House {
    adapter: Box<dyn HeatPump>,
    device: MqttHeatPump,
    sim: Arc<Mutex<HeatPumpSim>>,
    metrics: DeviceMetrics,
    broker: SocketAddr,
}

impl House {
    async fn new(answer_within_ms: u64, stale_after_ms: u64) -> Self {
        let broker = broker();
        let sim = HeatPumpSim::new(HeatPumpConfig::default(), UnixSeconds(0), 2000).unwrap();
        let sim = Arc::new(Mutex::new(sim));
        let config = MqttHeatPumpConfig {
            host: "127.0.0.1".into(),
            port: broker.port(),
            prefix: "house/heat-pump".into(),
            client_id: "sim-heat-pump".into(),
            publish_every_ms: 50,
        };
        let device = MqttHeatPump::start(config, sim.clone()).unwrap();
        let metrics = DeviceMetrics::register(&prometheus::Registry::new()).unwrap();
        let config = DeviceConfig::MqttHeatPump(Reached {
            login: None,
            name: "heat pump".into(),
            broker: broker.to_string(),
            prefix: "house/heat-pump".into(),
            stale_after_ms,
            answer_within_ms,
        });
        let Ok(Device::HeatPump(adapter)) = open(&config, &metrics).await else {
            panic!("a heat pump opens")
        };
        Self { adapter, device, sim, metrics, broker }
    }

    /// Reads until `wanted` holds.
    async fn until(&mut self, wanted: impl Fn(&Result<HeatPumpState, DeviceError>) -> bool) {
        let reading = async {
            loop {
                let read = self.adapter.read().await;
                if wanted(&read) {
                    return;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, reading).await.expect("it comes to that");
    }

    fn pass(&self, seconds: u32) {
        self.sim.lock().unwrap().step(seconds, 2000);
    }
}

#[tokio::test]
async fn a_setpoint_is_asked_for_held_and_given_back() {
    let mut house = House::new(30_000, 60_000).await;
    house.until(Result::is_ok).await;
    let first = house.adapter.read().await.unwrap();
    assert_eq!((first.room_millicelsius, first.outdoor_millicelsius), (20_500, 2000));
    assert_eq!(first.power_max, Milliwatt(3_000_000));

    let asked = Some(Milliwatt(1_234_567));
    assert_eq!(house.adapter.set_power(asked).await, Ok(asked));
    house.pass(900);
    house.until(|read| read.as_ref().is_ok_and(|state| state.power == Milliwatt(1_234_567))).await;

    assert_eq!(house.adapter.set_power(Some(Milliwatt(9_000_000))).await, Ok(Some(Milliwatt(3_000_000))));
    assert_eq!(house.adapter.set_power(None).await, Ok(None));
}

#[tokio::test]
async fn a_heat_pump_that_refuses_or_is_silent_is_told_apart() {
    let mut house = House::new(500, 60_000).await;
    house.until(Result::is_ok).await;
    house.device.set_fault(Fault::Refusing);
    let asked = Some(Milliwatt(1_000_000));
    let refused = async {
        while !matches!(house.adapter.set_power(asked).await, Err(DeviceError::Disobeyed { .. })) {}
    };
    timeout(PATIENCE, refused).await.unwrap();
    house.device.set_fault(Fault::Silent);
    // What it had said before it fell silent may still be on its way.
    let silent =
        async { while !matches!(house.adapter.set_power(asked).await, Err(DeviceError::Silent { .. })) {} };
    timeout(PATIENCE, silent).await.unwrap();
    assert_eq!(house.sim.lock().unwrap().control(), Control::Thermostat);
    house.device.set_fault(Fault::None);
    house.until(Result::is_ok).await;
}

#[tokio::test]
async fn a_state_grown_stale_is_no_state_until_the_next() {
    let mut house = House::new(30_000, 300).await;
    house.until(Result::is_ok).await;
    house.device.set_fault(Fault::Offline);
    house.until(|read| matches!(read, Err(DeviceError::Silent { .. }))).await;
    house.device.set_fault(Fault::None);
    house.until(Result::is_ok).await;
}

#[tokio::test]
async fn states_that_are_wrong_are_counted_and_change_nothing() {
    let mut house = House::new(30_000, 60_000).await;
    house.until(Result::is_ok).await;
    let mut options = MqttOptions::new("stranger", "127.0.0.1", house.broker.port());
    options.set_max_packet_size(40_000, 40_000);
    let (stranger, mut events) = AsyncClient::new(options, 16);
    tokio::spawn(async move { while events.poll().await.is_ok() {} });
    let topic = "house/heat-pump/state";
    let oversized = format!("{{\"note\":\"{}\"}}", "x".repeat(20_000));
    let hot = r#"{"power_w":1,"room_c":900,"outdoor_c":1,"power_max_w":3000,"mode":"auto"}"#;
    for payload in ["nonsense", oversized.as_str(), hot] {
        stranger.publish(topic, QoS::AtLeastOnce, false, payload).await.unwrap();
    }
    let counted = |reason: &str| house.metrics.refused.with_label_values(&["heat pump", reason]).get();
    let all = async {
        while ["malformed", "oversized", "out_of_range"].iter().any(|reason| counted(reason) == 0) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, all).await.unwrap();
    // What can't be is never passed on; the next sound state is.
    house.until(|read| read.as_ref().is_ok_and(|state| state.room_millicelsius == 20_500)).await;
}
