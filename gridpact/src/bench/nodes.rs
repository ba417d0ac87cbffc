//! Clearing a large feeder with voltage limits that bind, one curve of eight pieces at each bus, on one core.

use super::figure::{Figure, Target};
use super::stopwatch::{milliseconds, timed};
use super::BenchError;
use market::grid::clear;
use market::grid::problem::{
    Branch, GridProblem, Losses, Network, Objective, Offer, Piece, Reactive, Supply, VoltageBand,
};
use market::grid::solution::PlaceDuals;
use std::time::Duration;

const PIECES: usize = 8;
const RUNS: usize = 3;

/// xorshift64*: the same feeder in every run.
struct Random(u64);

impl Random {
    fn between(&mut self, least: f64, most: f64) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let unit = (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64;
        least + (most - least) * unit
    }
}

/// Eight pieces from up to 150 EUR/MWh downwards, two in five of them steps; 2 to 30 kW in all. One
/// offer in three is proportional, one an inverter with vars to give.
fn offer(random: &mut Random, place: usize) -> Offer {
    let mut price = random.between(80.0, 150.0);
    let mut pieces = Vec::with_capacity(PIECES);
    for _ in 0..PIECES {
        let fall = (random.between(0.0, 25.0) - 10.0).max(0.0);
        let width_kw = random.between(0.2, 4.0);
        pieces.push(Piece { width_kw, price_high: price, price_low: price - fall });
        price -= fall + random.between(0.0, 10.0);
    }
    let total: f64 = pieces.iter().map(|piece| piece.width_kw).sum();
    let reactive = match place % 3 {
        0 => Reactive::Proportional { tan_phi: 0.3 },
        1 => Reactive::Range { min_kvar: -3.0, max_kvar: 3.0, cost_eur_per_mvar2_h: 50.0 },
        _ => Reactive::Fixed { reactive_kvar: 0.5 },
    };
    let power_min_kw = -random.between(0.0, 0.4) * total;
    Offer { place, power_min_kw, pieces, reactive, reserve_up: None, reserve_down: None }
}

/// Eight feeders of one substation, each a main with laterals; the impedance is such that the voltage
/// at the ends would fall by about a tenth.
fn problem(places: usize) -> GridProblem {
    let mut random = Random(20_260_101);
    let parent: Vec<usize> = (0..places)
        .map(|place| match place {
            0..=8 => 0,
            _ => place - 1 - random.between(0.0, 24f64.min(place as f64 / 2.0)) as usize,
        })
        .collect();
    let mut depth = vec![0.0f64; places];
    for place in 1..places {
        depth[place] = depth[parent[place]] + 1.0;
    }
    let deepest = depth.iter().fold(1.0, |most: f64, depth| most.max(*depth));
    let scale = 0.8 / (places as f64 * deepest);
    let branch = |random: &mut Random| Branch {
        resistance_pu_per_kva: random.between(0.5, 1.5) * scale,
        reactance_pu_per_kva: random.between(0.3, 1.0) * scale,
        ratio_square: 1.0,
        power_min_kw: f64::NEG_INFINITY,
        power_max_kw: f64::INFINITY,
        apparent_max_kva: f64::INFINITY,
    };
    let branches = (0..places).map(|_| branch(&mut random)).collect();
    let band = VoltageBand { min_square_pu: 0.9025, max_square_pu: 1.1025 };
    let network = Network {
        parent,
        branches,
        bands: vec![band; places],
        root_voltage_square_pu: 1.0,
        losses: Losses::Neglected,
    };
    let offers = (1..places).map(|place| offer(&mut random, place)).collect();
    let reach = 40.0 * places as f64;
    let pieces = vec![Piece { width_kw: 2.0 * reach, price_low: 20.0, price_high: 80.0 }];
    let supply = Supply { import_min_kw: -reach, pieces };
    GridProblem { network, offers, supply, objective: Objective::default() }
}

/// The best of several clearings of a feeder with `places` buses.
///
/// # Errors
/// Where it does not clear.
pub fn measure(places: usize) -> Result<Figure, BenchError> {
    let problem = problem(places);
    let (mut taken, mut bound) = (Duration::MAX, 0);
    for _ in 0..RUNS {
        let (run, solution) = timed(|| clear(&problem));
        let binds = |duals: &&PlaceDuals| duals.voltage_min + duals.voltage_max > 1.0;
        bound = solution?.duals.iter().filter(binds).count();
        taken = taken.min(run);
    }
    Ok(Figure {
        name: format!("clearing {places} buses with voltage"),
        measured: milliseconds(taken),
        unit: "ms",
        target: Target::AtMost(100.0),
        detail: format!("a curve of {PIECES} pieces a bus; {bound} voltage limits bind"),
    })
}
