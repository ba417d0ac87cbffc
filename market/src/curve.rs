//! The price-flexibility curve: net power as a non-increasing function of price.
//!
//! A curve is defined by breakpoints and *means* an integer function `H` on price ticks:
//! `H(t)` is the power taken at tick `t`, a vertical step counted whole at its own tick, a slope
//! rounded down to the milliwatt. At a clearing price `t` the party accepts anything from
//! `H(t + 1)` to `H(t)`. On ticks every market is a market of steps, so clearing, certificate
//! and marginal shares are exact in integers.

use crate::share::Demand;
use crate::units::{Milliwatt, PicoEurPerWh, POWER_BOUND, PRICE_BOUND};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Most breakpoints one curve may have.
pub const MAX_BREAKPOINTS: usize = 512;

/// One corner of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breakpoint {
    /// Price of the corner.
    pub price: PicoEurPerWh,
    /// Net power at the corner; import positive.
    pub power: Milliwatt,
}

/// Net power as a non-increasing function of price, linear between breakpoints, constant
/// outside them. Two breakpoints at one price make a vertical step; one breakpoint alone is an
/// inelastic load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Breakpoint>", into = "Vec<Breakpoint>")]
pub struct FlexCurve {
    points: Vec<Breakpoint>,
}

/// Why breakpoints do not make a curve.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CurveError {
    /// No breakpoint at all.
    #[error("a curve needs at least one breakpoint")]
    Empty,
    /// More breakpoints than [`MAX_BREAKPOINTS`].
    #[error("a curve has {count} breakpoints, more than the {MAX_BREAKPOINTS} allowed")]
    TooLong {
        /// Breakpoints given.
        count: usize,
    },
    /// Prices must not decrease from one breakpoint to the next.
    #[error("breakpoint {index}: its price is below the one before it")]
    PriceDecreases {
        /// Place of the offending breakpoint, from 0.
        index: usize,
    },
    /// Power must not increase with price.
    #[error("breakpoint {index}: power increases with price")]
    PowerIncreases {
        /// Place of the offending breakpoint, from 0.
        index: usize,
    },
    /// Price or power beyond what the market accepts.
    #[error("breakpoint {index}: price or power is out of bounds")]
    OutOfBounds {
        /// Place of the offending breakpoint, from 0.
        index: usize,
    },
}

impl FlexCurve {
    /// A curve from its breakpoints, in order of price.
    pub fn new(points: Vec<Breakpoint>) -> Result<Self, CurveError> {
        if points.is_empty() {
            return Err(CurveError::Empty);
        }
        if points.len() > MAX_BREAKPOINTS {
            return Err(CurveError::TooLong { count: points.len() });
        }
        for (index, point) in points.iter().enumerate() {
            // Not `abs()`: i64::MIN has none.
            let price_ok = (-PRICE_BOUND..=PRICE_BOUND).contains(&point.price);
            let power_ok = (-POWER_BOUND..=POWER_BOUND).contains(&point.power);
            if !price_ok || !power_ok {
                return Err(CurveError::OutOfBounds { index });
            }
        }
        for (index, pair) in points.windows(2).enumerate() {
            if pair[1].price < pair[0].price {
                return Err(CurveError::PriceDecreases { index: index + 1 });
            }
            if pair[1].power > pair[0].power {
                return Err(CurveError::PowerIncreases { index: index + 1 });
            }
        }
        Ok(Self { points })
    }

    /// A load (or, negative, an injection) that takes `power` at any price.
    pub fn inelastic(power: Milliwatt) -> Self {
        Self { points: vec![Breakpoint { price: PicoEurPerWh::ZERO, power }] }
    }

    /// The breakpoints, in order of price.
    pub fn points(&self) -> &[Breakpoint] {
        &self.points
    }

    /// The most this curve ever takes, at a price low enough.
    pub fn power_max(&self) -> Milliwatt {
        self.points[0].power
    }

    /// The least this curve ever takes, at a price high enough.
    pub fn power_min(&self) -> Milliwatt {
        self.points[self.points.len() - 1].power
    }

    /// `H(price)`: the power taken at `price`, a vertical step there counted whole.
    pub fn power_at(&self, price: PicoEurPerWh) -> Milliwatt {
        let next = self.points.partition_point(|p| p.price < price);
        if next == 0 {
            return self.power_max();
        }
        if next == self.points.len() {
            return self.power_min();
        }
        interpolate(self.points[next - 1], self.points[next], price)
    }

    /// What may be allocated when the market clears at `price`.
    pub fn demand_at(&self, price: PicoEurPerWh) -> Demand {
        self.demand_within(price, PicoEurPerWh::ZERO)
    }

    /// What may be allocated when the market clears from `tolerance` below `price` to as much above.
    pub fn demand_within(&self, price: PicoEurPerWh, tolerance: PicoEurPerWh) -> Demand {
        let above = PicoEurPerWh(tolerance.0.max(1));
        Demand { low: self.power_at(price + above), high: self.power_at(price - tolerance) }
    }
}

/// Value at `price`, with `left.price < price <= right.price`, rounded down.
pub(crate) fn interpolate(left: Breakpoint, right: Breakpoint, price: PicoEurPerWh) -> Milliwatt {
    let fall = (left.power.0 - right.power.0) as i128;
    let to_go = (right.price.0 - price.0) as i128;
    let run = (right.price.0 - left.price.0) as i128;
    Milliwatt(right.power.0 + (fall * to_go / run) as i64)
}

impl TryFrom<Vec<Breakpoint>> for FlexCurve {
    type Error = CurveError;
    fn try_from(points: Vec<Breakpoint>) -> Result<Self, CurveError> {
        Self::new(points)
    }
}

impl From<FlexCurve> for Vec<Breakpoint> {
    fn from(curve: FlexCurve) -> Self {
        curve.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[(i64, i64)]) -> Result<FlexCurve, CurveError> {
        let point = |(price, power): &(i64, i64)| Breakpoint {
            price: PicoEurPerWh(*price),
            power: Milliwatt(*power),
        };
        FlexCurve::new(points.iter().map(point).collect())
    }

    fn check(points: &[(i64, i64)], price: i64, expected: (i64, i64)) {
        let demand = curve(points).unwrap().demand_at(PicoEurPerWh(price));
        assert_eq!((demand.low.0, demand.high.0), expected);
    }

    #[test]
    fn a_step_is_whole_at_its_price() {
        check(&[(60, 6), (60, 0)], 59, (6, 6));
        check(&[(60, 6), (60, 0)], 60, (0, 6));
        check(&[(60, 6), (60, 0)], 61, (0, 0));
    }

    #[test]
    fn a_slope_falls_tick_by_tick() {
        check(&[(0, 10), (5, 0)], -1, (10, 10));
        check(&[(0, 10), (5, 0)], 0, (8, 10));
        check(&[(0, 10), (5, 0)], 4, (0, 2));
    }

    #[test]
    fn an_inelastic_load_takes_the_same_at_any_price() {
        check(&[(0, 7)], -1_000, (7, 7));
        check(&[(0, 7)], 1_000, (7, 7));
    }

    #[test]
    fn what_is_no_curve_is_refused_by_name() {
        assert_eq!(curve(&[]), Err(CurveError::Empty));
        assert_eq!(curve(&[(0, 1), (1, 2)]), Err(CurveError::PowerIncreases { index: 1 }));
        assert_eq!(curve(&[(1, 2), (0, 1)]), Err(CurveError::PriceDecreases { index: 1 }));
        assert_eq!(curve(&[(i64::MIN, 2)]), Err(CurveError::OutOfBounds { index: 0 }));
    }
}
