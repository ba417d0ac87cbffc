//! Clearing in rounds against the naive reference, and how many rounds it takes.

use crate::feeders::{falling, feeder, market, wide_market, Market};
use crate::reference;
use market::clearing::sampled::{self, Outcome, Party, Question, RoundsError, MAX_QUESTION, MAX_ROUNDS};
use market::clearing::samples::{Sample, Samples};
use market::clearing::{Clearing, Infeasible, PriceRange};
use market::curve::FlexCurve;
use market::supply::SupplyCurve;
use market::units::{Milliwatt, PicoEurPerWh};
use proptest::prelude::*;

/// Plays the rounds with parties that answer from their curves, each curve a party of its own. Gives the
/// rounds taken as well. Parties say where their curves' corners are from the second round on, or never.
fn play(market: &Market, range: (i64, i64), corners: bool) -> Result<(Clearing, u32), Infeasible> {
    let range = PriceRange::new(PicoEurPerWh(range.0), PicoEurPerWh(range.1)).unwrap();
    let Market { feeder, tree, supply, parties } = market;
    let rounds = sampled::Market { feeder, tree, supply, range };
    let mut known = vec![Samples::default(); parties.len()];
    let mut question = rounds.first_question();
    for round in 1..=MAX_ROUNDS {
        assert!(question.windows.iter().map(|window| window.ticks.len()).sum::<usize>() <= MAX_QUESTION);
        for ((bus, curve), samples) in parties.iter().zip(&mut known) {
            samples.learn(answers(&question, *bus, curve, corners && round > 1)).unwrap();
        }
        let told: Vec<Party> =
            parties.iter().zip(&known).map(|((bus, _), samples)| Party { bus: *bus, samples }).collect();
        match rounds.clear(&told, MAX_ROUNDS - round) {
            Ok(Outcome::Cleared(clearing)) => return Ok((clearing, round)),
            Ok(Outcome::Ask(next)) => question = next,
            Err(RoundsError::Infeasible(limit)) => return Err(limit),
            Err(other) => panic!("round {round}: {other}"),
        }
    }
    unreachable!("without rounds left nothing is asked")
}

fn answers(question: &Question, bus: usize, curve: &FlexCurve, corners: bool) -> Vec<Sample> {
    let asked = question.of_bus[bus].iter().map(|place| &question.windows[*place]);
    let mut ticks = Vec::new();
    for window in asked {
        ticks.extend(&window.ticks);
        let within = |price: &PicoEurPerWh| window.from <= *price && *price < window.to;
        let own = curve.points().iter().map(|point| point.price).filter(|price| corners && within(price));
        ticks.extend(own.flat_map(|price| [price, price.next()]));
    }
    ticks.into_iter().map(|tick| Sample { tick, power: curve.power_at(tick) }).collect()
}

/// The clearing, and the rounds it took.
pub fn clear(market: &Market, range: (i64, i64)) -> Result<(Clearing, u32), Infeasible> {
    play(market, range, true)
}

pub fn figures(clearing: Clearing) -> (Vec<i64>, Vec<i64>, Vec<i64>, i64) {
    (
        clearing.prices.iter().map(|p| p.0).collect(),
        clearing.allocations.iter().map(|p| p.0).collect(),
        clearing.flows.iter().map(|p| p.0).collect(),
        clearing.import.0,
    )
}

/// Ticks of 10 000 EUR/MWh.
const TEN_THOUSAND: i64 = 10_000_000_000;

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

proptest! {
    #![proptest_config(crate::cases(400))]
    /// Figures of any size, over the widest range of prices: [`play`] panics beyond five rounds.
    #[test]
    fn five_rounds_do_whatever_the_curves_are(market in wide_market(), corners in any::<bool>()) {
        for range in [(-100 * TEN_THOUSAND, 100 * TEN_THOUSAND), (-TEN_THOUSAND, TEN_THOUSAND)] {
            let got = play(&market, range, corners).ok().map(|(clearing, _)| figures(clearing));
            prop_assert_eq!(got, reference::clear(&market, range));
        }
    }
}

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

/// Four buses in a chain whose lines all bind.
fn nested(curve: impl Fn(i64) -> FlexCurve) -> Market {
    let supply =
        SupplyCurve::new(falling(-4_000_000_000, -400_000_000_000, &[(8_000_000_017, -1_600_000_000_000)]))
            .unwrap();
    let parties = (0..4).map(|bus| (bus, curve(bus as i64))).collect();
    chain(&[20_000_000_000, 10_000_000_000, 3_000_000_000], parties, supply)
}

fn check_rounds(market: &Market, expected: u32) {
    let (clearing, rounds) = clear(market, (-TEN_THOUSAND, TEN_THOUSAND)).unwrap();
    let zones: std::collections::BTreeSet<_> = clearing.prices.iter().collect();
    assert_eq!(zones.len(), 4, "every line binds, so every bus has its own price");
    assert_eq!(rounds, expected);
    assert_eq!(Some(figures(clearing)), reference::clear(market, (-TEN_THOUSAND, TEN_THOUSAND)));
}

#[test]
fn nested_congested_zones_of_slopes_take_two_rounds() {
    let slope = |bus: i64| {
        let start = -9_000_000_003 + 17_000_003 * bus;
        FlexCurve::new(falling(start, 30_000_000_001 + bus, &[(18_000_000_011, 29_999_999_999)])).unwrap()
    };
    check_rounds(&nested(slope), 2);
}

#[test]
fn nested_congested_zones_of_steps_take_two_rounds() {
    let steps = |bus: i64| {
        let stair = |k: i64| [(700_000_003 + 1_001 * bus + k, 0), (0, 1_300_000_007 + bus)];
        FlexCurve::new(falling(-9_000_000_003, 30_000_000_001, &(0..23).flat_map(stair).collect::<Vec<_>>()))
            .unwrap()
    };
    check_rounds(&nested(steps), 2);
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

#[test]
fn answers_that_are_none_are_refused_by_name() {
    let supply = SupplyCurve::flat(PicoEurPerWh(5), Milliwatt(-7), Milliwatt(7)).unwrap();
    let market = chain(&[], Vec::new(), supply);
    let range = PriceRange::new(PicoEurPerWh(0), PicoEurPerWh(9)).unwrap();
    let rounds =
        sampled::Market { feeder: &market.feeder, tree: &market.tree, supply: &market.supply, range };
    let check = |bus: usize, answers: &[(i64, i64)], expected: &str| {
        let mut samples = Samples::default();
        let sample =
            |(tick, power): &(i64, i64)| Sample { tick: PicoEurPerWh(*tick), power: Milliwatt(*power) };
        samples.learn(answers.iter().map(sample)).unwrap();
        let said = rounds.clear(&[Party { bus, samples: &samples }], 4).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    };
    check(0, &[], "party 0 has not answered");
    check(0, &[(0, 1), (9, 1)], "party 0 has not answered");
    check(1, &[(0, 1), (10, 1)], "or stands at no bus");
    check(0, &[(0, i64::MAX), (10, 1)], "too large to be added");
    check(0, &[(0, 1), (10, i64::MIN)], "too large to be added");
}
