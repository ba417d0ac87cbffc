//! Charge point and central system, each by its own code, over a real socket.

use hw_adapters::device::{Charger, ChargerState, DeviceError};
use hw_adapters::metrics::DeviceMetrics;
use hw_adapters::ocpp::{OcppCharger, OcppChargerConfig};
use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt};
use sim_devices::fault::Fault;
use sim_devices::ocpp::{ChargePoint, ChargePointConfig};
use sim_devices::physics::car::{CarStay, ChargerConfig, ChargerSim};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{sleep, timeout};

const KWH: i64 = 3_600_000_000;
/// Against hanging only.
const PATIENCE: Duration = Duration::from_secs(60);

struct House {
    charger: OcppCharger,
    point: ChargePoint,
    sim: Arc<Mutex<ChargerSim>>,
}

impl House {
    /// A charge point to which a car comes from 0:10 to 2:00 and another from 3:00 to 5:00.
    async fn new(answer_within_ms: u64) -> Self {
        let stay = |arrival, departure| CarStay {
            arrival: UnixSeconds(arrival),
            departure: UnixSeconds(departure),
            energy_need: Millijoule(40 * KWH),
        };
        let config = ChargerConfig {
            phases: 3,
            power_max: Milliwatt(11_040_000),
            battery_capacity: Millijoule(60 * KWH),
            stays: vec![stay(600, 7200), stay(10_800, 18_000)],
        };
        let sim = Arc::new(Mutex::new(ChargerSim::new(config, UnixSeconds(0)).unwrap()));
        let metrics = DeviceMetrics::register(&prometheus::Registry::new()).unwrap();
        let config = OcppChargerConfig {
            name: "charger".into(),
            listen: "127.0.0.1:0".parse().unwrap(),
            identity: "CP-1".into(),
            phases: 3,
            power_max: Milliwatt(11_040_000),
            answer_within_ms,
        };
        let charger = OcppCharger::listen(config, metrics).await.unwrap();
        let config = ChargePointConfig {
            central_system: format!("ws://{}/ocpp", charger.address()),
            identity: "CP-1".into(),
            meter_interval_s: 900,
        };
        let point = ChargePoint::start(config, sim.clone()).unwrap();
        Self { charger, point, sim }
    }

    fn pass(&self, seconds: u32) {
        self.sim.lock().unwrap().step(seconds);
    }

    fn power(&self) -> Milliwatt {
        self.sim.lock().unwrap().power()
    }

    /// Reads until the charge point is there.
    async fn read(&mut self) -> ChargerState {
        let reading = async {
            loop {
                match self.charger.read().await {
                    Ok(state) => return state,
                    Err(DeviceError::Silent { .. }) => sleep(Duration::from_millis(10)).await,
                    Err(other) => panic!("{other}"),
                }
            }
        };
        timeout(PATIENCE, reading).await.expect("the charge point answers in the end")
    }
}

#[tokio::test]
async fn a_session_runs_under_limits() {
    let mut house = House::new(30_000).await;
    let state = house.read().await;
    assert_eq!((state.plugged, state.power, state.session), (false, Milliwatt::ZERO, Millijoule::ZERO));
    assert_eq!((state.power_min, state.power_max), (Milliwatt(4_140_000), Milliwatt(11_040_000)));

    house.pass(1500);
    let state = house.read().await;
    assert!(state.plugged);
    assert_eq!(state.power, Milliwatt(11_040_000));
    assert_eq!(state.session, Milliwatt(11_040_000).over_seconds(900));

    assert_eq!(house.charger.limit(Milliwatt(6_000_000)).await, Ok(Milliwatt(6_000_000)));
    house.pass(900);
    let state = house.read().await;
    assert_eq!(state.power, Milliwatt(6_000_000));
    assert_eq!(state.session, Milliwatt(17_040_000).over_seconds(900));

    assert_eq!(house.charger.limit(Milliwatt(3_000_000)).await, Ok(Milliwatt::ZERO));
    house.pass(900);
    let state = house.read().await;
    assert_eq!((state.plugged, state.power), (true, Milliwatt::ZERO));

    house.pass(7000);
    let state = house.read().await;
    assert_eq!((state.plugged, state.session), (false, Millijoule::ZERO));

    // The next car finds the charge point's own habit again: the limit was the session's.
    house.pass(1400);
    let state = house.read().await;
    assert_eq!((state.plugged, state.power), (true, Milliwatt(11_040_000)));
}

#[tokio::test]
async fn a_charge_point_that_drops_comes_back_with_its_session() {
    let mut house = House::new(30_000).await;
    house.pass(1500);
    let before = house.read().await;
    assert_eq!(house.charger.limit(Milliwatt(6_000_000)).await, Ok(Milliwatt(6_000_000)));
    let transaction = house.charger.station().transaction;
    assert!(transaction.is_some());

    house.point.set_fault(Fault::Offline);
    let gone = async {
        while house.charger.station().connected {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
    assert!(matches!(house.charger.read().await, Err(DeviceError::Silent { .. })));
    assert!(matches!(house.charger.limit(Milliwatt::ZERO).await, Err(DeviceError::Silent { .. })));
    house.pass(900);

    house.point.set_fault(Fault::None);
    let after = house.read().await;
    assert_eq!(house.charger.station().transaction, transaction);
    assert_eq!(after.session, before.session + Milliwatt(6_000_000).over_seconds(900));
    assert_eq!(house.charger.limit(Milliwatt(5_000_000)).await, Ok(Milliwatt(5_000_000)));
    assert_eq!(house.power(), Milliwatt(5_000_000));
}

fn how(limited: Result<Milliwatt, DeviceError>) -> Fault {
    match limited {
        Err(DeviceError::Refused { .. }) => Fault::Refusing,
        Err(DeviceError::Disobeyed { .. }) => Fault::Disobeying,
        Err(DeviceError::Silent { .. }) => Fault::Silent,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_charge_point_that_refuses_disobeys_or_is_silent_is_told_apart() {
    let mut house = House::new(1000).await;
    house.pass(1500);
    house.read().await;
    // What it accepted while it disobeyed holds once it obeys again.
    let cases = [(Fault::Refusing, 11_040_000), (Fault::Disobeying, 11_040_000), (Fault::Silent, 5_000_000)];
    for (fault, power) in cases {
        house.point.set_fault(fault);
        let told = async {
            // Where the machine is slow, any of them may seem silent at first.
            while how(house.charger.limit(Milliwatt(5_000_000)).await) != fault {}
        };
        timeout(PATIENCE, told).await.expect("it is told in the end");
        assert_eq!(house.power(), Milliwatt(power));
        house.point.set_fault(Fault::None);
        house.read().await;
    }
}

#[tokio::test]
async fn a_late_charge_point_is_waited_for() {
    let mut house = House::new(30_000).await;
    house.pass(1500);
    house.read().await;
    house.point.set_fault(Fault::Late(150));
    assert_eq!(house.charger.limit(Milliwatt(5_000_000)).await, Ok(Milliwatt(5_000_000)));
}

#[tokio::test]
async fn limits_are_given_back() {
    let mut house = House::new(30_000).await;
    house.pass(1500);
    house.read().await;
    assert_eq!(house.charger.limit(Milliwatt::ZERO).await, Ok(Milliwatt::ZERO));
    assert_eq!(house.power(), Milliwatt::ZERO);
    house.charger.release().await.unwrap();
    assert_eq!(house.power(), Milliwatt(11_040_000));
}
