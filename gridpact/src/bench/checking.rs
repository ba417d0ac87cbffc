//! Checking a clearing's certificate against making the clearing, size by size. Making is the clearing
//! alone, from curves at hand; checking is what a validator computes with one aggregator at each bus.

use super::figure::{Figure, Target};
use super::stopwatch::{best, milliseconds};
use super::town::Town;
use super::BenchError;
use market::certificate::{check, PartyDemand};
use market::clearing::{engine, PriceRange};
use market::share::Demand;
use market::units::Milliwatt;

const RUNS: usize = 7;
const CHECKS: u32 = 1_000;
const BUSES: usize = 200;

/// One figure for each size.
///
/// # Errors
/// Where an instance cannot be built or cleared, or its certificate does not hold.
pub fn measure(sizes: &[usize]) -> Result<Vec<Figure>, BenchError> {
    sizes.iter().map(|sites| of_size(*sites)).collect()
}

fn of_size(sites: usize) -> Result<Figure, BenchError> {
    let town = Town::new(sites, BUSES);
    let (book, supply) = (town.book()?, town.supply()?);
    let feeder = town.feeder(Some(Milliwatt(200_000 * sites as i64)));
    let tree = feeder.tree()?;
    let make = || engine::clear(&feeder, &tree, &supply, &book, PriceRange::WIDEST);
    let clearing = make()?;
    let mut ranges = vec![Demand::default(); BUSES];
    for site in 0..sites {
        let bus = town.bus(site);
        let range = book.demand_at(site, clearing.prices[bus]);
        ranges[bus].low += range.low;
        ranges[bus].high += range.high;
    }
    let party = |(bus, range)| PartyDemand { bus, range, allocation: clearing.allocations[bus] };
    let parties: Vec<_> = ranges.into_iter().enumerate().map(party).collect();
    let prove = || check(&feeder, &tree, &supply, &clearing, &parties);
    prove()?;
    let (making, checking) = (best(RUNS, 1, make), best(RUNS, CHECKS, prove));
    Ok(Figure {
        name: format!("checking a certificate of {sites} sites, against making it"),
        measured: making.as_secs_f64() / checking.as_secs_f64(),
        unit: "x",
        target: Target::AtLeast(50.0),
        detail: format!(
            "made in {:.3} ms, checked in {:.4} ms",
            milliseconds(making),
            milliseconds(checking)
        ),
    })
}
