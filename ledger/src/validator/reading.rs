//! Reading a running validator's blocks from other threads: a question to its actor, which alone holds the store.

use crate::block::DecidedBlock;
use crate::query::{History, HistoryError, Place};
use crate::rights::EntryKind;
use crate::state::receipt::Payment;
use crate::store::Store;
use actix::{Message, Recipient};
use market::interval::Interval;
use std::fmt;
use std::sync::mpsc::{sync_channel, SyncSender};
use std::time::Duration;

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
        let wrong = |reason: String| HistoryError { reason };
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
        self.ask(move |store| History::block(store, height))
    }

    fn payments(&self, height: u64) -> Result<Option<Vec<Vec<Payment>>>, HistoryError> {
        self.ask(move |store| store.payments(height))
    }

    fn about(&self, interval: Interval, kind: EntryKind) -> Result<Vec<Place>, HistoryError> {
        self.ask(move |store| History::about(store, interval, kind))
    }
}
