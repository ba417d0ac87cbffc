//! A heat pump: the room is a leaking store of heat with a comfort band.

use super::horizon::KeptValues;
use super::ladder::curve_of;
use super::offer::{offer, Span};
use super::preferences::HeatPumpPreferences;
use super::value::{Band, Store};
use super::{watt, AgentError, Outlook};
use hw_adapters::device::HeatPumpState;
use market::curve::FlexCurve;
use market::units::Milliwatt;

/// How far beyond the comfort band the room's temperature is still told apart, in kelvin.
const MARGIN_KELVIN: f64 = 5.0;
/// Longest step of the horizon in hours: discomfort counts at its end.
const LONGEST_STEP_HOURS: f64 = 1.0;
/// To what outdoors is told over the horizon, in kelvin. It is taken to stay as it is, which is farther off
/// by night; and a finer thermometer would have every value worked out anew at each reading.
const OUTDOOR_STEP_KELVIN: f64 = 0.5;

/// The heat pump's curve for the next interval.
///
/// Energy is the room's heat above a reference; outdoors is taken to stay as it is over the horizon.
/// Without a forecast heat is worth only what discomfort costs, so the room is held just warm enough.
///
/// # Errors
/// [`AgentError::BadState`] for a negative power or a temperature outside -90 to 90 degrees Celsius.
pub fn curve(
    state: &HeatPumpState,
    wish: &HeatPumpPreferences,
    outlook: &Outlook,
    values: &mut KeptValues,
) -> Result<FlexCurve, AgentError> {
    let believable = -90_000..=90_000;
    if !believable.contains(&state.room_millicelsius) || !believable.contains(&state.outdoor_millicelsius) {
        return Err(AgentError::BadState { reason: "a temperature is outside -90 to 90 degrees Celsius" });
    }
    if state.power_max.0 < 0 {
        return Err(AgentError::BadState { reason: "the most power is negative" });
    }
    let room = Room::of(state, wish);
    let store = room.store(watt(state.power_max), outlook.hours());
    let energy_wh = room.energy_after_wh(state, watt(state.power), outlook.hours_until_start());
    let outdoor_celsius = (room.outdoor_celsius / OUTDOOR_STEP_KELVIN).round() * OUTDOOR_STEP_KELVIN;
    let later = Room { wish, outdoor_celsius };
    // Heat left at the end spares heating later, at a mean price.
    let left_worth = |mean_price: f64| mean_price / later.performance();
    let over = |hours: f64| later.store(watt(state.power_max), hours);
    let after = values.after(outlook, LONGEST_STEP_HOURS, over, left_worth);
    let span = Span { prices: outlook.level_prices(), hours: outlook.hours(), step_hours: outlook.hours() };
    let offer = offer(&after, &store, energy_wh, &span);
    Ok(curve_of(offer.least_w, &offer.rungs, outlook.range)?)
}

/// The state in which `hours` at this power leave a room, should outdoors stay as it is.
pub fn state_after(
    state: &HeatPumpState,
    wish: &HeatPumpPreferences,
    power: Milliwatt,
    hours: f64,
) -> HeatPumpState {
    let room = Room::of(state, wish);
    let celsius = room.celsius(room.energy_after_wh(state, watt(power), hours));
    HeatPumpState { power, room_millicelsius: (celsius * 1e3).round() as i64, ..*state }
}

/// A room of one heat capacity behind one thermal resistance (a 1R1C model; Bacher and Madsen, 2011).
struct Room<'a> {
    wish: &'a HeatPumpPreferences,
    outdoor_celsius: f64,
}

impl<'a> Room<'a> {
    fn of(state: &HeatPumpState, wish: &'a HeatPumpPreferences) -> Self {
        Self { wish, outdoor_celsius: state.outdoor_millicelsius as f64 / 1e3 }
    }

    /// Heat in the room as read, `hours` at this power later.
    fn energy_after_wh(&self, state: &HeatPumpState, power_w: f64, hours: f64) -> f64 {
        let store = self.store(power_w, hours);
        let now_wh = self.energy_wh(state.room_millicelsius as f64 / 1e3);
        now_wh * store.retention + store.gain_wh + store.intake_wh(hours)
    }

    /// Heat above the reference, which lies [`MARGIN_KELVIN`] below the comfort band.
    fn energy_wh(&self, celsius: f64) -> f64 {
        (celsius - self.reference_celsius()) * self.wish.heat_capacity_wh_per_kelvin
    }

    fn celsius(&self, energy_wh: f64) -> f64 {
        self.reference_celsius() + energy_wh / self.wish.heat_capacity_wh_per_kelvin
    }

    fn reference_celsius(&self) -> f64 {
        self.wish.comfort_min_celsius - MARGIN_KELVIN
    }

    /// Heat given for each watt-hour drawn.
    fn performance(&self) -> f64 {
        let slope = self.wish.performance_per_kelvin * (self.outdoor_celsius - 7.0);
        (self.wish.performance_at_7_celsius + slope).max(1.0)
    }

    /// The room as a store over a step of `hours`, the exponential decay over it being exact for a
    /// constant power.
    fn store(&self, power_max_w: f64, hours: f64) -> Store {
        let (loss, capacity) = (self.wish.heat_loss_w_per_kelvin, self.wish.heat_capacity_wh_per_kelvin);
        let retention = (-hours * loss / capacity).exp();
        let reached = 1.0 - retention;
        let rest_celsius = self.outdoor_celsius + self.wish.other_gains_w / loss;
        // Of heat given over the step, part has leaked before its end.
        let kept = if hours > 0.0 { capacity * reached / (loss * hours) } else { 1.0 };
        Store {
            least_wh: 0.0,
            most_wh: self.energy_wh(self.wish.comfort_max_celsius + MARGIN_KELVIN),
            charge_max_w: power_max_w,
            discharge_max_w: 0.0,
            charge_efficiency: self.performance() * kept,
            discharge_efficiency: 1.0,
            wear_pico_per_wh: 0.0,
            retention,
            gain_wh: reached * self.energy_wh(rest_celsius),
            band: Some(Band {
                low_wh: self.energy_wh(self.wish.comfort_min_celsius),
                high_wh: self.energy_wh(self.wish.comfort_max_celsius),
                penalty_pico_per_wh: self.wish.discomfort_eur_per_kelvin_hour * 1e12 * hours / capacity,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{corners, outlook};
    use super::*;
    use proptest::prelude::*;

    fn state(room_millicelsius: i64) -> HeatPumpState {
        HeatPumpState {
            power: Milliwatt::ZERO,
            power_max: Milliwatt(2_000_000),
            room_millicelsius,
            outdoor_millicelsius: 0,
        }
    }

    fn wish() -> HeatPumpPreferences {
        HeatPumpPreferences {
            comfort_min_celsius: 20.0,
            comfort_max_celsius: 22.0,
            heat_loss_w_per_kelvin: 150.0,
            heat_capacity_wh_per_kelvin: 5_000.0,
            performance_at_7_celsius: 3.0,
            performance_per_kelvin: 0.0,
            other_gains_w: 0.0,
            discomfort_eur_per_kelvin_hour: 1.0,
        }
    }

    /// Power taken at a price, in watts.
    fn power_at(room_millicelsius: i64, prices: &[f64], price: f64) -> f64 {
        let (state, mut kept) = (state(room_millicelsius), KeptValues::default());
        let curve = curve(&state, &wish(), &outlook(prices), &mut kept).unwrap();
        watt(curve.power_at(super::super::testing::price(price)))
    }

    fn check(room_millicelsius: i64, prices: &[f64], price: f64, expected_w: std::ops::RangeInclusive<f64>) {
        let got = power_at(room_millicelsius, prices, price);
        assert!(expected_w.contains(&got), "{got} W, not {expected_w:?}");
    }

    #[test]
    fn a_cold_room_is_heated_at_almost_any_price_and_a_hot_one_at_none() {
        check(18_000, &[50.0; 12], 400.0, 2_000.0..=2_000.0);
        check(25_000, &[50.0; 12], 1.0, 0.0..=0.0);
    }

    #[test]
    fn cheap_hours_preheat_and_dear_hours_live_on_it() {
        let dear_later: Vec<f64> = [vec![200.0; 4], vec![100.0; 8]].concat();
        check(20_500, &dear_later, 50.0, 2_000.0..=2_000.0);
        let cheap_later: Vec<f64> = [vec![20.0; 4], vec![100.0; 8]].concat();
        check(20_800, &cheap_later, 50.0, 0.0..=0.0);
    }

    /// 20.0 degrees held against 0 outdoors needs 150 W/K * 20 K / 3 = 1000 W.
    #[test]
    fn without_a_forecast_the_room_is_held_just_warm_enough() {
        check(20_000, &[], 10.0, 999.0..=1_001.0);
    }

    /// The decay by our formula against many small explicit Euler steps.
    #[test]
    fn the_room_s_decay_is_that_of_its_differential_equation() {
        let room = Room { wish: &wish(), outdoor_celsius: 0.0 };
        let store = room.store(2_000.0, 1.0);
        let ours = room.energy_wh(21.0) * store.retention + store.gain_wh + store.intake_wh(1.0);
        let (mut celsius, steps) = (21.0, 100_000);
        for _ in 0..steps {
            celsius += (2_000.0 * 3.0 - 150.0 * celsius) / 5_000.0 / steps as f64;
        }
        assert!((ours - room.energy_wh(celsius)).abs() < 0.1, "{ours} for {}", room.energy_wh(celsius));
    }

    #[test]
    fn an_unbelievable_temperature_is_no_state() {
        let bad = curve(&state(200_000), &wish(), &outlook(&[50.0]), &mut KeptValues::default());
        assert!(matches!(bad, Err(AgentError::BadState { .. })), "{bad:?}");
    }

    proptest! {
        #[test]
        fn any_state_makes_a_curve_within_its_power(
            room in -30_000i64..60_000,
            outdoor_millicelsius in -30_000i64..40_000,
            prices in prop::collection::vec(-400.0f64..900.0, 0..96),
        ) {
            let state = HeatPumpState { outdoor_millicelsius, ..state(room) };
            let curve = curve(&state, &wish(), &outlook(&prices), &mut KeptValues::default()).unwrap();
            prop_assert!(curve.power_min().0 >= 0 && curve.power_max().0 <= 2_000_001, "{:?}", corners(&curve));
        }
    }
}
