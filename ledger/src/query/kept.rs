//! What a store's index remembers, in the words of questions.

use super::{HistoryError, Place};
use crate::rights::EntryKind;
use crate::state::receipt::Payment;
use crate::store::{Store, StoreError};
use market::interval::Interval;

/// What each entry of a block paid, in order, as a store remembers it; none where it doesn't.
///
/// # Errors
/// Where it can't be read.
pub fn payments_of(store: &Store, height: u64) -> Result<Option<Vec<Vec<Payment>>>, HistoryError> {
    let payment = |(account, amount)| Payment { account, amount };
    Ok(store.remembered(height).map_err(failed)?.map(|remembered| {
        let entries = remembered.0.into_iter();
        entries.map(|entry| entry.payments.into_iter().map(payment).collect()).collect()
    }))
}

/// Entries of a kind about an interval, as a store remembers them.
///
/// # Errors
/// Where it can't be read.
pub fn places_of(store: &Store, interval: Interval, kind: EntryKind) -> Result<Vec<Place>, HistoryError> {
    let mut places = Vec::new();
    for (height, index) in store.about(interval, kind.word()).map_err(failed)? {
        let entries = store.remembered(height).map_err(failed)?.unwrap_or_default().0;
        let entry = entries.into_iter().nth(index);
        places.extend(entry.map(|entry| Place { height, index, submitter: entry.submitter }));
    }
    Ok(places)
}

fn failed(error: StoreError) -> HistoryError {
    HistoryError { reason: error.to_string() }
}
