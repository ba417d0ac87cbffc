//! The decided blocks a role follows: each is believed once, by its validators' votes, whichever of them
//! it came from. What blocks change of the registry and the validators is followed with them.

use crate::witness::{Found, Witness};
use ledger::block::verifier::Verifier;
use ledger::block::{BlockCodecError, DecidedBlock};
use ledger::contracts::rules::{Rules, RulesError};
use ledger::double_clearing::Spoken;
use ledger::follower::{FollowError, Follower};
use ledger::genesis::Genesis;
use ledger::proof::FinalityProof;
use serde_bytes::ByteBuf;
use std::collections::BTreeSet;
use std::sync::Arc;
use thiserror::Error;
use wire::cbor::CborError;
use wire::entry::{DoubleClearingEntry, Entry, SignedEnvelope};
use wire::envelope::{open, EnvelopeError, Opened};
use wire::hash::Hash32;
use wire::message::Body;
use wire::party::{PartyId, Registry};

/// Heights remembered as seen. Four validators' copies of one block arrive close together.
const REMEMBERED_HEIGHTS: usize = 1_024;

/// Why a block is not believed, or gives no proof.
#[derive(Debug, Error)]
pub enum ChainError {
    /// No block.
    #[error(transparent)]
    Codec(#[from] BlockCodecError),
    /// Not decided by the validators, or not by those known here.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// No such entry in a block.
    #[error("block {height} has no entry {index}")]
    NoEntry {
        /// The block's height.
        height: u64,
        /// The entry asked for, from 0.
        index: usize,
    },
    /// A proof that has no encoding.
    #[error("encoding a finality proof: {0}")]
    Encode(#[from] CborError),
}

/// Follows decided blocks.
#[derive(Clone, Debug)]
pub struct Chain {
    follower: Follower,
    seen: BTreeSet<u64>,
    behind: bool,
    witness: Witness,
}

/// A block that more than two thirds of the validators voted for.
#[derive(Clone, Debug)]
pub struct Decided {
    block: DecidedBlock,
    entries: Vec<(PartyId, Entry)>,
}

impl Chain {
    /// Follows the ledger that starts from `genesis`.
    ///
    /// # Errors
    /// Where the genesis does not hold.
    pub fn new(genesis: &Genesis) -> Result<Self, RulesError> {
        Ok(Self {
            follower: Follower::new(genesis)?,
            seen: BTreeSet::new(),
            behind: false,
            witness: Witness::default(),
        })
    }

    /// Takes a block as it was broadcast. The first valid copy counts; later ones give none.
    ///
    /// # Errors
    /// [`ChainError`]; a bad copy does not keep a good one from counting.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Option<Decided>, ChainError> {
        let block = DecidedBlock::decode(bytes)?;
        if self.seen.contains(&block.height()) {
            return Ok(None);
        }
        if let Err(error) = self.follower.check(&block) {
            // One that was missed and is asked for may be older than all rules known here: no change is to be learned of it.
            let later = block.height() > self.follower.height();
            self.behind |= later && matches!(error, FollowError::Behind { .. });
            return Err(error.into());
        }
        let entries: Vec<(PartyId, Entry)> = block.entries().collect();
        let follower = &self.follower;
        for ((submitter, entry), raw) in entries.iter().zip(&block.block.entries) {
            self.witness.decided(|envelope| open_by(follower, envelope), submitter, entry, raw);
        }
        self.follower.advance(&block.block.header, &entries)?;
        self.seen.insert(block.height());
        if self.seen.len() > REMEMBERED_HEIGHTS {
            self.seen.pop_first();
        }
        Ok(Some(Decided { block, entries }))
    }

    /// Takes a validator's word for what is governed, with its proof. Whether it was news.
    ///
    /// # Errors
    /// Where it is none, or not proven to who knows what is known here.
    pub fn take_summary(&mut self, bytes: &[u8]) -> Result<bool, ChainError> {
        let news = self.follower.take_summary(bytes)?;
        self.behind &= !news;
        Ok(news)
    }

    /// Whether a block was seen whose validators can't be known from the blocks before it that were.
    pub fn is_behind(&self) -> bool {
        self.behind
    }

    /// Hash of what is governed, as far as the chain was followed.
    pub fn governed(&self) -> Hash32 {
        *self.follower.rules().verifier.governed()
    }

    /// The rules of the next block, as far as the chain was followed.
    pub fn rules(&self) -> &Arc<Rules> {
        self.follower.rules()
    }

    /// Everyone's keys, as far as the chain was followed.
    pub fn registry(&self) -> &Arc<Registry> {
        self.follower.registry()
    }

    /// What a signed envelope in a decided entry says; none where it isn't rightly signed, which validators
    /// don't let through.
    pub fn evidence(&self, envelope: &SignedEnvelope) -> Option<Body> {
        self.opened(envelope).map(|opened| opened.body)
    }

    /// The same, with all that was signed.
    pub fn opened(&self, envelope: &SignedEnvelope) -> Option<Opened> {
        open_by(&self.follower, envelope).ok()
    }

    /// Watches what a message from a DSO says, opened.
    pub fn witness(&mut self, opened: &Opened) {
        if let Some(spoken) = Spoken::in_body(&opened.body) {
            let (sender, to) = (&opened.topic.sender, opened.topic.recipient.as_ref());
            self.witness.hear(sender, to, spoken, &opened.raw);
        }
    }

    /// Takes somebody's proof that a DSO signed two clearings where it may sign one.
    pub fn told(&mut self, proof: &DoubleClearingEntry) {
        let follower = &self.follower;
        self.witness.told(|envelope| open_by(follower, envelope), proof);
    }

    /// What was found of DSOs since the last call.
    pub fn take_found(&mut self) -> Vec<Found> {
        self.witness.take()
    }

    /// What checks a proof of finality: the verifier for the rules that its block was made under, or the present
    /// one, by which the proof then fails.
    pub fn verifier_for(&self, finality: &[u8]) -> &Verifier {
        let proof = FinalityProof::decode(finality).ok();
        let fits = |verifier: &&Verifier| proof.as_ref().is_some_and(|p| p.governed() == verifier.governed());
        self.follower.verifiers().find(fits).unwrap_or(&self.follower.rules().verifier)
    }
}

/// Opens an envelope by the first of the registries known that knows its key.
fn open_by(follower: &Follower, envelope: &SignedEnvelope) -> Result<Opened, EnvelopeError> {
    let by =
        |verifier: &Verifier| open(verifier.registry(), verifier.network(), &envelope.topic, &envelope.bytes);
    let by_present = || by(&follower.rules().verifier);
    follower.verifiers().find_map(|verifier| by(verifier).ok()).map_or_else(by_present, Ok)
}

impl Decided {
    /// Who submitted which entry, in order.
    pub fn entries(&self) -> &[(PartyId, Entry)] {
        &self.entries
    }

    /// The same as they were signed.
    pub fn envelopes(&self) -> &[SignedEnvelope] {
        &self.block.block.entries
    }

    /// Height of the block.
    pub fn height(&self) -> u64 {
        self.block.height()
    }

    /// Proof, in the ledger's encoding, that the entry at `index` is decided.
    ///
    /// # Errors
    /// Where there is no such entry, or the proof has no encoding.
    pub fn proof(&self, index: usize) -> Result<ByteBuf, ChainError> {
        let height = self.height();
        let proof = FinalityProof::of(&self.block, index).ok_or(ChainError::NoEntry { height, index })?;
        Ok(ByteBuf::from(proof.encode()?))
    }
}
