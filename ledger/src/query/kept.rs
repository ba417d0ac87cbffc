//! A store's blocks, and what its index remembers of them, in the words of questions.

use super::{History, HistoryError, Place};
use crate::block::DecidedBlock;
use crate::rights::EntryKind;
use crate::state::receipt::Payment;
use crate::store::remembered::RememberedEntry;
use crate::store::{Store, StoreError};
use market::interval::Interval;

impl History for Store {
    fn block(&self, height: u64) -> Result<Option<DecidedBlock>, HistoryError> {
        Store::block(self, height).map_err(failed)
    }

    fn payments(&self, height: u64) -> Result<Option<Vec<Vec<Payment>>>, HistoryError> {
        let remembered = self.remembered(height).map_err(failed)?;
        Ok(remembered.map(|remembered| remembered.0.into_iter().map(paid).collect()))
    }

    fn about(&self, interval: Interval, kind: EntryKind) -> Result<Vec<Place>, HistoryError> {
        let mut places = Vec::new();
        for (height, index) in Store::about(self, interval, kind.word()).map_err(failed)? {
            let entries = self.remembered(height).map_err(failed)?.unwrap_or_default().0;
            let Some(entry) = entries.into_iter().nth(index) else { continue };
            places.push(Place { height, index, submitter: entry.submitter.clone(), payments: paid(entry) });
        }
        Ok(places)
    }
}

fn paid(entry: RememberedEntry) -> Vec<Payment> {
    entry.payments.into_iter().map(|(account, amount)| Payment { account, amount }).collect()
}

fn failed(error: StoreError) -> HistoryError {
    HistoryError { reason: error.to_string() }
}
