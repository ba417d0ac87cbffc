//! What a bid costs: with values made afresh, as at a new forecast, and with those kept within an hour.
//! `cargo bench -p agents` prints microseconds, the least of twenty runs.

use agents::device::horizon::KeptValues;
use agents::device::ladder::PriceRange;
use agents::device::preferences::{BatteryPreferences, HeatPumpPreferences};
use agents::device::{battery, heat_pump, Outlook, PriceQuantiles};
use hw_adapters::device::{BatteryState, HeatPumpState};
use market::interval::{Interval, UnixSeconds};
use market::units::{Millijoule, Milliwatt, PicoEurPerWh};
use std::hint::black_box;
use std::time::Instant;

const INTERVAL_S: i64 = 300;
const PER_HOUR: i64 = 12;

/// A day ahead from the second interval of an hour, each hour's price `spread` EUR/MWh either way.
fn outlook(spread: i64) -> Outlook {
    let expected = |interval: i64| {
        let median = 80 + 40 * ((interval / PER_HOUR * 7) % 24 - 12) / 12;
        let price = |eur: i64| PicoEurPerWh(eur * 1_000_000);
        // Never falls, for the spread is none or more.
        PriceQuantiles::new(price(median - spread), price(median), price(median + spread)).unwrap_or_default()
    };
    Outlook {
        interval: Interval(UnixSeconds(INTERVAL_S)),
        interval_s: INTERVAL_S,
        read_at: UnixSeconds(0),
        price: Some(expected(1)),
        prices: (2..24 * PER_HOUR).map(expected).collect(),
        hourly_persistence: 0.8,
        range: PriceRange { min: PicoEurPerWh(-500_000_000), max: PicoEurPerWh(4_000_000_000) },
    }
}

/// Bids in one run.
const BIDS: u32 = 200;
const RUNS: u32 = 20;

fn measure<T>(name: &str, mut bid: impl FnMut() -> T) {
    let run = |_| {
        let start = Instant::now();
        for _ in 0..BIDS {
            black_box(bid());
        }
        start.elapsed() / BIDS
    };
    let least = (0..RUNS).map(run).min().unwrap_or_default();
    println!("{name:28} {:8.2} us", least.as_secs_f64() * 1e6);
}

fn main() {
    let battery = BatteryState {
        power: Milliwatt(0),
        stored: Millijoule(5 * 3_600_000_000),
        capacity: Millijoule(10 * 3_600_000_000),
        charge_max: Milliwatt(4_000_000),
        discharge_max: Milliwatt(4_000_000),
    };
    let battery_wish = BatteryPreferences { reserve_percent: 5.0, wear_eur_per_mwh: 20.0, efficiency: 0.9 };
    let pump = HeatPumpState {
        power: Milliwatt(0),
        power_max: Milliwatt(3_000_000),
        room_millicelsius: 20_800,
        outdoor_millicelsius: 0,
    };
    let pump_wish = HeatPumpPreferences {
        comfort_min_celsius: 20.0,
        comfort_max_celsius: 22.0,
        heat_loss_w_per_kelvin: 150.0,
        heat_capacity_wh_per_kelvin: 5_000.0,
        performance_at_7_celsius: 3.0,
        performance_per_kelvin: 0.05,
        other_gains_w: 200.0,
        discomfort_eur_per_kelvin_hour: 1.0,
    };
    for (name, spread) in [("certain", 0), ("uncertain", 15)] {
        let outlook = outlook(spread);
        measure(&format!("battery/{name}/afresh"), || {
            battery::curve(&battery, &battery_wish, black_box(&outlook), &mut KeptValues::default())
        });
        let mut kept = KeptValues::default();
        measure(&format!("battery/{name}/kept"), || {
            battery::curve(&battery, &battery_wish, black_box(&outlook), &mut kept)
        });
        measure(&format!("heat-pump/{name}/afresh"), || {
            heat_pump::curve(&pump, &pump_wish, black_box(&outlook), &mut KeptValues::default())
        });
        let mut kept = KeptValues::default();
        measure(&format!("heat-pump/{name}/kept"), || {
            heat_pump::curve(&pump, &pump_wish, black_box(&outlook), &mut kept)
        });
    }
}
