//! Clears feeders with voltage limits that bind, one curve of eight pieces at each place, on one core:
//! `cargo bench -p market --bench grid`.

use market::grid::clear;
use market::grid::problem::{
    Branch, GridProblem, Losses, Network, Objective, Offer, Piece, Reactive, Supply, VoltageBand,
};
use std::error::Error;
use std::time::{Duration, Instant};

const PIECES: usize = 8;
const RUNS: usize = 9;

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

fn main() -> Result<(), Box<dyn Error>> {
    println!("one curve of {PIECES} pieces a place, voltage limits, best of {RUNS} runs, one core");
    for (places, target_ms) in [(33, None), (1_000, Some(10.0)), (10_000, Some(100.0)), (100_000, None)] {
        let problem = problem(places);
        let mut taken = Duration::MAX;
        let mut bound = 0;
        for _ in 0..if places > 10_000 { 1 } else { RUNS } {
            let start = Instant::now();
            let solution = clear(&problem)?;
            taken = taken.min(start.elapsed());
            let binds =
                |duals: &&market::grid::solution::PlaceDuals| duals.voltage_min + duals.voltage_max > 1.0;
            bound = solution.duals.iter().filter(binds).count();
        }
        let target = target_ms.map_or(String::new(), |target: f64| format!(", target {target} ms"));
        println!("{places} places: {:.2} ms, {bound} voltage limits bind{target}", taken.as_secs_f64() * 1e3);
    }
    Ok(())
}
