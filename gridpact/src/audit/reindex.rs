//! `gridpact ledger reindex`: has the ledger crate build a data folder's index anew, and says what it
//! was built from.

use super::bar;
use ledger::store::{reindex, ReindexReport, StoreError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why an index could not be built.
#[derive(Debug, Error)]
pub enum ReindexError {
    /// What was done can't be printed.
    #[error("printing: {0}")]
    Print(#[from] io::Error),
    /// The folder can't be read or written, or a validator runs on it.
    #[error("rebuilding the index of {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: Box<StoreError>,
    },
}

impl ReindexError {
    /// Whether what is stored is wrong, and not only out of reach.
    pub fn is_damage(&self) -> bool {
        matches!(self, ReindexError::Folder { source, .. } if source.is_damage())
    }
}

/// Builds the index of a validator's data folder anew, of the `whole` log where that is wanted, and prints what it
/// holds, as `json` where that is.
///
/// # Errors
/// Where it can't be built; nothing of the ledger is lost then.
pub fn run(folder: &Path, (whole, json): (bool, bool), out: &mut dyn Write) -> Result<(), ReindexError> {
    let bar = bar(folder);
    let rebuilt = reindex(folder, whole, &mut |height, last| {
        bar.set_length(last);
        bar.set_position(height);
    });
    bar.finish_and_clear();
    let path = || folder.to_owned();
    let report = rebuilt.map_err(|source| ReindexError::Folder { path: path(), source: Box::new(source) })?;
    match json {
        true => writeln!(out, "{}", serde_json::json!(report))?,
        false => print(folder, &report, out)?,
    }
    Ok(())
}

fn print(folder: &Path, report: &ReindexReport, out: &mut dyn Write) -> io::Result<()> {
    let ReindexReport { height, lowest, started_from, executed } = report;
    let from = match started_from {
        0 => "the genesis".to_owned(),
        height => format!("the snapshot of block {height}"),
    };
    writeln!(out, "{}", folder.display())?;
    writeln!(out, "  from {from}, {executed} blocks executed after it")?;
    writeln!(out, "  blocks {lowest} to {height} indexed, the state after block {height} as it names it")
}
