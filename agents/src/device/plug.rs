//! A plug: what hangs on it runs, whole or not at all, while power is no dearer than its owner says it is worth.

use super::preferences::{pico_per_wh, PlugPreferences};
use super::{AgentError, Block, DeviceBid};
use hw_adapters::device::PlugState;
use market::curve::{Breakpoint, FlexCurve};
use market::units::{Milliwatt, PicoEurPerWh};

/// The plug's bid: one step that can't be taken in part. What it takes when it runs is what it was read to take, and
/// its most where it was read idle.
///
/// # Errors
/// [`AgentError::BadState`] for a power that is negative or beyond its most.
pub fn bid(state: &PlugState, wish: &PlugPreferences) -> Result<DeviceBid, AgentError> {
    if state.power < Milliwatt::ZERO || state.power_max <= Milliwatt::ZERO {
        return Err(AgentError::BadState { reason: "a plug with negative power, or with nothing on it" });
    }
    let running = state.on && state.power > Milliwatt::ZERO;
    let power = if running { state.power } else { state.power_max };
    let price = PicoEurPerWh(pico_per_wh(wish.worth_eur_per_mwh).round() as i64);
    let corner = |power| Breakpoint { price, power };
    let curve = FlexCurve::new(vec![corner(power), corner(Milliwatt::ZERO)])?;
    Ok(DeviceBid { curve, block: Some(Block { height: power, setpoint_min: power }), setpoint_whole: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::testing::check_corners;

    fn check(on: bool, power_w: i64, expected_w: f64) {
        let (power, power_max) = (Milliwatt(power_w * 1_000), Milliwatt(2_000_000));
        let bid =
            bid(&PlugState { on, power, power_max }, &PlugPreferences { worth_eur_per_mwh: 120.0 }).unwrap();
        check_corners(&bid.curve, &[(120.0, expected_w), (120.0, 0.0)]);
        assert_eq!(bid.block.unwrap().height, bid.curve.power_max());
    }

    #[test]
    fn it_runs_whole_or_not_at_all_up_to_what_it_is_worth() {
        check(true, 1_800, 1_800.0);
        check(false, 0, 2_000.0);
        check(true, 0, 2_000.0);
    }

    #[test]
    fn a_state_that_cannot_be_is_no_bid() {
        let wish = PlugPreferences { worth_eur_per_mwh: 120.0 };
        let none = PlugState { on: true, power: Milliwatt(-1), power_max: Milliwatt(1) };
        assert!(bid(&none, &wish).is_err());
        assert!(bid(&PlugState { power: Milliwatt(0), power_max: Milliwatt(0), ..none }, &wish).is_err());
    }
}
