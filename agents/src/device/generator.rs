//! A generator without fuel cost, as a rule PV: feeds in all it can unless the price is negative.
//!
//! What it can is what it could when it was read, changed as the sun is forecast to change until the
//! interval bid for. Which quantile is promised is the newsvendor's question (Pinson, Chevallier and
//! Kariniotakis 2007): the part of the time in which less than promised comes should be what too much costs
//! against both; imbalance costs the same both ways here, so it is the median unless the owner says
//! otherwise.

use super::preferences::GeneratorPreferences;
use super::AgentError;
use hw_adapters::device::GeneratorState;
use market::curve::{Breakpoint, CurveError, FlexCurve};
use market::units::{Milliwatt, PicoEurPerWh};
use wire::message::Quantiles;

/// Sun below this part of a nameplate, in millionths, says little of what it will be soon.
const DAWN_PPM: u32 = 20_000;

/// What the sun is expected to do, in millionths of a PV plant's nameplate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sun {
    /// Expected for the time of reading.
    pub read_ppm: u32,
    /// Expected for the interval bid for.
    pub expected_ppm: Quantiles<u32>,
}

/// What the agent remembers of its generator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Whether a limit of ours is in force.
    pub limited: bool,
    /// What the sun is expected to do; none where nobody says.
    pub sun: Option<Sun>,
    /// Power when last read without one.
    unlimited: Milliwatt,
}

/// The generator's curve: what it can feed in is worth nothing to keep, so there is one step at price
/// zero. Without a forecast what it could feed in persists.
///
/// Where the device doesn't say what it could feed in, its power says so as long as it isn't limited;
/// under a limit, what it fed in before counts.
///
/// # Errors
/// [`AgentError::BadState`] where it claims to take power.
pub fn curve(
    state: &GeneratorState,
    wish: &GeneratorPreferences,
    memory: &mut Memory,
) -> Result<FlexCurve, AgentError> {
    if state.nameplate < Milliwatt::ZERO || state.available.is_some_and(|power| power > Milliwatt::ZERO) {
        return Err(AgentError::BadState { reason: "a generator with negative nameplate or positive power" });
    }
    let power = state.power.min(Milliwatt::ZERO);
    if !memory.limited {
        memory.unlimited = power;
    }
    let available = state.available.unwrap_or_else(|| power.min(memory.unlimited)).max(-state.nameplate);
    let expected = memory.sun.map_or(available, |sun| promised(available, state.nameplate, &sun, wish));
    Ok(step_at_zero(expected)?)
}

/// The quantile of what comes that the owner wants to promise. By day the plant's own sun is told from what
/// it gave when read; at dawn from its nameplate, and from what it gives already.
fn promised(available: Milliwatt, nameplate: Milliwatt, sun: &Sun, wish: &GeneratorPreferences) -> Milliwatt {
    let [low, median, high] = sun.expected_ppm.rising().map(f64::from);
    let from_median = (wish.quantile_percent - 50.0) / 40.0;
    let other = if from_median < 0.0 { low } else { high };
    let expected_ppm = median + (other - median) * from_median.abs();
    let power = if sun.read_ppm >= DAWN_PPM {
        available.0 as f64 * expected_ppm / f64::from(sun.read_ppm)
    } else {
        // A plant that gives more than a dark forecast says knows better.
        (-(nameplate.0 as f64) * expected_ppm / 1e6).min(available.0 as f64)
    };
    Milliwatt(power.round() as i64).max(-nameplate)
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
            reactive_max: None,
        }
    }

    fn check(power_w: i64, available_w: Option<i64>, expected: &[(f64, f64)]) {
        check_under(None, 50.0, (power_w, available_w), expected);
    }

    fn check_under(
        sun: Option<(u32, [u32; 3])>,
        quantile_percent: f64,
        (power_w, available_w): (i64, Option<i64>),
        expected: &[(f64, f64)],
    ) {
        let sun = sun.map(|(read_ppm, [low, median, high])| Sun {
            read_ppm,
            expected_ppm: Quantiles::new(low, median, high).unwrap(),
        });
        let mut memory = Memory { sun, ..Memory::default() };
        let wish = GeneratorPreferences { quantile_percent };
        check_corners(&curve(&state(power_w, available_w), &wish, &mut memory).unwrap(), expected);
    }

    #[test]
    fn it_promises_a_quantile_of_the_sun_to_come() {
        let step = |power_w: f64| [(0.0, 0.0), (0.0, -power_w)];
        // Half a clear sky's sun when read, and half as much again expected.
        let rising = Some((400_000, [500_000, 600_000, 800_000]));
        check_under(rising, 50.0, (-2_000, None), &step(3_000.0));
        check_under(rising, 10.0, (-2_000, None), &step(2_500.0));
        check_under(rising, 90.0, (-2_000, None), &step(4_000.0));
        check_under(rising, 30.0, (-2_000, None), &step(2_750.0));
        // At dawn a nameplate of 8 kW says more than the first light; and never more than that comes.
        check_under(Some((0, [50_000, 100_000, 200_000])), 50.0, (0, Some(0)), &step(800.0));
        // What a plant gives already counts where the forecast is dark.
        check_under(Some((10_000, [0, 10_000, 20_000])), 50.0, (-1_000, None), &step(1_000.0));
        check_under(Some((20_000, [0, 900_000, 900_000])), 50.0, (-1_000, None), &step(8_000.0));
        check_under(Some((100_000, [0; 3])), 50.0, (-1_000, None), &[(0.0, 0.0)]);
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
        let wish = GeneratorPreferences::default();
        curve(&state(-2_500, None), &wish, &mut memory).unwrap();
        memory.limited = true;
        let limited = curve(&state(-1_000, None), &wish, &mut memory).unwrap();
        check_corners(&limited, &[(0.0, 0.0), (0.0, -2_500.0)]);
    }

    #[test]
    fn what_takes_power_is_no_generator() {
        let bad = curve(&state(0, Some(3)), &GeneratorPreferences::default(), &mut Memory::default());
        assert!(matches!(bad, Err(AgentError::BadState { .. })), "{bad:?}");
    }
}
