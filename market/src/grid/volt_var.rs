//! Reactive power of inverters in a market that knows its grid: offered as a range, answered by one rule.
//!
//! The rules name the price at which an inverter's whole range is used; at a part of that price it uses the
//! same part of its range, absorbing where the price is negative. So the cost of an inverter is quadratic and
//! inverse to its range, ranges of one bus add up to one range with the same rule, and what a bus is given is
//! everybody's in proportion to their ranges. Nothing but ranges need be told.

use super::certificate::ReactiveTerms;
use super::problem::{Offer, Reactive};
use crate::share::{split, Demand};
use crate::units::{Millivar, Milliwatt, PicoEurPerWh};

/// The least range offered by a site, or by an aggregator at a bus: 100 var. Below, rounding to millivars
/// would show in the answer.
pub const RANGE_MIN: Millivar = Millivar(100_000);

/// Reactive power on offer at a bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReactiveOffer {
    /// Place of the bus in the feeder's buses.
    pub bus: usize,
    /// The most it gives or absorbs.
    pub range: Millivar,
}

/// Reactive power on offer, by place, and what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedReactive {
    /// Where it stands.
    pub place: usize,
    /// The most it gives or absorbs.
    pub range: Millivar,
    /// What it was given; absorbed positive.
    pub allocation: Millivar,
}

/// The terms of a range whose whole is used at `full_price`, both more than zero: its cost rises by that
/// price to its end, so it is `full_price / (2 range)` per square.
pub(super) fn terms(full_price: PicoEurPerWh, range: Millivar) -> ReactiveTerms {
    // Ticks over millivars, in 1e-6 EUR/h per Mvar squared.
    let cost = i128::from(full_price.0) * 1_000_000_000 / (2 * i128::from(range.0.max(1)));
    let cost_micro_eur_per_mvar2_h = i64::try_from(cost).unwrap_or(i64::MAX);
    ReactiveTerms::Range { min: -range, max: range, cost_micro_eur_per_mvar2_h }
}

/// The same as an offer of reactive power alone.
pub(super) fn offer(place: usize, full_price: PicoEurPerWh, range: Millivar) -> Offer {
    let max_kvar = range.kvar();
    let cost_eur_per_mvar2_h = full_price.eur_per_mwh() / (2.0 * max_kvar / 1e3);
    let reactive = Reactive::Range { min_kvar: -max_kvar, max_kvar, cost_eur_per_mvar2_h };
    Offer { place, power_min_kw: 0.0, pieces: Vec::new(), reactive, reserve_up: None, reserve_down: None }
}

/// Splits `total` over `ranges` in proportion to them, to the millivar and in the order given. None where
/// they do not reach so far together.
pub fn shares(total: Millivar, ranges: &[Millivar]) -> Option<Vec<Millivar>> {
    let both_ways = |range: &Millivar| Demand { low: Milliwatt(-range.0), high: Milliwatt(range.0) };
    let parts: Vec<Demand> = ranges.iter().map(both_ways).collect();
    Some(split(Milliwatt(total.0), &parts)?.into_iter().map(|share| Millivar(share.0)).collect())
}

/// Whether `share` is what a range of `own` gets of `total`, given to ranges of `all` together: within a
/// millivar, which is as near as [`shares`] comes without losing any.
pub fn is_share(share: Millivar, own: Millivar, total: Millivar, all: Millivar) -> bool {
    let exact_times_all = i128::from(total.0) * i128::from(own.0);
    let share_times_all = i128::from(share.0) * i128::from(all.0);
    all > Millivar::ZERO && (share_times_all - exact_times_all).abs() <= i128::from(all.0)
}

#[cfg(test)]
mod tests {
    use super::super::certificate::{reactive_range, Tolerances};
    use super::*;
    use proptest::prelude::*;

    const FULL: PicoEurPerWh = PicoEurPerWh(20_000_000);

    fn answer(range: Millivar, price: i64) -> (Millivar, Millivar) {
        let exact = Tolerances { price: PicoEurPerWh::ZERO, ..Tolerances::default() };
        reactive_range(&terms(FULL, range), Milliwatt::ZERO, PicoEurPerWh(price), &exact)
    }

    #[test]
    fn a_part_of_the_full_price_uses_the_same_part_of_the_range() {
        let check = |price: i64, expected: i64| {
            let (low, high) = answer(Millivar(4_000_000), price);
            assert!((low.0..=high.0).contains(&expected) && high.0 - low.0 <= 2, "{price}: {low}, {high}");
        };
        check(0, 0);
        check(5_000_000, -1_000_000);
        check(-10_000_000, 2_000_000);
        check(20_000_000, -4_000_000);
        check(50_000_000, -4_000_000);
    }

    proptest! {
        #[test]
        fn ranges_answer_together_as_one_and_each_gets_its_share(
            ranges in prop::collection::vec(RANGE_MIN.0..20_000_000i64, 1..20),
            price in -30_000_000..30_000_000i64,
        ) {
            let ranges: Vec<Millivar> = ranges.into_iter().map(Millivar).collect();
            let all: Millivar = ranges.iter().copied().sum();
            let (low, high) = answer(all, price);
            let each: Vec<_> = ranges.iter().map(|range| answer(*range, price)).collect();
            let (lowest, highest): (i64, i64) =
                (each.iter().map(|(low, _)| low.0).sum(), each.iter().map(|(_, high)| high.0).sum());
            prop_assert!(lowest <= high.0 && low.0 <= highest);
            let total = low.max(-all).min(all);
            let shares = shares(total, &ranges).unwrap();
            prop_assert_eq!(shares.iter().copied().sum::<Millivar>(), total);
            for (share, own) in shares.iter().zip(&ranges) {
                prop_assert!(is_share(*share, *own, total, all));
                prop_assert!(!is_share(*share + Millivar(2), *own, total, all));
            }
            prop_assert_eq!(super::shares(all + Millivar(1), &ranges), None);
        }
    }
}
