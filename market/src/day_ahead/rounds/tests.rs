//! Sessions by hand, and random ones against the whole curves.

use super::*;
use crate::clearing::sampled::MAX_ROUNDS;
use crate::clearing::samples::Sample;
use crate::curve::{Breakpoint, FlexCurve};
use crate::day_ahead::orders::{DeferrableOffer, Placed, StorageOffer};
use crate::feeder::{Feeder, Line};
use crate::grid::rules::{GridRules, VoltageLimits};
use crate::units::{Millijoule, Millivar, Milliwatt, PicoEurPerWh};
use proptest::prelude::*;
use std::collections::BTreeMap;

const EUR: i64 = 1_000_000;
const KWH: i64 = 3_600_000_000;
const INTERVAL_S: i64 = 900;

struct Case {
    tree: Tree,
    terms: DayAheadTerms,
    supplies: Vec<SupplyCurve>,
    orders: Orders,
    /// Each party's bus and curves by interval.
    parties: Vec<(usize, Vec<FlexCurve>)>,
}

/// A chain of 400 V lines of 40 mohm behind a bus that imports, in each interval, at these prices and a
/// little more for each kilowatt.
fn case(prices: &[i64], kva: &[i64], volts: i64, parties: Vec<(usize, Vec<FlexCurve>)>) -> Case {
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
    let feeder = Feeder { voltage_millivolt: 400_000, root: name(0), buses, lines };
    let limits =
        VoltageLimits { min_micro_pu: Some(EUR - volts * 1_000), max_micro_pu: Some(EUR + volts * 1_000) };
    let rules = GridRules {
        root_voltage_micro_pu: EUR,
        voltage: limits,
        voltage_at: BTreeMap::new(),
        loading_max_percent: Some(100),
        loss_price: PicoEurPerWh(50 * EUR),
        voltage_deviation_micro_eur_per_h: 0,
        reactive: BTreeMap::from([(name(1), Millivar(3 * EUR))]),
    };
    let end = |kw: i64, price: i64| Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(kw * EUR) };
    let supply = |price: &i64| {
        SupplyCurve::new(vec![end(-400, (price - 5) * EUR), end(400, (price + 5) * EUR)]).unwrap()
    };
    let tree = feeder.tree().unwrap();
    let terms = DayAheadTerms::new(&rules.terms(&feeder, &tree).unwrap(), INTERVAL_S).unwrap();
    let supplies = prices.iter().map(supply).collect();
    Case { tree, terms, supplies, orders: Orders::default(), parties }
}

impl Case {
    fn market(&self) -> DayAheadMarket<'_> {
        let Case { tree, terms, supplies, orders, .. } = self;
        let range = PriceRange::new(PicoEurPerWh(-500 * EUR), PicoEurPerWh(4_000 * EUR)).unwrap();
        DayAheadMarket { terms, tree, supplies, range, orders }
    }

    /// Plays the rounds, and checks the certificate on what the curves themselves say at the prices.
    fn play(&self) -> Result<(SessionCleared, u32), SessionError> {
        let market = self.market();
        let mut questions = market.first_question();
        let mut known = vec![vec![Samples::default(); self.supplies.len()]; self.parties.len()];
        for round in 1..=MAX_ROUNDS {
            for ((bus, curves), samples) in self.parties.iter().zip(&mut known) {
                for ((curve, samples), question) in curves.iter().zip(samples).zip(&questions) {
                    let windows = question.of_bus[*bus].iter().map(|place| &question.windows[*place]);
                    let sample = |tick: &PicoEurPerWh| Sample { tick: *tick, power: curve.power_at(*tick) };
                    samples.learn(windows.flat_map(|window| &window.ticks).map(sample)).unwrap();
                }
            }
            match market.clear(&self.told(&known), MAX_ROUNDS - round)? {
                SessionOutcome::Ask(next) => questions = next,
                SessionOutcome::Cleared(cleared) => {
                    let demands = self.said(&cleared);
                    certificate::check(
                        &self.terms,
                        &self.supplies,
                        &self.orders,
                        &cleared.clearing,
                        &demands,
                    )
                    .unwrap();
                    return Ok((*cleared, round));
                }
            }
        }
        unreachable!("without rounds left nothing is asked")
    }

    fn told<'a>(&self, known: &'a [Vec<Samples>]) -> Vec<SessionParty<'a>> {
        let told = self.parties.iter().zip(known);
        told.map(|((bus, _), samples)| SessionParty { bus: *bus, samples }).collect()
    }

    /// What was given, with what the curves themselves allow at the prices.
    fn said(&self, cleared: &SessionCleared) -> Vec<Vec<PlacedDemand>> {
        let tolerance = self.terms.grid().tolerances.price;
        let said = |(interval, demands): (usize, &Vec<PlacedDemand>)| {
            let said = |((_, curves), demand): (&(usize, Vec<FlexCurve>), &PlacedDemand)| {
                let price = cleared.clearing.intervals[interval].prices[demand.place];
                let range = curves[interval].demand_within(price, tolerance);
                PlacedDemand { range, ..*demand }
            };
            self.parties.iter().zip(demands).map(said).collect()
        };
        cleared.demands.iter().enumerate().map(said).collect()
    }

    /// Import by interval in kW.
    fn imports(&self, cleared: &SessionCleared) -> Vec<f64> {
        let import = |(interval, published): (usize, &IntervalPrices)| {
            let mut all = cleared.demands[interval].clone();
            all.extend(certificate::taken_by_orders(&self.orders, &cleared.clearing, interval));
            certificate::expand(&self.terms, published, &all).import.kw()
        };
        cleared.clearing.intervals.iter().enumerate().map(import).collect()
    }

    /// Clears with all that there is to know of the curves.
    fn whole(&self) -> Result<horizon::clearing::HorizonClearing, HorizonError> {
        let market = self.market();
        let corners = |(_, curves): &(usize, Vec<FlexCurve>)| curves.iter().map(corners).collect();
        let known: Vec<Vec<Samples>> = self.parties.iter().map(corners).collect();
        horizon::clear(&market.horizon(&market.problems(&self.told(&known)).unwrap()))
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

fn curve(points: &[(i64, i64)]) -> FlexCurve {
    let point = |(price, watts): &(i64, i64)| Breakpoint {
        price: PicoEurPerWh(*price),
        power: Milliwatt(watts * 1_000),
    };
    FlexCurve::new(points.iter().map(point).collect()).unwrap()
}

/// So many watts at any price.
fn load(watts: i64) -> FlexCurve {
    curve(&[(0, watts)])
}

/// 8 kWh, empty, 8 kW either way, nine tenths each way, 1 EUR/MWh of wear.
fn storage(place: usize) -> Placed<StorageOffer> {
    let order = StorageOffer {
        charge_max: Milliwatt(8 * EUR),
        discharge_max: Milliwatt(8 * EUR),
        energy_min: Millijoule(0),
        energy_max: Millijoule(8 * KWH),
        energy_start: Millijoule(0),
        energy_end_min: Millijoule(0),
        charge_efficiency_ppm: 900_000,
        discharge_efficiency_ppm: 900_000,
        wear: PicoEurPerWh(EUR),
    };
    Placed { place, order }
}

#[test]
fn storage_buys_where_it_is_cheap_and_relieves_the_line_where_it_is_not() {
    // 30 kW behind a line of 25 kVA, 3 kvar of it planned: without the storage nothing could be cleared.
    let loads = [5_000, 5_000, 30_000, 5_000].map(load).to_vec();
    let mut case = case(&[40, 60, 80, 60], &[25], 60, vec![(1, loads)]);
    let said = case.play().unwrap_err().to_string();
    assert!(said.contains("interval 2") && said.contains("more than its most"), "{said}");
    case.orders.storages.push(storage(1));
    let (cleared, _) = case.play().unwrap();
    let award = &cleared.clearing.storages[0];
    assert!(award.discharge[2] > Milliwatt(5_000_000) && award.charge[0] > Milliwatt(5_000_000), "{award:?}");
    // What is in store may be worth more than all prices but that behind the line.
    let price = |interval: usize| cleared.clearing.intervals[interval].prices[1].eur_per_mwh();
    assert!(price(0) < 45.0 && price(2) > 75.0, "{} and {}", price(0), price(2));
    assert_eq!(award.stored_values[0], award.stored_values[1], "neither empty nor full between");
}

#[test]
fn a_deferrable_order_takes_its_energy_where_it_is_cheapest() {
    let mut case = case(&[50, 40, 70, 30], &[100], 60, vec![(1, vec![load(1_000); 4])]);
    // 3 kWh at 8 kW or less before the last interval: one whole interval of 2 kWh, and half of another.
    let order =
        DeferrableOffer { energy: Millijoule(3 * KWH), power_max: Milliwatt(8 * EUR), start: 0, end: 3 };
    case.orders.deferrables.push(Placed { place: 1, order });
    let (cleared, rounds) = case.play().unwrap();
    let award = &cleared.clearing.deferrables[0];
    assert_eq!(award.power, [4 * EUR, 8 * EUR, 0].map(Milliwatt));
    assert!((award.energy_value.eur_per_mwh() - 50.0).abs() < 0.1, "{}", award.energy_value);
    assert_eq!(rounds, 1, "nobody's demand depends on the price");
}

#[test]
fn who_has_not_answered_is_named() {
    let case = case(&[50, 40], &[100], 60, vec![(1, vec![load(1_000); 2])]);
    let said = |samples: &[Samples]| {
        let party = SessionParty { bus: 1, samples };
        case.market().clear(&[party], 4).unwrap_err().to_string()
    };
    let answered = corners(&load(1_000));
    assert!(said(std::slice::from_ref(&answered)).contains("party 0 has answered 1 intervals of 2"));
    assert!(said(&[answered, Samples::default()]).contains("interval 1: party 0 has not answered"));
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

prop_compose! {
    fn any_storage(places: usize)(
        place in 0..places,
        power in (0..10_000i64, 0..10_000i64),
        room in 0..12_000i64,
        start in 0..=100i64,
        end in 0..=100i64,
        efficiency in (700_000..=1_000_000u32, 700_000..=1_000_000u32),
        wear in prop_oneof![Just(0i64), 1..8 * EUR],
    ) -> Placed<StorageOffer> {
        let part = |percent: i64| Millijoule(room * KWH / 1_000 * percent / 100);
        let order = StorageOffer {
            charge_max: Milliwatt(power.0 * 1_000),
            discharge_max: Milliwatt(power.1 * 1_000),
            energy_min: Millijoule(0),
            energy_max: part(100),
            energy_start: part(start),
            energy_end_min: part(end.min(start)),
            charge_efficiency_ppm: efficiency.0,
            discharge_efficiency_ppm: efficiency.1,
            wear: PicoEurPerWh(wear),
        };
        Placed { place, order }
    }
}

prop_compose! {
    fn any_deferrable(places: usize, intervals: u32)(
        place in 0..places,
        watts in 1..8_000i64,
        start in 0..intervals,
        length in 1..=intervals,
        percent in 0..=100i64,
    ) -> Placed<DeferrableOffer> {
        let end = (start + length).min(intervals);
        let power_max = Milliwatt(watts * 1_000);
        let most = power_max.over_seconds(INTERVAL_S * i64::from(end - start));
        Placed { place, order: DeferrableOffer { energy: Millijoule(most.0 * percent / 100), power_max, start, end } }
    }
}

fn any_case(intervals: usize, buses: std::ops::Range<usize>, parties: usize) -> impl Strategy<Value = Case> {
    (prop::collection::vec(25..90i64, buses), 6..60i64).prop_flat_map(move |(kva, volts)| {
        let places = kva.len() + 1;
        let curves = (0..places, prop::collection::vec(any_curve(), intervals));
        (
            prop::collection::vec(20..120i64, intervals),
            prop::collection::vec(curves, 1..parties),
            prop::collection::vec(any_storage(places), 0..4),
            prop::collection::vec(any_deferrable(places, intervals as u32), 0..4),
        )
            .prop_map(move |(prices, parties, storages, deferrables)| Case {
                orders: Orders { storages, deferrables },
                ..case(&prices, &kva, volts, parties)
            })
    })
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Case { supplies, orders, parties, terms, .. } = self;
        write!(f, "{supplies:?}\n{orders:?}\n{parties:?}\n{terms:?}")
    }
}

/// Random sessions, as many as asked for.
fn cases(count: u32) -> ProptestConfig {
    ProptestConfig { cases: count, failure_persistence: None, ..Default::default() }
}

proptest! {
    #![proptest_config(cases(40))]
    /// As good, and no better, as what the solver makes of the whole curves.
    #[test]
    fn five_rounds_clear_as_well_as_the_whole_curves(case in any_case(4, 1..4, 6)) {
        for placed in &case.orders.storages {
            prop_assert_eq!(placed.order.validate(4, INTERVAL_S), Ok(()));
        }
        for placed in &case.orders.deferrables {
            prop_assert_eq!(placed.order.validate(4, INTERVAL_S), Ok(()));
        }
        match (case.play(), case.whole()) {
            (Ok((cleared, _)), Ok(whole)) => {
                // What the supply asks rises with the import, so there is but one best import.
                for (import, whole) in case.imports(&cleared).iter().zip(&whole.intervals) {
                    let off = import - whole.import_kw;
                    prop_assert!(off.abs() < 1e-2, "{} kW of import apart", off);
                }
            }
            (Err(SessionError::Unsolved(HorizonError::Infeasible(_))), Err(HorizonError::Infeasible(_))) => {}
            (got, whole) => prop_assert!(false, "{:?} against {:?}", got, whole.map(|_| ())),
        }
    }
}
