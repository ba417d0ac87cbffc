//! `gridpact ledger simulate`: many seeds of whole validators under faults, on every core, and what of
//! them failed.

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use ledger::simulation::{simulate, Course, Failure, Fault, Report, Scenario, SetupError};
use rayon::prelude::*;
use serde::Serialize;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use thiserror::Error;

/// Arguments of `gridpact ledger simulate`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact ledger simulate                        a thousand seeds, every fault in turn
  gridpact ledger simulate --seeds 100000         an afternoon
  gridpact ledger simulate --fault crashes        crashes alone
  gridpact ledger simulate --course both          validators come and go, and prune
  gridpact ledger simulate --from 4711 --seeds 1  one seed again
  gridpact ledger simulate --fault split          the control: two of four lie, and every seed must fail

Four validators run under a virtual clock with the cores and the codecs of a real one. One seed is one
run, and always the same. The exit code is 1 where a seed fails; the output says which, and how to see
it again.")]
pub struct SimulateArgs {
    /// How many seeds
    #[arg(long, default_value_t = 1_000)]
    pub seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    pub from: u64,
    /// What goes wrong: network, loss, silent, crashes, partition, clocks, twins, forger, disk or split
    /// [default: each but the last in turn]
    #[arg(long)]
    pub fault: Option<Fault>,
    /// What happens besides: plain (nothing), pruning (validators prune, and one is away meanwhile), members (one
    /// comes in, goes or changes its key) or both [default: each in turn, plain most often]
    #[arg(long)]
    pub course: Option<Course>,
    /// Transfers decided in each run, at least
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub transfers: u64,
    /// Go on after a seed that fails
    #[arg(long)]
    pub keep_going: bool,
    /// Print one JSON document instead of lines
    #[arg(long)]
    pub json: bool,
}

/// Why it could not be done.
#[derive(Debug, Error)]
pub enum SimulateError {
    /// The simulated market makes no ledger.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The result can't be printed.
    #[error("printing: {0}")]
    Print(#[from] io::Error),
    /// Seeds failed.
    #[error("{failed} of {seeds} seeds failed; the first again: gridpact ledger simulate {again}")]
    Failed {
        /// How many.
        failed: usize,
        /// Of how many.
        seeds: u64,
        /// Arguments that show the first again.
        again: String,
    },
}

#[derive(Serialize)]
struct Summary<'a> {
    seeds: u64,
    from: u64,
    blocks: u64,
    evidence: u64,
    changes: u64,
    installed: u64,
    failures: &'a [Failure],
}

/// Runs the seeds and prints what came of them.
///
/// # Errors
/// Where a seed fails, or none can be run.
pub fn run(args: &SimulateArgs, out: &mut dyn Write) -> Result<(), SimulateError> {
    let bar = ProgressBar::new(args.seeds).with_message("seeds");
    if let Ok(style) = ProgressStyle::with_template("{msg} {pos} of {len} {bar:30} {eta} left") {
        bar.set_style(style);
    }
    let (start, stop) = (Instant::now(), AtomicBool::new(false));
    let seeds = args.from..args.from.saturating_add(args.seeds);
    let one = |seed: u64| {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let fault = args.fault.unwrap_or(Fault::of_seed(seed));
        let course = args.course.unwrap_or(Course::of_seed(seed, fault));
        let verdict = simulate(Scenario { seed, fault, course, bug: None, transfers: args.transfers })?;
        bar.inc(1);
        stop.fetch_or(verdict.is_err() && !args.keep_going, Ordering::Relaxed);
        Ok(Some(verdict))
    };
    let verdicts = seeds.into_par_iter().map(one).collect::<Result<Vec<_>, SetupError>>();
    bar.finish_and_clear();
    let (mut failures, mut reports) = (Vec::new(), Vec::new());
    for verdict in verdicts?.into_iter().flatten() {
        match verdict {
            Ok(report) => reports.push(report),
            Err(failure) => failures.push(failure),
        }
    }
    let sum = |of: fn(&Report) -> u64| reports.iter().map(of).sum();
    let seeds = (reports.len() + failures.len()) as u64;
    let summary = Summary {
        seeds,
        from: args.from,
        blocks: sum(|report| report.height),
        evidence: sum(|report| report.evidence),
        changes: sum(|report| report.changes),
        installed: sum(|report| report.installed),
        failures: &failures,
    };
    print(args.json, &summary, start.elapsed().as_secs_f64(), out)?;
    match failures.first() {
        None => Ok(()),
        Some(first) => {
            let again = format!(
                "--from {} --seeds 1 --fault {} --course {} --transfers {}",
                first.seed, first.fault, first.course, args.transfers
            );
            Err(SimulateError::Failed { failed: failures.len(), seeds, again })
        }
    }
}

fn print(json: bool, summary: &Summary<'_>, seconds: f64, out: &mut dyn Write) -> io::Result<()> {
    if json {
        serde_json::to_writer_pretty(&mut *out, summary)?;
        return writeln!(out);
    }
    for failure in summary.failures {
        writeln!(out, "{failure}")?;
    }
    let Summary { seeds, blocks, evidence, changes, installed, failures, .. } = summary;
    writeln!(
        out,
        "{seeds} seeds in {seconds:.1} s: {blocks} blocks, {evidence} contradictions on the ledger, {changes} changes of \
         validators, {installed} snapshots gone on from"
    )?;
    match failures.len() {
        0 => writeln!(out, "agreement, validity, no lost block, progress and balances hold in all of them"),
        failed => writeln!(out, "{failed} failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(fault: Fault, seeds: u64) -> SimulateArgs {
        let fault = Some(fault);
        SimulateArgs { seeds, from: 0, fault, course: None, transfers: 1, keep_going: false, json: true }
    }

    #[test]
    fn a_seed_that_fails_is_named_with_how_to_run_it_again() {
        run(&args(Fault::Network, 2), &mut Vec::new()).unwrap();
        let error = run(&args(Fault::Split, 1), &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("--from 0 --seeds 1 --fault split --course plain"), "{error}");
    }
}
