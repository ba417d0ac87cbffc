//! `gridpact clear`: clears one market case, or the orders of a file, and prints the result as JSON.
//!
//! Reading and printing happen here; what a case means in [`convert`] (in integers) and [`problem`] (with
//! the whole grid). [`exact`] clears in integers where nothing but limits of real power bears on the
//! outcome. No result is printed whose certificate was not checked.

mod case;
mod certified;
mod convert;
mod correction;
mod exact;
mod figures;
mod horizon;
mod horizon_result;
#[cfg(test)]
mod horizon_tests;
mod objective;
mod orders;
mod problem;
mod refusal;
mod result;
mod taps;
#[cfg(test)]
mod tests;
mod unmet;

pub use orders::clear_orders;
pub use refusal::Refusal;

use clap::Args;
use convert::{convert, Converted, Room};
use market::grid::solution::GridSolution;
use problem::Posed;
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use unmet::Unmet;

/// Most bytes of a file.
const FILE_LIMIT: u64 = 256 << 20;

/// Arguments of `gridpact clear`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact clear case.json               one case in the schema market-case/1
  gridpact clear --ac case.json          the same, then an AC power flow of it, and a correction by that
  gridpact clear --orders orders.json    double auctions and demand curves on a price grid

With --ac the result gains `ac`: the AC power flow of the dispatch, how far the linear model's voltages
and losses are from it before and after the correction, and each pass; and `corrected`: the clearing
whose AC voltages keep the case's limits.

Exit codes: 0 cleared, 2 infeasible, or not to be corrected so that AC voltages keep their limits (the
result names the limit that can't be met), 1 not a valid case or not supported (standard error says what
and where).")]
pub struct ClearArgs {
    /// A market case, schema market-case/1
    #[arg(required_unless_present = "orders", conflicts_with = "orders")]
    pub file: Option<PathBuf>,
    /// Run the AC power flow on the dispatch, and clear again until its voltages keep their limits
    #[arg(long, conflicts_with = "orders")]
    pub ac: bool,
    /// Buy and sell orders, or demand curves, instead of a market case
    #[arg(long, value_name = "FILE")]
    pub orders: Option<PathBuf>,
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Cleared: the result.
    Optimal(Value),
    /// No dispatch keeps every limit, or none is known whose AC voltages do: the result, and in words the
    /// limit that can't be met.
    Infeasible(Value, String),
}

/// Runs the command.
pub fn run(args: ClearArgs) -> ExitCode {
    let outcome = match (&args.file, &args.orders) {
        (_, Some(path)) => read(path).and_then(|bytes| clear_orders(&bytes)).map(Outcome::Optimal),
        (Some(path), None) => read(path).and_then(|bytes| clear_case(&bytes, args.ac)),
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

/// Clears one case, given as JSON; with `ac`, also runs the AC power flow and corrects by it.
///
/// # Errors
/// [`Refusal`] where it is not a valid case, asks for what is not built, or nothing certified was found.
pub fn clear_case(bytes: &[u8], ac: bool) -> Result<Outcome, Refusal> {
    let case: case::Case = serde_json::from_slice(bytes)?;
    if horizon::spans(&case) {
        return match ac {
            true => Err(Refusal::unsupported("--ac", "correction of several intervals")),
            false => horizon::clear(case),
        };
    }
    figures::check_schema(&case)?;
    figures::check_figures(&case)?;
    let converted = convert(&case, Room::NONE)?;
    let tree = &converted.tree;
    let mut posed = problem::pose(&case, tree, &converted.bus_of)?;
    let solution = match taps::choose(&case, tree, &mut posed, |posed| solve(&case, &converted, posed))? {
        Ok(solution) => solution,
        Err(unmet) => return Ok(Outcome::Infeasible(unmet.result(&case), unmet.in_words())),
    };
    let result = result::optimal(&case, tree, &posed, &solution);
    match ac {
        true => correction::correct(&case, tree, &posed, solution, result),
        false => Ok(Outcome::Optimal(result)),
    }
}

/// In integers where that suffices, else with the whole grid.
fn solve(
    case: &case::Case,
    converted: &Converted,
    posed: &Posed,
) -> Result<Result<GridSolution, Unmet>, Refusal> {
    match exact::clear(case, converted, &posed.problem)? {
        Ok(None) => {}
        Ok(Some(solution)) => return Ok(Ok(solution)),
        Err(unmet) => return Ok(Err(unmet)),
    }
    match certified::clear(&posed.problem) {
        Ok(solution) => Ok(Ok(solution)),
        Err(refusal) => Unmet::of_grid(case, &converted.tree, refusal).map(Err),
    }
}
