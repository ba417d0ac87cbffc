//! A day of very many sites in one process: agents, bids, clearing and settlement, without sockets.

use super::figure::{Figure, Target};
use super::BenchError;
use crate::neighbourhood::day::{Season, Weekday};
use crate::simulate::args::INTERVALS_PER_DAY;
use crate::simulate::{simulate, Scaling, SimulateArgs};

/// Most minutes a day may take.
const MINUTES: f64 = 5.0;
/// Most memory in MB.
const MEMORY_MB: f64 = 4_000.0;
/// Growth is linear up to what a run's noise makes of it.
const EXPONENT: f64 = 1.1;

/// Days of more and more sites: the largest one's time and memory, and how time grows.
///
/// # Errors
/// Where a day can't be simulated.
pub fn measure(sizes: &[u32]) -> Result<Vec<Figure>, BenchError> {
    let mut speeds = Vec::with_capacity(sizes.len());
    for &sites in sizes {
        let args = SimulateArgs {
            sites,
            season: Season::Winter,
            weekday: Weekday::Wednesday,
            grid: None,
            intervals: INTERVALS_PER_DAY,
            seed: 1,
            threads: None,
            scaling: false,
            json: false,
        };
        speeds.push(simulate(&args)?.speed);
    }
    let Some(last) = speeds.last().cloned() else { return Ok(Vec::new()) };
    let name = format!("a day of {} sites", last.sites);
    let mut figures = vec![Figure {
        name: name.clone(),
        measured: last.seconds / 60.0,
        unit: "minutes",
        target: Target::AtMost(MINUTES),
        detail: format!("{} intervals of 5 minutes on {} threads", last.intervals, last.threads),
    }];
    if let Some(memory_mb) = last.memory_mb {
        figures.push(Figure {
            name: format!("{name}: memory"),
            measured: memory_mb,
            unit: "MB",
            target: Target::AtMost(MEMORY_MB),
            detail: "most resident at any time, all measurements before included".to_owned(),
        });
    }
    if let Some(scaling) = Scaling::of(speeds) {
        figures.push(Figure {
            name: format!("{name}: growth of time with sites"),
            measured: scaling.exponent,
            unit: "as exponent",
            target: Target::AtMost(EXPONENT),
            detail: format!("fitted from {} sites on", sizes[0]),
        });
    }
    Ok(figures)
}
