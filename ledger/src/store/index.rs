//! The index: where each block stands in the log, and the state after the last one. A sled tree,
//! not trusted for durability: whatever it says is checked against the log or a snapshot.

mod asked;
mod keys;

use super::log::Place;
use super::remembered::Remembered;
use super::seal::Seal;
use super::StoreError;
use crate::block::{history_leaf, DecidedBlock};
use crate::execute::Tip;
use crate::governed::succession::{Lineage, Succession};
use crate::state::table::EncodedRow;
use crate::state::State;
use keys::{
    block_key, entry_keys, height_in, held_key, node_key, remembered_key, row_key, succession_key,
    FORMAT_KEY, STATE, TIP_KEY,
};
use serde::{de::DeserializeOwned, Deserialize, Serialize};
use sled::{Batch, Db};
use std::cell::Cell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wire::cbor;
use wire::merkle::Node;

/// Memory the database may use for its cache.
const CACHE_BYTES: u64 = 4 << 20;
/// Largest value of the index's own read back.
const MAX_VALUE_BYTES: usize = 1 << 16;
/// Entries changed in one step where there is no need to change all in one.
const BATCH: usize = 1_024;
/// Bytes written before sled is waited for. Where its file shrinks while many writes are under way, it
/// waits for the shrinking with a lock that all of its threads wait for (0.34.7); with few it does not.
const UNFLUSHED_BYTES: usize = 64 << 10;

/// How often a locked database is tried again, and after how long.
const LOCK_TRIES: usize = 100;
const LOCK_WAIT: Duration = Duration::from_millis(20);

/// What the keys and values mean that this program writes. An index of another meaning is rebuilt.
const FORMAT: u32 = 2;

/// Where a block stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stands {
    /// Where it starts.
    pub place: Place,
    /// Where it ends in its segment, in bytes.
    pub end: u64,
}

/// What an index holds.
pub(super) struct Indexed {
    /// The last block indexed.
    pub tip: Tip,
    /// Where it stands; none where it is a snapshot's and not in the log.
    pub stands: Option<Stands>,
    /// The state after it.
    pub state: State,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TipValue {
    tip: Tip,
    stands: Option<Stands>,
}

/// An index that is open.
pub(super) struct Index {
    folder: PathBuf,
    tree: Db,
    /// Bytes written since sled was last waited for.
    unflushed: Cell<usize>,
    /// Dropped after the tree: what it writes then is sealed too.
    _seal: Seal,
}

impl Index {
    /// Opens the index, made anew where there is none or it is damaged.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        if !Seal::take_off(folder)? {
            Self::discard(folder, "its files are not as they were left")?;
        }
        let tree = match database(folder) {
            Ok(tree) => tree,
            Err(error) if is_damage(&error) => {
                Self::discard(folder, &error.to_string())?;
                database(folder).map_err(failed(folder))?
            }
            Err(error) => return Err(failed(folder)(error)),
        };
        let (folder, _seal) = (folder.to_owned(), Seal::of(folder));
        Ok(Self { folder, tree, unflushed: Cell::new(0), _seal })
    }

    fn discard(folder: &Path, reason: &str) -> Result<(), StoreError> {
        tracing::warn!(folder = %folder.display(), reason, "the index is damaged; it is rebuilt");
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(super::io_error("removing", folder)(error))
            }
            _ => Ok(()),
        }
    }

    /// What it holds; none where that is nothing, or can't be read.
    pub fn load(&self) -> Option<Indexed> {
        self.value::<u32>(FORMAT_KEY).filter(|format| *format == FORMAT)?;
        let TipValue { tip, stands } = self.value(TIP_KEY)?;
        let rows: Option<Vec<_>> = self.tree.scan_prefix([STATE]).map(|pair| row(pair.ok()?)).collect();
        let state = State::from_rows(rows?).ok()?;
        Some(Indexed { tip, stands, state })
    }

    /// Whether it holds anything at all.
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// Where the block at this height stands in the log.
    pub fn place(&self, height: u64) -> Result<Option<Place>, StoreError> {
        let value = self.tree.get(block_key(height)).map_err(failed(&self.folder))?;
        Ok(value.and_then(|bytes| cbor::from_slice(&bytes, MAX_VALUE_BYTES).ok()))
    }

    /// Forgets all, and takes a whole state instead, with who decided before. The blocks before it are put one by one.
    pub fn reset(&self, tip: &Tip, state: &State, lineage: &Lineage) -> Result<(), StoreError> {
        self.tree.clear().map_err(failed(&self.folder))?;
        // The tip comes last: without one the rows are nothing.
        for some in state.rows()?.chunks(BATCH) {
            let mut writes = Writes::default();
            for (piece, EncodedRow { key, value }) in some {
                writes.insert(row_key(piece, key), value.clone());
            }
            self.apply(writes)?;
        }
        let mut writes = Writes::default();
        for (node, hash) in tip.before.peaks() {
            writes.insert(node_key(node), hash.0.to_vec());
        }
        for succession in &lineage.0 {
            writes.succession(succession)?;
        }
        writes.nodes(tip);
        writes.insert(FORMAT_KEY.to_vec(), cbor::to_vec(&FORMAT)?);
        writes.tip(tip, None)?;
        self.apply(writes)
    }

    /// A block that stands in the log, with what it changed, and what is to be remembered of what it did, in one
    /// step.
    pub fn put_block(
        &self,
        tip: &Tip,
        stands: Stands,
        state: &mut State,
        did: Option<(&DecidedBlock, &Remembered)>,
    ) -> Result<(), StoreError> {
        let mut writes = Writes::default();
        if let Some((decided, remembered)) = did {
            writes.did(decided, remembered)?;
        }
        for (piece, change) in state.take_changes()? {
            let key = row_key(piece, &change.key);
            match change.value {
                Some(value) => writes.insert(key, value),
                None => writes.remove(key),
            }
        }
        writes.insert(block_key(tip.height), cbor::to_vec(&stands.place)?);
        writes.nodes(tip);
        writes.tip(tip, Some(stands))?;
        self.apply(writes)
    }

    /// Where blocks stand that are older than the state.
    pub fn put_places(&self, places: &[(u64, Place)]) -> Result<(), StoreError> {
        for some in places.chunks(BATCH) {
            let mut writes = Writes::default();
            for (height, place) in some {
                writes.insert(block_key(*height), cbor::to_vec(place)?);
            }
            self.apply(writes)?;
        }
        Ok(())
    }

    /// The last block, where it turned out to stand.
    pub fn put_stands(&self, tip: &Tip, stands: Stands) -> Result<(), StoreError> {
        let mut writes = Writes::default();
        writes.insert(block_key(tip.height), cbor::to_vec(&stands.place)?);
        writes.tip(tip, Some(stands))?;
        self.apply(writes)
    }

    /// Forgets where blocks below this height stood, what they did, and what of the tree over them no later block
    /// needs.
    pub fn remove_below(&self, height: u64) -> Result<(), StoreError> {
        loop {
            let range = self.tree.range(block_key(0)..block_key(height)).keys().take(BATCH);
            let keys = range.collect::<Result<Vec<_>, _>>().map_err(failed(&self.folder))?;
            if keys.is_empty() {
                return self.remove_nodes_below(height.saturating_sub(1));
            }
            let mut writes = Writes::default();
            for key in keys {
                if let Some(height) = height_in(&key) {
                    self.forget(height, &mut writes)?;
                }
                writes.remove(key.to_vec());
            }
            self.apply(writes)?;
        }
    }

    /// Forgets the nodes over the first `leaves` leaves that stand below another such node.
    fn remove_nodes_below(&self, leaves: u64) -> Result<(), StoreError> {
        for level in 0..u64::BITS as u8 - 1 {
            let whole = leaves >> (level + 1) << 1;
            loop {
                let range = node_key(Node { level, index: 0 })..node_key(Node { level, index: whole });
                let keys = self.tree.range(range).keys().take(BATCH);
                let keys = keys.collect::<Result<Vec<_>, _>>().map_err(failed(&self.folder))?;
                if keys.is_empty() {
                    break;
                }
                let mut writes = Writes::default();
                keys.iter().for_each(|key| writes.remove(key.to_vec()));
                self.apply(writes)?;
            }
        }
        Ok(())
    }

    /// Forgets what is remembered of the block at a height, but for who decides after it.
    fn forget(&self, height: u64, writes: &mut Writes) -> Result<(), StoreError> {
        let encoded = self.remembered(height)?.unwrap_or_default();
        let entries = Remembered::decode(&encoded).unwrap_or_default();
        let remembered = Remembered { entries, ..Remembered::default() };
        entry_keys(height, &remembered).for_each(|key| writes.remove(key));
        let paid = remembered.entries.iter().flat_map(|entry| &entry.payments);
        paid.for_each(|(account, _)| writes.remove(held_key(account, height)));
        writes.remove(remembered_key(height));
        Ok(())
    }

    fn apply(&self, Writes { batch, bytes }: Writes) -> Result<(), StoreError> {
        self.tree.apply_batch(batch).map_err(failed(&self.folder))?;
        self.unflushed.set(self.unflushed.get() + bytes);
        if self.unflushed.get() > UNFLUSHED_BYTES {
            self.tree.flush().map_err(failed(&self.folder))?;
            self.unflushed.set(0);
        }
        Ok(())
    }

    fn value<T: Serialize + DeserializeOwned>(&self, key: &[u8]) -> Option<T> {
        cbor::from_slice(&self.tree.get(key).ok()??, MAX_VALUE_BYTES).ok()
    }
}

/// What is changed in one step, and how much that is.
#[derive(Default)]
struct Writes {
    batch: Batch,
    bytes: usize,
}

impl Writes {
    fn insert(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.bytes += key.len() + value.len();
        self.batch.insert(key, value);
    }

    fn remove(&mut self, key: Vec<u8>) {
        self.bytes += key.len();
        self.batch.remove(key);
    }

    /// What a block did.
    fn did(&mut self, decided: &DecidedBlock, remembered: &Remembered) -> Result<(), StoreError> {
        let height = decided.height();
        for key in entry_keys(height, remembered) {
            self.insert(key, Vec::new());
        }
        for (account, balance) in &remembered.balances {
            self.insert(held_key(account, height), balance.0.to_be_bytes().to_vec());
        }
        if let Some((before, next)) = remembered.succession.clone() {
            let (header, certificate) = (decided.block.header.clone(), decided.certificate.clone());
            self.succession(&Succession { header, certificate, decided: before, next })?;
        }
        self.insert(remembered_key(height), remembered.encode()?);
        Ok(())
    }

    fn succession(&mut self, succession: &Succession) -> Result<(), StoreError> {
        self.insert(succession_key(succession.header.height), cbor::to_vec(succession)?);
        Ok(())
    }

    /// What the last block adds to the tree over the blocks.
    fn nodes(&mut self, tip: &Tip) {
        if tip.height > 0 {
            let mut before = tip.before.clone();
            before.push_with(history_leaf(&tip.hash), &mut |node, hash| {
                self.insert(node_key(node), hash.0.to_vec());
            });
        }
    }

    fn tip(&mut self, tip: &Tip, stands: Option<Stands>) -> Result<(), StoreError> {
        self.insert(TIP_KEY.to_vec(), cbor::to_vec(&TipValue { tip: tip.clone(), stands })?);
        Ok(())
    }
}

/// sled lets go of its files' lock a little after it was dropped, so a lock is tried for a while.
fn database(folder: &Path) -> Result<Db, sled::Error> {
    let open = || sled::Config::default().path(folder).cache_capacity(CACHE_BYTES).open();
    for _ in 0..LOCK_TRIES {
        match open() {
            Err(sled::Error::Io(error)) if error.to_string().contains("lock") => {
                std::thread::sleep(LOCK_WAIT);
            }
            other => return other,
        }
    }
    open()
}

/// Whether the database's files are wrong, and not only locked or out of reach.
fn is_damage(error: &sled::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    match error {
        sled::Error::Io(error) => matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof),
        _ => true,
    }
}

fn failed(folder: &Path) -> impl FnOnce(sled::Error) -> StoreError + '_ {
    move |source| StoreError::Index { path: folder.to_owned(), source }
}

/// The row that a pair holds, with its piece's name.
fn row((key, value): (sled::IVec, sled::IVec)) -> Option<(String, EncodedRow)> {
    let rest = key.get(1..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    let name = std::str::from_utf8(&rest[..end]).ok()?.to_owned();
    Some((name, EncodedRow { key: rest[end + 1..].to_vec(), value: value.to_vec() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(folder: &Path) -> u64 {
        let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
        let length = |entry: fs::DirEntry| match entry.metadata().unwrap() {
            data if data.is_dir() => size(&entry.path()),
            data => data.len(),
        };
        entries.map(length).sum()
    }

    /// Much written and removed again: sled neither waits for itself for ever nor grows without end.
    #[test]
    fn an_index_that_forgets_stays_small() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        let index = Index::open(&path).unwrap();
        let mut sizes = Vec::new();
        for height in 1..=20_000u64 {
            let mut writes = Writes::default();
            let place = Place { segment: height, offset: height };
            writes.insert(block_key(height), cbor::to_vec(&place).unwrap());
            for row in 0..5u64 {
                let key = row_key("accounts", &(height * 7 % (100 + row)).to_be_bytes());
                writes.insert(key, vec![(height % 251) as u8; 120]);
            }
            index.apply(writes).unwrap();
            if height % 1_000 == 0 {
                index.remove_below(height - 999).unwrap();
            }
            if height % 5_000 == 0 {
                sizes.push(size(&path));
            }
        }
        println!("bytes after every 5,000 blocks: {sizes:?}");
        assert!(sizes.iter().all(|size| *size < 24 << 20), "{sizes:?}");
    }
}
