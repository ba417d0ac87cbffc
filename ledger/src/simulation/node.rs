//! One process: a core, its disk and its clock. Twins are two nodes of one validator.

use super::bug::Bug;
use super::disk::DiskFile;
use super::world::{World, START_MS};
use super::SetupError;
use crate::block::vote::VoteCertificate;
use crate::block::DecidedBlock;
use crate::consensus::message::Record;
use crate::execute::{execute_block, Executed};
use crate::store::Chain;
use crate::validator::core::{Event, Me, Now, ValidatorCore};
use crate::validator::Timeouts;
use std::collections::BTreeMap;
use wire::entry::SignedEnvelope;
use wire::hash::Hash32;

/// One process.
pub struct Node {
    /// Which validator it is.
    pub validator: usize,
    /// Its core, while it runs.
    pub core: Option<ValidatorCore>,
    /// Its write-ahead log.
    pub wal: DiskFile,
    /// Its block log.
    pub log: DiskFile,
    /// What its block log holds.
    pub blocks: Vec<DecidedBlock>,
    /// Blocks it has told others of, or was asked for: final, whatever happens to it.
    pub told: usize,
    /// Its wall clock is ahead by so much, in milliseconds.
    pub ahead_ms: u64,
    /// How many of its milliseconds pass in a thousand.
    pub rate_permille: u64,
    /// The certificates with which blocks really came, where it took them for better ones.
    pub unchecked: BTreeMap<Hash32, VoteCertificate>,
    /// Why it stopped for good.
    pub stopped: Option<String>,
}

impl Node {
    /// A process of this validator that has not started.
    pub fn new(validator: usize, ahead_ms: u64, rate_permille: u64) -> Self {
        Self {
            validator,
            core: None,
            wal: DiskFile::default(),
            log: DiskFile::default(),
            blocks: Vec::new(),
            told: 0,
            ahead_ms,
            rate_permille,
            unchecked: BTreeMap::new(),
            stopped: None,
        }
    }

    /// The time as it reads it.
    pub fn now(&self, now_ms: u64) -> Now {
        let real_ms = now_ms * self.rate_permille / 1_000;
        Now { real_ms, wall_ms: START_MS + real_ms + self.ahead_ms }
    }

    /// When it next wants to be polled.
    pub fn next_ms(&self) -> Option<u64> {
        let due = self.core.as_ref()?.next_deadline()?;
        Some((due * 1_000).div_ceil(self.rate_permille))
    }

    /// Starts it from its disk. What it is to be told first comes back; an error says what of its disk
    /// it could not read.
    pub fn start(&mut self, world: &World, bug: Option<Bug>) -> Result<Result<Event, String>, SetupError> {
        let mut chain = world.chain()?;
        let log = match self.log.open() {
            Ok(records) => records,
            Err(error) => return Ok(Err(error.to_string())),
        };
        self.blocks.clear();
        for (_, bytes) in &log {
            match replay(&chain, bytes) {
                Ok((decided, next)) => {
                    self.blocks.push(decided);
                    chain = next;
                }
                Err(reason) => return Ok(Err(reason)),
            }
        }
        let wal = match self.wal.open() {
            Ok(records) => records,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let height = chain.tip.height + 1;
        let of_height = wal.iter().filter(|(number, _)| *number == height);
        let records = of_height.map(|(_, bytes)| Record::decode(bytes)).collect::<Result<Vec<_>, _>>();
        let records = match records {
            Ok(records) => records,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let decided = self.blocks.iter().flat_map(|decided| decided.block.entries.clone()).collect();
        let signer = world.validators[self.validator].clone();
        let me = Me { name: signer.party().id.clone(), signer: signer.clone() };
        let agreement = Bug::agreement(bug, signer);
        self.core = Some(ValidatorCore::new(me, agreement, Timeouts::default(), chain));
        Ok(Ok(Event::Started { records, decided }))
    }
}

/// The next block of a chain from the log's bytes, executed.
fn replay(chain: &Chain, bytes: &[u8]) -> Result<(DecidedBlock, Chain), String> {
    let decided = DecidedBlock::decode(bytes).map_err(|e| e.to_string())?;
    let open = |envelope: &SignedEnvelope| chain.rules.verifier.open_entry(envelope);
    let Chain { tip, state, rules } = chain;
    let executed = execute_block(rules, tip, state, &decided.block, &open).map_err(|e| e.to_string())?;
    let Executed { state, rules, .. } = executed;
    let tip = chain.tip.after(&decided);
    Ok((decided, Chain { tip, state, rules }))
}
