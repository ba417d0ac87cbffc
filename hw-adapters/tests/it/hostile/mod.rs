//! Charge points that mean ill, or are merely broken: each does its worst to one identity of a central
//! system, and neither is anything false known of that one, nor is another charge point any the worse.

mod cases;
mod wire;

use super::ocpp_station::Station;
use hw_adapters::device::Charger;
use hw_adapters::metrics::DeviceMetrics;
use hw_adapters::ocpp::{CentralSystem, OcppCharger, Password, StationConfig};
use market::units::Milliwatt;
use std::time::Duration;
use tokio::time::timeout;

/// Against hanging only.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is left of a case: connections that stay open while the others are looked at.
pub type Left = Vec<tokio::net::TcpStream>;

struct House {
    victim: OcppCharger,
    locked: OcppCharger,
    bystander: OcppCharger,
    metrics: DeviceMetrics,
}

impl House {
    async fn new() -> Self {
        let metrics = DeviceMetrics::register(&prometheus::Registry::new()).unwrap();
        let system = CentralSystem::listen("127.0.0.1:0".parse().unwrap(), metrics.clone()).await.unwrap();
        let config = |identity: &str| StationConfig {
            answer_within_ms: 30_000,
            ..StationConfig::new(identity, identity, 3, Milliwatt(11_040_000))
        };
        let locked = StationConfig { password: Some(Password::of("open sesame")), ..config("LOCKED") };
        Self {
            victim: system.charger(config("CP-1")).unwrap(),
            locked: system.charger(locked).unwrap(),
            bystander: system.charger(config("BYSTANDER")).unwrap(),
            metrics,
        }
    }

    fn refused(&self) -> u64 {
        let families = prometheus::core::Collector::collect(&self.metrics.refused);
        families
            .iter()
            .flat_map(|family| family.get_metric())
            .map(|one| one.get_counter().get_value() as u64)
            .sum()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_harmed_and_nothing_false_is_known() {
    let mut house = House::new().await;
    let address = house.victim.address();
    let mut station = Station::dial(address, "BYSTANDER").await;
    station.boot().await;
    let running = tokio::spawn(station.run());
    let cases = cases::all();
    assert!(cases.len() >= 34);
    for (index, (name, expected, case)) in cases.into_iter().enumerate() {
        let before = house.refused();
        let left = timeout(PATIENCE, case(address)).await.unwrap_or_else(|_| panic!("{name}: it hangs"));
        let watt = 5_000_000 + i64::try_from(index).unwrap() * 100_000;
        let limited = timeout(PATIENCE, house.bystander.limit(Milliwatt(watt))).await;
        assert_eq!(
            limited.unwrap_or_else(|_| panic!("{name}: another hangs")),
            Ok(Milliwatt(watt)),
            "{name}"
        );
        assert_eq!(house.bystander.read().await.unwrap().power, Milliwatt(watt), "{name}");
        let known = house.victim.station();
        assert_eq!((known.power, known.register, known.transaction), (None, None, None), "{name}");
        assert_eq!(known.status, None, "{name}");
        assert!(!house.locked.station().connected, "{name}");
        drop(left);
        match expected {
            cases::Expected::Refused => {
                let refused = async {
                    while house.refused() == before {
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                };
                timeout(PATIENCE, refused).await.unwrap_or_else(|_| panic!("{name}: it is not counted"));
            }
            cases::Expected::Borne => {}
        }
    }
    // Whoever comes after all that, under the identity that was so badly treated, is served.
    let mut station = Station::dial(address, "CP-1").await;
    station.boot().await;
    let serving = tokio::spawn(station.run());
    assert_eq!(house.victim.limit(Milliwatt(6_000_000)).await, Ok(Milliwatt(6_000_000)));
    serving.abort();
    running.abort();
}
