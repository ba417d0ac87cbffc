//! Rounds on small feeders by hand, and on random ones against the whole curves.

use super::*;
use crate::clearing::sampled::{self, MAX_ROUNDS};
use crate::clearing::samples::Sample;
use crate::curve::{Breakpoint, FlexCurve};
use crate::feeder::{Feeder, Line};
use crate::grid::rules::{GridRules, VoltageLimits};
use crate::grid::volt_var::RANGE_MIN;
use crate::units::Millivar;
use proptest::prelude::*;
use std::collections::BTreeMap;

const EUR: i64 = 1_000_000;

struct Case {
    feeder: Feeder,
    rules: GridRules,
    supply: SupplyCurve,
    parties: Vec<(usize, FlexCurve)>,
    reactive: Vec<ReactiveOffer>,
}

/// A chain of 400 V lines of 40 mohm behind a bus that imports at `price` EUR/MWh and a little more
/// for each kilowatt.
fn case(price: i64, kva: &[i64], volts: i64, parties: Vec<(usize, FlexCurve)>) -> Case {
    let name = |bus: usize| format!("n{bus}");
    let line = |(i, kva): (usize, &i64)| Line {
        id: format!("l{i}"),
        from: name(i),
        to: name(i + 1),
        power_max: None,
        power_min: None,
        resistance_microohm: 40_000,
        reactance_microohm: 15_000,
        rating_millivoltampere: Some(kva * EUR),
    };
    let buses = (0..=kva.len()).map(name).collect();
    let lines = kva.iter().enumerate().map(line).collect();
    let limits =
        VoltageLimits { min_micro_pu: Some(EUR - volts * 1_000), max_micro_pu: Some(EUR + volts * 1_000) };
    let end = |kw: i64, price: i64| Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(kw * EUR) };
    let supply = vec![end(-400, (price - 5) * EUR), end(400, (price + 5) * EUR)];
    Case {
        feeder: Feeder { voltage_millivolt: 400_000, root: name(0), buses, lines },
        rules: GridRules {
            root_voltage_micro_pu: EUR,
            voltage: limits,
            voltage_at: BTreeMap::new(),
            loading_max_percent: Some(100),
            loss_price: PicoEurPerWh(price.abs() * EUR),
            voltage_deviation_micro_eur_per_h: 0,
            reactive: BTreeMap::from([(name(1), Millivar(3 * EUR))]),
            reactive_full_price: Some(PicoEurPerWh(10 * EUR)),
            carbon_price: None,
        },
        supply: SupplyCurve::new(supply).unwrap(),
        parties,
        reactive: Vec::new(),
    }
}

/// Plays the rounds, and checks the certificate on what the curves themselves say at the prices.
fn play(case: &Case) -> Result<(GridCleared, u32), GridRoundsError> {
    let Case { feeder, rules, supply, parties, reactive } = case;
    let tree = feeder.tree().unwrap();
    let terms = rules.terms(feeder, &tree).unwrap();
    let range = PriceRange::new(PicoEurPerWh(-500 * EUR), PicoEurPerWh(4_000 * EUR)).unwrap();
    let market = GridMarket { terms: &terms, tree: &tree, supply, range, reactive };
    let mut question = sampled::Market { feeder, tree: &tree, supply, range }.first_question();
    let mut known = vec![Samples::default(); parties.len()];
    for round in 1..=MAX_ROUNDS {
        for ((bus, curve), samples) in parties.iter().zip(&mut known) {
            let windows = question.of_bus[*bus].iter().map(|place| &question.windows[*place]);
            let sample = |tick: &PicoEurPerWh| Sample { tick: *tick, power: curve.power_at(*tick) };
            samples.learn(windows.flat_map(|window| &window.ticks).map(sample)).unwrap();
        }
        let told = parties.iter().zip(&known).map(|((bus, _), samples)| Party { bus: *bus, samples });
        match market.clear(&told.collect::<Vec<_>>(), MAX_ROUNDS - round)? {
            GridOutcome::Ask(next) => question = next,
            GridOutcome::Cleared(cleared) => {
                let tolerance = terms.tolerances.price;
                let said = |((_, curve), demand): (&(usize, FlexCurve), &PlacedDemand)| {
                    let price = cleared.clearing.prices[demand.place];
                    let range = curve.demand_within(price, tolerance);
                    PlacedDemand { range, ..*demand }
                };
                let demands: Vec<_> = parties.iter().zip(&cleared.demands).map(said).collect();
                terms.check_with_reactive(supply, &cleared.clearing, &demands, &cleared.reactive).unwrap();
                return Ok((*cleared, round));
            }
        }
    }
    unreachable!("without rounds left nothing is asked")
}

fn curve(points: &[(i64, i64)]) -> FlexCurve {
    let point = |(price, watts): &(i64, i64)| Breakpoint {
        price: PicoEurPerWh(*price),
        power: Milliwatt(watts * 1_000),
    };
    FlexCurve::new(points.iter().map(point).collect()).unwrap()
}

#[test]
fn a_voltage_limit_makes_prices_that_rise_towards_the_load() {
    let load = curve(&[(0, 40_000), (200 * EUR, 0)]);
    let case = case(80, &[200, 200], 8, vec![(1, load.clone()), (2, load)]);
    let (cleared, rounds) = play(&case).unwrap();
    let prices: Vec<f64> = cleared.clearing.prices.iter().map(|price| price.eur_per_mwh()).collect();
    assert!(prices[0] + 1.0 < prices[1] && prices[1] + 1.0 < prices[2], "{prices:?}");
    assert!(cleared.clearing.multipliers[2].voltage.0 > 0 && rounds <= 4, "{rounds} rounds");
    let terms = case.rules.terms(&case.feeder, &case.feeder.tree().unwrap()).unwrap();
    let part = terms.dlmps(&cleared.clearing).unwrap()[2].real;
    assert_eq!(part.price(), Some(cleared.clearing.prices[2]));
    assert!(part.voltage.eur_per_mwh() > 1.0 && part.loss.eur_per_mwh() > 0.1, "{part:?}");
}

#[test]
fn inverters_hold_up_a_voltage_by_the_rule_they_are_paid_by() {
    let load = curve(&[(0, 40_000), (200 * EUR, 0)]);
    let without = case(80, &[200, 200], 8, vec![(1, load.clone()), (2, load)]);
    let offer = |bus, kvar: i64| ReactiveOffer { bus, range: Millivar(kvar * EUR) };
    let with = Case { reactive: vec![offer(2, 4), offer(2, 2), offer(1, 3)], ..without };
    let (cleared, _) = play(&with).unwrap();
    let price = |place: usize| cleared.clearing.reactive_prices[place].eur_per_mwh();
    assert!(price(2) > 1.0, "{cleared:?}");
    for (given, offer) in cleared.reactive.iter().zip(&with.reactive) {
        let expected = -offer.range.kvar() * (price(given.place) / 10.0).min(1.0);
        assert!((given.allocation.kvar() - expected).abs() < 1e-3, "{given:?}, not {expected}");
    }
    // More load can be served for what the inverters give.
    let (alone, _) = play(&Case { reactive: Vec::new(), ..with }).unwrap();
    assert!(cleared.clearing.import > alone.clearing.import);
}

#[test]
fn reactive_power_is_cleared_only_by_rules_that_say_so_and_as_they_say() {
    let mut case = case(80, &[200, 200], 8, vec![(1, curve(&[(0, 40_000), (200 * EUR, 0)]))]);
    case.reactive = vec![ReactiveOffer { bus: 2, range: Millivar(4 * EUR) }];
    let tree = case.feeder.tree().unwrap();
    let (cleared, _) = play(&case).unwrap();
    let terms = |rules: &GridRules| rules.terms(&case.feeder, &tree).unwrap();
    let check = |full_price: Option<i64>, more: i64, expected: bool| {
        let reactive_full_price = full_price.map(|eur| PicoEurPerWh(eur * EUR));
        let rules = GridRules { reactive_full_price, ..case.rules.clone() };
        let mut given = cleared.reactive.clone();
        given[0].allocation.0 += more;
        let mut clearing = cleared.clearing.clone();
        // A flow to match, so that only the answer can be wrong.
        clearing.flows[1].reactive.0 += more;
        clearing.flows[2].reactive.0 += more;
        clearing.import_reactive.0 += more;
        let held = terms(&rules).check_with_reactive(&case.supply, &clearing, &cleared.demands, &given);
        assert_eq!(held.is_ok(), expected, "{full_price:?} {more}: {held:?}");
    };
    check(Some(10), 0, true);
    check(Some(10), 10_000, false);
    check(Some(10), -10_000, false);
    check(Some(11), 0, false);
    check(None, 0, false);
    case.rules.reactive_full_price = None;
    assert_eq!(play(&case).unwrap_err(), GridRoundsError::ReactiveOffer { offer: 0 });
}

#[test]
fn a_limit_that_cannot_be_met_is_named() {
    let case = case(80, &[20], 50, vec![(1, curve(&[(0, 30_000)]))]);
    let said = play(&case).unwrap_err().to_string();
    assert!(said.contains("most apparent power of its line"), "{said}");
}

#[test]
fn where_nobody_bids_prices_stay_within_the_market_s_bounds() {
    let point = |price: i64, watts: i64| Breakpoint {
        price: PicoEurPerWh(price * EUR),
        power: Milliwatt(watts * 1_000),
    };
    // Import that stands at its least is explained by any price below its own, and at its most by any above.
    let check = |supply: Vec<Breakpoint>, expected: [f64; 2]| {
        let mut case = case(80, &[200, 200], 8, vec![(1, curve(&[(0, 0)]))]);
        case.supply = SupplyCurve::new(supply).unwrap();
        let (cleared, _) = play(&case).unwrap();
        assert_eq!(cleared.clearing.import, Milliwatt::ZERO);
        for price in &cleared.clearing.prices {
            assert!(
                (expected[0]..=expected[1]).contains(&price.eur_per_mwh()),
                "{price} by {:?}",
                case.supply
            );
        }
    };
    check(vec![point(50, 0), point(55, 400_000)], [-500.0, 50.0]);
    check(vec![point(50, 0), point(50, 1), point(55, 400_000)], [-500.0, 50.0]);
    check(vec![point(50, -1), point(50, 0)], [50.0, 4_000.0]);
}

fn any_curve() -> impl Strategy<Value = FlexCurve> {
    let step = (prop_oneof![Just(0i64), 1..60 * EUR], prop_oneof![Just(0i64), 1..15_000i64, 1..4i64]);
    (-20 * EUR..150 * EUR, -10_000..20_000i64, prop::collection::vec(step, 0..6)).prop_map(
        |(price, power, steps)| {
            let mut points = vec![(price, power)];
            for (rise, fall) in steps {
                let (price, power) = points[points.len() - 1];
                points.push((price + rise, power - fall));
            }
            curve(&points)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]
    /// As good, and no better, as what the solver makes of the whole curves.
    #[test]
    fn five_rounds_clear_as_well_as_the_whole_curves(
        price in 20..120i64,
        kva in prop::collection::vec(25..90i64, 2..6),
        volts in 6..60i64,
        curves in prop::collection::vec((any::<prop::sample::Index>(), any_curve()), 1..12),
        inverters in prop::collection::vec((any::<prop::sample::Index>(), 1..20_000i64), 0..4),
    ) {
        let buses = kva.len() + 1;
        let parties: Vec<_> = curves.into_iter().map(|(bus, curve)| (bus.index(buses), curve)).collect();
        let mut case = case(price, &kva, volts, parties);
        let offer = |(bus, kvar): (prop::sample::Index, i64)| ReactiveOffer {
            bus: bus.index(buses),
            range: Millivar(kvar * 1_000) + RANGE_MIN,
        };
        case.reactive = inverters.into_iter().map(offer).collect();
        let whole = {
            let tree = case.feeder.tree().unwrap();
            let terms = case.rules.terms(&case.feeder, &tree).unwrap();
            let range = PriceRange::new(PicoEurPerWh(-500 * EUR), PicoEurPerWh(4_000 * EUR)).unwrap();
            let (supply, reactive) = (&case.supply, &case.reactive[..]);
            let market = GridMarket { terms: &terms, tree: &tree, supply, range, reactive };
            let known: Vec<Samples> = case.parties.iter().map(|(_, curve)| corners(curve)).collect();
            let told = case.parties.iter().zip(&known);
            let told: Vec<_> = told.map(|((bus, _), samples)| Party { bus: *bus, samples }).collect();
            crate::grid::clear(&market.problem(&told).unwrap())
        };
        match (play(&case), whole) {
            (Ok((cleared, _)), Ok(whole)) => {
                let off = cleared.clearing.import.kw() - whole.import_kw;
                prop_assert!(off.abs() < 1e-2, "{} kW of import apart", off);
            }
            (Err(GridRoundsError::Unsolved(_)), Err(_)) => {}
            (got, whole) => prop_assert!(false, "{:?} against {:?}", got, whole),
        }
    }
}

/// All that there is to know of a curve.
fn corners(curve: &FlexCurve) -> Samples {
    let mut samples = Samples::default();
    let ends = [PicoEurPerWh(-500 * EUR), PicoEurPerWh(4_000 * EUR + 1)];
    let prices = curve.points().iter().flat_map(|point| [point.price, point.price.next()]).chain(ends);
    samples.learn(prices.map(|tick| Sample { tick, power: curve.power_at(tick) })).unwrap();
    samples
}
