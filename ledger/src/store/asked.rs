//! What a store is asked for by whoever reads the ledger, from its log and its index. What the index has not seen
//! executed (it was rebuilt from a later snapshot) is not known here.

use super::remembered::{Remembered, RememberedEntry};
use super::{Store, StoreError};
use crate::governed::succession::Lineage;
use market::interval::Interval;
use market::units::NanoEur;
use wire::hash::Hash32;
use wire::merkle::{consistency_proof_from, inclusion_proof_from, Node};
use wire::party::Id;

impl Store {
    /// What is remembered of the entries of the block at a height; none where nothing is, or nothing any more.
    ///
    /// # Errors
    /// Where the index can't be read.
    pub fn remembered(&self, height: u64) -> Result<Option<Vec<RememberedEntry>>, StoreError> {
        Ok(self.remembered_encoded(height)?.and_then(|bytes| Remembered::decode(&bytes)))
    }

    /// The same, to be decoded where that makes nobody wait.
    ///
    /// # Errors
    /// Where the index can't be read.
    pub fn remembered_encoded(&self, height: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.index.remembered(height)
    }

    /// The encoding of the decided block at a height, likewise.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn block_encoded(&self, height: u64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.encoded(height)?.map(|(_, bytes)| bytes))
    }

    /// Lowest height whose block is kept and of which it is known what it did. One behind the last where there is
    /// none.
    ///
    /// # Errors
    /// Where the index can't be read.
    pub fn known_from(&self) -> Result<u64, StoreError> {
        let next = self.tip.height.saturating_add(1);
        Ok(self.index.remembered_from()?.unwrap_or(next).max(self.lowest()).min(next))
    }

    /// The first height kept whose block is of this time or later, in milliseconds since 1970. One behind the last
    /// where none is.
    ///
    /// # Errors
    /// Where blocks can't be read.
    pub fn first_at(&self, time_ms: u64) -> Result<u64, StoreError> {
        let (mut low, mut high) = (self.lowest(), self.tip.height.saturating_add(1));
        while low < high {
            let middle = low + (high - low) / 2;
            let before = self.block(middle)?.is_some_and(|decided| decided.block.header.time_ms < time_ms);
            match before {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        Ok(low)
    }

    /// Heights of, and places in, the blocks of the entries of a kind, or of any, about an interval.
    ///
    /// # Errors
    /// Where the index can't be read.
    pub fn about(&self, interval: Interval, kind: Option<&str>) -> Result<Vec<(u64, usize)>, StoreError> {
        self.index.about(interval, kind)
    }

    /// The same of the first entries of a kind, from a place in a block on. Only evidence and proposals are found so.
    ///
    /// # Errors
    /// Where the index can't be read.
    pub fn of_kind(
        &self,
        kind: &str,
        from: (u64, usize),
        most: usize,
    ) -> Result<Vec<(u64, usize)>, StoreError> {
        self.index.of_kind(kind, from, most)
    }

    /// The first blocks of a run of heights, given by its ends, that paid an account, with what it held after each.
    ///
    /// # Errors
    /// Where the index can't be read.
    pub fn touched(
        &self,
        account: &Id,
        heights: (u64, u64),
        most: usize,
    ) -> Result<Vec<(u64, NanoEur)>, StoreError> {
        self.index.touched(account, heights, most)
    }

    /// The last block up to a height that is known to have paid an account, with what it held after that.
    ///
    /// # Errors
    /// Where the index can't be read.
    pub fn held(&self, account: &Id, height: u64) -> Result<Option<(u64, NanoEur)>, StoreError> {
        self.index.held(account, height)
    }

    /// Who decided on blocks, as far as it is known.
    ///
    /// # Errors
    /// Where the index can't be read.
    pub fn lineage(&self) -> Result<Lineage, StoreError> {
        self.index.lineage()
    }

    /// The path that proves a block, by its place from 0, in the tree over the first `size` blocks; none where it is
    /// not known.
    ///
    /// # Errors
    /// Where the index can't be read.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Option<Vec<Hash32>>, StoreError> {
        let mut failed = None;
        let proof = inclusion_proof_from(index, size, &mut |node| self.node(node, &mut failed));
        failed.map_or(Ok(proof), Err)
    }

    /// The path that proves that the tree over the first `size` blocks goes on the one over the first `old_size`;
    /// none where it is not known.
    ///
    /// # Errors
    /// Where the index can't be read.
    pub fn consistency(&self, old_size: u64, size: u64) -> Result<Option<Vec<Hash32>>, StoreError> {
        let mut failed = None;
        let proof = consistency_proof_from(old_size, size, &mut |node| self.node(node, &mut failed));
        failed.map_or(Ok(proof), Err)
    }

    fn node(&self, node: Node, failed: &mut Option<StoreError>) -> Option<Hash32> {
        self.index.node(node).unwrap_or_else(|error| {
            *failed = Some(error);
            None
        })
    }
}
