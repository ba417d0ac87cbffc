//! What the index is asked for by whoever reads the ledger: where entries stand, what accounts held, what the tree over
//! the blocks is made of, and who decided when.

use super::keys::{
    about_prefix, height_in, held_key, kind_prefix, node_key, place_in, remembered_key, REMEMBERED,
    SUCCESSION,
};
use super::{failed, Index, MAX_VALUE_BYTES};
use crate::governed::succession::Lineage;
use crate::store::StoreError;
use market::interval::Interval;
use market::units::NanoEur;
use wire::cbor;
use wire::hash::Hash32;
use wire::merkle::Node;
use wire::party::Id;

impl Index {
    /// What is remembered of the entries of the block at a height, encoded.
    pub fn remembered(&self, height: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.tree.get(remembered_key(height)).map_err(failed(&self.folder))?;
        Ok(value.map(|bytes| bytes.to_vec()))
    }

    /// Lowest height of which anything is remembered.
    pub fn remembered_from(&self) -> Result<Option<u64>, StoreError> {
        let first = self.tree.scan_prefix([REMEMBERED]).keys().next();
        Ok(first.transpose().map_err(failed(&self.folder))?.and_then(|key| height_in(&key)))
    }

    /// Heights and places of the entries of a kind, or of any, about an interval.
    pub fn about(&self, interval: Interval, kind: Option<&str>) -> Result<Vec<(u64, usize)>, StoreError> {
        let keys = self.tree.scan_prefix(about_prefix(interval, kind)).keys();
        self.places(keys, usize::MAX)
    }

    /// Heights and places of the first entries of a kind, from a place in a block on.
    pub fn of_kind(
        &self,
        kind: &str,
        (height, place): (u64, usize),
        most: usize,
    ) -> Result<Vec<(u64, usize)>, StoreError> {
        let prefix = kind_prefix(kind);
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        let start = [&prefix[..], &height.to_be_bytes(), &place.to_be_bytes()].concat();
        let end = [&prefix[..], &[u8::MAX; 12]].concat();
        self.places(self.tree.range(start..=end).keys(), most)
    }

    fn places(
        &self,
        keys: impl Iterator<Item = Result<sled::IVec, sled::Error>>,
        most: usize,
    ) -> Result<Vec<(u64, usize)>, StoreError> {
        let keys = keys.take(most).collect::<Result<Vec<_>, _>>().map_err(failed(&self.folder))?;
        Ok(keys.iter().filter_map(|key| place_in(key)).collect())
    }

    /// The first blocks of a run of heights, given by its ends, that paid an account, with what it held after each.
    pub fn touched(
        &self,
        account: &Id,
        (from, to): (u64, u64),
        most: usize,
    ) -> Result<Vec<(u64, NanoEur)>, StoreError> {
        if from > to {
            return Ok(Vec::new());
        }
        let range = self.tree.range(held_key(account, from)..=held_key(account, to)).take(most);
        let pairs = range.collect::<Result<Vec<_>, _>>().map_err(failed(&self.folder))?;
        Ok(pairs.iter().filter_map(held).collect())
    }

    /// The last block up to a height that paid an account, with what it held after that.
    pub fn held(&self, account: &Id, height: u64) -> Result<Option<(u64, NanoEur)>, StoreError> {
        let last = self.tree.range(held_key(account, 0)..=held_key(account, height)).next_back();
        Ok(last.transpose().map_err(failed(&self.folder))?.as_ref().and_then(held))
    }

    /// A node of the tree over the blocks, where it is known.
    pub fn node(&self, node: Node) -> Result<Option<Hash32>, StoreError> {
        let value = self.tree.get(node_key(node)).map_err(failed(&self.folder))?;
        Ok(value.and_then(|bytes| <[u8; 32]>::try_from(&bytes[..]).ok()).map(Hash32))
    }

    /// Who decided on blocks, as far as it is known.
    pub fn lineage(&self) -> Result<Lineage, StoreError> {
        let values = self.tree.scan_prefix([SUCCESSION]).values();
        let values = values.collect::<Result<Vec<_>, _>>().map_err(failed(&self.folder))?;
        let steps = values.iter().filter_map(|bytes| cbor::from_slice(bytes, MAX_VALUE_BYTES).ok());
        Ok(Lineage(steps.collect()))
    }
}

fn held((key, value): &(sled::IVec, sled::IVec)) -> Option<(u64, NanoEur)> {
    let amount = <[u8; 8]>::try_from(&value[..]).ok()?;
    Some((height_in(key)?, NanoEur(i64::from_be_bytes(amount))))
}
