//! Reading a running validator's blocks from other threads: a question to its actor, which alone holds the store. It
//! gives out bytes; what they say is taken apart where nobody waits for it.

use crate::block::DecidedBlock;
use crate::governed::succession::Lineage;
use crate::query::kept::{failed, places};
use crate::query::{History, HistoryError, Place};
use crate::rights::EntryKind;
use crate::store::remembered::{Remembered, RememberedEntry};
use crate::store::Store;
use actix::{Message, Recipient};
use market::interval::Interval;
use market::units::NanoEur;
use std::fmt;
use std::sync::mpsc::{sync_channel, SyncSender};
use std::time::Duration;
use wire::hash::Hash32;
use wire::party::Id;

/// How long an answer is waited for: a validator may be executing a block.
const PATIENCE: Duration = Duration::from_secs(10);

/// A question to the actor; it answers by itself.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Read(Box<dyn FnOnce(&Store) + Send>);

impl Read {
    /// Answers from this store.
    pub fn answer(self, store: &Store) {
        (self.0)(store);
    }
}

/// The blocks that a running validator keeps.
#[derive(Clone)]
pub struct Blocks {
    actor: Recipient<Read>,
}

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blocks")
    }
}

impl Blocks {
    pub(super) fn new(actor: Recipient<Read>) -> Self {
        Self { actor }
    }

    /// Blocks the calling thread until the answer is there.
    fn ask<T, F>(&self, question: F) -> Result<T, HistoryError>
    where
        T: Send + 'static,
        F: FnOnce(&Store) -> Result<T, HistoryError> + Send + 'static,
    {
        let wrong = |reason: String| HistoryError::Busy { reason };
        let (reply, answer): (SyncSender<_>, _) = sync_channel(1);
        let read = Read(Box::new(move |store| {
            // Fails only where nobody waits any more.
            let _ = reply.send(question(store));
        }));
        self.actor
            .try_send(read)
            .map_err(|error| wrong(format!("the validator takes no question: {error}")))?;
        answer.recv_timeout(PATIENCE).map_err(|_| wrong("the validator does not answer".to_owned()))?
    }
}

impl History for Blocks {
    fn block(&self, height: u64) -> Result<Option<DecidedBlock>, HistoryError> {
        let read = move |store: &Store| store.block_encoded(height).map_err(failed);
        let bytes = self.ask(read)?;
        let decoded = bytes.map(|bytes| DecidedBlock::decode(&bytes)).transpose();
        decoded.map_err(|error| HistoryError::Failed { reason: format!("block {height}: {error}") })
    }

    fn remembered(&self, height: u64) -> Result<Option<Vec<RememberedEntry>>, HistoryError> {
        let bytes = self.ask(move |store| store.remembered_encoded(height).map_err(failed))?;
        Ok(bytes.and_then(|bytes| Remembered::decode(&bytes)))
    }

    fn known_from(&self) -> Result<u64, HistoryError> {
        self.ask(History::known_from)
    }

    fn first_at(&self, time_ms: u64) -> Result<u64, HistoryError> {
        self.ask(move |store| History::first_at(store, time_ms))
    }

    fn about(&self, interval: Interval, kind: Option<EntryKind>) -> Result<Vec<Place>, HistoryError> {
        let found = move |store: &Store| store.about(interval, kind.map(EntryKind::word)).map_err(failed);
        places(self, self.ask(found)?)
    }

    fn of_kind(&self, kind: EntryKind, from: (u64, usize), most: usize) -> Result<Vec<Place>, HistoryError> {
        places(self, self.ask(move |store| store.of_kind(kind.word(), from, most).map_err(failed))?)
    }

    fn touched(
        &self,
        account: &Id,
        heights: (u64, u64),
        most: usize,
    ) -> Result<Vec<(u64, NanoEur)>, HistoryError> {
        let account = account.clone();
        self.ask(move |store| History::touched(store, &account, heights, most))
    }

    fn held(&self, account: &Id, height: u64) -> Result<Option<(u64, NanoEur)>, HistoryError> {
        let account = account.clone();
        self.ask(move |store| History::held(store, &account, height))
    }

    fn lineage(&self) -> Result<Lineage, HistoryError> {
        self.ask(History::lineage)
    }

    fn inclusion(&self, index: u64, size: u64) -> Result<Option<Vec<Hash32>>, HistoryError> {
        self.ask(move |store| History::inclusion(store, index, size))
    }

    fn consistency(&self, old_size: u64, size: u64) -> Result<Option<Vec<Hash32>>, HistoryError> {
        self.ask(move |store| History::consistency(store, old_size, size))
    }
}
