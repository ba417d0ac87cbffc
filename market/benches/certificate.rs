//! Making a clearing against checking its certificate, from a thousand sites to a million, in one run
//! on one core: `cargo bench -p market --bench certificate`.
//!
//! Making is the clearing alone, from curves at hand to prices, flows and multipliers. It is counted
//! without what else it takes: neither the Merkle-sum tree over the bids nor the aggregators' answers,
//! nor, with voltage, the merging of the sites' curves bus by bus. Checking is all that a validator
//! computes once signatures are opened, with one aggregator at each bus.

use market::certificate;
use market::clearing::book::Book;
use market::clearing::{engine, Clearing, PriceRange};
use market::curve::Breakpoint;
use market::feeder::{Feeder, Line, Tree};
use market::grid;
use market::grid::certificate::{Terms, Tolerances};
use market::grid::problem::{
    Branch, GridProblem, Losses, Network, Objective, Offer, Piece, Reactive, Supply, VoltageBand,
};
use market::grid::rounding;
use market::share::Demand;
use market::supply::SupplyCurve;
use market::units::{Milliwatt, PicoEurPerWh};
use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

const BREAKPOINTS: usize = 8;
const BUSES: usize = 200;
const RUNS: usize = 7;
const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// The least that making must cost, as a multiple of checking.
const WANTED: f64 = 50.0;

/// xorshift64*: the same sites in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as i64) % bound
    }
}

/// Eight corners between -50 and 350 EUR/MWh, falling by up to 4 kW between two.
fn site(random: &mut Random) -> [Breakpoint; BREAKPOINTS] {
    let mut prices = [0i64; BREAKPOINTS];
    prices.iter_mut().for_each(|price| *price = random.below(400_000) * 1_000 - 50_000_000);
    prices.sort_unstable();
    let mut power = random.below(12_000_000);
    prices.map(|price| {
        let point = Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) };
        power -= random.below(4_000_000);
        point
    })
}

/// A tree of buses, each feeding up to three; lines carry up to `limit`.
fn feeder(limit: i64) -> Feeder {
    let line = |bus: usize| Line {
        id: format!("l{bus}"),
        from: format!("n{}", (bus - 1) / 3),
        to: format!("n{bus}"),
        power_max: Some(Milliwatt(limit)),
        power_min: Some(Milliwatt(-limit)),
        resistance_microohm: 0,
        reactance_microohm: 0,
        rating_millivoltampere: None,
    };
    Feeder {
        voltage_millivolt: 20_000_000,
        root: "n0".into(),
        buses: (0..BUSES).map(|bus| format!("n{bus}")).collect(),
        lines: (1..BUSES).map(line).collect(),
    }
}

/// Best of some runs of `times` calls each, for one call.
fn best<T>(times: usize, mut run: impl FnMut() -> T) -> Duration {
    let round = || {
        let start = Instant::now();
        for _ in 0..times {
            black_box(run());
        }
        start.elapsed() / times as u32
    };
    std::iter::repeat_with(round).take(RUNS).min().unwrap_or(Duration::MAX)
}

fn report(what: &str, sites: usize, making: Duration, checking: Duration) -> bool {
    let ratio = making.as_secs_f64() / checking.as_secs_f64();
    let verdict = if ratio >= WANTED { "" } else { ", less than wanted" };
    let (making, checking) = (making.as_secs_f64() * 1e3, checking.as_secs_f64() * 1e6);
    println!("{what}, {sites} sites: made in {making:.3} ms, checked in {checking:.2} us, ratio {ratio:.0}{verdict}");
    ratio >= WANTED
}

/// Sites spread over the buses.
fn sites(count: usize) -> Vec<(usize, [Breakpoint; BREAKPOINTS])> {
    let mut random = Random(20_260_101);
    (0..count).map(|i| (i * BUSES / count, site(&mut random))).collect()
}

/// What one aggregator at each bus answers.
fn answers(book: &Book, sites: &[(usize, [Breakpoint; BREAKPOINTS])], clearing: &Clearing) -> Vec<Demand> {
    let mut ranges = vec![Demand::default(); BUSES];
    for (site, (bus, _)) in sites.iter().enumerate() {
        let range = book.demand_at(site, clearing.prices[*bus]);
        ranges[*bus].low += range.low;
        ranges[*bus].high += range.high;
    }
    ranges
}

fn capacity(count: usize) -> Result<bool, Box<dyn Error>> {
    let sites = sites(count);
    let mut book = Book::new(BUSES);
    for (bus, points) in &sites {
        book.push(*bus, points)?;
    }
    let wide = 20_000 * count as i64 * 1_000;
    let point = |price: i64, power: i64| Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) };
    let supply = SupplyCurve::new(vec![point(-100_000_000, -wide), point(400_000_000, wide)])?;
    let feeder = feeder(count as i64 * 200_000);
    let tree: Tree = feeder.tree()?;
    let range = PriceRange::WIDEST;
    let clearing = engine::clear(&feeder, &tree, &supply, &book, range)?;
    let ranges = answers(&book, &sites, &clearing);
    let party = |(bus, range): (usize, Demand)| certificate::PartyDemand {
        bus,
        range,
        allocation: clearing.allocations[bus],
    };
    let parties: Vec<_> = ranges.into_iter().enumerate().map(party).collect();
    let check = || certificate::check(&feeder, &tree, &supply, &clearing, &parties);
    check()?;
    let making = best(1, || engine::clear(&feeder, &tree, &supply, &book, range));
    Ok(report("capacity only", count, making, best(1_000, check)))
}

/// Each bus's sites as one offer, its curve known at 33 prices.
fn merged(sites: &[(usize, [Breakpoint; BREAKPOINTS])]) -> Vec<Offer> {
    const POINTS: i64 = 33;
    let price = |k: i64| PicoEurPerWh(-50_000_000 + k * 400_000_000 / (POINTS - 1));
    let mut powers = vec![vec![0.0; POINTS as usize]; BUSES];
    for (bus, points) in sites {
        let curve = market::curve::FlexCurve::new(points.to_vec());
        for (k, power) in powers[*bus].iter_mut().enumerate() {
            *power += curve.as_ref().map_or(0.0, |curve| curve.power_at(price(k as i64)).kw());
        }
    }
    let offer = |(place, powers): (usize, &Vec<f64>)| Offer {
        place,
        power_min_kw: powers[powers.len() - 1],
        pieces: (1..powers.len())
            .rev()
            .filter(|k| powers[k - 1] > powers[*k])
            .map(|k| Piece {
                width_kw: powers[k - 1] - powers[k],
                price_high: price(k as i64).eur_per_mwh(),
                price_low: price(k as i64 - 1).eur_per_mwh(),
            })
            .collect(),
        reactive: Reactive::Proportional { tan_phi: 0.3 },
        reserve_up: None,
        reserve_down: None,
    };
    powers.iter().enumerate().map(offer).collect()
}

fn with_voltage(count: usize) -> Result<bool, Box<dyn Error>> {
    let wide = 20.0 * count as f64;
    let network = Network {
        parent: (0..BUSES).map(|bus| bus.saturating_sub(1) / 3).collect(),
        branches: vec![
            Branch {
                resistance_pu_per_kva: 0.06 / count as f64,
                reactance_pu_per_kva: 0.06 / count as f64,
                ratio_square: 1.0,
                power_min_kw: f64::NEG_INFINITY,
                power_max_kw: f64::INFINITY,
                apparent_max_kva: f64::INFINITY,
            };
            BUSES
        ],
        bands: vec![VoltageBand { min_square_pu: 0.95, max_square_pu: 1.05 }; BUSES],
        root_voltage_square_pu: 1.0,
        losses: Losses::Neglected,
    };
    let piece = Piece { width_kw: 2.0 * wide, price_low: -100.0, price_high: 400.0 };
    let problem = GridProblem {
        network,
        offers: merged(&sites(count)),
        supply: Supply { import_min_kw: -wide, pieces: vec![piece] },
        objective: Objective::default(),
    };
    let solution = grid::clear(&problem)?;
    let published = rounding::certified(&problem, &solution, Tolerances::default())?;
    let terms = Terms {
        network: &problem.network,
        supply: &published.supply,
        objective: &problem.objective,
        tolerances: Tolerances::default(),
    };
    let binding = published.clearing.multipliers.iter().filter(|m| m.voltage.0 != 0).count();
    if binding == 0 {
        return Err("no voltage limit binds".into());
    }
    let making = best(1, || grid::clear(&problem));
    let checking = best(1_000, || grid::certificate::check(&terms, &published.clearing, &published.parties));
    Ok(report(&format!("with voltage, {binding} limits bind"), count, making, checking))
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("{BUSES} buses, {BREAKPOINTS} breakpoints a site, best of {RUNS} runs");
    let mut held = true;
    for count in SIZES {
        held &= capacity(count)?;
        held &= with_voltage(count)?;
    }
    if !held {
        return Err(format!("checking is not {WANTED} times cheaper than making everywhere").into());
    }
    Ok(())
}
