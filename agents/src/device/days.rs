//! Whole days of one device under prices as they come: does its owner get what was wished for?

use super::horizon::KeptValues;
use super::ladder::PriceRange;
use super::outlook::Outlook;
use super::preferences::{ChargerPreferences, HeatPumpPreferences, Preferences};
use super::testing::price;
use super::*;
use crate::site::schedule::setpoint_of;
use hw_adapters::device::{BatteryState, ChargerState, HeatPumpState};
use market::interval::{Interval, UnixSeconds};
use proptest::prelude::*;

const QUARTER_S: i64 = 900;

/// The outlook from quarter-hour `now` on: each hour's price is expected at its median, with the spread
/// an hour has more the farther away it is.
fn outlook(now: usize, medians: &[f64], spread: f64) -> Outlook {
    let expected = |quarter: usize| {
        let hours_ahead = (quarter - now) as f64 / 4.0;
        let by = spread * (hours_ahead / 24.0).sqrt();
        let median = medians[quarter / 4 % medians.len()];
        PriceQuantiles::new(price(median - by), price(median), price(median + by)).unwrap()
    };
    let start = UnixSeconds(now as i64 * QUARTER_S);
    Outlook {
        interval: Interval(start),
        interval_s: QUARTER_S,
        read_at: start,
        price: Some(expected(now)),
        prices: (now + 1..now + 96).map(expected).collect(),
        hourly_persistence: 0.8,
        range: PriceRange { min: price(-500.0), max: price(4_000.0) },
    }
}

/// A car at a charge point of 4.14 to 11.04 kW.
struct Car {
    left_wh: f64,
    /// With less than this to go it takes less and less.
    slows_over_wh: f64,
}

impl Car {
    fn power_w(&self, limit_w: f64) -> f64 {
        let takes_w = (11_040.0 * self.left_wh / self.slows_over_wh.max(1.0)).clamp(4_140.0, 11_040.0);
        if limit_w < 4_140.0 || self.left_wh <= 0.0 {
            0.0
        } else {
            takes_w.min(limit_w)
        }
    }

    /// A quarter of an hour, minute by minute.
    fn charge(&mut self, limit_w: f64) {
        for _ in 0..15 {
            self.left_wh = (self.left_wh - self.power_w(limit_w) / 60.0).max(0.0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Prices may do what they like, as long as they stay below what a lack costs the driver: whether the
    /// car slows down or not, it gets what full power all along would have given it.
    #[test]
    fn a_car_has_its_energy_when_it_leaves_wherever_it_can(
        medians in prop::collection::vec(0.0f64..300.0, 24),
        spread in 0.0f64..100.0,
        surprises in prop::collection::vec(-200.0f64..900.0, 96),
        (need_kwh, arrives, quarters) in (1.0f64..60.0, 0usize..48, 4usize..48),
        slows_over_part in prop_oneof![Just(0.0), 0.0f64..=0.2],
    ) {
        let (leaves, need_wh) = (arrives + quarters, need_kwh * 1e3);
        let wish = Preferences::Charger(ChargerPreferences {
            departure: format!("{:02}:{:02}", leaves / 4, leaves % 4 * 15).try_into().unwrap(),
            arrival: None,
            energy_need_wh: need_wh,
            unmet_eur_per_mwh: 1_000.0,
            slows_over_wh: None,
        });
        let mut agent = DeviceAgent::new(wish.clone());
        let new = || Car { left_wh: need_wh, slows_over_wh: need_wh * slows_over_part };
        let (mut car, mut limit_w) = (new(), 0.0);
        for now in arrives..leaves {
            let state = ChargerState {
                plugged: true,
                power: Milliwatt((car.power_w(limit_w) * 1e3) as i64),
                session: Millijoule::from_wh(need_wh - car.left_wh).unwrap(),
                power_min: Milliwatt(4_140_000),
                power_max: Milliwatt(11_040_000),
            };
            let bid = agent.bid(&Reading::Charger(state), &outlook(now, &medians, spread)).unwrap();
            let clears = price(medians[now / 4 % 24] + surprises[now]).min(price(999.0));
            let setpoint = setpoint_of(&wish, bid.curve.power_at(clears), &bid, false);
            agent.is_told(setpoint.power());
            limit_w = setpoint.power().map_or(11_040.0, watt);
            car.charge(limit_w);
        }
        let mut at_once = new();
        (0..quarters).for_each(|_| at_once.charge(11_040.0));
        prop_assert!(car.left_wh <= at_once.left_wh + 5.0, "{} and not {} Wh lack", car.left_wh, at_once.left_wh);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// A kelvin for an hour is worth 1 EUR and takes 5 kWh of heat to mend, so no price here is worth it.
    #[test]
    fn a_room_stays_in_its_comfort_band_wherever_it_can(
        medians in prop::collection::vec(0.0f64..150.0, 24),
        spread in 0.0f64..60.0,
        surprises in prop::collection::vec(-100.0f64..100.0, 96),
        (room, outdoor) in (20.2f64..21.8, -10.0f64..8.0),
    ) {
        let wish = HeatPumpPreferences {
            comfort_min_celsius: 20.0,
            comfort_max_celsius: 22.0,
            heat_loss_w_per_kelvin: 150.0,
            heat_capacity_wh_per_kelvin: 5_000.0,
            performance_at_7_celsius: 3.0,
            performance_per_kelvin: 0.05,
            other_gains_w: 200.0,
            discomfort_eur_per_kelvin_hour: 1.0,
        };
        let performance = 3.0 + 0.05 * (outdoor - 7.0);
        let mut kept = KeptValues::default();
        let mut celsius = room;
        for (now, surprise) in surprises.iter().enumerate() {
            let state = HeatPumpState {
                power: Milliwatt::ZERO,
                power_max: Milliwatt(3_000_000),
                room_millicelsius: (celsius * 1e3).round() as i64,
                outdoor_millicelsius: (outdoor * 1e3).round() as i64,
            };
            let curve = heat_pump::curve(&state, &wish, &outlook(now, &medians, spread), &mut kept).unwrap();
            let power_w = watt(curve.power_at(price(medians[now / 4] + surprise)));
            // A quarter of an hour by small explicit Euler steps.
            for _ in 0..90 {
                let heat_w = power_w * performance + 200.0 - 150.0 * (celsius - outdoor);
                celsius += heat_w / 5_000.0 / 360.0;
            }
            prop_assert!((19.85..=22.15).contains(&celsius), "{celsius} degrees after {now} quarters");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_battery_with_more_in_store_never_takes_more(
        medians in prop::collection::vec(-50.0f64..200.0, 24),
        spread in 0.0f64..100.0,
        (stored, more) in (0.0f64..10_000.0, 0.0f64..3_000.0),
        at in -100.0f64..300.0,
    ) {
        let power = |stored_wh: f64| {
            let state = BatteryState {
                power: Milliwatt::ZERO,
                stored: Millijoule::from_wh(stored_wh).unwrap(),
                capacity: Millijoule::from_wh(10_000.0).unwrap(),
                charge_max: Milliwatt(4_000_000),
                discharge_max: Milliwatt(4_000_000),
            };
            let wish = preferences::BatteryPreferences {
                reserve_percent: 5.0,
                wear_eur_per_mwh: 20.0,
                efficiency: 0.9,
            };
            let outlook = outlook(0, &medians, spread);
            let mut agent = DeviceAgent::new(Preferences::Battery(wish));
            agent.bid(&Reading::Battery(state), &outlook).unwrap().curve.power_at(price(at)).0
        };
        let (with_less, with_more) = (power(stored), power((stored + more).min(10_000.0)));
        prop_assert!(with_more <= with_less + 1, "{with_more} mW with more, {with_less} with less");
    }

    /// Kept from one quarter of an hour to the next, values are those that are computed afresh.
    #[test]
    fn kept_values_change_no_bid(
        medians in prop::collection::vec(0.0f64..200.0, 24),
        spread in 0.0f64..60.0,
        stored in prop::collection::vec(0.0f64..10_000.0, 12),
    ) {
        let wish = preferences::BatteryPreferences {
            reserve_percent: 0.0,
            wear_eur_per_mwh: 20.0,
            efficiency: 0.9,
        };
        let mut kept = KeptValues::default();
        for (now, stored_wh) in stored.iter().enumerate() {
            let state = BatteryState {
                power: Milliwatt::ZERO,
                stored: Millijoule::from_wh(*stored_wh).unwrap(),
                capacity: Millijoule::from_wh(10_000.0).unwrap(),
                charge_max: Milliwatt(4_000_000),
                discharge_max: Milliwatt(4_000_000),
            };
            // One forecast for all: made at the first quarter, with an hour's prices alike.
            let mut outlook = outlook(0, &medians, 0.0);
            let all: Vec<PriceQuantiles> = outlook
                .price
                .iter()
                .chain(outlook.prices.each())
                .enumerate()
                .map(|(quarter, at)| {
                    let by = market::units::PicoEurPerWh((spread * 1e6) as i64 * (quarter / 4) as i64 / 24);
                    PriceQuantiles::new(at.median() - by, at.median(), at.median() + by).unwrap()
                })
                .collect();
            outlook.price = Some(all[now]);
            outlook.prices = all[now + 1..].iter().copied().collect();
            let with = battery::curve(&state, &wish, &outlook, &mut kept).unwrap();
            let afresh = battery::curve(&state, &wish, &outlook, &mut KeptValues::default()).unwrap();
            prop_assert_eq!(with, afresh);
        }
    }
}
