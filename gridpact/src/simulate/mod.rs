//! `gridpact simulate`: a day of very many sites in one process, under a virtual clock.
//!
//! Agents, bids, clearing, settlement and device physics are the product's own; sockets, signatures and
//! the ledger are left out. Streets are cleared each by itself within the limits of their lines, as
//! parties of one market at the supply point above them: a street bids its net demand there and takes
//! back an award. So cost grows with the number of sites and no faster.

pub mod args;
mod day;
mod equipment;
mod error;
mod figures;
mod household;
mod population;
mod prices;
pub(crate) mod process;
mod report;
mod scaling;
mod service;
mod site;
mod street;
mod supply_point;
#[cfg(test)]
mod tests;
mod threads;
mod variation;

pub use args::SimulateArgs;
pub use error::SimulateError;
pub use report::Report;
pub use scaling::Scaling;

use crate::demo::genesis;
use crate::neighbourhood::dataset::Dataset;
use crate::neighbourhood::day::Day as Date;
use crate::neighbourhood::simbench::Grid;
use crate::processor_time;
use day::{uncoordinated, Day, Trading};
use indicatif::{ProgressBar, ProgressStyle};
use market::parameters::MarketParameters;
use population::{Population, Scope};
use std::time::Instant;

/// The demo's rules with intervals of five minutes, read four minutes ahead.
const PARAMETERS: MarketParameters =
    MarketParameters { interval_s: 300, bids_open_s: 240, gate_closure_s: 60, ..genesis::PARAMETERS };

/// Runs the command.
///
/// # Errors
/// As [`simulate`].
pub fn run(args: &SimulateArgs) -> Result<(), SimulateError> {
    let sizes = if args.scaling { scaling::sizes(args.sites) } else { vec![args.sites] };
    let mut measured = Vec::new();
    let mut last = None;
    for sites in sizes {
        let report = simulate(&SimulateArgs { sites, ..args.clone() })?;
        measured.push(report.speed.clone());
        last = Some(report);
    }
    let Some(mut report) = last else { return Ok(()) };
    report.scaling = args.scaling.then(|| Scaling::of(measured)).flatten();
    match serde_json::to_string_pretty(&report) {
        Ok(text) if args.json => println!("{text}"),
        Ok(_) => println!("{report}"),
        Err(error) => eprintln!("the report has no JSON: {error}"),
    }
    Ok(())
}

/// Simulates one day both ways.
///
/// # Errors
/// Where the data set does not hold what it should, or something went wrong that never does in a market
/// without faults.
pub fn simulate(args: &SimulateArgs) -> Result<Report, SimulateError> {
    let scope = Scope {
        sites: args.sites as usize,
        day: Date { season: args.season, weekday: args.weekday },
        grids: args.grid.map_or_else(|| vec![Grid::Rural1, Grid::Semiurb4, Grid::Urban6], |grid| vec![grid]),
        seed: args.seed,
    };
    let threads = args.threads.map_or_else(processors, usize::from);
    let intervals = args.intervals as usize;
    let draw = || Population::draw(&scope, &Dataset::Embedded);

    let population = draw()?;
    let streets = population.streets.len();
    let bar = bar(streets, "streets without coordination");
    let without = uncoordinated(population, intervals, threads, || bar.inc(1))?;
    bar.finish_and_clear();
    let (began, busy) = (Instant::now(), processor_time::own_seconds());
    let trading = Trading::begin(draw()?, intervals, threads)?;
    let limit = trading.limit();
    let (with, seconds) = coordinated(trading, intervals, scope.sites)?;
    let played = report::Played {
        with,
        without,
        seconds,
        whole_seconds: began.elapsed().as_secs_f64(),
        processor_seconds: processor_time::own_seconds() - busy,
        limit,
    };
    Ok(Report::of(args, (streets, threads), &played))
}

/// Plays every interval; gives the day and the seconds each interval took.
fn coordinated(
    mut trading: Trading,
    intervals: usize,
    sites: usize,
) -> Result<(Day, Vec<f64>), SimulateError> {
    let bar = bar(intervals, &format!("intervals of {sites} sites"));
    let (mut played, mut seconds) = (Vec::with_capacity(intervals), Vec::with_capacity(intervals));
    for number in 0..=intervals {
        let began = Instant::now();
        if let Some(figures) = trading.play(number)? {
            played.push(trading.ended(played.len(), figures));
        }
        seconds.push(began.elapsed().as_secs_f64());
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok((Day { intervals: played, service: trading.service() }, seconds))
}

fn bar(length: usize, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(length as u64).with_message(what.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {bar:40} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
