//! `gridpact ledger verify`: has the ledger crate's auditor check every ledger in a directory, and says
//! what it checked.

pub mod reindex;
pub mod simulate;

use indicatif::{ProgressBar, ProgressStyle};
use ledger::state::double_clearing::DoubleClearer;
use ledger::state::voting::Liar;
use ledger::verify::{verify_dir, VerifyError, VerifyReport};
use serde::Serialize;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The genesis a validator keeps beside its blocks, by which its folder is known.
const GENESIS_FILE: &str = "genesis.json";
/// What a demo's validators' folders begin with.
const VALIDATOR_PREFIX: &str = "validator-";

/// Why a ledger could not be said to hold.
#[derive(Debug, Error)]
pub enum AuditError {
    /// The directory can't be read.
    #[error("reading {path}: {source}")]
    Read {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What was checked can't be printed.
    #[error("printing: {0}")]
    Print(#[from] io::Error),
    /// What was checked has no JSON.
    #[error("printing: {0}")]
    Json(#[from] serde_json::Error),
    /// Something does not hold.
    #[error("{path}: {source}")]
    Wrong {
        /// The validator's folder.
        path: PathBuf,
        /// What, naming the height.
        source: VerifyError,
    },
}

/// One ledger that holds.
#[derive(Serialize)]
struct Checked<'a> {
    directory: &'a Path,
    report: VerifyReport,
}

/// Checks `directory`, one validator's or one with several validators' in it, and prints what was
/// checked, for people or as JSON.
///
/// # Errors
/// The first thing that does not hold.
pub fn run(directory: &Path, json: bool, out: &mut dyn Write) -> Result<(), AuditError> {
    let folders = folders(directory)?;
    let mut checked = Vec::new();
    for folder in &folders {
        let report = check(folder)?;
        if !json {
            print(folder, &report, out)?;
        }
        checked.push(Checked { directory: folder, report });
    }
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&checked)?)?;
        return Ok(());
    }
    writeln!(out, "Everything holds in {} of {} ledgers.", folders.len(), folders.len())?;
    Ok(())
}

/// The validators' folders in a demo's directory, or the directory itself.
pub(crate) fn folders(directory: &Path) -> Result<Vec<PathBuf>, AuditError> {
    let read = |source| AuditError::Read { path: directory.to_owned(), source };
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(read)? {
        let path = entry.map_err(read)?.path();
        let named = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(VALIDATOR_PREFIX));
        if named && path.join(GENESIS_FILE).is_file() {
            folders.push(path);
        }
    }
    folders.sort();
    if folders.is_empty() {
        folders.push(directory.to_owned());
    }
    Ok(folders)
}

/// A bar that shows how far a folder's blocks have been walked through.
fn bar(folder: &Path) -> ProgressBar {
    let bar = ProgressBar::no_length().with_message(folder.display().to_string());
    if let Ok(style) = ProgressStyle::with_template("{msg}  block {pos} of {len} {bar:30}") {
        bar.set_style(style);
    }
    bar
}

fn check(folder: &Path) -> Result<VerifyReport, AuditError> {
    let bar = bar(folder);
    let checked = verify_dir(folder, &mut |height, last| {
        bar.set_length(last);
        bar.set_position(height);
    });
    bar.finish_and_clear();
    checked.map_err(|source| AuditError::Wrong { path: folder.to_owned(), source })
}

fn print(folder: &Path, report: &VerifyReport, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", folder.display())?;
    if report.started_from > 0 {
        let height = report.started_from;
        writeln!(
            out,
            "  pruned: recomputed from the snapshot of block {height} on, believed for its votes alone"
        )?;
    }
    let rows = [
        (report.blocks, "blocks: hash, link, Merkle root of entries, state after it"),
        (report.votes, "validators' votes, more than two thirds behind every block"),
        (report.envelopes, "signed envelopes"),
        (report.clearings, "clearings with their certificates: feasible, optimal, prices right"),
        (report.day_ahead, "day-ahead sessions with theirs: every interval and order, jointly optimal"),
        (report.deliveries, "deliveries, every site under its Merkle-sum root"),
        (report.settlements, "sites' settlements"),
        (report.transfers, "transfers"),
        (report.evidence, "proofs that a validator contradicted itself, both signatures its own"),
        (report.double_clearings, "proofs that a DSO cleared an interval twice, both signatures its own"),
        (report.bilateral_steps, "steps of bilateral contracts"),
        (report.reserve_steps, "steps of reserve: awards in order of merit"),
        (report.response_steps, "steps of demand response: baselines drawn again"),
        (report.governance, "changes of the registry, proposals and ballots"),
        (report.payments, "payments, each entry's summing to zero or to what it minted or burned"),
        (report.accounts, "accounts"),
        (report.snapshots, "snapshots: checksums, votes, state"),
    ];
    for (count, what) in rows {
        writeln!(out, "  {count:>9}  {what}")?;
    }
    for (validator, liar) in &report.liars {
        let Liar { contradictions, first, last } = liar;
        writeln!(out, "  validator {validator} contradicted itself {contradictions} times, at heights {first} to {last}")?;
    }
    for (dso, clearer) in &report.double_clearers {
        let DoubleClearer { times, first, last } = clearer;
        writeln!(out, "  dso {dso} cleared {times} times twice, between {first} and {last}")?;
    }
    let total_eur = report.total_nano_eur as f64 / 1e9;
    let [minted_eur, burned_eur] =
        [report.minted_nano_eur, report.burned_nano_eur].map(|nano_eur| nano_eur as f64 / 1e9);
    writeln!(out, "  {minted_eur:>9.2}  EUR minted, {burned_eur:.2} EUR burned")?;
    writeln!(out, "  {total_eur:>9.2}  EUR in all balances: at every height what it must be")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_without_a_ledger_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let error = run(directory.path(), false, &mut Vec::new()).unwrap_err();
        assert!(matches!(error, AuditError::Wrong { .. }), "{error}");
        let error = run(&directory.path().join("nowhere"), false, &mut Vec::new()).unwrap_err();
        assert!(matches!(error, AuditError::Read { .. }), "{error}");
    }
}
