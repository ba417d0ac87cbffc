//! One process: a core, its disk and its clock. Twins are two nodes of one validator.

use super::bug::{Bug, Unchecked};
use super::hasty::Plans;
use super::store::SimStore;
use super::world::{World, ROTATING, START_MS};
use super::SetupError;
use crate::block::vote::VoteCertificate;
use crate::execute::Tip;
use crate::store::StoreOptions;
use crate::validator::core::{Event, Me, Now, ValidatorCore};
use crate::validator::Timeouts;
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::envelope::Signer;
use wire::hash::Hash32;

/// One process.
pub struct Node {
    /// Which validator it is.
    pub validator: usize,
    /// Whether it is the second of one validator.
    pub is_twin: bool,
    /// Its core, while it runs.
    pub core: Option<ValidatorCore>,
    /// With which it signs.
    pub signer: Arc<Signer>,
    /// Its data folder.
    pub store: SimStore,
    /// Height of the last block it has told others of: final, whatever happens to it.
    pub told: u64,
    /// Its wall clock is ahead by so much, in milliseconds.
    pub ahead_ms: u64,
    /// How many of its milliseconds pass in a thousand.
    pub rate_permille: u64,
    /// The certificates with which blocks really came, where it took them for better ones.
    pub unchecked: BTreeMap<Hash32, VoteCertificate>,
    /// Whether its machine is off until somebody turns it on.
    pub is_away: bool,
    /// Whether it is to be started anew, or its thread to write a snapshot.
    pub is_awaited: bool,
    /// Why it stopped for good.
    pub stopped: Option<String>,
}

impl Node {
    /// A process of this validator that has not started.
    pub fn new(validator: usize, world: &World, options: StoreOptions) -> Self {
        Self {
            validator,
            is_twin: false,
            core: None,
            signer: world.validators[validator].clone(),
            store: SimStore::new(options, Tip::genesis(*world.ledger())),
            told: 0,
            ahead_ms: 0,
            rate_permille: 1_000,
            unchecked: BTreeMap::new(),
            is_away: false,
            is_awaited: false,
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

    /// Remembers with which certificate something came, and goes on with a better one.
    pub fn believe(&mut self, (vouched, (hash, had)): (Vec<u8>, Unchecked)) -> Vec<u8> {
        self.unchecked.entry(hash).or_insert(had);
        vouched
    }

    /// Whether its chain names another key of its than it runs with, and it holds that.
    pub fn has_new_key(&self, world: &World) -> bool {
        let core = self.core.as_ref().filter(|_| self.validator == ROTATING);
        let known = core.and_then(|core| core.rules().verifier.registry().get(self.signer.party()));
        known.is_some_and(|known| known.key == world.rotation.key && known.key != self.signer.public_key())
    }

    /// Starts it from its disk, with the key that its chain names. What it is to be told first comes back; an
    /// error says what of its disk it could not read.
    pub fn start(
        &mut self,
        world: &World,
        bug: Option<Bug>,
        plans: &Plans,
    ) -> Result<Result<Event, String>, SetupError> {
        let (chain, records) = match self.store.open(world.chain()?) {
            Ok(opened) => opened,
            Err(reason) => return Ok(Err(reason)),
        };
        let decided = self.store.blocks().flat_map(|decided| decided.block.entries.clone()).collect();
        let known = chain.rules.verifier.registry().get(self.signer.party());
        if known.is_some_and(|known| known.key == world.rotation.key) {
            self.signer = world.rotated.clone();
        }
        let me = Me { name: self.signer.party().id.clone(), signer: self.signer.clone() };
        let agreement = Bug::agreement(bug, self.signer.clone(), plans);
        self.core = Some(ValidatorCore::new(me, agreement, Timeouts::default(), chain));
        Ok(Ok(Event::Started { records, decided }))
    }
}
