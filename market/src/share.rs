//! Marginal share: how much of a step at exactly the clearing price is served, and the split of
//! a total by it that loses not one milliwatt.

use crate::units::Milliwatt;
use serde::{Deserialize, Serialize};

/// What a party may take at one price tick: anything from `low` to `high`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// Power just above the price (the curve's value one tick higher).
    pub low: Milliwatt,
    /// Power at the price.
    pub high: Milliwatt,
}

impl Demand {
    /// The height of the step at this price; never negative for a valid curve.
    pub fn step(self) -> Milliwatt {
        self.high - self.low
    }
    /// Whether `power` may be allocated at this price.
    pub fn contains(self, power: Milliwatt) -> bool {
        self.low <= power && power <= self.high
    }
}

/// Splits `total` over `parts`, each within its own step and in the same proportion of it.
///
/// Cumulative floor division makes the parts sum to `total` exactly and keeps each within one
/// milliwatt of its exact share, in the order given. `None` where `total` lies outside the sum
/// of the parts.
pub fn split(total: Milliwatt, parts: &[Demand]) -> Option<Vec<Milliwatt>> {
    let low: i128 = parts.iter().map(|p| p.low.0 as i128).sum();
    let step: i128 = parts.iter().map(|p| p.step().0 as i128).sum();
    let served = total.0 as i128 - low;
    if served < 0 || served > step {
        return None;
    }
    let mut height_so_far = 0i128;
    let mut given_so_far = 0i128;
    let mut split = Vec::with_capacity(parts.len());
    for part in parts {
        height_so_far += part.step().0 as i128;
        let given = if step == 0 { 0 } else { served * height_so_far / step };
        split.push(Milliwatt(part.low.0 + (given - given_so_far) as i64));
        given_so_far = given;
    }
    Some(split)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_split_sums_to_its_total_and_stays_within_every_step(
            parts in prop::collection::vec((-1_000_000_000i64..1_000_000_000, 0i64..1_000_000_000), 1..40),
            part_in_million in 0i64..=1_000_000,
        ) {
            let parts: Vec<Demand> = parts
                .iter()
                .map(|(low, step)| Demand { low: Milliwatt(*low), high: Milliwatt(low + step) })
                .collect();
            let low: i64 = parts.iter().map(|p| p.low.0).sum();
            let step: i64 = parts.iter().map(|p| p.step().0).sum();
            let total = Milliwatt(low + (step as i128 * part_in_million as i128 / 1_000_000) as i64);
            let split = split(total, &parts).unwrap();
            prop_assert_eq!(split.iter().copied().sum::<Milliwatt>(), total);
            prop_assert!(split.iter().zip(&parts).all(|(power, part)| part.contains(*power)));
        }
    }

    #[test]
    fn a_total_no_part_can_meet_is_refused() {
        let part = Demand { low: Milliwatt(1), high: Milliwatt(5) };
        assert_eq!(split(Milliwatt(0), &[part]), None);
        assert_eq!(split(Milliwatt(6), &[part]), None);
    }
}
