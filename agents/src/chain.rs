//! The decided blocks a role follows: each is believed once, by its validators' votes, whichever of them
//! it came from.

use ledger::block::verifier::{BlockError, Verifier};
use ledger::block::{BlockCodecError, DecidedBlock};
use ledger::genesis::Genesis;
use ledger::proof::FinalityProof;
use serde_bytes::ByteBuf;
use std::collections::BTreeSet;
use thiserror::Error;
use wire::cbor::CborError;
use wire::entry::Entry;
use wire::party::PartyId;

/// Heights remembered as seen. Four validators' copies of one block arrive close together.
const REMEMBERED_HEIGHTS: usize = 1_024;

/// Why a block is not believed, or gives no proof.
#[derive(Debug, Error)]
pub enum ChainError {
    /// No block.
    #[error(transparent)]
    Codec(#[from] BlockCodecError),
    /// Not decided by the validators.
    #[error(transparent)]
    Verify(#[from] BlockError),
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
    verifier: Verifier,
    seen: BTreeSet<u64>,
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
    /// Where the genesis has no encoding.
    pub fn new(genesis: &Genesis) -> Result<Self, CborError> {
        Ok(Self::of(Verifier::new(genesis)?))
    }

    /// Follows the ledger whose votes `verifier` checks.
    pub fn of(verifier: Verifier) -> Self {
        Self { verifier, seen: BTreeSet::new() }
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
        self.verifier.verify(&block)?;
        self.seen.insert(block.height());
        if self.seen.len() > REMEMBERED_HEIGHTS {
            self.seen.pop_first();
        }
        let entries = block.entries().collect();
        Ok(Some(Decided { block, entries }))
    }
}

impl Decided {
    /// Who submitted which entry, in order.
    pub fn entries(&self) -> &[(PartyId, Entry)] {
        &self.entries
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
