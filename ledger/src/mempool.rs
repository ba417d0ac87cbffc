//! Entries waiting for a block. Bounded in number, bytes and by submitter; each is kept once.
//! Whether an entry fits is the contracts' to say, when it comes and after every block.

use crate::block::{entry_leaf, At, MAX_BLOCK_BYTES, MAX_BLOCK_ENTRIES};
use crate::contracts::{execute, rules::Rules};
use crate::execute::OpenedEntry;
use crate::state::receipt::Refusal;
use crate::state::State;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use thiserror::Error;
use wire::entry::SignedEnvelope;
use wire::hash::Hash32;
use wire::party::PartyId;

/// Most entries waiting.
pub const MAX_WAITING: usize = 4_096;
/// Most bytes waiting.
pub const MAX_WAITING_BYTES: usize = 16 << 20;
/// Most entries of one submitter waiting.
pub const MAX_WAITING_PER_SUBMITTER: usize = 64;
/// Decided entries remembered, so that a submitter that asks again hears that it was heard.
const REMEMBERED: usize = 4_096;
/// What a block's header and certificate may need of its bytes.
const BLOCK_OVERHEAD_BYTES: usize = 64 * 1024;

/// Entries waiting, in order of arrival.
#[derive(Debug, Default)]
pub struct Mempool {
    waiting: BTreeMap<u64, Waiting>,
    places: HashMap<Hash32, u64>,
    next_place: u64,
    bytes: usize,
    decided: HashSet<Hash32>,
    decided_order: VecDeque<Hash32>,
}

#[derive(Debug)]
struct Waiting {
    opened: OpenedEntry,
    leaf: Hash32,
    since_ms: u64,
    /// Whether it fits on the state as it is; if not, others must be decided first.
    ready: bool,
}

/// Why an entry is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MempoolError {
    /// The contracts refuse it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too much waits already.
    #[error("too many entries wait for a block already")]
    Full,
    /// Too much of this submitter's waits already.
    #[error("{MAX_WAITING_PER_SUBMITTER} entries of {submitter} wait for a block already")]
    SubmitterFull {
        /// The submitter.
        submitter: PartyId,
    },
}

impl MempoolError {
    /// A word for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            MempoolError::Refused(refusal) => refusal.reason(),
            MempoolError::Full | MempoolError::SubmitterFull { .. } => "full",
        }
    }
}

impl Mempool {
    /// Takes an entry for the block that would stand `at` there; one that waits already, or was decided lately,
    /// is taken once.
    ///
    /// # Errors
    /// Where it does not fit and won't by waiting, or there is no room.
    pub fn insert(
        &mut self,
        rules: &Rules,
        (state, at): (&State, At),
        opened: OpenedEntry,
        now_ms: u64,
    ) -> Result<(), MempoolError> {
        let leaf = entry_leaf(&opened.envelope);
        if self.places.contains_key(&leaf) || self.decided.contains(&leaf) {
            return Ok(());
        }
        let ready = fits(rules, state, at, &opened)?;
        let size = opened.envelope.bytes.len();
        if self.waiting.len() >= MAX_WAITING || self.bytes + size > MAX_WAITING_BYTES {
            return Err(MempoolError::Full);
        }
        let of_submitter = self.waiting.values().filter(|w| w.opened.submitter == opened.submitter);
        if of_submitter.count() >= MAX_WAITING_PER_SUBMITTER {
            return Err(MempoolError::SubmitterFull { submitter: opened.submitter });
        }
        self.bytes += size;
        self.places.insert(leaf, self.next_place);
        self.waiting.insert(self.next_place, Waiting { opened, leaf, since_ms: now_ms, ready });
        self.next_place += 1;
        Ok(())
    }

    /// Whether anything could go into a block.
    pub fn has_ready(&self) -> bool {
        self.waiting.values().any(|waiting| waiting.ready)
    }

    /// What could go into one block, in order of arrival.
    pub fn ready(&self) -> impl Iterator<Item = &OpenedEntry> {
        let mut room = MAX_BLOCK_BYTES - BLOCK_OVERHEAD_BYTES;
        let ready = self.waiting.values().filter(|waiting| waiting.ready).map(|waiting| &waiting.opened);
        ready.take(MAX_BLOCK_ENTRIES).take_while(move |opened| {
            // Topic, and what CBOR puts around both.
            let size = opened.envelope.bytes.len() + opened.envelope.topic.len() + 64;
            let fits = size <= room;
            room = room.saturating_sub(size);
            fits
        })
    }

    /// The entry in this envelope, where it waits here: its signature is known to hold.
    pub fn opened(&self, envelope: &SignedEnvelope) -> Option<&OpenedEntry> {
        let place = self.places.get(&entry_leaf(envelope))?;
        self.waiting.get(place).map(|waiting| &waiting.opened)
    }

    /// Remembers entries as decided. Returns since when each that waited had been waiting.
    pub fn decided<'a>(&mut self, entries: impl Iterator<Item = &'a SignedEnvelope>) -> Vec<u64> {
        let mut since = Vec::new();
        for leaf in entries.map(entry_leaf) {
            since.extend(self.remove(&leaf).map(|waiting| waiting.since_ms));
            if self.decided.insert(leaf) {
                self.decided_order.push_back(leaf);
            }
            if self.decided_order.len() > REMEMBERED {
                if let Some(oldest) = self.decided_order.pop_front() {
                    self.decided.remove(&oldest);
                }
            }
        }
        since
    }

    /// Asks the contracts again, on a new state. Returns what will never fit any more, removed.
    pub fn refresh(&mut self, rules: &Rules, state: &State, at: At) -> Vec<(PartyId, Refusal)> {
        let mut refused = Vec::new();
        let mut gone = Vec::new();
        for waiting in self.waiting.values_mut() {
            match fits(rules, state, at, &waiting.opened) {
                Ok(ready) => waiting.ready = ready,
                Err(refusal) => {
                    refused.push((waiting.opened.submitter.clone(), refusal));
                    gone.push(waiting.leaf);
                }
            }
        }
        for leaf in gone {
            self.remove(&leaf);
        }
        refused
    }

    fn remove(&mut self, leaf: &Hash32) -> Option<Waiting> {
        let waiting = self.waiting.remove(&self.places.remove(leaf)?)?;
        self.bytes -= waiting.opened.envelope.bytes.len();
        Some(waiting)
    }
}

/// Whether the entry fits now (true) or may later (false). Its signature was checked when it came, by a registry
/// that may be older or newer than these rules: a key that is not the one of its epoch there is none of the
/// submitter's.
fn fits(rules: &Rules, state: &State, at: At, opened: &OpenedEntry) -> Result<bool, Refusal> {
    let party = &opened.submitter;
    match rules.verifier.epoch_of(party) {
        None => {}
        Some(current) if current == opened.epoch => {}
        // Rotated in a block that is still to come.
        Some(current) if current < opened.epoch => return Ok(false),
        Some(_) => return Err(Refusal::OldKey { party: party.clone(), epoch: opened.epoch }),
    }
    match execute(rules, state, at, party, &opened.entry) {
        Ok(_) => Ok(true),
        Err(refusal) if refusal.is_premature() => Ok(false),
        Err(refusal) => Err(refusal),
    }
}
