//! Proof that one entry is final, for somebody who holds the genesis and nothing else: the block's
//! header, the votes for it, the entry's place under the header's root, and the entry itself.

use crate::block::verifier::{BlockError, EntryError, Verifier};
use crate::block::vote::VoteCertificate;
use crate::block::{entry_leaf, entry_leaves, DecidedBlock, Header, MAX_BLOCK_BYTES, MAX_BLOCK_ENTRIES};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use wire::cbor::{self, CborError};
use wire::entry::{Entry, SignedEnvelope};
use wire::hash::Hash32;
use wire::merkle;
use wire::party::PartyId;

/// Most siblings on an entry's path.
const MAX_PATH: usize = MAX_BLOCK_ENTRIES.ilog2() as usize;

/// Proof that an entry is in a decided block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinalityProof {
    header: Header,
    certificate: VoteCertificate,
    /// The entry's place in the block, from 0.
    index: u64,
    /// Entries in the block.
    count: u64,
    /// Siblings from the entry's leaf upward.
    path: Vec<Hash32>,
    entry: SignedEnvelope,
}

/// What a proof proves.
#[derive(Clone, Debug, PartialEq)]
pub struct Proven {
    /// Height of the block.
    pub height: u64,
    /// Its hash.
    pub block_hash: Hash32,
    /// Its time in milliseconds since 1970, by its proposer's clock.
    pub time_ms: u64,
    /// The entry.
    pub entry: Entry,
    /// Who submitted it.
    pub submitter: PartyId,
}

/// Why a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// No deterministic encoding of a proof.
    #[error("the proof's encoding: {0}")]
    Cbor(#[from] CborError),
    /// The block is not final.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// The entry does not lie under the block's root.
    #[error("the entry is not in block {height}")]
    NotIncluded {
        /// The block's height.
        height: u64,
    },
    /// The envelope is no entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
}

impl FinalityProof {
    /// The proof for one entry of a decided block; none where there is no such entry.
    pub fn of(decided: &DecidedBlock, entry_index: usize) -> Option<Self> {
        let entries = &decided.block.entries;
        let leaves = entry_leaves(entries);
        Some(Self {
            header: decided.block.header.clone(),
            certificate: decided.certificate.clone(),
            index: entry_index as u64,
            count: entries.len() as u64,
            path: merkle::inclusion_proof(&leaves, entry_index)?,
            entry: entries.get(entry_index)?.clone(),
        })
    }

    /// Hash of what was governed when the block was made: a verifier for that checks the proof.
    pub fn governed(&self) -> &Hash32 {
        &self.header.governed
    }

    /// The deterministic encoding.
    ///
    /// # Errors
    /// Where there is none.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::to_vec(self)
    }

    /// A proof from bytes of unknown origin. Says nothing yet about what it proves.
    ///
    /// # Errors
    /// Names what is wrong with them.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProofError> {
        Ok(cbor::from_slice(bytes, MAX_BLOCK_BYTES)?)
    }

    /// Checks the proof from nothing but the genesis.
    ///
    /// # Errors
    /// Names the first thing that does not hold.
    pub fn verify(&self, verifier: &Verifier) -> Result<Proven, ProofError> {
        let Self { header, certificate, index, count, path, entry } = self;
        let height = header.height;
        let leaf = entry_leaf(entry);
        let bounded = *count <= MAX_BLOCK_ENTRIES as u64 && path.len() <= MAX_PATH;
        if !bounded || !merkle::verify_inclusion(&leaf, *index, *count, path, &header.entries_root) {
            return Err(ProofError::NotIncluded { height });
        }
        verifier.verify_votes(header, certificate)?;
        let (submitter, entry) = verifier.open_entry(entry)?;
        Ok(Proven { height, block_hash: header.hash(), time_ms: header.time_ms, entry, submitter })
    }
}
