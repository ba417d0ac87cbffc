//! The blocks that are kept and what is remembered of them, as questions are answered from them.

use super::ReadError;
use crate::block::DecidedBlock;
use crate::governed::succession::Lineage;
use crate::proof::way::HistoryTree;
use crate::rights::EntryKind;
use crate::store::remembered::RememberedEntry;
use market::interval::Interval;
use market::units::NanoEur;
use std::cell::Cell;
use thiserror::Error;
use wire::hash::Hash32;
use wire::party::Id;

/// Where an entry stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Height of its block.
    pub height: u64,
    /// Its place in the block, from 0.
    pub index: usize,
    /// What is remembered of it.
    pub entry: RememberedEntry,
}

/// The blocks that are kept, and what is remembered of them.
pub trait History {
    /// The decided block at a height; none where there is none, or none any more.
    ///
    /// # Errors
    /// Where it can't be read.
    fn block(&self, height: u64) -> Result<Option<DecidedBlock>, HistoryError>;
    /// What is remembered of a block's entries, in order; none where nothing is.
    ///
    /// # Errors
    /// Where it can't be read.
    fn remembered(&self, height: u64) -> Result<Option<Vec<RememberedEntry>>, HistoryError>;
    /// Lowest height whose block is kept and of which it is remembered what it did.
    ///
    /// # Errors
    /// Where it can't be read.
    fn known_from(&self) -> Result<u64, HistoryError>;
    /// The first height kept whose block is of this time, in milliseconds since 1970, or later.
    ///
    /// # Errors
    /// Where blocks can't be read.
    fn first_at(&self, time_ms: u64) -> Result<u64, HistoryError>;
    /// Entries of a kind, or of any, about an interval.
    ///
    /// # Errors
    /// Where it can't be read.
    fn about(&self, interval: Interval, kind: Option<EntryKind>) -> Result<Vec<Place>, HistoryError>;
    /// The first entries of a kind, from a place in a block on; only evidence and proposals are found so.
    ///
    /// # Errors
    /// Where it can't be read.
    fn of_kind(&self, kind: EntryKind, from: (u64, usize), most: usize) -> Result<Vec<Place>, HistoryError>;
    /// The first blocks of a run of heights, given by its ends, that paid an account, with what it held after each.
    ///
    /// # Errors
    /// Where it can't be read.
    fn touched(
        &self,
        account: &Id,
        heights: (u64, u64),
        most: usize,
    ) -> Result<Vec<(u64, NanoEur)>, HistoryError>;
    /// The last block up to a height that is known to have paid an account, with what it held after that.
    ///
    /// # Errors
    /// Where it can't be read.
    fn held(&self, account: &Id, height: u64) -> Result<Option<(u64, NanoEur)>, HistoryError>;
    /// Who decided on blocks, as far as it is known.
    ///
    /// # Errors
    /// Where it can't be read.
    fn lineage(&self) -> Result<Lineage, HistoryError>;
    /// The path that proves a block, by its place from 0, in the tree over the first `size` blocks.
    ///
    /// # Errors
    /// Where it can't be read.
    fn inclusion(&self, index: u64, size: u64) -> Result<Option<Vec<Hash32>>, HistoryError>;
    /// The path that proves that the tree over the first `size` blocks goes on the one over the first `old_size`.
    ///
    /// # Errors
    /// Where it can't be read.
    fn consistency(&self, old_size: u64, size: u64) -> Result<Option<Vec<Hash32>>, HistoryError>;
}

/// Why the blocks kept can't be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HistoryError {
    /// Who holds them is too busy to answer.
    #[error("the chain can't be read now: {reason}")]
    Busy {
        /// What it said.
        reason: String,
    },
    /// They can't be read, or are not what they should be.
    #[error("reading the chain: {reason}")]
    Failed {
        /// What failed.
        reason: String,
    },
}

/// A history as a tree that proofs are made from. What could not be read is kept until it is asked for.
pub(super) struct AsTree<'a> {
    history: &'a dyn History,
    failed: Cell<Option<HistoryError>>,
}

impl<'a> AsTree<'a> {
    pub fn of(history: &'a dyn History) -> Self {
        Self { history, failed: Cell::new(None) }
    }

    /// What was made with it, unless something could not be read.
    pub fn made<T, E: Into<ReadError>>(&self, made: Result<T, E>) -> Result<T, ReadError> {
        match self.failed.take() {
            Some(failed) => Err(failed.into()),
            None => made.map_err(Into::into),
        }
    }

    fn read(&self, path: Result<Option<Vec<Hash32>>, HistoryError>) -> Option<Vec<Hash32>> {
        path.unwrap_or_else(|error| {
            self.failed.set(Some(error));
            None
        })
    }
}

impl HistoryTree for AsTree<'_> {
    fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Hash32>> {
        self.read(self.history.inclusion(index, size))
    }

    fn consistency(&self, old_size: u64, size: u64) -> Option<Vec<Hash32>> {
        self.read(self.history.consistency(old_size, size))
    }
}
