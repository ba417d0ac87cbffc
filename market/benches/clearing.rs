//! Clears a million sites of eight breakpoints, every site's dispatch included, and compares with
//! one plain read of the same breakpoints, in one run, on one core and on two: `cargo bench -p market`.

use market::clearing::book::Book;
use market::clearing::{engine, Clearing, PriceRange};
use market::curve::Breakpoint;
use market::feeder::{Feeder, Line};
use market::supply::SupplyCurve;
use market::units::{Milliwatt, PicoEurPerWh};
use rayon::prelude::*;
use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

const SITES: usize = 1_000_000;
const BREAKPOINTS: usize = 8;
const BUSES: usize = 200;
const RUNS: usize = 11;

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

/// Eight corners between -50 and 350 EUR/MWh, falling by up to 4 kW between two; one rise in price
/// in four is a vertical step.
fn site(random: &mut Random) -> [Breakpoint; BREAKPOINTS] {
    let mut prices = [0i64; BREAKPOINTS];
    prices.iter_mut().for_each(|price| *price = random.below(400_000) * 1_000 - 50_000_000);
    prices.sort_unstable();
    for i in 1..BREAKPOINTS {
        if random.below(4) == 0 {
            prices[i] = prices[i - 1];
        }
    }
    let mut power = random.below(12_000_000);
    prices.map(|price| {
        let point = Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) };
        power -= random.below(4_000_000);
        point
    })
}

/// A tree of buses, each feeding up to three; `limit` on every line from the first level down.
fn feeder(limit: Option<i64>) -> Feeder {
    let line = |bus: usize| Line {
        id: format!("l{bus}"),
        from: format!("n{}", (bus - 1) / 3),
        to: format!("n{bus}"),
        power_max: limit.map(Milliwatt),
        power_min: limit.map(|limit| Milliwatt(-limit)),
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

fn time<T>(run: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = black_box(run());
    (start.elapsed(), result)
}

/// Sums every price and power on as many cores as the pool has.
fn read(plain: &[(i64, i64)]) -> i64 {
    let sum = |part: &[(i64, i64)]| part.iter().fold(0i64, |sum, (price, power)| sum + price + power);
    plain.par_chunks(plain.len().div_ceil(rayon::current_num_threads())).map(sum).sum()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut random = Random(20_260_101);
    let mut book = Book::new(BUSES);
    let mut plain = Vec::with_capacity(SITES * BREAKPOINTS);
    for i in 0..SITES {
        let points = site(&mut random);
        book.push(i * BUSES / SITES, &points)?;
        plain.extend(points.map(|p| (p.price.0, p.power.0)));
    }
    println!("{SITES} sites x {BREAKPOINTS} breakpoints on {BUSES} buses, best of {RUNS} runs in turn");
    let wide = 20_000_000_000_000;
    let point = |price: i64, power: i64| Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) };
    let flat = SupplyCurve::new(vec![point(87_654_321, -wide), point(87_654_321, wide)])?;
    let rising = SupplyCurve::new(vec![point(-100_000_000, -wide), point(400_000_000, wide)])?;
    let end = PicoEurPerWh(10_000_000_000);
    let range = PriceRange::new(-end, end).ok_or("no price range")?;
    let scenes = [
        ("no limit binds, import price flat", None, &flat),
        ("no limit binds, import price rising", None, &rising),
        ("limits bind, import price rising", Some(200_000_000_000), &rising),
    ];
    for cores in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(cores).build()?;
        for (name, limit, supply) in scenes {
            let feeder = feeder(limit);
            let tree = feeder.tree()?;
            let (mut plainly, mut taken, mut outcome) = (Duration::MAX, Duration::MAX, None);
            for _ in 0..RUNS {
                plainly = plainly.min(pool.install(|| time(|| read(&plain)).0));
                let run = || time(|| engine::dispatch(&feeder, &tree, supply, &book, range));
                let (run, cleared) = pool.install(run);
                taken = taken.min(run);
                outcome = Some(cleared?.clearing);
            }
            let clearing: Clearing = outcome.ok_or("nothing ran")?;
            let mut prices = clearing.prices.clone();
            prices.sort_unstable();
            prices.dedup();
            println!(
                "{cores} cores, {name}: plain read {:.1} ms, cleared in {:.1} ms, ratio {:.1}; {} different prices, import {:.0} kW",
                plainly.as_secs_f64() * 1e3,
                taken.as_secs_f64() * 1e3,
                taken.as_secs_f64() / plainly.as_secs_f64(),
                prices.len(),
                clearing.import.kw(),
            );
        }
    }
    Ok(())
}
