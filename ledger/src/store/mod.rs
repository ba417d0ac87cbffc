//! What a validator keeps on disk. The block log is the truth; the index beside it is rebuilt from
//! it whenever it is missing, damaged or another's. Nothing here decides what a block may do.
//!
//! ```text
//! genesis.json      what the ledger starts from, for people and programs
//! blocks.log        decided blocks with their votes, in order (see [`frames`])
//! consensus.wal     what this validator said and saw at the height being decided
//! index/            sled: where each block stands, and the state after the last one
//! ```

pub mod frames;
mod index;
pub mod wal;

use crate::block::{BlockCodecError, DecidedBlock, MAX_BLOCK_BYTES};
use crate::contracts::rules::{Rules, RulesError};
use crate::execute::{execute_block, ExecuteError, Executed, Tip};
use crate::genesis::Genesis;
use crate::state::{State, StateError};
use frames::{Found, FrameError, FrameReader, FrameWriter};
use index::{Index, Indexed};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;
use wire::entry::SignedEnvelope;

/// Name of the genesis file in a data folder.
pub const GENESIS_FILE: &str = "genesis.json";
/// Name of the block log in a data folder.
pub const LOG_FILE: &str = "blocks.log";
/// Name of the write-ahead log in a data folder.
pub const WAL_FILE: &str = "consensus.wal";
/// Name of the index's folder in a data folder.
pub const INDEX_FOLDER: &str = "index";

/// A validator's data folder, opened by one process at a time (the index holds a lock).
pub struct Store {
    log_path: PathBuf,
    log: FrameWriter,
    index: Index,
    tip: Tip,
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
    #[error("{} holds another ledger: its genesis is not the one configured", path.display())]
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
    /// A log is damaged or can't be written.
    #[error(transparent)]
    Frames(#[from] FrameError),
    /// A record of the log is no block.
    #[error("block {height} at offset {offset} of the log: {source}")]
    Codec {
        /// The height it should have.
        height: u64,
        /// Where it stands, in bytes.
        offset: u64,
        /// What is wrong with it.
        #[source]
        source: BlockCodecError,
    },
    /// A block of the log does not follow on the one before.
    #[error("offset {offset} of the log: {source}")]
    Block {
        /// Where it stands, in bytes.
        offset: u64,
        /// What is wrong with it.
        #[source]
        source: ExecuteError,
    },
    /// The log ends before a block that was decided.
    #[error("the log ends before block {height}, which was decided")]
    LogTooShort {
        /// The last block decided.
        height: u64,
    },
    /// The index's database failed.
    #[error("the index: {0}")]
    Index(#[from] sled::Error),
    /// A value for the index has no encoding.
    #[error("the index: {0}")]
    IndexValue(#[from] wire::cbor::CborError),
}

/// Reads the genesis of a data folder.
///
/// # Errors
/// Where there is none, or it can't be read.
pub fn read_genesis(folder: &Path) -> Result<Genesis, StoreError> {
    let path = folder.join(GENESIS_FILE);
    let text = fs::read(&path).map_err(io_error("reading", &path))?;
    serde_json::from_slice(&text).map_err(|source| StoreError::GenesisFile { path, source })
}

/// Reads a folder's blocks in order, without touching anything.
///
/// # Errors
/// Where the log can't be opened.
pub fn read_log(folder: &Path) -> Result<FrameReader, FrameError> {
    FrameReader::open(&folder.join(LOG_FILE), 0, MAX_BLOCK_BYTES)
}

impl Store {
    /// Opens a data folder, made where it doesn't exist, and brings the index up to the log. A torn
    /// tail of the log is cut away. `rules` are those of the genesis.
    ///
    /// # Errors
    /// Where the folder belongs to another ledger, or is damaged anywhere but at the log's tail.
    pub fn open(folder: &Path, genesis: &Genesis, rules: &Arc<Rules>) -> Result<(Self, Chain), StoreError> {
        fs::create_dir_all(folder).map_err(io_error("making", folder))?;
        keep_genesis(folder, genesis)?;
        let log_path = folder.join(LOG_FILE);
        if !log_path.exists() {
            FrameWriter::open(&log_path, 0, MAX_BLOCK_BYTES)?;
        }
        let index = Index::open(&folder.join(INDEX_FOLDER))?;
        let start = match index.load() {
            Some(indexed) => trusted(&log_path, rules, indexed)?,
            None => None,
        };
        let from_genesis = start.is_none();
        let (mut chain, offset) = match start {
            Some(found) => found,
            None => {
                index.clear()?;
                let tip = Tip::genesis(*rules.verifier.ledger());
                (Chain { tip, state: State::genesis(genesis)?, rules: rules.clone() }, 0)
            }
        };
        if from_genesis {
            index.put_state(&chain.state)?;
        }
        let end = catch_up(&log_path, offset, &index, &mut chain)?;
        let log = FrameWriter::open(&log_path, end, MAX_BLOCK_BYTES)?;
        Ok((Self { log_path, log, index, tip: chain.tip.clone() }, chain))
    }

    /// Makes a decided block durable, then indexes it with the state after it.
    ///
    /// # Errors
    /// Whoever meets one must stop: what stands on the disk is unknown then.
    pub fn append(&mut self, decided: &DecidedBlock, state: &mut State) -> Result<(), StoreError> {
        let height = decided.height();
        let offset = self.log.end();
        let bytes = decided.encode().map_err(|source| StoreError::Codec { height, offset, source })?;
        self.log.append(height, &bytes)?;
        self.log.sync()?;
        self.tip = self.tip.after(decided);
        self.index.put_block(&self.tip, (offset, self.log.end()), state)
    }

    /// The decided block at a height, where there is one.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn block(&self, height: u64) -> Result<Option<DecidedBlock>, StoreError> {
        let Some(offset) = self.index.offset(height)? else { return Ok(None) };
        let mut reader = FrameReader::open(&self.log_path, offset, MAX_BLOCK_BYTES)?;
        match reader.next_frame()? {
            Found::Frame(frame) => decode(height, offset, &frame.payload).map(Some),
            Found::End | Found::Torn { .. } => Err(StoreError::LogTooShort { height }),
        }
    }
}

/// The index's word, where the log bears it out: its tip stands in the log, and the state has the
/// hash that block names. Otherwise none: the index is rebuilt.
fn trusted(
    log_path: &Path,
    rules: &Arc<Rules>,
    indexed: Indexed,
) -> Result<Option<(Chain, u64)>, StoreError> {
    let Indexed { tip, offset, end, state } = indexed;
    let mut reader = FrameReader::open(log_path, offset, MAX_BLOCK_BYTES)?;
    if reader.length() < end {
        return Err(StoreError::LogTooShort { height: tip.height });
    }
    let Ok(Found::Frame(frame)) = reader.next_frame() else { return Ok(None) };
    let Ok(decided) = decode(tip.height, offset, &frame.payload) else { return Ok(None) };
    let header = &decided.block.header;
    let named = (header.height, header.hash(), header.time_ms) == (tip.height, tip.hash, tip.time_ms);
    let history =
        Some(tip.before.size()) == header.height.checked_sub(1) && tip.before.root() == header.history_root;
    if !named || !history || header.state_hash != state.hash() {
        return Ok(None);
    }
    let tip = Tip { votes: Some(decided.certificate), ..tip };
    let rules = rules.after(state.governed(), tip.time_ms)?;
    Ok(Some((Chain { tip, state, rules }, reader.offset())))
}

/// Executes and indexes what stands in the log from `offset` on. Returns where its sound part ends.
fn catch_up(log_path: &Path, offset: u64, index: &Index, chain: &mut Chain) -> Result<u64, StoreError> {
    let mut reader = FrameReader::open(log_path, offset, MAX_BLOCK_BYTES)?;
    loop {
        let frame = match reader.next_frame()? {
            Found::Frame(frame) => frame,
            Found::End => return Ok(reader.offset()),
            Found::Torn { offset } => {
                tracing::warn!(
                    offset,
                    after = chain.tip.height,
                    "the log's last record was cut off; removed"
                );
                return Ok(offset);
            }
        };
        let offset = frame.offset;
        let decided = decode(chain.tip.height + 1, offset, &frame.payload)?;
        let openings = chain.rules.verifier.open_entries(decided.block.entries.iter());
        let open = |envelope: &SignedEnvelope| openings.open(envelope);
        let executed = execute_block(&chain.rules, &chain.tip, &chain.state, &decided.block, &open)
            .map_err(|source| StoreError::Block { offset, source })?;
        let Executed { state, rules, .. } = executed;
        *chain = Chain { tip: chain.tip.after(&decided), state, rules };
        index.put_block(&chain.tip, (offset, reader.offset()), &mut chain.state)?;
    }
}

fn decode(height: u64, offset: u64, bytes: &[u8]) -> Result<DecidedBlock, StoreError> {
    DecidedBlock::decode(bytes).map_err(|source| StoreError::Codec { height, offset, source })
}

/// Writes the genesis into a new folder; in an old one it must be the same.
fn keep_genesis(folder: &Path, genesis: &Genesis) -> Result<(), StoreError> {
    let path = folder.join(GENESIS_FILE);
    if path.exists() {
        if read_genesis(folder)? == *genesis {
            return Ok(());
        }
        return Err(StoreError::OtherLedger { path: folder.to_owned() });
    }
    let mut text = serde_json::to_vec_pretty(genesis)
        .map_err(|source| StoreError::GenesisFile { path: path.clone(), source })?;
    text.push(b'\n');
    // Renamed into place, so that a crash leaves either none or the whole of it.
    let draft = folder.join("genesis.json.new");
    let write = || -> io::Result<()> {
        let mut file = fs::File::create(&draft)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        fs::File::open(folder)?.sync_all()
    };
    write().map_err(io_error("writing", &path))
}

fn io_error<'a>(act: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> StoreError + 'a {
    move |source| StoreError::Io { act, path: path.to_owned(), source }
}
