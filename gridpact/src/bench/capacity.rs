//! Capacity-only clearing of every site with its dispatch, against a plain read of the same bytes by as
//! many cores in the same run.

use super::figure::{Figure, Target};
use super::stopwatch::{milliseconds, timed};
use super::town::Town;
use super::BenchError;
use market::clearing::book::Book;
use market::clearing::{engine, PriceRange};
use market::feeder::Feeder;
use market::supply::SupplyCurve;
use market::units::Milliwatt;
use rayon::prelude::*;
use std::hint::black_box;
use std::time::Duration;

const RUNS: usize = 15;
const BUSES: usize = 200;

/// On one core and on two, without and with limits that bind.
///
/// # Errors
/// Where an instance cannot be built or cleared.
pub fn measure(sites: usize) -> Result<Vec<Figure>, BenchError> {
    let town = Town::new(sites, BUSES);
    let book = town.book()?;
    let supply = town.supply()?;
    let mut figures = Vec::new();
    for (cores, limit) in [(1, 6.0), (2, 4.0)] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(cores).build()?;
        for (scene, line_limit) in [("no limit binds", None), ("limits bind", Some(200_000))] {
            let line_limit = line_limit.map(|limit: i64| Milliwatt(limit * sites as i64));
            let feeder = town.feeder(line_limit);
            let (read, cleared) = pool.install(|| in_turn(&town, &book, &feeder, &supply))?;
            figures.push(Figure {
                name: format!("clearing {sites} sites, {scene}, {cores} core(s), against a plain read"),
                measured: cleared.as_secs_f64() / read.as_secs_f64(),
                unit: "x",
                target: Target::AtMost(limit),
                detail: format!("{:.1} ms against {:.1} ms", milliseconds(cleared), milliseconds(read)),
            });
        }
    }
    Ok(figures)
}

/// The best plain read and the best clearing of several, taken in turn.
fn in_turn(
    town: &Town,
    book: &Book,
    feeder: &Feeder,
    supply: &SupplyCurve,
) -> Result<(Duration, Duration), BenchError> {
    let tree = feeder.tree()?;
    let (mut read, mut cleared) = (Duration::MAX, Duration::MAX);
    for _ in 0..RUNS {
        read = read.min(timed(|| black_box(plain_read(town))).0);
        let dispatch = || engine::dispatch(feeder, &tree, supply, book, PriceRange::WIDEST);
        let (taken, outcome) = timed(dispatch);
        outcome?;
        cleared = cleared.min(taken);
    }
    Ok((read, cleared))
}

/// The sum of every price and power, by as many cores as there are.
fn plain_read(town: &Town) -> i64 {
    let part = town.sites.len().div_ceil(rayon::current_num_threads()).max(1);
    let sum = |sites: &[[market::curve::Breakpoint; super::town::BREAKPOINTS]]| {
        sites.iter().flatten().fold(0i64, |sum, point| sum + point.price.0 + point.power.0)
    };
    town.sites.par_chunks(part).map(sum).sum()
}
