//! A battery: buys and sells at the marginal value of its energy over the horizon.

use super::horizon::KeptValues;
use super::ladder::curve_of;
use super::offer::{offer, Span};
use super::preferences::{pico_per_wh, BatteryPreferences};
use super::value::Store;
use super::{watt, watt_hours, AgentError, Outlook};
use hw_adapters::device::BatteryState;
use market::curve::FlexCurve;
use market::units::Milliwatt;

/// The battery's curve for the next interval. Without a forecast it has nothing to price its
/// energy by, and stands still.
///
/// # Errors
/// [`AgentError::BadState`] for a negative power limit or energy above capacity that makes no sense.
pub fn curve(
    state: &BatteryState,
    wish: &BatteryPreferences,
    outlook: &Outlook,
    values: &mut KeptValues,
) -> Result<FlexCurve, AgentError> {
    check(state)?;
    if outlook.prices.is_empty() {
        return Ok(FlexCurve::inelastic(Milliwatt::ZERO));
    }
    let one_way = wish.efficiency.sqrt();
    let capacity_wh = watt_hours(state.capacity);
    let energy_wh = energy_at_start_wh(state, one_way, outlook).clamp(0.0, capacity_wh);
    let store = Store {
        // What lies in reserve is never sold; a battery below its reserve isn't forced to buy either.
        least_wh: (capacity_wh * wish.reserve_percent / 100.0).min(energy_wh),
        most_wh: capacity_wh,
        charge_max_w: watt(state.charge_max),
        discharge_max_w: watt(state.discharge_max),
        charge_efficiency: one_way,
        discharge_efficiency: one_way,
        wear_pico_per_wh: pico_per_wh(wish.wear_eur_per_mwh) / 2.0,
        retention: 1.0,
        gain_wh: 0.0,
        band: None,
    };
    // What is left at the end will be sold some day, at a mean price.
    let left_worth = |mean_price: f64| mean_price * one_way - store.wear_pico_per_wh;
    // Nothing is lost by waiting, so a run of equal prices is one step, however long.
    let after = values.after(outlook, f64::INFINITY, |_| store, left_worth);
    let span = Span { prices: outlook.level_prices(), hours: outlook.hours(), step_hours: outlook.hours() };
    let offer = offer(&after, &store, energy_wh, &span);
    Ok(curve_of(offer.least_w, &offer.rungs, outlook.range)?)
}

/// Refuses a state that can't be true.
///
/// # Errors
/// [`AgentError::BadState`] for a negative power limit or capacity.
pub fn check(state: &BatteryState) -> Result<(), AgentError> {
    if state.charge_max.0 < 0 || state.discharge_max.0 < 0 || state.capacity.0 < 0 {
        return Err(AgentError::BadState { reason: "a limit or the capacity is negative" });
    }
    Ok(())
}

/// Energy at the start of the interval bid for, should power stay as it is until then.
fn energy_at_start_wh(state: &BatteryState, one_way: f64, outlook: &Outlook) -> f64 {
    let power_w = watt(state.power);
    let into_store = if power_w > 0.0 { power_w * one_way } else { power_w / one_way };
    watt_hours(state.stored) + into_store * outlook.hours_until_start()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_corners, outlook};
    use super::*;
    use market::interval::UnixSeconds;
    use market::units::Millijoule;
    use proptest::prelude::*;

    fn state(stored_wh: f64) -> BatteryState {
        BatteryState {
            power: Milliwatt::ZERO,
            stored: Millijoule::from_wh(stored_wh).unwrap(),
            capacity: Millijoule::from_wh(10_000.0).unwrap(),
            charge_max: Milliwatt(4_000_000),
            discharge_max: Milliwatt(4_000_000),
        }
    }

    fn wish(reserve_percent: f64, wear_eur_per_mwh: f64, efficiency: f64) -> BatteryPreferences {
        BatteryPreferences { reserve_percent, wear_eur_per_mwh, efficiency }
    }

    fn check(state: &BatteryState, wish: &BatteryPreferences, prices: &[f64], expected: &[(f64, f64)]) {
        let curve = curve(state, wish, &outlook(prices), &mut KeptValues::default()).unwrap();
        check_corners(&curve, expected);
    }

    #[test]
    fn it_prices_energy_at_what_it_will_earn_or_cost() {
        // 5 kWh in store, one later hour at 90 in which 4 kWh can be sold, 1 kWh then left over for
        // later at the mean, 90: with no loss or wear all of it is worth 90.
        check(&state(5_000.0), &wish(0.0, 0.0, 1.0), &[90.0], &[(90.0, 4_000.0), (90.0, -4_000.0)]);
        // Later hours at 20 and 100, mean 60: 4 kWh can be sold at 100, and 4 kWh bought at 20 before.
        // So of 5 kWh the first given costs 20, and so does the first taken: what is bought now needn't
        // be bought then.
        check(
            &state(5_000.0),
            &wish(0.0, 0.0, 1.0),
            &[20.0, 100.0],
            &[(20.0, 4_000.0), (20.0, 1_000.0), (60.0, 1_000.0), (60.0, -4_000.0)],
        );
    }

    #[test]
    fn losses_and_wear_part_buying_from_selling() {
        // Mean and later price 100, one-way efficiency 0.9, wear 10 each way: stored energy is worth
        // 100 * 0.9 - 10 = 80. Bought up to (80 - 10) * 0.9 = 63, sold from (80 + 10) / 0.9 = 100.
        check(
            &state(5_000.0),
            &wish(0.0, 20.0, 0.81),
            &[100.0],
            &[(63.0, 4_000.0), (63.0, 0.0), (100.0, 0.0), (100.0, -4_000.0)],
        );
    }

    #[test]
    fn the_reserve_is_kept_and_a_full_battery_takes_nothing() {
        check(&state(2_000.0), &wish(20.0, 0.0, 1.0), &[50.0], &[(50.0, 4_000.0), (50.0, 0.0)]);
        check(&state(10_000.0), &wish(0.0, 0.0, 1.0), &[50.0], &[(50.0, 0.0), (50.0, -4_000.0)]);
        check(&state(1_000.0), &wish(20.0, 0.0, 1.0), &[50.0], &[(50.0, 4_000.0), (50.0, 0.0)]);
    }

    #[test]
    fn it_counts_with_what_flows_until_the_interval_starts() {
        let charging = BatteryState { power: Milliwatt(2_000_000), ..state(7_000.0) };
        let mut outlook = outlook(&[50.0]);
        outlook.read_at = UnixSeconds(-1_800);
        let curve = curve(&charging, &wish(0.0, 0.0, 1.0), &outlook, &mut KeptValues::default()).unwrap();
        check_corners(&curve, &[(50.0, 2_000.0), (50.0, -4_000.0)]);
    }

    #[test]
    fn without_a_forecast_it_stands_still() {
        check(&state(5_000.0), &wish(0.0, 0.0, 0.9), &[], &[(0.0, 0.0)]);
    }

    proptest! {
        #[test]
        fn any_state_and_forecast_make_a_curve_within_the_limits(
            stored_wh in -1_000.0f64..12_000.0,
            power in -4_000_000i64..4_000_000,
            prices in prop::collection::vec(-400.0f64..900.0, 0..96),
            (reserve, wear, efficiency) in (0.0f64..100.0, 0.0f64..200.0, 0.3f64..=1.0),
        ) {
            let state = BatteryState { power: Milliwatt(power), ..state(stored_wh) };
            let mut outlook = outlook(&prices);
            outlook.read_at = UnixSeconds(-600);
            let curve = curve(&state, &wish(reserve, wear, efficiency), &outlook, &mut KeptValues::default()).unwrap();
            prop_assert!(curve.power_max().0 <= 4_000_001 && curve.power_min().0 >= -4_000_001);
        }
    }
}
