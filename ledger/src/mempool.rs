//! Entries waiting for a block. Bounded in number, bytes and by submitter; each is kept once.
//! Whether an entry fits is the contracts' to say: when it comes, and again when a block is built.
//!
//! After a block only so many are asked again as it takes to find one that fits, so that a decided block
//! costs what it decides, however much waits.

use crate::block::{entry_leaf, At};
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
pub const MAX_WAITING: usize = 16_384;
/// Most bytes waiting.
pub const MAX_WAITING_BYTES: usize = 16 << 20;
/// Most entries of one submitter waiting.
pub const MAX_WAITING_PER_SUBMITTER: usize = 256;
/// Decided entries remembered, so that a submitter that asks again hears that it was heard.
const REMEMBERED: usize = 16_384;

/// Entries waiting, in order of arrival.
#[derive(Debug, Default)]
pub struct Mempool {
    waiting: BTreeMap<u64, Waiting>,
    places: HashMap<Hash32, u64>,
    of_submitter: HashMap<PartyId, usize>,
    next_place: u64,
    /// One that fits on the state as it is.
    fitting: Option<u64>,
    bytes: usize,
    decided: HashSet<Hash32>,
    decided_order: VecDeque<Hash32>,
}

#[derive(Debug)]
struct Waiting {
    opened: OpenedEntry,
    leaf: Hash32,
    since_ms: u64,
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
        let fits_now = fits(rules, state, at, &opened)?;
        let size = opened.envelope.bytes.len();
        if self.waiting.len() >= MAX_WAITING || self.bytes + size > MAX_WAITING_BYTES {
            return Err(MempoolError::Full);
        }
        let of_submitter = self.of_submitter.entry(opened.submitter.clone()).or_default();
        if *of_submitter >= MAX_WAITING_PER_SUBMITTER {
            return Err(MempoolError::SubmitterFull { submitter: opened.submitter });
        }
        *of_submitter += 1;
        self.bytes += size;
        let place = self.next_place;
        if fits_now {
            self.fitting.get_or_insert(place);
        }
        self.places.insert(leaf, place);
        self.waiting.insert(place, Waiting { opened, leaf, since_ms: now_ms });
        self.next_place += 1;
        Ok(())
    }

    /// Whether anything could go into a block.
    pub fn has_ready(&self) -> bool {
        self.fitting.is_some()
    }

    /// How many wait.
    pub fn count(&self) -> usize {
        self.waiting.len()
    }

    /// All that waits, in order of arrival. What fits of it, building a block shows.
    pub fn waiting(&self) -> impl Iterator<Item = &OpenedEntry> {
        self.waiting.values().map(|waiting| &waiting.opened)
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

    /// Asks the contracts again, on a new state, until one fits. Returns what was found never to fit any
    /// more, removed.
    pub fn refresh(&mut self, rules: &Rules, state: &State, at: At) -> Vec<(PartyId, Refusal)> {
        self.fitting = None;
        let mut refused = Vec::new();
        let mut gone = Vec::new();
        for (place, waiting) in &self.waiting {
            match fits(rules, state, at, &waiting.opened) {
                Ok(true) => {
                    self.fitting = Some(*place);
                    break;
                }
                Ok(false) => {}
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
        let place = self.places.remove(leaf)?;
        let waiting = self.waiting.remove(&place)?;
        self.bytes -= waiting.opened.envelope.bytes.len();
        if let Some(count) = self.of_submitter.get_mut(&waiting.opened.submitter) {
            *count -= 1;
            if *count == 0 {
                self.of_submitter.remove(&waiting.opened.submitter);
            }
        }
        if self.fitting == Some(place) {
            self.fitting = None;
        }
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
