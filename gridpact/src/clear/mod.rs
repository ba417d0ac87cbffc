//! `gridpact clear`: clears one market case, or the orders of a file, and prints the result as JSON.
//!
//! Reading and printing happen here; what a case means in [`convert`], what is not built yet in
//! [`support`] and [`relaxed`]. No result is printed whose certificate was not checked.

mod case;
mod convert;
mod objective;
mod orders;
mod refusal;
mod relaxed;
mod result;
mod support;
#[cfg(test)]
mod tests;

pub use orders::clear_orders;
pub use refusal::Refusal;

use clap::Args;
use convert::{convert, Converted, Room};
use market::certificate::{check, PartyDemand};
use market::clearing::{engine, Clearing, Infeasible, PriceRange};
use market::units::Milliwatt;
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Most bytes of a file.
const FILE_LIMIT: u64 = 256 << 20;

/// Arguments of `gridpact clear`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact clear case.json               one case in the schema market-case/1
  gridpact clear --orders orders.json    double auctions and demand curves on a price grid

Exit codes: 0 cleared, 2 infeasible (the result names the limit that can't be met), 1 not a valid case
or not supported (standard error says what and where).")]
pub struct ClearArgs {
    /// A market case, schema market-case/1
    #[arg(required_unless_present = "orders", conflicts_with = "orders")]
    pub file: Option<PathBuf>,
    /// Buy and sell orders, or demand curves, instead of a market case
    #[arg(long, value_name = "FILE")]
    pub orders: Option<PathBuf>,
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Cleared: the result.
    Optimal(Value),
    /// No dispatch keeps every limit: the result, and in words the limit that can't be met.
    Infeasible(Value, String),
}

/// Runs the command.
pub fn run(args: ClearArgs) -> ExitCode {
    let outcome = match (&args.file, &args.orders) {
        (_, Some(path)) => read(path).and_then(|bytes| clear_orders(&bytes)).map(Outcome::Optimal),
        (Some(path), None) => read(path).and_then(|bytes| clear_case(&bytes)),
        (None, None) => Err(Refusal::invalid("arguments", "no file is named")),
    };
    match outcome {
        Ok(Outcome::Optimal(result)) => {
            println!("{result:#}");
            ExitCode::SUCCESS
        }
        Ok(Outcome::Infeasible(result, limit)) => {
            println!("{result:#}");
            eprintln!("gridpact clear: infeasible: {limit}");
            ExitCode::from(2)
        }
        Err(refusal) => {
            eprintln!("gridpact clear: {refusal}");
            ExitCode::FAILURE
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Refusal> {
    let unreadable = |source| Refusal::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_LIMIT + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(Refusal::TooLong { path: path.to_owned(), limit: FILE_LIMIT });
    }
    Ok(bytes)
}

/// Clears one case, given as JSON.
///
/// # Errors
/// [`Refusal`] where it is not a valid case, or asks for what is not built.
pub fn clear_case(bytes: &[u8]) -> Result<Outcome, Refusal> {
    let case: case::Case = serde_json::from_slice(bytes)?;
    support::check_supported(&case)?;
    support::check_figures(&case)?;
    let mut converted = convert(&case, Room::NONE)?;
    let mut cleared = engine(&converted);
    if let Some(room) = cleared.as_ref().err().and_then(|limit| converted.room_for(limit)) {
        converted = convert(&case, room)?;
        cleared = engine(&converted);
    }
    match cleared {
        Ok(clearing) => {
            let allocations = certified(&converted, &clearing)?;
            Ok(Outcome::Optimal(result::optimal(&case, &converted, &clearing, &allocations)?))
        }
        Err(limit) => Ok(Outcome::Infeasible(
            result::infeasible(&case, &converted, &limit),
            in_words(&converted, &limit),
        )),
    }
}

fn engine(converted: &Converted) -> Result<Clearing, Infeasible> {
    let Converted { feeder, tree, supply, book, .. } = converted;
    engine::clear(feeder, tree, supply, book, PriceRange::WIDEST)
}

/// Each site's share, once the whole has passed its certificate.
fn certified(converted: &Converted, clearing: &Clearing) -> Result<Vec<Milliwatt>, Refusal> {
    let shares = converted.book.split(clearing).unwrap_or_default();
    let mut allocations = vec![Milliwatt::ZERO; converted.curves.len()];
    for (site, share) in converted.order.iter().zip(shares) {
        allocations[*site] = share;
    }
    let party = |(site, allocation): (usize, &Milliwatt)| {
        let bus = converted.bus_of[site];
        let range = converted.curves[site].demand_at(clearing.prices[bus]);
        PartyDemand { bus, range, allocation: *allocation }
    };
    let parties: Vec<_> = allocations.iter().enumerate().map(party).collect();
    check(&converted.feeder, &converted.tree, &converted.supply, clearing, &parties)?;
    Ok(allocations)
}

fn in_words(converted: &Converted, limit: &Infeasible) -> String {
    let (needed, allowed) = converted.limit_kw(limit);
    match limit {
        Infeasible::LineMax { line, .. } => {
            format!("line {line:?}: at least {needed} kW must flow, and p_max_kw is {allowed}")
        }
        Infeasible::LineMin { line, .. } => {
            format!("line {line:?}: at most {needed} kW can flow, and p_min_kw is {allowed}")
        }
        Infeasible::SupplyMax { .. } => {
            format!("tso: at least {needed} kW must be imported, and at most {allowed} kW may be")
        }
        Infeasible::SupplyMin { .. } => {
            format!("tso: at most {needed} kW can be imported, and at least {allowed} kW must be")
        }
    }
}
