//! A whole site on the network, opened from configurations as a site controller opens it.

use hw_adapters::config::{open, ChargerConfig, DeviceConfig, ModbusConfig};
use hw_adapters::device::{Charger, Device, DeviceError};
use hw_adapters::metrics::DeviceMetrics;
use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt};
use sim_devices::ocpp::ChargePointConfig;
use sim_devices::physics::car::{CarStay, ChargerConfig as ChargerSpec};
use sim_devices::physics::profile::Profile;
use sim_devices::site::{serve, ServeError, Wiring};
use sim_devices::sunspec::fault::ModbusFault;
use sim_devices::world::{lock, LoadSpec, SharedWorld, SiteSpec, World};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const KW: i64 = 1_000_000;
const KWH: i64 = 3_600_000_000;

/// 1 kW of load and a car that needs 20 kWh, at 11 kW.
fn world() -> SharedWorld {
    let site = SiteSpec {
        name: "site".into(),
        load: LoadSpec {
            peak: Milliwatt(KW),
            active: Profile::constant(1.0),
            reactive_peak_mvar: 0,
            reactive: Profile::constant(0.0),
        },
        pv: None,
        battery: None,
        charger: Some(ChargerSpec {
            phases: 3,
            power_max: Milliwatt(11_040_000),
            battery_capacity: Millijoule(60 * KWH),
            stays: vec![CarStay {
                arrival: UnixSeconds(60),
                departure: UnixSeconds(36_000),
                energy_need: Millijoule(20 * KWH),
            }],
        }),
        heat_pump: None,
    };
    Arc::new(Mutex::new(World::new(UnixSeconds(0), vec![site]).unwrap()))
}

fn wiring(charger: Option<ChargePointConfig>) -> Wiring {
    Wiring { listen: Ipv4Addr::LOCALHOST.into(), charger, heat_pump: None }
}

fn metrics() -> DeviceMetrics {
    DeviceMetrics::register(&prometheus::Registry::new()).unwrap()
}

/// The charge point answers once it has connected, whenever that is, and has told of its car.
async fn limit(charger: &mut dyn Charger, power: Milliwatt) -> Milliwatt {
    loop {
        match charger.read().await {
            Ok(state) if state.plugged => return charger.limit(power).await.unwrap(),
            Ok(_) | Err(DeviceError::Silent { .. }) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn the_meter_shows_what_the_charge_point_was_told() {
    let metrics = metrics();
    // A port that was free a moment ago, as whoever writes a site's configuration takes one.
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = DeviceConfig::OcppCharger(ChargerConfig {
        answer_within_ms: 30_000,
        ..ChargerConfig::new("charger", listen, "cp-1", 3, 11_040)
    });
    let Device::Charger(mut charger) = open(&config, &metrics).await.unwrap() else { panic!("a charger") };
    let world = world();
    let central = ChargePointConfig {
        meter_interval_s: 60,
        ..ChargePointConfig::new(&format!("ws://{listen}"), "cp-1")
    };
    let servers = serve(world.clone(), 0, wiring(Some(central))).await.unwrap();
    assert!(servers.pv.is_none() && servers.battery.is_none() && servers.charger.is_some());

    lock(&world).advance_to(UnixSeconds(60));
    let held = limit(&mut *charger, Milliwatt(6 * KW)).await;
    assert!(held <= Milliwatt(6 * KW) && held > Milliwatt(5_900_000), "{held}");
    lock(&world).advance_to(UnixSeconds(960));

    let config = meter_config(&servers.meter.address().to_string());
    let Device::Meter(mut meter) = open(&config, &metrics).await.unwrap() else { panic!("a meter") };
    let power = meter.read().await.unwrap().power;
    assert!((power - Milliwatt(KW) - held).0.abs() <= 1000, "{power} with {held} charging");
}

fn meter_config(address: &str) -> DeviceConfig {
    DeviceConfig::SunSpecMeter(ModbusConfig {
        name: "meter".into(),
        address: address.into(),
        serial: None,
        unit: 1,
        answer_within_ms: 30_000,
        enter_service: None,
        ramp: None,
    })
}

#[tokio::test]
async fn a_devices_failures_are_counted_by_kind() {
    let metrics = metrics();
    let servers = serve(world(), 0, wiring(None)).await.unwrap();
    let config = meter_config(&servers.meter.address().to_string());
    let Device::Meter(mut meter) = open(&config, &metrics).await.unwrap() else { panic!("a meter") };
    assert!(meter.read().await.is_ok());
    servers.meter.fault().set(ModbusFault::Busy);
    assert!(meter.read().await.is_err());
    let counted = metrics.errors.with_label_values(&["sunspec-meter", "reading the meter", "refused"]).get();
    assert_eq!(counted, 1);
}

#[tokio::test]
async fn a_site_that_does_not_exist_is_not_served() {
    let refused = serve(world(), 1, wiring(None)).await.err();
    assert!(matches!(refused, Some(ServeError::NoSuchSite(1))));
}
