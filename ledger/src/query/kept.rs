//! A store's blocks, and what its index remembers of them, in the words of questions.

use super::{History, HistoryError, Place};
use crate::block::DecidedBlock;
use crate::governed::succession::Lineage;
use crate::rights::EntryKind;
use crate::store::remembered::RememberedEntry;
use crate::store::{Store, StoreError};
use market::interval::Interval;
use market::units::NanoEur;
use wire::hash::Hash32;
use wire::party::Id;

impl History for Store {
    fn block(&self, height: u64) -> Result<Option<DecidedBlock>, HistoryError> {
        Store::block(self, height).map_err(failed)
    }

    fn remembered(&self, height: u64) -> Result<Option<Vec<RememberedEntry>>, HistoryError> {
        Store::remembered(self, height).map_err(failed)
    }

    fn known_from(&self) -> Result<u64, HistoryError> {
        Store::known_from(self).map_err(failed)
    }

    fn first_at(&self, time_ms: u64) -> Result<u64, HistoryError> {
        Store::first_at(self, time_ms).map_err(failed)
    }

    fn about(&self, interval: Interval, kind: Option<EntryKind>) -> Result<Vec<Place>, HistoryError> {
        places(self, Store::about(self, interval, kind.map(EntryKind::word)).map_err(failed)?)
    }

    fn of_kind(&self, kind: EntryKind, from: (u64, usize), most: usize) -> Result<Vec<Place>, HistoryError> {
        places(self, Store::of_kind(self, kind.word(), from, most).map_err(failed)?)
    }

    fn touched(
        &self,
        account: &Id,
        heights: (u64, u64),
        most: usize,
    ) -> Result<Vec<(u64, NanoEur)>, HistoryError> {
        Store::touched(self, account, heights, most).map_err(failed)
    }

    fn held(&self, account: &Id, height: u64) -> Result<Option<(u64, NanoEur)>, HistoryError> {
        Store::held(self, account, height).map_err(failed)
    }

    fn lineage(&self) -> Result<Lineage, HistoryError> {
        Store::lineage(self).map_err(failed)
    }

    fn inclusion(&self, index: u64, size: u64) -> Result<Option<Vec<Hash32>>, HistoryError> {
        Store::inclusion(self, index, size).map_err(failed)
    }

    fn consistency(&self, old_size: u64, size: u64) -> Result<Option<Vec<Hash32>>, HistoryError> {
        Store::consistency(self, old_size, size).map_err(failed)
    }
}

/// What is remembered of the entries found at these heights and places.
pub(crate) fn places(history: &dyn History, found: Vec<(u64, usize)>) -> Result<Vec<Place>, HistoryError> {
    let mut places = Vec::new();
    for (height, index) in found {
        let entries = history.remembered(height)?.unwrap_or_default();
        let entry = entries.into_iter().nth(index);
        places.extend(entry.map(|entry| Place { height, index, entry }));
    }
    Ok(places)
}

/// What a store said, in the words of questions.
pub(crate) fn failed(error: StoreError) -> HistoryError {
    HistoryError::Failed { reason: error.to_string() }
}
