//! Long rows of prices and powers in few bytes: the first figure, and by how much each further one
//! differs. What was decoded is in order and within the market's bounds.

use market::units::{Milliwatt, PicoEurPerWh, POWER_BOUND, PRICE_BOUND};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Figures that are no such row.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("figure {place} of a row is out of order or out of bounds")]
pub struct SeriesError {
    /// Its place, from 0.
    pub place: usize,
}

/// Prices, strictly rising.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<i64>", into = "Vec<i64>")]
pub struct RisingPrices(Vec<PicoEurPerWh>);

/// Powers, none higher than the one before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<i64>", into = "Vec<i64>")]
pub struct FallingPowers(Vec<Milliwatt>);

impl RisingPrices {
    /// A row of these prices.
    ///
    /// # Errors
    /// Where they don't rise, or leave the market's bounds by more than a tick.
    pub fn new(prices: Vec<PicoEurPerWh>) -> Result<Self, SeriesError> {
        // A market's range is asked about to one tick above its highest price.
        let bounded = |price: &PicoEurPerWh| (-PRICE_BOUND..=PRICE_BOUND.next()).contains(price);
        check(&prices, bounded, |before, price| before < price)?;
        Ok(Self(prices))
    }

    /// The prices.
    pub fn prices(&self) -> &[PicoEurPerWh] {
        &self.0
    }
}

impl FallingPowers {
    /// A row of these powers.
    ///
    /// # Errors
    /// Where they rise, or leave the market's bounds.
    pub fn new(powers: Vec<Milliwatt>) -> Result<Self, SeriesError> {
        let bounded = |power: &Milliwatt| (-POWER_BOUND..=POWER_BOUND).contains(power);
        check(&powers, bounded, |before, power| before >= power)?;
        Ok(Self(powers))
    }

    /// The powers.
    pub fn powers(&self) -> &[Milliwatt] {
        &self.0
    }
}

fn check<T>(
    figures: &[T],
    bounded: impl Fn(&T) -> bool,
    ordered: impl Fn(&T, &T) -> bool,
) -> Result<(), SeriesError> {
    let sound = |place: usize| {
        bounded(&figures[place]) && (place == 0 || ordered(&figures[place - 1], &figures[place]))
    };
    match (0..figures.len()).find(|place| !sound(*place)) {
        Some(place) => Err(SeriesError { place }),
        None => Ok(()),
    }
}

/// The figures that these differences, taken `sign` times, make.
fn summed(differences: Vec<i64>, sign: i64) -> Result<Vec<i64>, SeriesError> {
    let mut figures: Vec<i64> = Vec::with_capacity(differences.len());
    for (place, difference) in differences.into_iter().enumerate() {
        let figure = match figures.last() {
            None => Some(difference),
            Some(before) => difference.checked_mul(sign).and_then(|change| before.checked_add(change)),
        };
        figures.push(figure.ok_or(SeriesError { place })?);
    }
    Ok(figures)
}

/// The first figure and, `sign` times, by how much each further one differs. Bounded figures' differences
/// are far from leaving 64 bits.
fn differences(figures: impl Iterator<Item = i64>, sign: i64) -> Vec<i64> {
    let mut before = None;
    figures.map(|figure| before.replace(figure).map_or(figure, |before| sign * (figure - before))).collect()
}

impl TryFrom<Vec<i64>> for RisingPrices {
    type Error = SeriesError;
    fn try_from(rises: Vec<i64>) -> Result<Self, SeriesError> {
        Self::new(summed(rises, 1)?.into_iter().map(PicoEurPerWh).collect())
    }
}

impl From<RisingPrices> for Vec<i64> {
    fn from(row: RisingPrices) -> Self {
        differences(row.0.into_iter().map(|price| price.0), 1)
    }
}

impl TryFrom<Vec<i64>> for FallingPowers {
    type Error = SeriesError;
    fn try_from(falls: Vec<i64>) -> Result<Self, SeriesError> {
        Self::new(summed(falls, -1)?.into_iter().map(Milliwatt).collect())
    }
}

impl From<FallingPowers> for Vec<i64> {
    fn from(row: FallingPowers) -> Self {
        differences(row.0.into_iter().map(|power| power.0), -1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;
    use proptest::prelude::*;

    fn check_powers(text: &str, expected: Result<&[i64], usize>) {
        let read = serde_json::from_str::<Vec<i64>>(text).unwrap();
        let read = FallingPowers::try_from(read).map_err(|error| error.place);
        let powers = read.map(|row| row.powers().iter().map(|power| power.0).collect::<Vec<i64>>());
        assert_eq!(powers, expected.map(<[i64]>::to_vec), "{text}");
    }

    #[test]
    fn what_rises_or_leaves_the_bounds_is_no_row_of_falling_powers() {
        check_powers("[]", Ok(&[]));
        check_powers("[5,0,7]", Ok(&[5, 5, -2]));
        check_powers("[5,0,-1]", Err(2));
        check_powers("[1000000000000001]", Err(0));
        check_powers("[0,1000000000000000,1]", Err(2));
        check_powers("[-9223372036854775808,9223372036854775807]", Err(1));
    }

    #[test]
    fn prices_that_stand_still_are_no_row_of_rising_ones() {
        assert!(RisingPrices::try_from(vec![-5, 1, 100]).is_ok());
        assert_eq!(RisingPrices::try_from(vec![-5, 0]), Err(SeriesError { place: 1 }));
        assert!(RisingPrices::new(vec![PRICE_BOUND, PRICE_BOUND.next()]).is_ok());
        assert_eq!(RisingPrices::try_from(vec![PRICE_BOUND.0, 2]), Err(SeriesError { place: 1 }));
    }

    proptest! {
        #[test]
        fn a_row_is_what_it_was_and_a_level_one_a_byte_a_figure(
            mut powers in prop::collection::vec(-POWER_BOUND.0..=POWER_BOUND.0, 0..30), level in 0usize..200,
        ) {
            powers.sort_unstable_by(|a, b| b.cmp(a));
            powers.extend(std::iter::repeat_n(powers.last().copied().unwrap_or(0), level));
            let row = FallingPowers::new(powers.iter().copied().map(Milliwatt).collect()).unwrap();
            let bytes = cbor::to_vec(&row).unwrap();
            prop_assert_eq!(&cbor::from_slice::<FallingPowers>(&bytes, 4_096).unwrap(), &row);
            prop_assert!(bytes.len() <= 3 + 9 * (powers.len() - level + 1) + level);
        }
    }
}
