//! Why a data folder can't be used.

use super::frames::FrameError;
use crate::block::BlockCodecError;
use crate::contracts::rules::RulesError;
use crate::execute::ExecuteError;
use crate::snapshot::SnapshotError;
use crate::state::StateError;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a data folder can't be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("{act} {}: {source}", path.display())]
    Io {
        /// What was tried.
        act: &'static str,
        /// On which file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// The genesis file is no genesis.
    #[error("{}: {source}", path.display())]
    GenesisFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The folder belongs to a ledger with another genesis.
    #[error(
        "{} holds another ledger, or its {} is damaged: it is not the genesis configured",
        path.display(),
        super::GENESIS_FILE
    )]
    OtherLedger {
        /// The folder.
        path: PathBuf,
    },
    /// The genesis gives no state.
    #[error(transparent)]
    State(#[from] StateError),
    /// What is governed makes no rules.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// A log or snapshot is damaged or can't be written.
    #[error(transparent)]
    Frames(#[from] FrameError),
    /// A record of the log is no block.
    #[error("{} at offset {offset}: block {height}: {source}", path.display())]
    Codec {
        /// The segment.
        path: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
        /// The height it should have.
        height: u64,
        /// What is wrong with it.
        #[source]
        source: BlockCodecError,
    },
    /// A decided block has no encoding.
    #[error("block {height}: {source}")]
    Encode {
        /// Its height.
        height: u64,
        /// What is wrong with it.
        #[source]
        source: BlockCodecError,
    },
    /// A block of the log does not follow on the one before.
    #[error("{} at offset {offset}: {source}", path.display())]
    Block {
        /// The segment.
        path: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
        /// What is wrong with it.
        #[source]
        source: Box<ExecuteError>,
    },
    /// Another record stands where one height's block should: records or a segment are missing.
    #[error("{} at offset {offset}: block {found} stands where block {expected} should", path.display())]
    OtherHeight {
        /// The segment.
        path: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
        /// Height that should stand there.
        expected: u64,
        /// Height that does.
        found: u64,
    },
    /// The log ends before a block that was decided.
    #[error("the log ends before block {height}, which was decided")]
    LogTooShort {
        /// The last block decided.
        height: u64,
    },
    /// A snapshot's file ends early or holds more than the snapshot.
    #[error("{} is cut off or damaged at offset {offset}", path.display())]
    CutOff {
        /// The file.
        path: PathBuf,
        /// Where, in bytes.
        offset: u64,
    },
    /// A snapshot does not hold.
    #[error("{}: {source}", path.display())]
    Snapshot {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<SnapshotError>,
    },
    /// The thread that wrote a snapshot ended without a word.
    #[error("writing {}: the thread ended", path.display())]
    SnapshotThread {
        /// The file.
        path: PathBuf,
    },
    /// The log begins later than any sound snapshot, and the index says nothing either.
    #[error(
        "{}: the log begins at block {first}, and no sound snapshot leads up to it; \
         empty the folder and let the validator catch up from the others",
        path.display()
    )]
    NoStart {
        /// The data folder.
        path: PathBuf,
        /// First block of the log.
        first: u64,
    },
    /// The index's database failed.
    #[error("the index {}: {source}", path.display())]
    Index {
        /// Its folder.
        path: PathBuf,
        /// What it said.
        #[source]
        source: sled::Error,
    },
    /// A value for the index or a snapshot has no encoding.
    #[error("encoding the state: {0}")]
    Value(#[from] wire::cbor::CborError),
}

impl StoreError {
    pub(crate) fn snapshot(path: PathBuf, source: SnapshotError) -> Self {
        Self::Snapshot { path, source: Box::new(source) }
    }

    /// Whether what is stored is wrong, and not only out of reach.
    pub fn is_damage(&self) -> bool {
        !matches!(self, StoreError::Io { .. } | StoreError::Index { .. } | StoreError::SnapshotThread { .. })
            && !matches!(self, StoreError::Frames(FrameError::Io { .. }))
    }
}

pub(super) fn io_error<'a>(act: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> StoreError + 'a {
    move |source| StoreError::Io { act, path: path.to_owned(), source }
}
