//! Work on later blocks while earlier ones are executed: decoding and signatures, on all cores. What comes out
//! comes out in the order it went in.

use crate::block::verifier::{BlockError, EntryError};
use crate::block::{BlockCodecError, DecidedBlock};
use crate::contracts::rules::Rules;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use std::collections::VecDeque;
use std::sync::mpsc::{sync_channel, Receiver};
use std::sync::Arc;
use wire::entry::Entry;
use wire::party::PartyId;

/// Most blocks prepared before the one that is executed.
const MOST_BLOCKS: usize = 64;
/// Most bytes of such blocks, in the log's encoding.
const MOST_BYTES: usize = 16 << 20;

/// Blocks on their way.
pub(super) struct Ahead {
    pool: ThreadPool,
    waiting: VecDeque<(usize, Receiver<Prepared>)>,
    bytes: usize,
}

/// A block decoded, with its signatures checked under some rules.
pub(super) struct Prepared {
    /// Number of its record.
    pub number: u64,
    /// The block.
    pub decided: Result<DecidedBlock, BlockCodecError>,
    /// What was found under `rules`; to be found again where these are not the block's.
    pub checked: Checked,
    /// The rules it was checked under.
    pub rules: Arc<Rules>,
}

/// Signatures' verdicts.
pub(super) struct Checked {
    /// On the votes.
    pub votes: Result<(), BlockError>,
    /// On each entry, in order.
    pub entries: Vec<Result<(PartyId, Entry), EntryError>>,
}

impl Ahead {
    pub fn new() -> Result<Self, ThreadPoolBuildError> {
        // A pool of its own: whoever replays may itself run in another, and waits for this one.
        let pool = ThreadPoolBuilder::new().thread_name(|n| format!("verify-{n}")).build()?;
        Ok(Self { pool, waiting: VecDeque::new(), bytes: 0 })
    }

    pub fn has_room(&self) -> bool {
        self.waiting.len() < MOST_BLOCKS && self.bytes < MOST_BYTES
    }

    /// Starts on a block.
    pub fn push(&mut self, number: u64, payload: Vec<u8>, rules: Arc<Rules>) {
        let (size, (done, prepared)) = (payload.len(), sync_channel(1));
        self.pool.spawn_fifo(move || {
            // Nobody waits any more where replaying has stopped.
            let _ = done.send(prepare(number, &payload, rules));
        });
        self.waiting.push_back((size, prepared));
        self.bytes += size;
    }

    /// The next block, once it is ready; none where none is on its way.
    pub fn pop(&mut self) -> Option<Prepared> {
        let (size, prepared) = self.waiting.pop_front()?;
        self.bytes -= size;
        prepared.recv().ok()
    }
}

fn prepare(number: u64, payload: &[u8], rules: Arc<Rules>) -> Prepared {
    let decided = DecidedBlock::decode(payload);
    let unchecked = Checked { votes: Ok(()), entries: Vec::new() };
    let checked = decided.as_ref().map_or(unchecked, |decided| check(&rules, decided));
    Prepared { number, decided, checked, rules }
}

/// Checks a block's signatures under these rules: votes, entries, and the evidence in them.
pub(super) fn check(rules: &Rules, decided: &DecidedBlock) -> Checked {
    let verifier = &rules.verifier;
    let evidence = |entry: &Entry| match entry {
        Entry::Clearing(clearing) => {
            clearing.demands.iter().chain([&clearing.supply]).for_each(|e| verifier.open_ahead(e));
        }
        Entry::DayAhead(session) => {
            session.demands.iter().chain([&session.supply]).for_each(|e| verifier.open_ahead(e));
        }
        _ => {}
    };
    // All of a block together, blocks being what cores share: a key that signs several entries costs once.
    let entries = verifier.open_together(&decided.block.entries);
    entries.iter().flatten().for_each(|(_, entry)| evidence(entry));
    Checked { votes: verifier.verify(decided), entries }
}
