//! Charge point and central system, each by its own code, over a real socket.

use hw_adapters::device::{Charger, ChargerState, DeviceError};
use hw_adapters::metrics::DeviceMetrics;
use hw_adapters::ocpp::{CentralSystem, OcppCharger, StationConfig};
use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt};
use sim_devices::ocpp::{ChargePoint, ChargePointConfig, ChargerFault, Version};
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
    async fn new(version: Version, answer_within_ms: u64) -> Self {
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
        let config = StationConfig {
            answer_within_ms,
            ..StationConfig::new("charger", "CP-1", 3, Milliwatt(11_040_000))
        };
        let system = CentralSystem::listen("127.0.0.1:0".parse().unwrap(), metrics).await.unwrap();
        let charger = system.charger(config).unwrap();
        let config = ChargePointConfig {
            version,
            ..ChargePointConfig::new(&format!("ws://{}/ocpp", charger.address()), "CP-1")
        };
        let point = ChargePoint::start(config, sim.clone()).unwrap();
        Self { charger, point, sim }
    }

    /// Waits until the charge point was told, with nobody to steer it, to take the low default.
    async fn settled(self) -> Self {
        let default = || self.sim.lock().unwrap().limits().first().and_then(|limit| limit.power);
        let told = async {
            while default() != Some(Milliwatt(4_140_000)) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, told).await.expect("the default is written");
        self
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

async fn check_session(version: Version) {
    let mut house = House::new(version, 30_000).await.settled().await;
    let state = house.read().await;
    assert_eq!((state.plugged, state.power, state.session), (false, Milliwatt::ZERO, Millijoule::ZERO));
    assert_eq!((state.power_min, state.power_max), (Milliwatt(4_140_000), Milliwatt(11_040_000)));

    // Nobody has said what the car may take, so it takes the least.
    house.pass(1500);
    let state = house.read().await;
    assert!(state.plugged);
    assert_eq!(state.power, Milliwatt(4_140_000));
    assert_eq!(state.session, Milliwatt(4_140_000).over_seconds(900));

    assert_eq!(house.charger.limit(Milliwatt(6_000_000)).await, Ok(Milliwatt(6_000_000)));
    house.pass(900);
    let state = house.read().await;
    assert_eq!(state.power, Milliwatt(6_000_000));
    assert_eq!(state.session, Milliwatt(10_140_000).over_seconds(900));

    assert_eq!(house.charger.limit(Milliwatt(3_000_000)).await, Ok(Milliwatt::ZERO));
    house.pass(900);
    let state = house.read().await;
    assert_eq!((state.plugged, state.power), (true, Milliwatt::ZERO));

    house.pass(7000);
    let state = house.read().await;
    assert_eq!((state.plugged, state.session), (false, Millijoule::ZERO));

    // What was last asked for holds for the next car, too, from the moment it is known to be there.
    assert_eq!(house.charger.limit(Milliwatt(5_000_000)).await, Ok(Milliwatt(5_000_000)));
    house.pass(600);
    let limited = async {
        while house.power() != Milliwatt(5_000_000) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, limited).await.expect("the next car is limited");
    assert!(house.read().await.plugged);
}

#[tokio::test]
async fn a_session_runs_under_limits() {
    check_session(Version::V16).await;
}

#[tokio::test]
async fn a_session_in_2_0_1_runs_under_limits() {
    check_session(Version::V201).await;
}

/// A limit that is not renewed ends by itself, and the low default is what is left.
#[tokio::test]
async fn a_limit_dies_with_who_set_it() {
    for version in [Version::V16, Version::V201] {
        let mut house = House::new(version, 30_000).await.settled().await;
        house.pass(900);
        house.read().await;
        assert_eq!(house.charger.limit(Milliwatt(9_000_000)).await, Ok(Milliwatt(9_000_000)));
        house.point.set_fault(ChargerFault::Offline);
        house.pass(900);
        assert_eq!(house.power(), Milliwatt(9_000_000));
        house.pass(1800);
        assert_eq!(house.power(), Milliwatt(4_140_000));
    }
}

#[tokio::test]
async fn a_charge_point_that_reboots_is_limited_again() {
    for version in [Version::V16, Version::V201] {
        let mut house = House::new(version, 30_000).await.settled().await;
        house.pass(900);
        house.read().await;
        assert_eq!(house.charger.limit(Milliwatt(9_000_000)).await, Ok(Milliwatt(9_000_000)));
        let before = house.charger.station().transaction;
        house.point.set_fault(ChargerFault::Rebooting);
        let low = async {
            while house.power() != Milliwatt(4_140_000) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, low).await.expect("what lay in flash has survived, and nothing else");
        house.point.set_fault(ChargerFault::None);
        let limited = async {
            while house.power() != Milliwatt(9_000_000) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, limited).await.expect("the limit is set again");
        assert_ne!(house.charger.station().transaction, before);
    }
}

async fn check_drop(version: Version) {
    let mut house = House::new(version, 30_000).await.settled().await;
    house.pass(1500);
    let before = house.read().await;
    assert_eq!(house.charger.limit(Milliwatt(6_000_000)).await, Ok(Milliwatt(6_000_000)));
    let transaction = house.charger.station().transaction;
    assert!(transaction.is_some());

    house.point.set_fault(ChargerFault::Offline);
    let gone = async {
        while house.charger.station().connected {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
    assert!(matches!(house.charger.read().await, Err(DeviceError::Silent { .. })));
    assert!(matches!(house.charger.limit(Milliwatt::ZERO).await, Err(DeviceError::Silent { .. })));
    house.pass(900);

    house.point.set_fault(ChargerFault::None);
    let after = house.read().await;
    assert_eq!(house.charger.station().transaction, transaction);
    assert_eq!(after.session, before.session + Milliwatt(6_000_000).over_seconds(900));
    assert_eq!(house.charger.limit(Milliwatt(5_000_000)).await, Ok(Milliwatt(5_000_000)));
    assert_eq!(house.power(), Milliwatt(5_000_000));
}

#[tokio::test]
async fn a_charge_point_that_drops_comes_back_with_its_session() {
    check_drop(Version::V16).await;
    check_drop(Version::V201).await;
}

fn how(limited: Result<Milliwatt, DeviceError>) -> ChargerFault {
    match limited {
        Err(DeviceError::Refused { .. }) => ChargerFault::Refusing,
        Err(DeviceError::Disobeyed { .. }) => ChargerFault::Disobeying,
        Err(DeviceError::Silent { .. }) => ChargerFault::Silent,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_charge_point_that_refuses_disobeys_or_is_silent_is_told_apart() {
    for version in [Version::V16, Version::V201] {
        for fault in [ChargerFault::Refusing, ChargerFault::Disobeying, ChargerFault::Silent] {
            let mut house = House::new(version, 1000).await.settled().await;
            house.pass(1500);
            house.read().await;
            assert_eq!(house.charger.limit(Milliwatt(9_000_000)).await, Ok(Milliwatt(9_000_000)));
            house.point.set_fault(fault);
            let told = async {
                // Where the machine is slow, any of them may seem silent at first.
                while how(house.charger.limit(Milliwatt(5_000_000)).await) != fault {}
            };
            timeout(PATIENCE, told).await.expect("it is told in the end");
            house.point.set_fault(ChargerFault::None);
            // What was wanted is had as soon as it does as it is told.
            let limited = async {
                while house.power() != Milliwatt(5_000_000) {
                    sleep(Duration::from_millis(5)).await;
                }
            };
            timeout(PATIENCE, limited).await.expect("it is limited in the end");
        }
    }
}

#[tokio::test]
async fn half_messages_say_nothing_and_are_got_over() {
    let mut house = House::new(Version::V201, 500).await.settled().await;
    house.pass(1500);
    let before = house.read().await;
    house.point.set_fault(ChargerFault::HalfFrames);
    assert!(matches!(house.charger.limit(Milliwatt(5_000_000)).await, Err(DeviceError::Silent { .. })));
    assert_eq!(house.charger.station().power, Some(before.power));
    house.point.set_fault(ChargerFault::None);
    house.read().await;
    let limited =
        async { while house.charger.limit(Milliwatt(5_000_000)).await != Ok(Milliwatt(5_000_000)) {} };
    timeout(PATIENCE, limited).await.expect("it is limited in the end");
}

#[tokio::test]
async fn a_late_charge_point_is_waited_for() {
    let mut house = House::new(Version::V16, 30_000).await.settled().await;
    house.pass(1500);
    house.read().await;
    house.point.set_fault(ChargerFault::Late(150));
    assert_eq!(house.charger.limit(Milliwatt(5_000_000)).await, Ok(Milliwatt(5_000_000)));
}

#[tokio::test]
async fn limits_are_given_back() {
    for version in [Version::V16, Version::V201] {
        let mut house = House::new(version, 30_000).await.settled().await;
        house.pass(1500);
        house.read().await;
        assert_eq!(house.charger.limit(Milliwatt::ZERO).await, Ok(Milliwatt::ZERO));
        assert_eq!(house.power(), Milliwatt::ZERO);
        house.charger.release().await.unwrap();
        assert_eq!(house.power(), Milliwatt(11_040_000));
    }
}
