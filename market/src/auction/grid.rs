//! Demand curves on a price grid, the form of PowerMatcher: demand at N equally spaced prices, added
//! up, and the price where the sum crosses zero.

use crate::units::{Milliwatt, PicoEurPerWh};
use thiserror::Error;

/// Most prices a grid may have.
pub const MAX_STEPS: usize = 100_000;

/// The prices: `steps` of them, equally spaced, from `min` to `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceGrid {
    min: PicoEurPerWh,
    max: PicoEurPerWh,
    steps: usize,
}

/// Why a grid or a curve on it is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GridError {
    /// Fewer than two prices, more than [`MAX_STEPS`], or the highest not above the lowest.
    #[error("{steps} prices from {min} to {max} are no grid")]
    NoGrid {
        /// Prices asked for.
        steps: usize,
        /// Lowest.
        min: PicoEurPerWh,
        /// Highest.
        max: PicoEurPerWh,
    },
    /// Not one demand for each price.
    #[error("{count} demands for {steps} prices")]
    Length {
        /// Demands given.
        count: usize,
        /// Prices of the grid.
        steps: usize,
    },
    /// Demand must not increase with price.
    #[error("demand increases at price index {index}")]
    Increases {
        /// Index of the higher price.
        index: usize,
    },
    /// The sum of all demands does not fit 64 bits.
    #[error("demands at price index {index} are too large to be added")]
    TooLarge {
        /// Index of the price.
        index: usize,
    },
}

/// Where the sum of curves crosses zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GridPrice {
    /// The price, rounded down to a tick.
    pub price: PicoEurPerWh,
    /// Index of the grid's price nearest to it, the higher of two that are equally near.
    pub index: usize,
}

impl PriceGrid {
    /// A grid of `steps` prices.
    ///
    /// # Errors
    /// [`GridError::NoGrid`].
    pub fn new(min: PicoEurPerWh, max: PicoEurPerWh, steps: usize) -> Result<Self, GridError> {
        let bounded = max.0.checked_sub(min.0).is_some_and(|range| range > 0);
        if !(2..=MAX_STEPS).contains(&steps) || !bounded {
            return Err(GridError::NoGrid { steps, min, max });
        }
        Ok(Self { min, max, steps })
    }

    /// Whether `demand` is a curve on this grid.
    ///
    /// # Errors
    /// Of another length than the grid's, or increasing.
    pub fn check(&self, demand: &[Milliwatt]) -> Result<(), GridError> {
        if demand.len() != self.steps {
            return Err(GridError::Length { count: demand.len(), steps: self.steps });
        }
        match demand.windows(2).position(|pair| pair[1] > pair[0]) {
            Some(index) => Err(GridError::Increases { index: index + 1 }),
            None => Ok(()),
        }
    }

    /// Adds a curve, `count` times over, to `sum`.
    ///
    /// # Errors
    /// As [`Self::check`], and where a sum does not fit; `sum` is as before then.
    pub fn add(&self, sum: &mut [Milliwatt], demand: &[Milliwatt], count: i64) -> Result<(), GridError> {
        self.check(demand)?;
        let added = |(index, (sum, demand)): (usize, (&Milliwatt, &Milliwatt))| {
            let times = demand.0.checked_mul(count).and_then(|times| times.checked_add(sum.0));
            times.map(Milliwatt).ok_or(GridError::TooLarge { index })
        };
        let added: Vec<_> = sum.iter().zip(demand).enumerate().map(added).collect::<Result<_, _>>()?;
        sum.copy_from_slice(&added);
        Ok(())
    }

    /// The price where `sum` crosses zero: the lowest where it is negative everywhere, the highest
    /// where it is positive everywhere, the middle of the stretch where it is exactly zero, else
    /// linear interpolation between the two prices it crosses zero between.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn price(&self, sum: &[Milliwatt]) -> Result<GridPrice, GridError> {
        self.check(sum)?;
        let positive = sum.partition_point(|power| *power > Milliwatt::ZERO);
        let not_negative = sum.partition_point(|power| *power >= Milliwatt::ZERO);
        // The place on the grid as a fraction: steps from the lowest price.
        let (over, under) = if not_negative == 0 {
            (0, 1)
        } else if positive == self.steps {
            (self.steps as i128 - 1, 1)
        } else if positive < not_negative {
            ((positive + not_negative - 1) as i128, 2)
        } else {
            let (above, below) = (sum[positive - 1].0 as i128, sum[positive].0 as i128);
            let fall = above - below;
            ((positive as i128 - 1) * fall + above, fall)
        };
        let range = (self.max.0 - self.min.0) as i128;
        let price = self.min.0 + (range * over).div_euclid(under * (self.steps as i128 - 1)) as i64;
        let index = (2 * over + under).div_euclid(2 * under) as usize;
        Ok(GridPrice { price: PicoEurPerWh(price), index })
    }

    /// The index whose demand is nearest to zero, the lowest of several: the price for steps that can't be
    /// served in part, where interpolation would start one to absorb less than it takes.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn nearest(&self, sum: &[Milliwatt]) -> Result<usize, GridError> {
        self.check(sum)?;
        let distance = |index: &usize| (sum[*index].0.unsigned_abs(), *index);
        Ok((0..self.steps).min_by_key(distance).unwrap_or(0))
    }

    /// The index nearest to `index` at which `demand` keeps within `floor` and `ceiling`: the price that
    /// those below a limit are told so that they keep it. Where demand falls past both at once, the first
    /// index at which it is not above the ceiling.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn within(
        &self,
        demand: &[Milliwatt],
        index: usize,
        floor: Milliwatt,
        ceiling: Milliwatt,
    ) -> Result<usize, GridError> {
        self.check(demand)?;
        let not_above = demand.partition_point(|power| *power > ceiling);
        let not_below = demand.partition_point(|power| *power >= floor);
        let last = not_below.saturating_sub(1);
        Ok(index.max(not_above).min(last.max(not_above)).min(self.steps - 1))
    }

    /// The grid's price at an index.
    pub fn price_at(&self, index: usize) -> PicoEurPerWh {
        let range = (self.max.0 - self.min.0) as i128;
        PicoEurPerWh(self.min.0 + (range * index as i128 / (self.steps as i128 - 1)) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn powers(powers: &[i64]) -> Vec<Milliwatt> {
        powers.iter().copied().map(Milliwatt).collect()
    }

    /// On a grid of prices 0, 10, ..., 40; expected are price and index.
    fn check(demand: &[i64], expected: (i64, usize)) {
        let grid = PriceGrid::new(PicoEurPerWh(0), PicoEurPerWh(40), 5).unwrap();
        let got = grid.price(&powers(demand)).unwrap();
        assert_eq!((got.price.0, got.index), expected);
    }

    #[test]
    fn the_price_lies_where_demand_crosses_zero() {
        check(&[-1, -1, -2, -2, -2], (0, 0));
        check(&[3, 3, 2, 2, 1], (40, 4));
        check(&[4, 4, 0, 0, -1], (25, 3));
        check(&[0, 0, 0, 0, 0], (20, 2));
        check(&[4, 0, -1, -1, -1], (10, 1));
        check(&[4, 4, -4, -4, -4], (15, 2));
        check(&[4, 4, -5, -5, -5], (14, 1));
    }

    #[test]
    fn a_step_too_large_to_absorb_a_surplus_is_not_started() {
        let grid = PriceGrid::new(PicoEurPerWh(0), PicoEurPerWh(40), 5).unwrap();
        assert_eq!(grid.nearest(&powers(&[1_800, -200, -200, -200, -200])), Ok(1));
        assert_eq!(grid.nearest(&powers(&[100, -200, -200, -200, -200])), Ok(0));
    }

    #[test]
    fn those_below_a_limit_are_told_a_price_that_keeps_it() {
        let grid = PriceGrid::new(PicoEurPerWh(0), PicoEurPerWh(40), 5).unwrap();
        let demand = powers(&[2, 1, 0, -1, -2]);
        let within = |index, floor, ceiling| {
            grid.within(&demand, index, Milliwatt(floor), Milliwatt(ceiling)).unwrap()
        };
        assert_eq!([within(0, -1, 1), within(2, -1, 1), within(4, -1, 1)], [1, 2, 3]);
        assert_eq!(within(4, 0, 0), 2);
    }

    #[test]
    fn what_is_no_curve_is_refused_by_name() {
        let grid = PriceGrid::new(PicoEurPerWh(0), PicoEurPerWh(40), 3).unwrap();
        let mut sum = powers(&[1, 0, i64::MIN]);
        assert_eq!(grid.add(&mut sum, &powers(&[1, 0]), 1), Err(GridError::Length { count: 2, steps: 3 }));
        assert_eq!(grid.add(&mut sum, &powers(&[0, 1, 1]), 1), Err(GridError::Increases { index: 1 }));
        assert_eq!(grid.add(&mut sum, &powers(&[0, 0, -1]), 1), Err(GridError::TooLarge { index: 2 }));
        assert_eq!(sum, powers(&[1, 0, i64::MIN]), "a refused curve leaves the sum as it was");
        let (min, max) = (PicoEurPerWh(5), PicoEurPerWh(5));
        assert_eq!(PriceGrid::new(min, max, 3), Err(GridError::NoGrid { steps: 3, min, max }));
    }
}
