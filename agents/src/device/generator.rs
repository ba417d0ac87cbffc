//! A generator without fuel cost, as a rule PV: feeds in all it can unless the price is negative.

use super::AgentError;
use hw_adapters::device::GeneratorState;
use market::curve::{Breakpoint, CurveError, FlexCurve};
use market::units::{Milliwatt, PicoEurPerWh};

/// What the agent remembers of its generator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Whether a limit of ours is in force.
    pub limited: bool,
    /// Power when last read without one.
    unlimited: Milliwatt,
}

/// The generator's curve: what it could feed in persists, and is worth nothing to keep, so there is
/// one step at price zero.
///
/// Where the device doesn't say what it could feed in, its power says so as long as it isn't limited;
/// under a limit, what it fed in before counts.
///
/// # Errors
/// [`AgentError::BadState`] where it claims to take power.
pub fn curve(state: &GeneratorState, memory: &mut Memory) -> Result<FlexCurve, AgentError> {
    if state.nameplate < Milliwatt::ZERO || state.available.is_some_and(|power| power > Milliwatt::ZERO) {
        return Err(AgentError::BadState { reason: "a generator with negative nameplate or positive power" });
    }
    let power = state.power.min(Milliwatt::ZERO);
    if !memory.limited {
        memory.unlimited = power;
    }
    let available = state.available.unwrap_or_else(|| power.min(memory.unlimited)).max(-state.nameplate);
    Ok(step_at_zero(available)?)
}

fn step_at_zero(available: Milliwatt) -> Result<FlexCurve, CurveError> {
    let price = PicoEurPerWh::ZERO;
    match available {
        Milliwatt::ZERO => Ok(FlexCurve::inelastic(Milliwatt::ZERO)),
        power => {
            FlexCurve::new(vec![Breakpoint { price, power: Milliwatt::ZERO }, Breakpoint { price, power }])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check_corners;
    use super::*;

    fn state(power_w: i64, available_w: Option<i64>) -> GeneratorState {
        GeneratorState {
            power: Milliwatt(power_w * 1_000),
            available: available_w.map(|w| Milliwatt(w * 1_000)),
            nameplate: Milliwatt(8_000_000),
        }
    }

    fn check(power_w: i64, available_w: Option<i64>, expected: &[(f64, f64)]) {
        let curve = curve(&state(power_w, available_w), &mut Memory::default()).unwrap();
        check_corners(&curve, expected);
    }

    #[test]
    fn what_it_could_feed_in_is_given_from_price_zero_on() {
        check(-1_000, Some(-3_000), &[(0.0, 0.0), (0.0, -3_000.0)]);
        check(-1_000, None, &[(0.0, 0.0), (0.0, -1_000.0)]);
        check(-9_000, None, &[(0.0, 0.0), (0.0, -8_000.0)]);
    }

    #[test]
    fn at_night_it_gives_nothing_at_any_price() {
        check(0, Some(0), &[(0.0, 0.0)]);
        check(5, None, &[(0.0, 0.0)]);
    }

    #[test]
    fn a_limit_does_not_make_it_forget_what_it_could_do() {
        let mut memory = Memory::default();
        curve(&state(-2_500, None), &mut memory).unwrap();
        memory.limited = true;
        let limited = curve(&state(-1_000, None), &mut memory).unwrap();
        check_corners(&limited, &[(0.0, 0.0), (0.0, -2_500.0)]);
    }

    #[test]
    fn what_takes_power_is_no_generator() {
        let bad = curve(&state(0, Some(3)), &mut Memory::default());
        assert!(matches!(bad, Err(AgentError::BadState { .. })), "{bad:?}");
    }
}
