//! Building a data folder's index anew.

use super::index::Index;
use super::open::{open, Opened, RebuiltFrom};
use super::{io_error, read_genesis, StoreError, StoreOptions, INDEX_FOLDER};
use crate::contracts::rules::Rules;
use serde::Serialize;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// What the rebuilt index holds, and what it was rebuilt from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReindexReport {
    /// Height of the last block.
    pub height: u64,
    /// Lowest height whose block is kept.
    pub lowest: u64,
    /// Height of the state it started from: a snapshot's, or 0 for the genesis.
    pub started_from: u64,
    /// Blocks executed after that.
    pub executed: u64,
}

/// Throws a data folder's index away and builds it anew from the log, and the newest sound snapshot or the genesis;
/// where `whole`, from the oldest of them that the log follows on, so that it remembers what every block did that can be
/// executed. `progress` hears the height reached, and the last there is.
///
/// # Errors
/// Where a validator runs on the folder, it can't be read, or its log is damaged.
pub fn reindex(
    folder: &Path,
    whole: bool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<ReindexReport, StoreError> {
    let genesis = read_genesis(folder)?;
    let rules = Arc::new(Rules::new(&genesis)?);
    let index = folder.join(INDEX_FOLDER);
    // Opened first: that fails where somebody else has it open.
    drop(Index::open(&index)?);
    fs::remove_dir_all(&index).map_err(io_error("removing", &index))?;
    let rebuilt_from = if whole { RebuiltFrom::Oldest } else { RebuiltFrom::Newest };
    let Opened { store, chain, started_from } =
        open(folder, (&genesis, &rules), (StoreOptions::default(), rebuilt_from), progress)?;
    let height = chain.tip.height;
    Ok(ReindexReport { height, lowest: store.lowest(), started_from, executed: height - started_from })
}
