//! Reference cases of 24 intervals, solved by others, cleared as a day-ahead session in rounds: from
//! answers at ticks, in integers. Cost and prices against theirs.

use super::case::{problem, tree};
use super::reference::carried;
use market::clearing::sampled::MAX_ROUNDS;
use market::clearing::samples::{Sample, Samples};
use market::clearing::PriceRange;
use market::curve::{Breakpoint, FlexCurve};
use market::day_ahead::certificate::{expand, taken_by_orders};
use market::day_ahead::orders::{DeferrableOffer, Orders, Placed, StorageOffer};
use market::day_ahead::rounds::{DayAheadMarket, SessionCleared, SessionOutcome, SessionParty};
use market::day_ahead::terms::DayAheadTerms;
use market::feeder::Tree;
use market::grid::problem::{Objective, Piece, Reactive};
use market::grid::rounding::published_supply;
use market::grid::rules::GridTerms;
use market::horizon::problem::{HorizonProblem, OfferCurve};
use market::supply::SupplyCurve;
use market::units::{Millijoule, Millivar, Milliwatt, PicoEurPerWh};
use serde_json::Value;

fn power(kw: f64) -> Milliwatt {
    Milliwatt::from_kw(kw).unwrap()
}

fn energy(kwh: f64) -> Millijoule {
    Millijoule::from_wh(kwh * 1e3).unwrap()
}

fn price(eur_per_mwh: f64) -> PicoEurPerWh {
    PicoEurPerWh::from_eur_per_mwh(eur_per_mwh).unwrap()
}

fn curve(curve: &OfferCurve) -> FlexCurve {
    let mut kw = curve.power_min_kw + curve.pieces.iter().map(|piece| piece.width_kw).sum::<f64>();
    let mut points = Vec::new();
    for Piece { width_kw, price_high, price_low } in curve.pieces.iter().rev() {
        points.push(Breakpoint { price: price(*price_low), power: power(kw) });
        kw -= width_kw;
        points.push(Breakpoint { price: price(*price_high), power: power(kw) });
    }
    if points.is_empty() {
        return FlexCurve::inelastic(power(kw));
    }
    FlexCurve::new(points).unwrap()
}

fn orders(problem: &HorizonProblem) -> Orders {
    let part = |efficiency: f64| (efficiency * 1e6).round() as u32;
    let storage = |order: &market::horizon::problem::StorageOrder| Placed {
        place: order.place,
        order: StorageOffer {
            charge_max: power(order.charge_max_kw),
            discharge_max: power(order.discharge_max_kw),
            energy_min: energy(order.energy_min_kwh),
            energy_max: energy(order.energy_max_kwh),
            energy_start: energy(order.energy_start_kwh),
            energy_end_min: energy(order.energy_end_min_kwh),
            charge_efficiency_ppm: part(order.charge_efficiency),
            discharge_efficiency_ppm: part(order.discharge_efficiency),
            wear: price(order.wear_eur_per_mwh),
        },
    };
    let deferrable = |order: &market::horizon::problem::DeferrableOrder| Placed {
        place: order.place,
        order: DeferrableOffer {
            energy: energy(order.energy_kwh),
            power_max: power(order.power_max_kw),
            start: order.start as u32,
            end: order.end as u32,
        },
    };
    Orders {
        storages: problem.storages.iter().map(storage).collect(),
        deferrables: problem.deferrables.iter().map(deferrable).collect(),
    }
}

/// A case as agents would trade it; none where reactive power follows real power, which is planned here.
struct Session {
    problem: HorizonProblem,
    tree: Tree,
    terms: DayAheadTerms,
    supplies: Vec<SupplyCurve>,
    orders: Orders,
    curves: Vec<Vec<FlexCurve>>,
}

impl Session {
    fn of(case: &Value) -> Option<Self> {
        let (problem, tree) = (problem(case), tree(case));
        let idle = |reactive: &Reactive| *reactive == Reactive::Fixed { reactive_kvar: 0.0 };
        if !problem.offers.iter().all(|offer| idle(&offer.reactive)) {
            return None;
        }
        let grid = GridTerms {
            network: problem.network.clone(),
            objective: Objective::default(),
            reactive: vec![Millivar(0); tree.order.len()],
            tolerances: Default::default(),
            reactive_full_price: None,
        };
        let terms = DayAheadTerms::new(&grid, (problem.interval_hours * 3_600.0) as i64).unwrap();
        let supplies = problem.supplies.iter().map(|supply| published_supply(supply).unwrap()).collect();
        let curves = problem.offers.iter().map(|offer| offer.curves.iter().map(curve).collect()).collect();
        Some(Self { orders: orders(&problem), problem, tree, terms, supplies, curves })
    }

    fn play(&self) -> SessionCleared {
        let range = PriceRange::new(price(-1_000.0), price(10_000.0)).unwrap();
        let (tree, supplies) = (&self.tree, &self.supplies);
        let market = DayAheadMarket { terms: &self.terms, tree, supplies, range, orders: &self.orders };
        let buses: Vec<usize> = self.problem.offers.iter().map(|offer| tree.order[offer.place]).collect();
        let mut known = vec![vec![Samples::default(); supplies.len()]; self.curves.len()];
        let mut questions = market.first_question();
        for round in 1..=MAX_ROUNDS {
            for ((bus, curves), samples) in buses.iter().zip(&self.curves).zip(&mut known) {
                for ((curve, samples), question) in curves.iter().zip(samples).zip(&questions) {
                    let asked =
                        question.of_bus[*bus].iter().flat_map(|window| &question.windows[*window].ticks);
                    let sample = |tick: &PicoEurPerWh| Sample { tick: *tick, power: curve.power_at(*tick) };
                    samples.learn(asked.map(sample)).unwrap();
                }
            }
            let told = buses.iter().zip(&known);
            let told: Vec<_> = told.map(|(bus, samples)| SessionParty { bus: *bus, samples }).collect();
            match market.clear(&told, MAX_ROUNDS - round).unwrap() {
                SessionOutcome::Ask(next) => questions = next,
                SessionOutcome::Cleared(cleared) => return *cleared,
            }
        }
        unreachable!("without rounds left nothing is asked")
    }

    /// What the dispatch costs: import from nothing on, less what it is worth, and wear.
    fn objective_eur(&self, cleared: &SessionCleared) -> f64 {
        let mut milli = 0.0;
        for (t, published) in cleared.clearing.intervals.iter().enumerate() {
            let mut all = cleared.demands[t].clone();
            all.extend(taken_by_orders(&self.orders, &cleared.clearing, t));
            let import = expand(&self.terms, published, &all).import.kw();
            let supply = &self.problem.supplies[t];
            let rising: Vec<_> =
                supply.pieces.iter().map(|p| (p.width_kw, p.price_low, p.price_high)).collect();
            milli += area(&rising, import - supply.import_min_kw) - area(&rising, -supply.import_min_kw);
            for (offer, demand) in self.problem.offers.iter().zip(&cleared.demands[t]) {
                let OfferCurve { power_min_kw, pieces } = &offer.curves[t];
                let falling: Vec<_> =
                    pieces.iter().map(|p| (p.width_kw, p.price_high, p.price_low)).collect();
                milli -= area(&falling, demand.allocation.kw() - power_min_kw);
            }
            for (order, award) in self.problem.storages.iter().zip(&cleared.clearing.storages) {
                milli += order.wear_eur_per_mwh * (award.charge[t].kw() + award.discharge[t].kw());
            }
        }
        milli * self.problem.interval_hours / 1e3
    }
}

/// Area below pieces of so many kW from one price to another, up to a power.
fn area(pieces: &[(f64, f64, f64)], power_kw: f64) -> f64 {
    let (mut left, mut sum) = (power_kw, 0.0);
    for (width, begin, end) in pieces {
        let used = left.clamp(0.0, *width);
        sum += used * (begin + (end - begin) * used / width / 2.0);
        left -= used;
    }
    sum
}

#[test]
fn a_session_in_rounds_clears_as_others_solved_it() {
    let mut checked = 0;
    // A session weighs no losses.
    for case in carried().iter().filter(|case| case["policy"]["loss_price"].is_null()) {
        let (id, expected) = (&case["id"], &case["expected"]);
        let Some(session) = Session::of(case) else { continue };
        let cleared = session.play();
        let (objective, reference) =
            (session.objective_eur(&cleared), expected["objective_eur"].as_f64().unwrap());
        assert!((objective - reference).abs() <= 1e-6 * reference.abs().max(1.0), "{id}: {objective}");
        for (node, place) in case["nodes"].as_array().unwrap().iter().zip(&session.tree.place) {
            let name = node["id"].as_str().unwrap();
            if expected["node_price_agrees"][name] != Value::Bool(true) {
                continue;
            }
            for (t, interval) in cleared.clearing.intervals.iter().enumerate() {
                let found = interval.prices[*place].eur_per_mwh();
                let price = expected["node_price"][name][t].as_f64().unwrap();
                assert!((found - price).abs() <= 2e-3, "{id}: {name} at {t} costs {found}, not {price}");
            }
        }
        checked += 1;
    }
    assert_eq!(checked, 2, "cases of storage and of cars");
}
