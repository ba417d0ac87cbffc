//! A volt-var curve of ours against a simulated DER that adopts curves as the standard has it: what it took the place of
//! is given back whole.

use crate::sunspec::{serve_as, world};
use hw_adapters::device::GiveBack;
use hw_adapters::modbus::{ModbusLink, Timeouts};
use hw_adapters::sunspec::{SunSpecGenerator, VoltVarPoint};
use sim_devices::sunspec::{Dialect, Role};
use std::time::Duration;

/// Where 705 begins: behind the marker, 1, and 701 to 704.
const VOLT_VAR: u16 = 40_002 + 68 + 155 + 52 + 19 + 67;
const LENGTH: u16 = 51;

fn patient() -> Timeouts {
    let long = Duration::from_secs(30);
    Timeouts { connect: long, request: long, operation: long }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_curve_in_force_and_the_stored_one_are_given_back_as_they_were_found() {
    let world = world();
    let served = serve_as(&world, Role::Pv, Dialect { meter: 203, inverter: 701 }).await;
    let address = served.address().to_string();
    let mut link = ModbusLink::new(address.clone(), 1, patient());
    let mut registers = async || link.read(VOLT_VAR, LENGTH).await.unwrap();
    let found = registers().await;
    assert_eq!(found[0], 705);
    let mut generator = SunSpecGenerator::new("pv".into(), address, 1, patient());
    let curve = [(9_100, 3_000), (10_000, 0), (10_900, -3_000)];
    let curve = curve.map(|(voltage, reactive)| VoltVarPoint { voltage, reactive });
    for give_back in [false, true] {
        generator.set_volt_var(&curve, 900).await.unwrap();
        let ours = registers().await;
        // Switched on, in force as the first curve, with three points.
        assert_eq!((ours[2], ours[15], ours[25], ours[26]), (1, 3, 9_100, 3_000));
        if give_back {
            generator.give_back().await.unwrap();
        } else {
            generator.set_volt_var(&[], 900).await.unwrap();
        }
        let mut left = registers().await;
        // Which curve was adopted last is no state that holds.
        left[3] = found[3];
        assert_eq!(left, found, "given back: {give_back}");
    }
}
