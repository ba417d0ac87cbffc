//! A charge point: the energy a car still needs, at the hours in which it costs least before it leaves.

use super::ladder::{curve_of, Rung};
use super::levels::{LevelStep, LevelValues, LEVELS};
use super::offer::{offer, Span};
use super::preferences::{pico_per_wh, ChargerPreferences};
use super::value::{Store, Value};
use super::{hours, watt, watt_hours, AgentError, Block, DeviceBid, Outlook};
use hw_adapters::device::ChargerState;
use market::curve::FlexCurve;
use market::units::Milliwatt;

/// What a watt-hour charged an hour later is dearer by, 0.04 EUR/MWh: far below any price that
/// matters, it has a car charge first where prices are equal, for it may leave early.
const WAITING_PICO_PER_WH_HOUR: f64 = 40_000.0;

/// The charge point's bid for the next interval. No car, or one that has its energy, takes nothing.
///
/// A car charges at 6 A or not at all, and the value over the horizon is of the continuous
/// relaxation, in which it may also charge less. In the bid the power up to that least is one
/// [`Block`] at its mean worth, so the curve has one high step there; a site that is allocated
/// part of it must round to none or all of it.
///
/// # Errors
/// [`AgentError::BadState`] where its limits are reversed or negative.
pub fn bid(
    state: &ChargerState,
    wish: &ChargerPreferences,
    outlook: &Outlook,
) -> Result<DeviceBid, AgentError> {
    check(state)?;
    let charged_wh = watt_hours(state.session) + watt(state.power).max(0.0) * outlook.hours_until_start();
    let needed_wh = wish.energy_need_wh - charged_wh;
    if !state.plugged || needed_wh <= 0.0 {
        return Ok(FlexCurve::inelastic(Milliwatt::ZERO).into());
    }
    let store = Store {
        least_wh: 0.0,
        most_wh: needed_wh,
        charge_max_w: watt(state.power_max),
        discharge_max_w: 0.0,
        charge_efficiency: 1.0,
        discharge_efficiency: 1.0,
        wear_pico_per_wh: 0.0,
        retention: 1.0,
        gain_wh: 0.0,
        band: None,
    };
    let departure = wish.departure.next_after(outlook.interval.start());
    let left_h = hours(departure.0 - outlook.interval.start().0);
    let unmet = Value::flat(0.0, needed_wh, pico_per_wh(wish.unmet_eur_per_mwh));
    let persistence = outlook.hourly_persistence.clamp(0.0, 1.0);
    let steps = steps_until(left_h, outlook);
    let after = LevelValues::certain(unmet)
        .before(|_| store, &steps, persistence)
        .expected(persistence.powf(outlook.hours()));
    let hours = left_h.min(outlook.hours());
    let span = Span { prices: outlook.level_prices(), hours, step_hours: outlook.hours() };
    let offer = offer(after, &store, 0.0, &span);
    let cant_wait_wh = needed_wh - store.intake_wh(left_h - hours);
    let unmet = pico_per_wh(wish.unmet_eur_per_mwh);
    let rungs = worth_at_least(offer.rungs, unmet, cant_wait_wh / outlook.hours());
    let (rungs, block) = with_block(rungs, state.power_min);
    Ok(DeviceBid { curve: curve_of(0.0, &rungs, outlook.range)?, block })
}

/// Refuses a state that can't be true.
///
/// # Errors
/// [`AgentError::BadState`] where its limits are reversed or negative.
pub fn check(state: &ChargerState) -> Result<(), AgentError> {
    if state.power_min.0 < 0 || state.power_max < state.power_min {
        return Err(AgentError::BadState {
            reason: "the least charging power is negative or above the most",
        });
    }
    Ok(())
}

/// The steps from the end of the interval bid for until the car leaves. Beyond the forecast the
/// mean of its prices goes on; without any forecast there is nothing to wait for.
fn steps_until(left_h: f64, outlook: &Outlook) -> Vec<LevelStep> {
    let Some(mean_price) = outlook.mean_price() else { return Vec::new() };
    let mut steps = outlook.steps(f64::INFINITY);
    steps.push(LevelStep { prices_pico_per_wh: [mean_price; LEVELS], hours: f64::INFINITY });
    let mut passed_h = outlook.hours();
    for step in &mut steps {
        step.hours = step.hours.min(left_h - passed_h);
        step.prices_pico_per_wh = step.prices_pico_per_wh.map(|p| p + WAITING_PICO_PER_WH_HOUR * passed_h);
        passed_h += step.hours;
    }
    steps.retain(|step| step.hours > 0.0);
    steps
}

/// The first `width_w` raised to a worth. What can't wait is worth what its lack costs; where prices are
/// uncertain the store's division into cells blurs how much that is.
fn worth_at_least(rungs: Vec<Rung>, worth_pico_per_wh: f64, width_w: f64) -> Vec<Rung> {
    let mut raised = Vec::with_capacity(rungs.len() + 1);
    let mut left_w = width_w;
    for rung in rungs {
        let within_w = left_w.clamp(0.0, rung.width_w);
        left_w -= within_w;
        let worth = rung.worth_pico_per_wh.max(worth_pico_per_wh);
        raised.push(Rung { worth_pico_per_wh: worth, width_w: within_w });
        raised.push(Rung { width_w: rung.width_w - within_w, ..rung });
    }
    raised
}

/// The first `least` of power taken together at its mean worth.
fn with_block(rungs: Vec<Rung>, least: Milliwatt) -> (Vec<Rung>, Option<Block>) {
    let mut block = Rung { worth_pico_per_wh: 0.0, width_w: 0.0 };
    let mut above = Vec::with_capacity(rungs.len());
    for rung in rungs {
        let within_w = (watt(least) - block.width_w).clamp(0.0, rung.width_w);
        if within_w > 0.0 {
            let width_w = block.width_w + within_w;
            let worth = block.worth_pico_per_wh * block.width_w + rung.worth_pico_per_wh * within_w;
            block = Rung { worth_pico_per_wh: worth / width_w, width_w };
        }
        above.push(Rung { width_w: rung.width_w - within_w, ..rung });
    }
    if block.width_w <= 0.0 {
        return (above, None);
    }
    let height = Milliwatt((block.width_w * 1e3).round() as i64);
    (std::iter::once(block).chain(above).collect(), Some(Block { height, setpoint_min: least }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_corners, outlook};
    use super::*;
    use market::units::Millijoule;
    use proptest::prelude::*;

    fn state(session_wh: f64) -> ChargerState {
        ChargerState {
            plugged: true,
            power: Milliwatt::ZERO,
            session: Millijoule::from_wh(session_wh).unwrap(),
            power_min: Milliwatt(4_000_000),
            power_max: Milliwatt(10_000_000),
        }
    }

    fn wish(departure: &str, need_wh: f64) -> ChargerPreferences {
        ChargerPreferences {
            departure: departure.to_owned().try_into().unwrap(),
            arrival: None,
            energy_need_wh: need_wh,
            unmet_eur_per_mwh: 1_000.0,
        }
    }

    /// Bidding at midnight for the hour until one; `prices` are those of the hours after.
    fn check(state: &ChargerState, wish: &ChargerPreferences, prices: &[f64], expected: &[(f64, f64)]) {
        check_corners(&bid(state, wish, &outlook(prices)).unwrap().curve, expected);
    }

    #[test]
    fn energy_is_worth_the_hours_it_need_not_be_charged_in() {
        // 15 kWh by 03:00, hours at 30 and 20 to come: ten can wait for the hour at 20, five more for
        // that at 30. Now 10 kWh could be taken; the first five save the hour at 30, the rest that at 20.
        check(
            &state(0.0),
            &wish("03:00", 15_000.0),
            &[30.0, 20.0],
            &[(20.08, 10_000.0), (20.08, 5_000.0), (30.04, 5_000.0), (30.04, 0.0)],
        );
    }

    #[test]
    fn what_can_not_wait_is_worth_what_its_lack_would_cost() {
        check(
            &state(5_000.0),
            &wish("02:00", 20_000.0),
            &[30.0],
            &[(30.04, 10_000.0), (30.04, 5_000.0), (1_000.0, 5_000.0), (1_000.0, 0.0)],
        );
        check(&state(0.0), &wish("01:00", 20_000.0), &[30.0], &[(1_000.0, 10_000.0), (1_000.0, 0.0)]);
        check(&state(0.0), &wish("00:30", 20_000.0), &[30.0], &[(1_000.0, 5_000.0), (1_000.0, 0.0)]);
    }

    #[test]
    fn the_least_power_is_one_step_at_its_mean_worth() {
        // 11 kWh by 02:00 at 30: 1 kWh can't wait. The block of 4 kW is 1 at 1000 and 3 at 30.04.
        let bid = bid(&state(0.0), &wish("02:00", 11_000.0), &outlook(&[30.0])).unwrap();
        let mean = (1_000.0 + 3.0 * 30.04) / 4.0;
        check_corners(&bid.curve, &[(30.04, 10_000.0), (30.04, 4_000.0), (mean, 4_000.0), (mean, 0.0)]);
        let least = Milliwatt(4_000_000);
        assert_eq!(bid.block, Some(Block { height: least, setpoint_min: least }));
    }

    #[test]
    fn less_energy_than_the_least_power_gives_is_still_wanted_whole() {
        let bid = bid(&state(9_000.0), &wish("01:00", 10_000.0), &outlook(&[])).unwrap();
        check_corners(&bid.curve, &[(1_000.0, 1_000.0), (1_000.0, 0.0)]);
        let block = Block { height: Milliwatt(1_000_000), setpoint_min: Milliwatt(4_000_000) };
        assert_eq!(bid.block, Some(block));
    }

    #[test]
    fn no_car_or_a_served_one_takes_nothing() {
        check(
            &ChargerState { plugged: false, ..state(0.0) },
            &wish("07:00", 9_000.0),
            &[30.0],
            &[(0.0, 0.0)],
        );
        check(&state(9_000.0), &wish("07:00", 9_000.0), &[30.0], &[(0.0, 0.0)]);
    }

    proptest! {
        #[test]
        fn any_state_makes_a_curve_from_nothing_to_its_most(
            session in 0.0f64..30_000.0,
            need in 0.0f64..80_000.0,
            minutes in 0u32..1_440,
            (least, more) in (0i64..5_000_000, 0i64..20_000_000),
            prices in prop::collection::vec(-400.0f64..900.0, 0..96),
        ) {
            let state = ChargerState {
                power_min: Milliwatt(least), power_max: Milliwatt(least + more), ..state(session)
            };
            let wish = wish(&format!("{:02}:{:02}", minutes / 60, minutes % 60), need);
            let curve = bid(&state, &wish, &outlook(&prices)).unwrap().curve;
            prop_assert_eq!(curve.power_min(), Milliwatt::ZERO);
            prop_assert!(curve.power_max().0 <= least + more + 1);
        }
    }
}
