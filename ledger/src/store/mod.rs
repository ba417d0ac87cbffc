//! What a validator keeps on disk. The block log and the snapshots are the truth; the index beside
//! them is rebuilt whenever it is missing, damaged or another's. Nothing here decides what a block
//! may do.
//!
//! ```text
//! genesis.json      what the ledger starts from, for people and programs
//! blocks/           decided blocks with their votes, in order, in segments (see [`log`])
//! snapshots/        the state after some of them (see [`snapshots`])
//! consensus.wal     what this validator said and saw at the height being decided
//! index/            sled: where each block stands, and the state after the last one
//! index.seal        a checksum of it, from an orderly stop to the next start
//! ```

mod asked;
mod error;
pub mod frames;
mod genesis_file;
mod index;
pub mod log;
mod open;
pub mod records;
mod reindex;
pub mod remembered;
mod seal;
pub mod snapshots;
pub mod wal;

pub(crate) use open::Start;

pub use error::StoreError;
pub use genesis_file::read_genesis;
pub use reindex::{reindex, ReindexReport};

use crate::block::{DecidedBlock, Header};
use crate::contracts::rules::Rules;
use crate::execute::Tip;
use crate::snapshot::{Manifest, Snapshot};
use crate::state::State;
use error::io_error;
use index::{Index, Stands};
use log::{BlockLog, Place};
use remembered::Remembered;
use serde::{Deserialize, Serialize};
use snapshots::Snapshots;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wire::hash::Hash32;
use wire::topic::Network;

/// Name of the genesis file in a data folder.
pub const GENESIS_FILE: &str = "genesis.json";
/// Name of the write-ahead log in a data folder.
pub const WAL_FILE: &str = "consensus.wal";
/// Name of the index's folder in a data folder.
pub const INDEX_FOLDER: &str = "index";

/// How much is kept, and in what pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreOptions {
    /// Bytes after which a segment of the log is followed by another.
    pub segment_bytes: u64,
    /// Heights between two snapshots.
    pub snapshot_every: u64,
    /// Heights whose blocks are kept at least; none keeps all.
    pub pruning: Option<u64>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { segment_bytes: 16 << 20, snapshot_every: 1_000, pruning: None }
    }
}

impl StoreOptions {
    /// Whether a snapshot is due after the block with this header, `newest` being the height of the last
    /// begun. One is at every so many heights, or at the next that leaves what is governed as it was:
    /// whose votes count for its block stands in the state then.
    pub(crate) fn snapshot_is_due(&self, header: &Header, state: &State, newest: u64) -> bool {
        let due = header.height - header.height % self.snapshot_every.max(1);
        due > newest && header.governed == state.governed().hash()
    }

    /// Up to which height blocks need not be kept any more, where the last is `tip` and the oldest snapshot
    /// `oldest`: the blocks after that stay, so that each snapshot is a start. None where all are kept.
    pub(crate) fn prunable(&self, tip: u64, oldest: Option<u64>) -> Option<u64> {
        Some(tip.saturating_sub(self.pruning?).min(oldest?))
    }
}

/// A chain as far as it is decided.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Its last block.
    pub tip: Tip,
    /// The state after it.
    pub state: State,
    /// The rules after it: what the next block goes by.
    pub rules: Arc<Rules>,
}

/// A validator's data folder, opened by one process at a time (the index holds a lock).
pub struct Store {
    folder: PathBuf,
    options: StoreOptions,
    log: BlockLog,
    index: Index,
    snapshots: Snapshots,
    tip: Tip,
    /// Where the block stands that is logged and not indexed yet.
    logged: Option<Stands>,
    /// Identity and market of the ledger.
    ledger: (Hash32, Network),
}

impl Store {
    /// Makes a decided block durable, then indexes it with the state after it.
    ///
    /// # Errors
    /// As [`Store::log`] and [`Store::index`].
    pub fn append(&mut self, decided: &DecidedBlock, state: &mut State) -> Result<(), StoreError> {
        let height = decided.height();
        let bytes = decided.encode().map_err(|source| StoreError::Encode { height, source })?;
        self.log(height, &bytes)?;
        self.index(decided, state, None)
    }

    /// Makes the decided block of this height and with this encoding durable. From then on it may be told to
    /// everyone; it is read back once it is indexed.
    ///
    /// # Errors
    /// Whoever meets one must stop: what stands on the disk is unknown then.
    pub fn log(&mut self, height: u64, encoded: &[u8]) -> Result<(), StoreError> {
        let (place, end) = self.log.append(height, encoded)?;
        self.logged = Some(Stands { place, end });
        Ok(())
    }

    /// Indexes the block logged last with the state after it and what is to be remembered of what it did. At every
    /// so many heights a snapshot is begun; once one stands, what is no longer kept is removed.
    ///
    /// # Errors
    /// Whoever meets one must stop.
    pub fn index(
        &mut self,
        decided: &DecidedBlock,
        state: &mut State,
        remembered: Option<&Remembered>,
    ) -> Result<(), StoreError> {
        let Some(stands) = self.logged.take() else {
            return Err(StoreError::LogTooShort { height: decided.height() });
        };
        let header = &decided.block.header;
        let previous = self.tip.clone();
        self.tip = previous.after(decided);
        self.index.put_block(&self.tip, stands, state, remembered.map(|remembered| (decided, remembered)))?;
        if self.options.snapshot_is_due(header, state, self.snapshots.newest_begun()) {
            let (header, certificate) = (header.clone(), decided.certificate.clone());
            let (state, lineage) = (state.clone(), self.index.lineage()?);
            self.snapshots.begin(Snapshot { previous, header, certificate, state, lineage })?;
        }
        match self.snapshots.poll()? {
            true => self.prune(),
            false => Ok(()),
        }
    }

    /// Puts a snapshot in the place of everything before it. Whatever happens meanwhile, the folder
    /// opens either where it stood or at the snapshot.
    ///
    /// # Errors
    /// Whoever meets one must stop.
    pub fn install(&mut self, snapshot: &Snapshot) -> Result<(), StoreError> {
        self.snapshots.write(snapshot)?;
        self.tip = snapshot.tip();
        let lineage = snapshot.sound_lineage(&self.ledger.0, &self.ledger.1);
        self.index.reset(&self.tip, &snapshot.state, &lineage)?;
        self.log = open::begin_log_after(&self.folder, self.tip.height, self.options.segment_bytes)?;
        Ok(())
    }

    /// Waits for a snapshot that is being written, and removes what need not be kept then.
    ///
    /// # Errors
    /// Whoever meets one must stop.
    pub fn settle(&mut self) -> Result<(), StoreError> {
        match self.snapshots.finish()? {
            true => self.prune(),
            false => Ok(()),
        }
    }

    /// The decided block at a height, where there is one.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn block(&self, height: u64) -> Result<Option<DecidedBlock>, StoreError> {
        let Some((place, bytes)) = self.encoded(height)? else { return Ok(None) };
        open::decode(&self.folder, place, height, &bytes).map(Some)
    }

    /// Encodings of decided blocks from a height on, as many as there are in so many bytes; the first
    /// in any case. None where nothing is kept of that height.
    ///
    /// # Errors
    /// Where they can't be read.
    pub fn blocks(&self, from: u64, most_bytes: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        let (mut blocks, mut size) = (Vec::new(), 0);
        for height in from.. {
            let Some((_, bytes)) = self.encoded(height)? else { break };
            size += bytes.len();
            if size > most_bytes && !blocks.is_empty() {
                break;
            }
            blocks.push(bytes);
        }
        Ok(blocks)
    }

    /// The last block decided.
    pub fn tip(&self) -> &Tip {
        &self.tip
    }

    /// Lowest height whose block is kept. One behind the last where none is.
    pub fn lowest(&self) -> u64 {
        self.log.first()
    }

    /// The newest sound snapshot's manifest, where there is one.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn manifest(&self) -> Result<Option<Manifest>, StoreError> {
        let newest = self.snapshots.sound().last();
        newest.map(|height| snapshots::read_manifest(&self.folder, *height)).transpose()
    }

    /// One chunk of a sound snapshot; none where it is not kept or has no such chunk.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn chunk(&self, height: u64, index: usize) -> Result<Option<Vec<u8>>, StoreError> {
        match self.snapshots.sound().contains(&height) {
            true => snapshots::read_chunk(&self.folder, height, index),
            false => Ok(None),
        }
    }

    /// Height of the newest sound snapshot, where there is one.
    pub fn snapshot_height(&self) -> Option<u64> {
        self.snapshots.sound().last().copied()
    }

    fn encoded(&self, height: u64) -> Result<Option<(Place, Vec<u8>)>, StoreError> {
        if height < self.log.first() {
            return Ok(None);
        }
        match self.index.place(height)? {
            Some(place) => Ok(Some((place, self.log.read(place, height)?))),
            None if height > self.tip.height => Ok(None),
            None => {
                tracing::warn!(height, "the index lacks a block that the log should have; searching the log");
                self.log.search(height)
            }
        }
    }

    /// Removes segments of blocks older than those kept, and what the index says of them.
    fn prune(&mut self) -> Result<(), StoreError> {
        let oldest = self.snapshots.sound().first().copied();
        let Some(height) = self.options.prunable(self.tip.height, oldest) else { return Ok(()) };
        let before = self.log.first();
        self.log.remove_up_to(height)?;
        match self.log.first() > before {
            true => self.index.remove_below(self.log.first()),
            false => Ok(()),
        }
    }
}

/// The last height that a data folder's log holds, by its last segment; 0 where it holds none.
///
/// # Errors
/// Where the segment is damaged or can't be read.
pub fn last_height(folder: &Path) -> Result<u64, StoreError> {
    Ok(log::Span::of(folder)?.last)
}

/// A file just made, renamed or removed is so after a power loss only once its folder is synced too.
fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error("syncing", folder))
}

/// Numbers of the files in a folder whose names are twenty digits and a suffix; none where there is
/// no such folder.
fn numbered_files(folder: &Path, suffix: &str) -> Result<Vec<u64>, StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error("reading", folder)(error)),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry.map_err(io_error("reading", folder))?.file_name();
        let digits = name.to_str().and_then(|name| name.strip_suffix(suffix));
        let number = digits.filter(|digits| digits.len() == 20).and_then(|digits| digits.parse::<u64>().ok());
        numbers.extend(number);
    }
    Ok(numbers)
}
