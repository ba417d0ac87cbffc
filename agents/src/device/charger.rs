//! A charge point: the energy a car still needs, at the hours in which it costs least before it leaves.
//!
//! A car slows down towards a full battery, so the last of its need takes longer than the first. It is
//! planned for in whole energy, as [`Slowing`] says, and bid for as what the car will really take.

use super::ladder::{curve_of, Rung};
use super::levels::{LevelStep, LevelValues, LEVELS};
use super::offer::{offer, Span};
use super::preferences::{pico_per_wh, ChargerPreferences};
use super::slowing::Slowing;
use super::value::{Store, Value};
use super::{hours, watt, watt_hours, AgentError, Block, DeviceBid, Outlook};
use hw_adapters::device::ChargerState;
use market::curve::FlexCurve;
use market::units::Milliwatt;

/// What a watt-hour charged an hour later is dearer by, 0.04 EUR/MWh: far below any price that
/// matters, it has a car charge first where prices are equal, for it may leave early.
const WAITING_PICO_PER_WH_HOUR: f64 = 40_000.0;
/// Of a need, the part over which a car is taken to slow down where nobody says.
const SLOWS_OVER_PART: f64 = 0.2;
/// Full power for so long is kept in hand for a car that slows down: a limit is its mean power over an interval,
/// which holds back the beginning, where it would take more, and is not made up for by the end.
const IN_HAND_HOURS: f64 = 3.0 / 60.0;
/// A car that takes less than this part of what it may slows down by itself: meters and rounding explain
/// the rest.
const SLOWED_PART: f64 = 0.95;

/// What the agent remembers of its charge point and the car that uses it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Memory {
    /// The most the car may take, as it was told last.
    told: Option<Milliwatt>,
    /// The most the car that is here was seen to take, where that is less than the charge point gives.
    most: Option<Milliwatt>,
    /// The energy over which a car was last seen to slow down.
    slows_over_wh: Option<f64>,
}

impl Memory {
    /// The most the car may take from now on; none where the charge point is left to itself.
    pub fn is_told(&mut self, power: Option<Milliwatt>) {
        self.told = power;
    }

    /// Looks at the car, with `left_wh` of `need_wh` to go. Takes it less than it may, it can't take more,
    /// as long as it has most of its need to go; later it has begun to slow down.
    fn watch(&mut self, state: &ChargerState, left_wh: f64, need_wh: f64) {
        if !state.plugged || self.most.is_some_and(|most| most < state.power) {
            self.most = None;
        }
        let may = self.told.unwrap_or(state.power_max).min(state.power_max);
        // At its least it may have been slowing for long; then nothing is to be learned.
        if state.power <= state.power_min || watt(state.power) >= watt(may) * SLOWED_PART {
            return;
        }
        if left_wh > need_wh / 2.0 {
            self.most = Some(state.power);
        } else {
            self.slows_over_wh = Some(left_wh * watt(self.full(state)) / watt(state.power));
        }
    }

    /// The most the car takes.
    fn full(&self, state: &ChargerState) -> Milliwatt {
        self.most.unwrap_or(state.power_max)
    }
}

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
    memory: &mut Memory,
) -> Result<DeviceBid, AgentError> {
    check(state)?;
    let left_wh = wish.energy_need_wh - watt_hours(state.session);
    memory.watch(state, left_wh, wish.energy_need_wh);
    if !state.plugged || left_wh <= 0.0 || state.power_max == Milliwatt::ZERO {
        return Ok(FlexCurve::inelastic(Milliwatt::ZERO).into());
    }
    let foreseen_wh = wish.slows_over_wh.unwrap_or(SLOWS_OVER_PART * wish.energy_need_wh);
    let over_wh = memory.slows_over_wh.map_or(foreseen_wh, |seen_wh| seen_wh.max(foreseen_wh));
    let full_w = watt(memory.full(state));
    let car = Slowing::new(full_w, watt(state.power_min), over_wh);
    let evenly_wh = left_wh - watt(state.power).max(0.0) * outlook.hours_until_start();
    let left_wh = evenly_wh.max(car.left_after(left_wh, outlook.hours_until_start()));
    if left_wh <= 0.0 {
        return Ok(FlexCurve::inelastic(Milliwatt::ZERO).into());
    }
    let whole_wh = car.whole_wh(left_wh);
    let store = Store {
        least_wh: 0.0,
        most_wh: whole_wh,
        charge_max_w: full_w,
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
    let unmet = pico_per_wh(wish.unmet_eur_per_mwh);
    let persistence = outlook.hourly_persistence.clamp(0.0, 1.0);
    let steps = steps_until(left_h, outlook);
    let after = LevelValues::certain(Value::flat(0.0, whole_wh, unmet))
        .before(|_| store, &steps, persistence)
        .expected(persistence.powf(outlook.hours()));
    let hours = left_h.min(outlook.hours());
    let span = Span { prices: outlook.level_prices(), hours, step_hours: outlook.hours() };
    let offer = offer(&after, &store, 0.0, &span);
    let in_hand_wh = if over_wh > 0.0 { full_w * IN_HAND_HOURS } else { 0.0 };
    let cant_wait_wh = whole_wh + in_hand_wh - store.intake_wh(left_h - hours);
    let rungs = worth_at_least(offer.rungs, unmet, cant_wait_wh / outlook.hours());
    let mut rungs = taken(rungs, &car, whole_wh, outlook.hours());
    if cant_wait_wh > 0.0 {
        // Part of a block can't be had, and what can't wait would then be lacking.
        rungs = worth_at_least(rungs, unmet, watt(state.power_min));
    }
    let (rungs, block) = with_block(rungs, state.power_min);
    let curve = curve_of(0.0, &rungs, outlook.range)?;
    Ok(DeviceBid { curve, block, setpoint_whole: Some(state.power_max) })
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

/// What the car really takes for each rung of whole energy, of which `whole_wh` are to go.
fn taken(mut rungs: Vec<Rung>, car: &Slowing, whole_wh: f64, step_hours: f64) -> Vec<Rung> {
    let (mut to_go_wh, mut left_wh) = (whole_wh, car.left_wh(whole_wh));
    for rung in &mut rungs {
        to_go_wh = (to_go_wh - rung.width_w * step_hours).max(0.0);
        let after_wh = car.left_wh(to_go_wh);
        rung.width_w = (left_wh - after_wh) / step_hours;
        left_wh = after_wh;
    }
    rungs
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
            slows_over_wh: Some(0.0),
        }
    }

    /// Bidding at midnight for the hour until one; `prices` are those of the hours after.
    fn check(state: &ChargerState, wish: &ChargerPreferences, prices: &[f64], expected: &[(f64, f64)]) {
        let bid = bid(state, wish, &outlook(prices), &mut Memory::default());
        check_corners(&bid.unwrap().curve, expected);
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
        // 12 kWh by 03:00, hours at 500 and 20 to come: 2 kWh save the dear hour, and the block of 4 kW is
        // half of that and half of the other.
        let wish = wish("03:00", 12_000.0);
        let bid = bid(&state(0.0), &wish, &outlook(&[500.0, 20.0]), &mut Memory::default()).unwrap();
        let mean = (500.04 + 20.08) / 2.0;
        check_corners(&bid.curve, &[(20.08, 10_000.0), (20.08, 4_000.0), (mean, 4_000.0), (mean, 0.0)]);
        let least = Milliwatt(4_000_000);
        assert_eq!(bid.block, Some(Block { height: least, setpoint_min: least }));
    }

    #[test]
    fn a_block_of_which_any_part_can_not_wait_can_not_wait() {
        let block = [(30.04, 10_000.0), (30.04, 4_000.0), (1_000.0, 4_000.0), (1_000.0, 0.0)];
        check(&state(0.0), &wish("02:00", 11_000.0), &[30.0], &block);
    }

    #[test]
    fn less_energy_than_the_least_power_gives_is_still_wanted_whole() {
        let bid =
            bid(&state(9_000.0), &wish("01:00", 10_000.0), &outlook(&[]), &mut Memory::default()).unwrap();
        check_corners(&bid.curve, &[(1_000.0, 1_000.0), (1_000.0, 0.0)]);
        let block = Block { height: Milliwatt(1_000_000), setpoint_min: Milliwatt(4_000_000) };
        assert_eq!(bid.block, Some(block));
    }

    #[test]
    fn a_car_that_slows_down_is_charged_earlier_and_bid_for_as_what_it_takes() {
        // 8 kWh at 10 kW, then power falls with what is left down to 4 kW: 2.4 kWh in 0.4 ln 2.5 hours, the
        // last 1.6 in 0.4. Of the two hours there are, 0.57 of this one must be used, and 0.05 are kept in hand;
        // all of it leaves 0.57 hours' charging, of which again 0.4 are for the last 1.6 kWh.
        let slow = ChargerPreferences { slows_over_wh: Some(4_000.0), ..wish("02:00", 12_000.0) };
        let after_all = 2_000.0 + 4_000.0 * 2.5f64.ln();
        let takes = 12_000.0 - 1_600.0 * ((after_all - 4_000.0) / 4_000.0).exp();
        let must = after_all + 500.0;
        check(&state(0.0), &slow, &[30.0], &[(30.04, takes), (30.04, must), (1_000.0, must), (1_000.0, 0.0)]);
    }

    #[test]
    fn a_car_is_seen_to_slow_down() {
        let check =
            |told_w: Option<i64>, takes_w: i64, left_wh: f64, expected: (Option<i64>, Option<f64>)| {
                let mut memory = Memory::default();
                memory.is_told(told_w.map(|w| Milliwatt(w * 1_000)));
                let seen = ChargerState { power: Milliwatt(takes_w * 1_000), ..state(0.0) };
                memory.watch(&seen, left_wh, 20_000.0);
                let most_w = memory.most.map(|most| most.0 / 1_000);
                assert_eq!((most_w, memory.slows_over_wh), expected, "{told_w:?} {takes_w}");
                memory.watch(&ChargerState { plugged: false, ..state(0.0) }, 20_000.0, 20_000.0);
                assert_eq!(memory.most, None);
            };
        check(None, 10_000, 5_000.0, (None, None));
        check(None, 5_000, 5_000.0, (None, Some(10_000.0)));
        check(None, 5_000, 15_000.0, (Some(5_000), None));
        check(Some(10_000), 8_000, 5_000.0, (None, Some(6_250.0)));
        check(Some(5_000), 5_000, 5_000.0, (None, None));
        check(Some(5_000), 4_000, 5_000.0, (None, None));
        check(Some(0), 0, 5_000.0, (None, None));
    }

    #[test]
    fn a_car_that_takes_less_than_its_charge_point_gives_is_begun_with_earlier() {
        let seen = ChargerState { power: Milliwatt(5_000_000), ..state(0.0) };
        let bid = bid(&seen, &wish("03:00", 12_000.0), &outlook(&[30.0, 20.0]), &mut Memory::default());
        // 12 kWh by 03:00 at 5 kW: 2 can't wait, and so neither can the block of 4.
        let expected = [(30.04, 5_000.0), (30.04, 4_000.0), (1_000.0, 4_000.0), (1_000.0, 0.0)];
        check_corners(&bid.unwrap().curve, &expected);
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
            let curve = bid(&state, &wish, &outlook(&prices), &mut Memory::default()).unwrap().curve;
            prop_assert_eq!(curve.power_min(), Milliwatt::ZERO);
            prop_assert!(curve.power_max().0 <= least + more + 1);
        }
    }
}
