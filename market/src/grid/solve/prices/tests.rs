//! The search over prices beside the interior point, on random feeders of every size.

use super::search;
use crate::grid::problem::{
    Branch, GridProblem, Losses, Network, Objective, Offer, Piece, Reactive, Supply, VoltageBand,
};
use crate::grid::solve::iterate::{iterate, TOLERATED};
use crate::grid::solve::model::Model;
use crate::grid::solve::point::{Give, Point, Room};
use crate::grid::solve::report::solution;

/// xorshift64*: the same feeder from the same seed.
struct Random(u64);

impl Random {
    fn between(&mut self, least: f64, most: f64) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let unit = (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64;
        least + (most - least) * unit
    }

    fn chance(&mut self, share: f64) -> bool {
        self.between(0.0, 1.0) < share
    }
}

/// Up to four pieces, some of them steps, some beginning where the last one ends.
fn offer(random: &mut Random, place: usize) -> Offer {
    let mut price = random.between(20.0, 150.0);
    let mut pieces = Vec::new();
    for _ in 0..random.between(1.0, 5.0) as usize {
        let fall = if random.chance(0.5) { 0.0 } else { random.between(0.0, 40.0) };
        let width_kw = random.between(0.2, 8.0);
        pieces.push(Piece { width_kw, price_high: price, price_low: price - fall });
        price -= fall + if random.chance(0.3) { 0.0 } else { random.between(0.0, 30.0) };
    }
    let reactive = match random.between(0.0, 3.0) as usize {
        0 => Reactive::Fixed { reactive_kvar: random.between(-1.0, 2.0) },
        1 => Reactive::Proportional { tan_phi: random.between(-0.3, 0.5) },
        _ => {
            let cost_eur_per_mvar2_h = if random.chance(0.5) { 0.0 } else { random.between(1.0, 500.0) };
            Reactive::Range { min_kvar: -3.0, max_kvar: 3.0, cost_eur_per_mvar2_h }
        }
    };
    let power_min_kw = -random.between(0.0, 8.0);
    Offer { place, power_min_kw, pieces, reactive, reserve_up: None, reserve_down: None }
}

/// A feeder whose voltages and, for a share `limited` of its lines, powers are limited.
fn problem(seed: u64, places: usize, limited: f64) -> GridProblem {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let random = &mut random;
    let scale = 0.06 / places as f64;
    let branch = |random: &mut Random| {
        let limit = |random: &mut Random, least: f64, most: f64| match random.chance(limited) {
            true => random.between(least, most),
            false => f64::INFINITY,
        };
        Branch {
            resistance_pu_per_kva: random.between(0.1, 1.0) * scale,
            reactance_pu_per_kva: random.between(0.0, 1.0) * scale,
            ratio_square: if random.chance(0.1) { random.between(0.95, 1.05) } else { 1.0 },
            power_min_kw: -limit(random, 1.0, 15.0),
            power_max_kw: limit(random, 3.0, 30.0),
            apparent_max_kva: f64::INFINITY,
        }
    };
    let near = |place: usize, random: &mut Random| random.between(0.0, 4f64.min(place as f64)) as usize;
    let parent = (0..places).map(|place| if place < 2 { 0 } else { place - 1 - near(place - 1, random) });
    let parent: Vec<usize> = parent.collect();
    let network = Network {
        parent,
        branches: (0..places).map(|_| branch(random)).collect(),
        bands: vec![VoltageBand { min_square_pu: 0.9025, max_square_pu: 1.1025 }; places],
        root_voltage_square_pu: random.between(0.96, 1.08),
        losses: Losses::Neglected,
    };
    let offers = (0..2 * places).map(|index| offer(random, index / 2)).collect();
    let reach = 100.0 * places as f64;
    let low = random.between(-10.0, 60.0);
    let rise = if random.chance(0.5) { 0.0 } else { 30.0 };
    let pieces = vec![Piece { width_kw: 2.0 * reach, price_low: low, price_high: low + rise }];
    let supply = Supply { import_min_kw: -reach, pieces };
    GridProblem { network, offers, supply, objective: Objective::default() }
}

/// As cheap as the interior point where both clear; never a result where that finds none. Gives whether
/// the search got there.
fn check(seed: u64, places: usize, limited: f64) -> bool {
    let problem = problem(seed, places, limited);
    let model = Model::new(&problem);
    let Some(found) = search(&model) else { return false };
    let found = solution(&problem, &found);
    let mut point = Point::start(&model, (model.opening_price(), 1e-2), Give::default(), Room::Little);
    let (_, residual) = iterate(&mut point);
    assert!(residual <= TOLERATED, "seed {seed}: cleared what the interior point did not");
    let inside = solution(&problem, &point);
    let off = found.objective_eur_per_h - inside.objective_eur_per_h;
    let size = inside.objective_eur_per_h.abs().max(1.0);
    assert!(off.abs() < 1e-7 * size, "seed {seed}: {off} EUR/h off");
    let bound = |limits: &[f64]| limits.iter().filter(|dual| **dual > 0.0).count();
    let duals = found.duals.iter().map(|d| [d.power_max, d.power_min, d.voltage_max, d.voltage_min]);
    println!("seed {seed}: {} limits bind", duals.map(|duals| bound(&duals)).sum::<usize>());
    true
}

/// How many of these the search must clear.
fn check_all(seeds: std::ops::Range<u64>, limited: f64, least: usize) {
    let sizes = |seed: u64| 2 + (seed % 60) as usize;
    let cleared = seeds.filter(|seed| check(*seed, sizes(*seed), limited)).count();
    assert!(cleared >= least, "only {cleared} cleared");
}

#[test]
fn voltage_limits_cost_as_the_interior_point_says() {
    check_all(0..120, 0.0, 110);
}

#[test]
fn limits_of_power_cost_as_the_interior_point_says() {
    check_all(0..120, 0.3, 105);
}

#[test]
fn a_large_feeder_clears_by_the_search() {
    assert!(check(1, 600, 0.05));
}
