//! What a site takes besides its devices: light, kitchen, whatever the market can't steer.

use market::curve::{Breakpoint, CurveError, FlexCurve};
use market::units::Milliwatt;

use super::ladder::PriceRange;

/// The curve of a base load: the same at any price the market can clear at, but for its ends. At the
/// highest price, which is the value of lost load, load may fall to zero; at the lowest, infeed may.
/// So there is a clearing whatever the feeder allows.
///
/// # Errors
/// [`CurveError::OutOfBounds`] where power leaves what the market accepts.
pub fn curve(power: Milliwatt, range: PriceRange) -> Result<FlexCurve, CurveError> {
    let step = |price, above, below| {
        FlexCurve::new(vec![Breakpoint { price, power: above }, Breakpoint { price, power: below }])
    };
    match power {
        Milliwatt::ZERO => Ok(FlexCurve::inelastic(Milliwatt::ZERO)),
        load if load > Milliwatt::ZERO => step(range.max, load, Milliwatt::ZERO),
        infeed => step(range.min, Milliwatt::ZERO, infeed),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_corners, outlook};
    use super::*;

    fn check(power_w: i64, expected: &[(f64, f64)]) {
        check_corners(&curve(Milliwatt(power_w * 1_000), outlook(&[]).range).unwrap(), expected);
    }

    #[test]
    fn it_gives_way_only_at_the_market_s_ends() {
        check(700, &[(4_000.0, 700.0), (4_000.0, 0.0)]);
        check(-700, &[(-500.0, 0.0), (-500.0, -700.0)]);
        check(0, &[(0.0, 0.0)]);
    }
}
