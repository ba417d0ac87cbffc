//! Clearing in rounds against the naive reference, and how many rounds it takes.

use crate::feeders::{falling, feeder, market, Market};
use crate::reference;
use market::clearing::sampled::{clear_sampled, first_question, Outcome, MAX_QUESTION};
use market::clearing::samples::Samples;
use market::clearing::{Clearing, Infeasible};
use market::curve::FlexCurve;
use market::supply::SupplyCurve;
use market::units::{Milliwatt, PicoEurPerWh};
use proptest::prelude::*;

/// Plays the rounds with parties that answer from their curves. Gives the rounds taken as well.
pub fn clear(market: &Market, range: (i64, i64)) -> Result<(Clearing, usize), Infeasible> {
    let buses = market.feeder.buses.len();
    let mut samples = Samples::new(buses);
    let mut ticks = first_question(&market.supply, PicoEurPerWh(range.0), PicoEurPerWh(range.1));
    for round in 1.. {
        let mut answers = vec![vec![Milliwatt::ZERO; ticks.len()]; buses];
        for (bus, curve) in &market.parties {
            for (sum, tick) in answers[*bus].iter_mut().zip(&ticks) {
                *sum += curve.power_at(*tick);
            }
        }
        samples.merge(&ticks, &answers).unwrap();
        match clear_sampled(&market.feeder, &market.tree, &market.supply, &samples)? {
            Outcome::Cleared(clearing) => return Ok((clearing, round)),
            Outcome::Ask(more) => {
                assert!(!more.is_empty() && more.len() <= MAX_QUESTION);
                assert!(more.iter().all(|t| !samples.ticks().contains(t)), "asks nothing twice");
                ticks = more;
            }
        }
    }
    unreachable!("the loop has no end of its own")
}

pub fn figures(clearing: Clearing) -> (Vec<i64>, Vec<i64>, Vec<i64>, i64) {
    (
        clearing.prices.iter().map(|p| p.0).collect(),
        clearing.allocations.iter().map(|p| p.0).collect(),
        clearing.flows.iter().map(|p| p.0).collect(),
        clearing.import.0,
    )
}

proptest! {
    #![proptest_config(crate::cases(2_000))]
    #[test]
    fn agrees_with_the_naive_reference(market in market()) {
        for range in [(-1_000_000, 1_000_000), (-100, 100)] {
            let got = clear(&market, range).ok().map(|(clearing, _)| figures(clearing));
            prop_assert_eq!(got, reference::clear(&market, range));
        }
    }
}

/// Ticks of 10 000 EUR/MWh.
const TEN_THOUSAND: i64 = 10_000_000_000;

fn chain(limits: &[i64], parties: Vec<(usize, FlexCurve)>, supply: SupplyCurve) -> Market {
    let lines: Vec<_> = limits.iter().enumerate().map(|(i, p)| (i, Some(-p), Some(*p))).collect();
    let feeder = feeder(&lines);
    let tree = feeder.tree().unwrap();
    Market { feeder, tree, supply, parties }
}

#[test]
fn an_uncongested_interval_with_a_flat_import_price_takes_one_round() {
    let supply =
        SupplyCurve::flat(PicoEurPerWh(87_654_321), Milliwatt(-1_000_000), Milliwatt(1_000_000)).unwrap();
    let load = FlexCurve::new(falling(-7_000_000, 900_000, &[(300_000_000, 1_500_000)])).unwrap();
    let market = chain(&[2_000_000], vec![(1, load)], supply);
    let (clearing, rounds) = clear(&market, (-TEN_THOUSAND, TEN_THOUSAND)).unwrap();
    assert_eq!((clearing.prices[1].0, rounds), (87_654_321, 1));
}

#[test]
fn nested_congested_zones_take_at_most_five_rounds() {
    let supply =
        SupplyCurve::new(falling(-4_000_000_000, -100_000_000, &[(8_000_000_017, -400_000_000)])).unwrap();
    let slope = |bus: i64| {
        let start = -9_000_000_003 + 17_000_003 * bus;
        FlexCurve::new(falling(start, 30_000_001 + bus, &[(18_000_000_011, 29_999_999)])).unwrap()
    };
    let parties = (0..4).map(|bus| (bus, slope(bus as i64))).collect();
    let market = chain(&[20_000_000, 10_000_000, 3_000_000], parties, supply);
    let (clearing, rounds) = clear(&market, (-TEN_THOUSAND, TEN_THOUSAND)).unwrap();
    let zones: std::collections::BTreeSet<_> = clearing.prices.iter().collect();
    assert_eq!(zones.len(), 4, "every line binds, so every bus has its own price");
    assert!(rounds <= 5, "{rounds} rounds");
    assert_eq!(Some(figures(clearing)), reference::clear(&market, (-TEN_THOUSAND, TEN_THOUSAND)));
}

#[test]
fn what_cannot_be_met_is_named() {
    let supply = || SupplyCurve::flat(PicoEurPerWh(5), Milliwatt(-7), Milliwatt(7)).unwrap();
    let check = |limit: i64, power: i64, expected: &str| {
        let market = chain(&[limit], vec![(1, FlexCurve::inelastic(Milliwatt(power)))], supply());
        assert_eq!(clear(&market, (-100, 100)).unwrap_err().to_string(), expected);
    };
    check(5, 6, "line \"l1\": at least 6 mW must flow, and at most 5 mW may");
    check(5, -6, "line \"l1\": at most -6 mW can flow, and at least -5 mW must");
    check(50, 8, "supply: at least 8 mW must be imported, and at most 7 mW is on offer");
    check(50, -8, "supply: at most -8 mW can be imported, and at least -7 mW must be");
}
