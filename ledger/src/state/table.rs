//! The pieces a state is made of: tables of rows, and single values. Each row is hashed once however
//! often the state is copied, stored alone when it changed, and read back alone. What a row means is
//! not known here.

use serde::de::DeserializeOwned;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Index, RangeBounds};
use std::sync::{Arc, OnceLock};
use wire::cbor::{self, CborError};
use wire::hash::Hash32;

/// Largest row read back, in bytes: an interval's record on the largest feeder.
const MAX_ROW_BYTES: usize = 1 << 26;
/// CBOR's null: the key of a single value, and a value that is none.
const NULL: [u8; 1] = [0xf6];

/// One row, encoded: its key, and its value where it has not been removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowChange {
    /// Deterministic CBOR of the key.
    pub key: Vec<u8>,
    /// Deterministic CBOR of the value; none where the row is gone.
    pub value: Option<Vec<u8>>,
}

/// One row, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedRow {
    /// Deterministic CBOR of the key.
    pub key: Vec<u8>,
    /// Deterministic CBOR of the value.
    pub value: Vec<u8>,
}

/// A piece of the state as hashing, storing and sending see it: rows of bytes.
pub trait Piece {
    /// Hash over every row; none where there is no row, so that a state without a piece has the hash
    /// it had before there was such a piece.
    fn digest(&self) -> Option<Hash32>;
    /// Every row, in order.
    ///
    /// # Errors
    /// Where a row has no encoding.
    fn rows(&self) -> Result<Vec<EncodedRow>, CborError>;
    /// Rows that changed since they were last taken or forgotten.
    ///
    /// # Errors
    /// Where a row has no encoding.
    fn take_changes(&mut self) -> Result<Vec<RowChange>, CborError>;
    /// Forgets which rows changed.
    fn forget_changes(&mut self);
    /// The piece that has these rows.
    ///
    /// # Errors
    /// Names what is wrong with their bytes.
    fn from_rows(rows: Vec<EncodedRow>) -> Result<Self, CborError>
    where
        Self: Sized;
}

/// A value with its hash, computed when it is first asked for; none where it is no row.
#[derive(Debug)]
struct Row<V> {
    value: V,
    digest: OnceLock<Option<Hash32>>,
}

impl<V> Row<V> {
    fn new(value: V) -> Arc<Self> {
        Arc::new(Self { value, digest: OnceLock::new() })
    }
}

impl<V: Serialize> Row<V> {
    fn digest_under<K: Serialize>(&self, key: &K) -> Option<Hash32> {
        *self.digest.get_or_init(|| match (cbor::to_vec(key), cbor::to_vec(&self.value)) {
            (Ok(key), Ok(value)) => Some(row_hash(&key, &value)),
            _ => Some(unencodable()),
        })
    }
}

fn row_hash(key: &[u8], value: &[u8]) -> Hash32 {
    Hash32::of("gridpact state row", &[key, value])
}

/// No type of ours is without encoding; one that was could not be stored either, and a validator stops
/// where it can't store.
fn unencodable() -> Hash32 {
    Hash32::of("gridpact state row without encoding", &[])
}

/// Rows by key.
#[derive(Clone, Debug)]
pub struct Table<K, V> {
    rows: BTreeMap<K, Arc<Row<V>>>,
    changed: BTreeSet<K>,
    digest: OnceLock<Option<Hash32>>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), changed: BTreeSet::new(), digest: OnceLock::new() }
    }
}

impl<K: Ord, V: PartialEq> PartialEq for Table<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<K: Ord, V: Eq> Eq for Table<K, V> {}

impl<K: Ord, V> Table<K, V> {
    /// The row with this key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key).map(|row| &row.value)
    }

    /// Whether there is a row with this key.
    pub fn contains_key(&self, key: &K) -> bool {
        self.rows.contains_key(key)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Rows in order of key.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.rows.iter().map(|(key, row)| (key, &row.value))
    }

    /// Rows whose keys lie in a range, in order.
    pub fn range<R: RangeBounds<K>>(&self, range: R) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.rows.range(range).map(|(key, row)| (key, &row.value))
    }

    /// Keys in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.rows.keys()
    }

    /// Values in order of key.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.rows.values().map(|row| &row.value)
    }
}

impl<K: Ord + Clone, V: Serialize> Table<K, V> {
    /// Puts a row, in place of one with the same key.
    pub fn put(&mut self, key: K, value: V) {
        self.digest.take();
        self.changed.insert(key.clone());
        self.rows.insert(key, Row::new(value));
    }

    /// Takes a row away.
    pub fn remove(&mut self, key: &K) {
        if let Some((key, _)) = self.rows.remove_entry(key) {
            self.digest.take();
            self.changed.insert(key);
        }
    }

    /// Takes the first rows away until no more than `kept` are left; gives their keys, in order.
    pub fn keep_last(&mut self, kept: usize) -> Vec<K> {
        let mut gone = Vec::new();
        while self.rows.len() > kept {
            let Some((key, _)) = self.rows.pop_first() else { break };
            self.digest.take();
            self.changed.insert(key.clone());
            gone.push(key);
        }
        gone
    }
}

impl<K: Ord, V> Index<&K> for Table<K, V> {
    type Output = V;

    fn index(&self, key: &K) -> &V {
        &self.rows[key].value
    }
}

impl<K: Ord, V: Serialize> FromIterator<(K, V)> for Table<K, V> {
    /// Rows that count as stored already.
    fn from_iter<T: IntoIterator<Item = (K, V)>>(rows: T) -> Self {
        let rows = rows.into_iter().map(|(key, value)| (key, Row::new(value))).collect();
        Self { rows, ..Self::default() }
    }
}

impl<K, V> Piece for Table<K, V>
where
    K: Ord + Clone + Serialize + DeserializeOwned,
    V: Serialize + DeserializeOwned,
{
    fn digest(&self) -> Option<Hash32> {
        *self.digest.get_or_init(|| {
            let mut bytes = Vec::with_capacity(self.rows.len() * 32);
            for (key, row) in &self.rows {
                bytes.extend(row.digest_under(key).unwrap_or_default().0);
            }
            (!bytes.is_empty()).then(|| Hash32::of("gridpact state piece", &[&bytes]))
        })
    }

    fn rows(&self) -> Result<Vec<EncodedRow>, CborError> {
        let row = |(key, row): (&K, &Arc<Row<V>>)| {
            Ok(EncodedRow { key: cbor::to_vec(key)?, value: cbor::to_vec(&row.value)? })
        };
        self.rows.iter().map(row).collect()
    }

    fn take_changes(&mut self) -> Result<Vec<RowChange>, CborError> {
        let changed = std::mem::take(&mut self.changed);
        let change = |key: &K| {
            let value = self.get(key).map(cbor::to_vec).transpose()?;
            Ok(RowChange { key: cbor::to_vec(key)?, value })
        };
        changed.iter().map(change).collect()
    }

    fn forget_changes(&mut self) {
        self.changed.clear();
    }

    fn from_rows(rows: Vec<EncodedRow>) -> Result<Self, CborError> {
        let row = |row: EncodedRow| {
            Ok((cbor::from_slice(&row.key, MAX_ROW_BYTES)?, cbor::from_slice(&row.value, MAX_ROW_BYTES)?))
        };
        rows.into_iter().map(row).collect()
    }
}

/// One value, hashed, stored and sent as a whole: for what is small or seldom changes. One that
/// encodes as null is no row.
#[derive(Clone, Debug)]
pub struct Single<T> {
    row: Arc<Row<Arc<T>>>,
    changed: bool,
}

impl<T: PartialEq> PartialEq for Single<T> {
    fn eq(&self, other: &Self) -> bool {
        self.row.value == other.row.value
    }
}

impl<T: Eq> Eq for Single<T> {}

impl<T: Serialize> Single<T> {
    /// A value that counts as stored already.
    pub fn new(value: Arc<T>) -> Self {
        Self { row: Row::new(value), changed: false }
    }

    /// The value.
    pub fn get(&self) -> &Arc<T> {
        &self.row.value
    }

    /// Puts another value.
    pub fn put(&mut self, value: Arc<T>) {
        *self = Self { row: Row::new(value), changed: true };
    }

    fn encoded(&self) -> Result<Option<Vec<u8>>, CborError> {
        let bytes = cbor::to_vec(self.row.value.as_ref())?;
        Ok((bytes != NULL).then_some(bytes))
    }
}

impl<T: Serialize + DeserializeOwned> Piece for Single<T> {
    fn digest(&self) -> Option<Hash32> {
        let digest = || match self.encoded() {
            Ok(value) => value.map(|value| row_hash(&NULL, &value)),
            Err(_) => Some(unencodable()),
        };
        *self.row.digest.get_or_init(digest)
    }

    fn rows(&self) -> Result<Vec<EncodedRow>, CborError> {
        let value = self.encoded()?;
        Ok(value.map(|value| EncodedRow { key: NULL.to_vec(), value }).into_iter().collect())
    }

    fn take_changes(&mut self) -> Result<Vec<RowChange>, CborError> {
        if !std::mem::take(&mut self.changed) {
            return Ok(Vec::new());
        }
        Ok(vec![RowChange { key: NULL.to_vec(), value: self.encoded()? }])
    }

    fn forget_changes(&mut self) {
        self.changed = false;
    }

    fn from_rows(rows: Vec<EncodedRow>) -> Result<Self, CborError> {
        let value = rows.last().map_or(&NULL[..], |row| &row.value);
        Ok(Self::new(Arc::new(cbor::from_slice(value, MAX_ROW_BYTES)?)))
    }
}
