//! From what each piece of power is worth to a price-flexibility curve.

use market::curve::{Breakpoint, CurveError, FlexCurve};
use market::curve_ops::coarsen;
use market::units::{Milliwatt, PicoEurPerWh};

/// Most corners of one device's curve, so that a site's sum rarely needs thinning.
const MAX_CORNERS: usize = 128;

/// One piece of power: it is taken while the price is at most `worth`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rung {
    /// What it is worth, in 1e-12 EUR/Wh; infinite for power that must be taken.
    pub worth_pico_per_wh: f64,
    /// How much power, in watts.
    pub width_w: f64,
}

/// Lowest and highest price the market can clear at; no curve says anything beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceRange {
    /// Lowest.
    pub min: PicoEurPerWh,
    /// Highest.
    pub max: PicoEurPerWh,
}

/// A curve of steps: `least_w` at the highest price, then rung by rung upward as the price falls.
///
/// `rungs` are in order of power. Where one is worth more than the one before it (losses earned
/// at negative prices, a block that only comes whole), the two are taken together at their mean:
/// the concave hull of the worth, hence always a valid curve.
///
/// # Errors
/// [`CurveError::OutOfBounds`] where power leaves what the market accepts.
pub fn curve_of(least_w: f64, rungs: &[Rung], range: PriceRange) -> Result<FlexCurve, CurveError> {
    let hull = falling(rungs);
    let mut power_w = least_w;
    let mut power = milliwatt(power_w);
    let mut corners = Vec::with_capacity(2 * hull.len());
    for rung in hull {
        let price = tick(rung.worth_pico_per_wh, range);
        power_w += rung.width_w;
        let above = milliwatt(power_w);
        corners.push(Breakpoint { price, power });
        corners.push(Breakpoint { price, power: above });
        power = above;
    }
    if corners.is_empty() {
        return FlexCurve::new(vec![Breakpoint { price: PicoEurPerWh::ZERO, power }]);
    }
    corners.reverse();
    FlexCurve::new(coarsen(corners, MAX_CORNERS))
}

/// Pools neighbours until worth falls (pool-adjacent-violators; Ayer et al., 1955).
fn falling(rungs: &[Rung]) -> Vec<Rung> {
    let mut hull: Vec<Rung> = Vec::with_capacity(rungs.len());
    for rung in rungs.iter().filter(|rung| rung.width_w > 0.0) {
        let mut pooled = *rung;
        while let Some(last) = hull.last().filter(|last| last.worth_pico_per_wh < pooled.worth_pico_per_wh) {
            let width_w = last.width_w + pooled.width_w;
            let worth = last.worth_pico_per_wh * last.width_w + pooled.worth_pico_per_wh * pooled.width_w;
            pooled = Rung { worth_pico_per_wh: worth / width_w, width_w };
            hull.pop();
        }
        hull.push(pooled);
    }
    hull
}

/// Nearest tick within the market's prices. The cast saturates, so infinity means its end.
fn tick(worth_pico_per_wh: f64, range: PriceRange) -> PicoEurPerWh {
    PicoEurPerWh(worth_pico_per_wh.round() as i64).max(range.min).min(range.max)
}

fn milliwatt(power_w: f64) -> Milliwatt {
    Milliwatt((power_w * 1e3).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RANGE: PriceRange = PriceRange { min: PicoEurPerWh(-500), max: PicoEurPerWh(3_000) };

    fn check(least_w: f64, rungs: &[(f64, f64)], expected: &[(i64, i64)]) {
        let rungs: Vec<Rung> =
            rungs.iter().map(|(worth, width)| Rung { worth_pico_per_wh: *worth, width_w: *width }).collect();
        let curve = curve_of(least_w, &rungs, RANGE).unwrap();
        let points: Vec<(i64, i64)> = curve.points().iter().map(|p| (p.price.0, p.power.0)).collect();
        assert_eq!(points, expected);
    }

    #[test]
    fn each_rung_is_a_step_at_its_worth() {
        check(-2.0, &[(80.0, 2.0), (30.0, 1.0)], &[(30, 1_000), (30, 0), (80, 0), (80, -2_000)]);
    }

    #[test]
    fn no_rung_is_power_at_any_price() {
        check(1.5, &[], &[(0, 1_500)]);
    }

    #[test]
    fn rising_worth_is_pooled_at_its_mean() {
        check(0.0, &[(10.0, 1.0), (40.0, 2.0), (5.0, 1.0)], &[(5, 4_000), (5, 3_000), (30, 3_000), (30, 0)]);
    }

    #[test]
    fn worth_beyond_the_market_s_prices_stands_at_its_ends() {
        check(
            0.0,
            &[(f64::INFINITY, 1.0), (-9e9, 1.0)],
            &[(-500, 2_000), (-500, 1_000), (3_000, 1_000), (3_000, 0)],
        );
    }

    proptest! {
        #[test]
        fn any_rungs_make_a_curve_from_least_to_most(
            least_w in -1e6f64..1e6,
            rungs in prop::collection::vec((-1e4f64..1e4, 0.0f64..1e4), 0..200),
        ) {
            let rungs: Vec<Rung> =
                rungs.iter().map(|(w, p)| Rung { worth_pico_per_wh: *w, width_w: *p }).collect();
            let curve = curve_of(least_w, &rungs, RANGE).unwrap();
            let most_w: f64 = least_w + rungs.iter().map(|rung| rung.width_w).sum::<f64>();
            prop_assert_eq!(curve.power_min(), milliwatt(least_w));
            prop_assert!((curve.power_max() - milliwatt(most_w)).0.abs() <= 1);
            prop_assert!(curve.points().len() <= MAX_CORNERS);
        }
    }
}
