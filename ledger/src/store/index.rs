//! The index: where each block stands in the log, and the state after the last one. A sled tree,
//! not trusted for durability: whatever it says is checked against the log.

use super::StoreError;
use crate::execute::Tip;
use crate::state::table::EncodedRow;
use crate::state::State;
use serde::{de::DeserializeOwned, Deserialize, Serialize};
use sled::{Batch, Db};
use std::path::Path;
use wire::cbor;
use wire::hash::Hash32;
use wire::merkle::Frontier;

/// Memory the database may use for its cache.
const CACHE_BYTES: u64 = 4 << 20;
/// Largest value of the index's own read back.
const MAX_VALUE_BYTES: usize = 1 << 10;

const TIP_KEY: &[u8] = b"tip";
const BLOCK: u8 = b'b';
/// Rows of the state: this, the piece's name, a zero byte, the row's key.
const STATE: u8 = b's';

/// What an index holds.
pub(super) struct Indexed {
    /// The last block indexed.
    pub tip: Tip,
    /// Where it starts in the log.
    pub offset: u64,
    /// Where it ends.
    pub end: u64,
    /// The state after it.
    pub state: State,
}

#[derive(Serialize, Deserialize)]
struct TipValue {
    height: u64,
    hash: Hash32,
    time_ms: u64,
    before: Frontier,
    offset: u64,
    end: u64,
}

pub(super) struct Index {
    tree: Db,
}

impl Index {
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let config = || sled::Config::default().path(folder).cache_capacity(CACHE_BYTES);
        match config().open() {
            Ok(tree) => Ok(Self { tree }),
            Err(sled::Error::Corruption { .. }) => {
                tracing::warn!(folder = %folder.display(), "the index is damaged; it is rebuilt from the log");
                std::fs::remove_dir_all(folder).map_err(super::io_error("removing", folder))?;
                Ok(Self { tree: config().open()? })
            }
            Err(other) => Err(other.into()),
        }
    }

    /// What it holds; none where that is nothing, or can't be read.
    pub fn load(&self) -> Option<Indexed> {
        let TipValue { height, hash, time_ms, before, offset, end } = self.value(TIP_KEY)?;
        let rows: Option<Vec<_>> = self.tree.scan_prefix([STATE]).map(|pair| row(pair.ok()?)).collect();
        let state = State::from_rows(rows?).ok()?;
        Some(Indexed { tip: Tip { height, hash, time_ms, votes: None, before }, offset, end, state })
    }

    pub fn clear(&self) -> Result<(), StoreError> {
        Ok(self.tree.clear()?)
    }

    /// Where the block at this height starts in the log.
    pub fn offset(&self, height: u64) -> Result<Option<u64>, StoreError> {
        let value = self.tree.get(block_key(height))?;
        Ok(value.and_then(|bytes| Some(u64::from_be_bytes(bytes.as_ref().try_into().ok()?))))
    }

    /// All of a state that no block before put there.
    pub fn put_state(&self, state: &State) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for (piece, EncodedRow { key, value }) in state.rows()? {
            batch.insert(row_key(piece, &key), value);
        }
        Ok(self.tree.apply_batch(batch)?)
    }

    /// A block that stands in the log from `span.0` to `span.1`, with what it changed, in one step.
    pub fn put_block(&self, tip: &Tip, span: (u64, u64), state: &mut State) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for (piece, change) in state.take_changes()? {
            let key = row_key(piece, &change.key);
            match change.value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        batch.insert(block_key(tip.height), &span.0.to_be_bytes());
        let Tip { height, hash, time_ms, before, .. } = tip.clone();
        let value = TipValue { height, hash, time_ms, before, offset: span.0, end: span.1 };
        batch.insert(TIP_KEY, cbor::to_vec(&value)?);
        Ok(self.tree.apply_batch(batch)?)
    }

    fn value<T: Serialize + DeserializeOwned>(&self, key: &[u8]) -> Option<T> {
        cbor::from_slice(&self.tree.get(key).ok()??, MAX_VALUE_BYTES).ok()
    }
}

fn row_key(piece: &str, key: &[u8]) -> Vec<u8> {
    [&[STATE], piece.as_bytes(), &[0], key].concat()
}

/// The row that a pair holds, with its piece's name.
fn row((key, value): (sled::IVec, sled::IVec)) -> Option<(String, EncodedRow)> {
    let rest = key.get(1..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    let name = std::str::from_utf8(&rest[..end]).ok()?.to_owned();
    Some((name, EncodedRow { key: rest[end + 1..].to_vec(), value: value.to_vec() }))
}

fn block_key(height: u64) -> Vec<u8> {
    [&[BLOCK][..], &height.to_be_bytes()].concat()
}
