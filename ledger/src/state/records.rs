//! Records of one kind that contracts keep: each with its digest, so that a block's state hash costs no more
//! than their number, and with a mark where it changed since it was last stored. Knows no kind.

use super::table::{EncodedRow, Piece, RowChange};
use market::interval::{Interval, UnixSeconds};
use serde::de::DeserializeOwned;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wire::cbor::{self, CborError};
use wire::hash::Hash32;
use wire::party::Id;

/// What can be kept: it has one encoding, and a word that sets its digests apart.
pub trait Record: Serialize + DeserializeOwned {
    /// The word.
    const DOMAIN: &'static str;
}

/// What records are found by. Bytes are in the order of keys where that order matters to anyone.
pub trait RecordKey: Ord + Clone + Serialize + DeserializeOwned {
    /// The key's bytes, no two keys having the same.
    fn to_bytes(&self) -> Vec<u8>;
    /// The key with these bytes.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

/// A record with its digest.
#[derive(Debug, PartialEq, Eq)]
pub struct Kept<V> {
    value: Arc<V>,
    digest: Hash32,
}

impl<V> Clone for Kept<V> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), digest: self.digest }
    }
}

impl<V: Record> Kept<V> {
    /// The record with its digest.
    ///
    /// # Errors
    /// Where it has no encoding.
    pub fn new(value: V) -> Result<Self, CborError> {
        let digest = Hash32::of(V::DOMAIN, &[&cbor::to_vec(&value)?]);
        Ok(Self { value: Arc::new(value), digest })
    }
}

/// What an entry changes of the records of one kind: new values, or none where a record ends.
pub type Edits<K, V> = BTreeMap<K, Option<Kept<V>>>;

/// The records of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records<K: Ord, V> {
    records: BTreeMap<K, Kept<V>>,
    touched: BTreeSet<K>,
}

impl<K: Ord, V> Default for Records<K, V> {
    fn default() -> Self {
        Self { records: BTreeMap::new(), touched: BTreeSet::new() }
    }
}

/// Largest record read back, in bytes.
const MAX_RECORD_BYTES: usize = 1 << 20;

impl<K: RecordKey, V: Record> Records<K, V> {
    /// The record at a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.records.get(key).map(|kept| kept.value.as_ref())
    }

    /// Every record, in order of key.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.records.iter().map(|(key, kept)| (key, kept.value.as_ref()))
    }

    /// The records from one key to another, both included.
    pub fn range(&self, from: K, to: K) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        let within = (from <= to).then(|| self.records.range(from..=to));
        within.into_iter().flatten().map(|(key, kept)| (key, kept.value.as_ref()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn edit(&mut self, edits: Edits<K, V>) {
        for (key, kept) in edits {
            match kept {
                Some(kept) => drop(self.records.insert(key.clone(), kept)),
                None => drop(self.records.remove(&key)),
            }
            self.touched.insert(key);
        }
    }

    /// Ends every record for which `over` holds.
    pub(super) fn end(&mut self, over: impl Fn(&K, &V) -> bool) {
        let ended: Vec<K> =
            self.iter().filter(|(key, value)| over(key, value)).map(|(key, _)| key.clone()).collect();
        self.edit(ended.into_iter().map(|key| (key, None)).collect());
    }
}

impl<K: RecordKey, V: Record> Piece for Records<K, V> {
    fn digest(&self) -> Option<Hash32> {
        let mut bytes = Vec::with_capacity(self.records.len() * 80);
        for (key, kept) in &self.records {
            let key = key.to_bytes();
            bytes.extend((key.len() as u64).to_be_bytes());
            bytes.extend(key);
            bytes.extend(kept.digest.0);
        }
        (!bytes.is_empty()).then(|| Hash32::of("gridpact records", &[&bytes]))
    }

    fn rows(&self) -> Result<Vec<EncodedRow>, CborError> {
        let row =
            |(key, value): (&K, &V)| Ok(EncodedRow { key: key.to_bytes(), value: cbor::to_vec(value)? });
        self.iter().map(row).collect()
    }

    fn take_changes(&mut self) -> Result<Vec<RowChange>, CborError> {
        let touched = std::mem::take(&mut self.touched);
        let change = |key: K| {
            let value = self.get(&key).map(cbor::to_vec).transpose()?;
            Ok(RowChange { key: key.to_bytes(), value })
        };
        touched.into_iter().map(change).collect()
    }

    fn forget_changes(&mut self) {
        self.touched.clear();
    }

    fn from_rows(rows: Vec<EncodedRow>) -> Result<Self, CborError> {
        let row = |EncodedRow { key, value }: EncodedRow| {
            let no_key = || CborError::Decode { reason: "no key of this kind of record".to_owned() };
            let value: V = cbor::from_slice(&value, MAX_RECORD_BYTES)?;
            Ok((K::from_bytes(&key).ok_or_else(no_key)?, Kept::new(value)?))
        };
        let records = rows.into_iter().map(row).collect::<Result<_, CborError>>()?;
        Ok(Self { records, touched: BTreeSet::new() })
    }
}

impl RecordKey for i64 {
    fn to_bytes(&self) -> Vec<u8> {
        ((*self as u64) ^ (1 << 63)).to_be_bytes().to_vec()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some((u64::from_be_bytes(bytes.try_into().ok()?) ^ (1 << 63)) as i64)
    }
}

impl RecordKey for u64 {
    fn to_bytes(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(u64::from_be_bytes(bytes.try_into().ok()?))
    }
}

impl RecordKey for Interval {
    fn to_bytes(&self) -> Vec<u8> {
        RecordKey::to_bytes(&self.0 .0)
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Interval(UnixSeconds(i64::from_bytes(bytes)?)))
    }
}

impl RecordKey for Hash32 {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.to_vec()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Hash32(bytes.try_into().ok()?))
    }
}

impl RecordKey for Id {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_str().as_bytes().to_vec()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        std::str::from_utf8(bytes).ok()?.parse().ok()
    }
}

/// An account and something of it: the name, a zero byte that no name has, and the rest.
impl<K: RecordKey> RecordKey for (Id, K) {
    fn to_bytes(&self) -> Vec<u8> {
        [self.0.to_bytes(), vec![0], self.1.to_bytes()].concat()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == 0)?;
        Some((Id::from_bytes(&bytes[..end])?, K::from_bytes(&bytes[end + 1..])?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
    struct Note(u64);

    impl Record for Note {
        const DOMAIN: &'static str = "test note";
    }

    fn check<K: RecordKey + std::fmt::Debug>(key: K) {
        assert_eq!(K::from_bytes(&key.to_bytes()), Some(key));
    }

    #[test]
    fn keys_are_read_back() {
        check(-5i64);
        check(i64::MIN);
        check(u64::MAX);
        check(Interval(UnixSeconds(900)));
        check(Hash32([7; 32]));
        check(("a-1".parse::<Id>().unwrap(), -1i64));
        assert_eq!(<(Id, i64)>::from_bytes(b"no-zero"), None);
    }

    #[test]
    fn a_record_s_end_and_what_it_was_both_count_in_the_digest() {
        let mut records: Records<i64, Note> = Records::default();
        let empty = records.digest();
        records.edit([(1, Some(Kept::new(Note(1)).unwrap())), (2, Some(Kept::new(Note(2)).unwrap()))].into());
        let two = records.digest();
        records.edit([(2, Some(Kept::new(Note(3)).unwrap()))].into());
        assert!(two != empty && two != records.digest());
        let read = Records::<i64, Note>::from_rows(records.rows().unwrap()).unwrap();
        assert_eq!(read.digest(), records.digest());
        assert_eq!(records.take_changes().unwrap().len(), 2);
        records.end(|_, _| true);
        assert_eq!(records.digest(), empty);
        assert_eq!(records.take_changes().unwrap().len(), 2);
    }
}
