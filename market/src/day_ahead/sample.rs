//! Sessions for the tests of this module's files: a chain of 400 V lines, parties that keep their curves
//! and answer what they are asked, and orders; by hand and at random.

use super::certificate;
use super::clearing::IntervalPrices;
use super::orders::{DeferrableOffer, Orders, Placed, StorageOffer};
use super::rounds::{DayAheadMarket, SessionCleared, SessionError, SessionOutcome, SessionParty};
use super::terms::DayAheadTerms;
use crate::clearing::sampled::MAX_ROUNDS;
use crate::clearing::samples::{Sample, Samples};
use crate::clearing::PriceRange;
use crate::curve::{Breakpoint, FlexCurve};
use crate::feeder::{Feeder, Line, Tree};
use crate::grid::rules::{GridRules, PlacedDemand, VoltageLimits};
use crate::supply::SupplyCurve;
use crate::units::{Millijoule, Millivar, Milliwatt, PicoEurPerWh};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// One EUR/MWh in ticks; one kW in milliwatts.
pub const EUR: i64 = 1_000_000;
/// In millijoules.
pub const KWH: i64 = 3_600_000_000;
/// A quarter of an hour.
pub const INTERVAL_S: i64 = 900;

/// A session with all that its parties keep to themselves.
pub struct Case {
    pub tree: Tree,
    pub terms: DayAheadTerms,
    pub supplies: Vec<SupplyCurve>,
    pub orders: Orders,
    /// Each party's bus and curves by interval.
    pub parties: Vec<(usize, Vec<FlexCurve>)>,
}

/// A chain of 400 V lines of 40 mohm behind a bus that imports, in each interval, at these prices and a
/// little more for each kilowatt.
pub fn case(prices: &[i64], kva: &[i64], volts: i64, parties: Vec<(usize, Vec<FlexCurve>)>) -> Case {
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
        reactive_full_price: None,
        carbon_price: None,
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
    pub fn market(&self) -> DayAheadMarket<'_> {
        let Case { tree, terms, supplies, orders, .. } = self;
        let range = PriceRange::new(PicoEurPerWh(-500 * EUR), PicoEurPerWh(4_000 * EUR)).unwrap();
        DayAheadMarket { terms, tree, supplies, range, orders }
    }

    /// Plays the rounds, and checks the certificate on what the curves themselves say at the prices.
    pub fn play(&self) -> Result<(SessionCleared, u32), SessionError> {
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

    pub fn told<'a>(&self, known: &'a [Vec<Samples>]) -> Vec<SessionParty<'a>> {
        let told = self.parties.iter().zip(known);
        told.map(|((bus, _), samples)| SessionParty { bus: *bus, samples }).collect()
    }

    /// What was given, with what the curves themselves allow at the prices.
    pub fn said(&self, cleared: &SessionCleared) -> Vec<Vec<PlacedDemand>> {
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
    pub fn imports(&self, cleared: &SessionCleared) -> Vec<f64> {
        let import = |(interval, published): (usize, &IntervalPrices)| {
            let mut all = cleared.demands[interval].clone();
            all.extend(certificate::taken_by_orders(&self.orders, &cleared.clearing, interval));
            certificate::expand(&self.terms, published, &all).import.kw()
        };
        cleared.clearing.intervals.iter().enumerate().map(import).collect()
    }
}

/// All that there is to know of a curve.
pub fn corners(curve: &FlexCurve) -> Samples {
    let mut samples = Samples::default();
    let ends = [PicoEurPerWh(-500 * EUR), PicoEurPerWh(4_000 * EUR + 1)];
    let prices = curve.points().iter().flat_map(|point| [point.price, point.price.next()]).chain(ends);
    samples.learn(prices.map(|tick| Sample { tick, power: curve.power_at(tick) })).unwrap();
    samples
}

pub fn curve(points: &[(i64, i64)]) -> FlexCurve {
    let point = |(price, watts): &(i64, i64)| Breakpoint {
        price: PicoEurPerWh(*price),
        power: Milliwatt(watts * 1_000),
    };
    FlexCurve::new(points.iter().map(point).collect()).unwrap()
}

/// So many watts at any price.
pub fn load(watts: i64) -> FlexCurve {
    curve(&[(0, watts)])
}

/// 8 kWh, empty, 8 kW either way, nine tenths each way, 1 EUR/MWh of wear.
pub fn storage(place: usize) -> Placed<StorageOffer> {
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

pub fn any_case(
    intervals: usize,
    buses: std::ops::Range<usize>,
    parties: usize,
) -> impl Strategy<Value = Case> {
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
