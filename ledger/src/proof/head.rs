//! Proof that a head is certified by the ledger's validators; with it, where that is asked for, that an older block is
//! on the chain which the head ends, and that the chain goes on one that was seen before.

use super::chain::{ChainError, ChainProof};
use super::part::{BlockPart, PartError};
use super::prove::ProveError;
use super::settlement::ProvenBlock;
use super::way::{HistoryTree, Way};
use crate::block::Header;
use crate::genesis::Genesis;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use wire::cbor::{self, CborError};
use wire::hash::Hash32;

/// Largest proof taken: changes of many validators among them.
pub const MAX_HEAD_PROOF_BYTES: usize = 8 << 20;
/// What a proof's bytes begin by saying they are.
const FORMAT: &str = "gridpact head proof 1";

/// Proof of a head, and of a block under it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadProof {
    format: String,
    chain: ChainProof,
    block: Option<BlockPart>,
}

/// What a proof of a head proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProvenHead {
    /// Identity of the ledger: its genesis's hash.
    pub ledger: Hash32,
    /// The head.
    pub head: ProvenBlock,
    /// The block on the chain that it ends, where one was asked for.
    pub block: Option<ProvenBlock>,
    /// Validators that voted for the head.
    pub votes: usize,
    /// Validators there were.
    pub validators: usize,
    /// Changes of validators on the way from the genesis.
    pub changes: usize,
}

/// Why bytes are no proof, or a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeadProofError {
    /// No deterministic encoding of a proof.
    #[error("it is no proof of a head: {0}")]
    Cbor(#[from] CborError),
    /// Another kind of file.
    #[error("it is no proof of a head, but {format:?}")]
    Format {
        /// What it says it is.
        format: String,
    },
    /// The head is not certified.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The block is not under the head.
    #[error(transparent)]
    Part(#[from] PartError),
    /// The history seen before is not the beginning of the head's.
    #[error("it does not show that the history under block {height} goes on that under block {seen}")]
    Inconsistent {
        /// The head's height.
        height: u64,
        /// Height of the block seen before.
        seen: u64,
    },
}

impl HeadProof {
    /// The proof of the head that `way` leads to, of an older block's header where one is given, and that the history
    /// goes on the one under the block at the height `since` where that is.
    ///
    /// # Errors
    /// Where what should be proven is not known.
    pub fn of(
        way: Way,
        older: Option<&Header>,
        since: Option<u64>,
        tree: &dyn HistoryTree,
    ) -> Result<Self, ProveError> {
        let part = |header: &Header| {
            let height = header.height;
            way.block(header, tree).ok_or(ProveError::Unprovable { height, what: "its place under the head" })
        };
        let block = older.map(part).transpose()?;
        Ok(Self { format: FORMAT.to_owned(), chain: way.prove(since, tree)?, block })
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
    pub fn decode(bytes: &[u8]) -> Result<Self, HeadProofError> {
        let proof: Self = cbor::from_slice(bytes, MAX_HEAD_PROOF_BYTES)?;
        match proof.format == FORMAT {
            true => Ok(proof),
            false => Err(HeadProofError::Format { format: proof.format.chars().take(60).collect() }),
        }
    }

    /// The head's header; says nothing about whether it is certified.
    pub fn head(&self) -> &Header {
        &self.chain.head.header
    }

    /// Checks the proof from nothing but the genesis. Where `seen` is the header of a certified block that was seen
    /// before, the history must go on the one under it.
    ///
    /// # Errors
    /// Names the first thing that does not hold.
    pub fn check(&self, genesis: &Genesis, seen: Option<&Header>) -> Result<ProvenHead, HeadProofError> {
        let Self { chain, block, .. } = self;
        let (votes, roster) = chain.verify(genesis)?;
        let head = &chain.head.header;
        if let Some(block) = block {
            block.check(head)?;
        }
        if let Some(seen) = seen {
            let goes_on = chain.earlier.as_ref().is_some_and(|earlier| {
                Some(earlier.old_size) == seen.height.checked_sub(1)
                    && Some(earlier.new_size) == head.height.checked_sub(1)
                    && earlier.holds(&seen.history_root, &head.history_root)
            });
            if !goes_on {
                return Err(HeadProofError::Inconsistent { height: head.height, seen: seen.height });
            }
        }
        Ok(ProvenHead {
            ledger: chain.ledger,
            head: ProvenBlock::of(head),
            block: block.as_ref().map(|block| ProvenBlock::of(&block.header)),
            votes,
            validators: roster.0.len(),
            changes: chain.changes.len(),
        })
    }
}
