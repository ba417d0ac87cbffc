//! What the solver clears passes its certificate once rounded; a feasible but worse dispatch does
//! not, whatever price is put to it.

use super::made::{flows, squares, Made};
use super::moved::move_all;
use super::problems::{problem, Kind, KINDS};
use super::random::Random;
use market::grid::certificate::{check, Answer, CertificateError, GridClearing, LineFlow, PartyDemand};
use market::grid::certificate::{Terms, Tolerances};
use market::grid::problem::{GridProblem, Offer, Reactive};
use market::grid::rounding::{certified, Published, RoundingError};
use market::grid::{clear, GridError};
use market::units::{Millivar, Milliwatt, PicoEurPerWh};
use std::collections::BTreeMap;

const SEEDS: u64 = 200;

/// Clears and certifies; none where no dispatch meets the limits, or the solver does not get there.
fn published(name: &str, seed: u64, problem: &GridProblem) -> Option<Published> {
    match clear(problem) {
        Ok(solution) => match certified(problem, &solution, Tolerances::default()) {
            Ok(published) => Some(published),
            // Where more losses would be worth having, the solver's relaxation is not exact.
            Err(RoundingError::LossesWelcome { .. }) => None,
            Err(error) => panic!("{name}, seed {seed}: {error}"),
        },
        Err(GridError::Infeasible { .. } | GridError::NotConverged { .. }) => None,
        Err(error) => panic!("{name}, seed {seed}: {error}"),
    }
}

fn verdict(
    problem: &GridProblem,
    published: &Published,
    clearing: &GridClearing,
    parties: &[PartyDemand],
) -> Result<(), CertificateError> {
    let (network, supply, objective) = (&problem.network, &published.supply, &problem.objective);
    check(&Terms { network, supply, objective, tolerances: Tolerances::default() }, clearing, parties)
}

/// A dispatch with the flows that follow from it.
struct Dispatch {
    parties: Vec<PartyDemand>,
    flows: Vec<LineFlow>,
    import: LineFlow,
    squares: Vec<f64>,
}

impl Dispatch {
    fn of(problem: &GridProblem, parties: Vec<PartyDemand>) -> Self {
        let (flows, import) = flows(&problem.network, &parties);
        let squares = squares(&problem.network, &flows);
        Self { parties, flows, import, squares }
    }

    /// What is minimised, in EUR/MWh kW: supply, losses, deviation, reactive power and reserve, less
    /// the parties' value.
    fn cost(&self, problem: &GridProblem) -> f64 {
        let supply = &problem.supply;
        let mut cost = integral(
            supply.pieces.iter().map(|p| (p.width_kw, p.price_low, p.price_high)),
            self.import.power.kw() - supply.import_min_kw,
        );
        for (offer, party) in problem.offers.iter().zip(&self.parties) {
            let pieces = offer.pieces.iter().map(|p| (p.width_kw, p.price_high, p.price_low));
            cost -= integral(pieces, party.allocation.kw() - offer.power_min_kw);
            if let Reactive::Range { cost_eur_per_mvar2_h, .. } = offer.reactive {
                cost += cost_eur_per_mvar2_h * party.reactive_allocation.kvar().powi(2) / 1e3;
            }
            cost += offer.reserve_up.map_or(0.0, |r| r.price * party.reserve_up.unwrap().award.kw());
            cost += offer.reserve_down.map_or(0.0, |r| r.price * party.reserve_down.unwrap().award.kw());
        }
        for (place, flow) in self.flows.iter().enumerate().skip(1) {
            let square = flow.power.kw().powi(2) + flow.reactive.kvar().powi(2);
            cost +=
                problem.objective.loss_price * problem.network.branches[place].resistance_pu_per_kva * square;
            cost += 1e3 * problem.objective.voltage_deviation_price * (self.squares[place] - 1.0).powi(2);
        }
        cost
    }

    fn is_feasible(&self, problem: &GridProblem) -> bool {
        // Limits that bind do so to the rounding.
        let within = |figure: f64, low: f64, high: f64| low - 1e-5 <= figure && figure <= high + 1e-5;
        let lines = (1..self.flows.len()).all(|place| {
            let (branch, band) = (&problem.network.branches[place], &problem.network.bands[place]);
            let (power, reactive) = (self.flows[place].power.kw(), self.flows[place].reactive.kvar());
            within(power, branch.power_min_kw, branch.power_max_kw)
                && within(power.hypot(reactive), 0.0, branch.apparent_max_kva)
                && self.squares[place] >= band.min_square_pu - 1e-8
                && self.squares[place] <= band.max_square_pu + 1e-8
        });
        let supply = &problem.supply;
        let import_max = supply.pieces.iter().fold(supply.import_min_kw, |sum, piece| sum + piece.width_kw);
        let parties = problem.offers.iter().zip(&self.parties).all(|(offer, party)| {
            let power = party.allocation.kw();
            let up = offer.reserve_up.map_or(0.0, |_| party.reserve_up.unwrap().award.kw());
            let down = offer.reserve_down.map_or(0.0, |_| party.reserve_down.unwrap().award.kw());
            let reactive = match offer.reactive {
                Reactive::Range { min_kvar, max_kvar, .. } => {
                    within(party.reactive_allocation.kvar(), min_kvar, max_kvar)
                }
                Reactive::Fixed { reactive_kvar } => {
                    within(party.reactive_allocation.kvar(), reactive_kvar, reactive_kvar)
                }
                Reactive::Proportional { tan_phi } => {
                    let reactive_kvar = tan_phi * power;
                    within(party.reactive_allocation.kvar(), reactive_kvar, reactive_kvar)
                }
            };
            reactive
                && within(up, 0.0, offer.reserve_up.map_or(0.0, |r| r.max_kw))
                && within(down, 0.0, offer.reserve_down.map_or(0.0, |r| r.max_kw))
                && within(power, offer.power_min_kw + up, power_max_kw(offer) - down)
        });
        lines && parties && within(self.import.power.kw(), supply.import_min_kw, import_max)
    }
}

fn power_max_kw(offer: &Offer) -> f64 {
    offer.pieces.iter().fold(offer.power_min_kw, |sum, piece| sum + piece.width_kw)
}

/// The area under pieces `(width, price at its start, price at its end)` from 0 to `to`.
fn integral(pieces: impl Iterator<Item = (f64, f64, f64)>, to: f64) -> f64 {
    let (mut area, mut left) = (0.0, to);
    for (width, start, end) in pieces {
        let taken = left.clamp(0.0, width);
        area += taken * (start + (end - start) * taken / width / 2.0);
        left -= taken;
    }
    area
}

/// Takes power from one party and gives it to another or to the supply, or moves one's reactive power,
/// or reserve from one to another. Gives how much was moved, in kW or kvar.
fn rearrange(random: &mut Random, parties: &mut [PartyDemand]) -> i64 {
    let by = random.between(10_000, 40_000) * [1, 10, 100][random.between(0, 2) as usize];
    let any = |random: &mut Random| random.between(0, parties.len() as i64 - 1) as usize;
    let (from, to) = (any(random), any(random));
    let take = |party: &mut PartyDemand, by: i64| {
        party.allocation.0 += by;
        if let market::grid::certificate::ReactiveTerms::Proportional { tan_phi_nano } = party.reactive {
            let reactive = tan_phi_nano as f64 / 1e9 * party.allocation.0 as f64;
            party.reactive_allocation = Millivar(reactive.round() as i64);
        }
    };
    match random.between(0, 4) {
        0 => take(&mut parties[from], by * random.sign()),
        1 => parties[from].reactive_allocation.0 += by * random.sign(),
        2 => {
            for (party, by) in [(from, -by), (to, by)] {
                for standby in [parties[party].reserve_up.as_mut()].into_iter().flatten() {
                    standby.award.0 += by;
                }
            }
        }
        _ => {
            take(&mut parties[from], -by);
            take(&mut parties[to], by);
        }
    }
    by
}

/// The moved parties' buses get the price at which the first party moved asks for what it was given,
/// and all there answer it; lines get the multipliers that explain it.
fn repriced(
    problem: &GridProblem,
    clearing: &GridClearing,
    moved: &Dispatch,
    party: usize,
) -> (GridClearing, Vec<PartyDemand>) {
    let (mut clearing, mut parties) = (clearing.clone(), moved.parties.clone());
    let (offer, given) = (&problem.offers[party], parties[party].allocation.kw());
    let mut left = given - offer.power_min_kw;
    let mut value = parties[party].answered.eur_per_mwh();
    for piece in &offer.pieces {
        if left >= 0.0 {
            value =
                piece.price_high + (piece.price_low - piece.price_high) * (left / piece.width_kw).min(1.0);
        }
        left -= piece.width_kw;
    }
    let by = (value * 1e6).round() as i64 - parties[party].answered.0;
    let place = offer.place;
    clearing.prices[place].0 += by;
    if place > 0 {
        clearing.multipliers[place].congestion.0 += by;
    }
    for child in (1..clearing.prices.len()).filter(|child| problem.network.parent[*child] == place) {
        clearing.multipliers[child].congestion.0 -= by;
    }
    let answer = Answer {
        price: clearing.prices[place],
        reactive_price: clearing.reactive_prices[place],
        reserve_up_price: clearing.reserve_up_price,
        reserve_down_price: clearing.reserve_down_price,
    };
    for (offer, party) in problem.offers.iter().zip(&mut parties).filter(|(offer, _)| offer.place == place) {
        let anew = answer.of(offer, &Tolerances::default()).unwrap();
        (party.answered, party.range) = (anew.answered, anew.range);
    }
    (clearing, parties)
}

/// How many of the moves of one problem's clearing were feasible and worse, all of them refused.
fn worse_moves(name: &str, seed: u64, kind: Kind) -> usize {
    let problem = problem(seed, kind);
    let Some(published) = published(name, seed, &problem) else { return 0 };
    let best = Dispatch::of(&problem, published.parties.clone()).cost(&problem);
    let mut random = Random::new(seed);
    let mut worse = 0;
    for _ in 0..30 {
        let mut parties = published.parties.clone();
        let by = rearrange(&mut random, &mut parties);
        let moved = Dispatch::of(&problem, parties);
        // What prices within their tolerance can hide, and losses rounded to milliwatts.
        let hidden = 1e-2 * Milliwatt(by).kw() + 1e-2;
        if !moved.is_feasible(&problem) || moved.cost(&problem) < best + hidden {
            continue;
        }
        worse += 1;
        let mut clearing = GridClearing { flows: moved.flows.clone(), ..published.clearing.clone() };
        (clearing.import, clearing.import_reactive) = (moved.import.power, moved.import.reactive);
        let said = verdict(&problem, &published, &clearing, &moved.parties);
        assert!(said.is_err(), "{name}, seed {seed}: a dispatch worse by more than {hidden} passed");
        let first = (0..moved.parties.len()).find(|p| moved.parties[*p] != published.parties[*p]).unwrap();
        let (clearing, parties) = repriced(&problem, &clearing, &moved, first);
        let said = verdict(&problem, &published, &clearing, &parties);
        assert!(said.is_err(), "{name}, seed {seed}: a dispatch worse by more than {hidden} passed repriced");
    }
    worse
}

#[test]
fn what_the_solver_clears_is_certified_and_no_worse_dispatch_is() {
    for (name, kind) in KINDS {
        let worse: usize = (0..SEEDS).map(|seed| worse_moves(name, seed, kind)).sum();
        println!("{name}: {worse} worse dispatches refused");
        assert!(worse > 3 * SEEDS as usize, "{name}: only {worse} moves were feasible and worse");
    }
}

#[test]
fn prices_moved_by_more_than_the_tolerance_are_refused_even_if_all_answer_anew() {
    let mut refused = 0;
    for (name, kind) in KINDS {
        for seed in 0..SEEDS {
            let problem = problem(seed, kind);
            let Some(published) = published(name, seed, &problem) else { continue };
            let mut random = Random::new(seed);
            let place = random.between(0, published.clearing.prices.len() as i64 - 1) as usize;
            let mut clearing = published.clearing.clone();
            clearing.prices[place] += PicoEurPerWh(random.sign() * random.between(1_100, 9_000_000));
            let answer = |party: &PartyDemand, offer: &Offer| {
                let prices = Answer {
                    price: clearing.prices[offer.place],
                    reactive_price: clearing.reactive_prices[offer.place],
                    reserve_up_price: clearing.reserve_up_price,
                    reserve_down_price: clearing.reserve_down_price,
                };
                let anew = prices.of(offer, &Tolerances::default()).unwrap();
                PartyDemand { answered: anew.answered, range: anew.range, ..*party }
            };
            let parties: Vec<_> =
                published.parties.iter().zip(&problem.offers).map(|(p, o)| answer(p, o)).collect();
            let said = verdict(&problem, &published, &clearing, &parties);
            assert!(said.is_err(), "{name}, seed {seed}: the price at place {place} moved and passed");
            refused += 1;
        }
    }
    assert!(refused > 500, "only {refused} cleared");
}

#[test]
fn every_figure_of_what_the_solver_clears_matters() {
    let mut refused = BTreeMap::new();
    for (name, kind) in KINDS {
        for seed in 0..25 {
            let problem = problem(seed, kind);
            let Some(Published { clearing, parties, supply }) = published(name, seed, &problem) else {
                continue;
            };
            let (network, objective) = (problem.network, problem.objective);
            let made = Made { network, objective, supply, clearing, parties };
            move_all(&mut Random::new(seed), &made, &format!("{name}, seed {seed}"), &mut refused);
        }
    }
    let count: usize = refused.values().sum();
    println!("{count} refused: {refused:#?}");
    assert!(count > 10_000);
}
