//! What one ledger, or anyone else, knows of another: the genesis it was told to trust, and the last head it has
//! seen certified. A proof is taken only under a head whose history begins with what was seen before, so that
//! two histories of one ledger are not both believed.

use super::settlement::{ProvenSettlement, SettlementProof, SettlementProofError};
use crate::block::Header;
use crate::genesis::Genesis;
use thiserror::Error;
use wire::hash::Hash32;

/// Another ledger, as it is known here.
#[derive(Clone, Debug)]
pub struct Foreign {
    genesis: Genesis,
    seen: Option<Seen>,
}

/// A certified head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    height: u64,
    hash: Hash32,
    history_root: Hash32,
}

/// Why a proof is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ForeignError {
    /// It proves nothing.
    #[error(transparent)]
    Proof(#[from] SettlementProofError),
    /// Its head is older than the one seen last.
    #[error("it is under block {height}, and block {seen} was seen before; ask for one under a later block")]
    Older {
        /// Its head's height.
        height: u64,
        /// Height of the head seen last.
        seen: u64,
    },
    /// Another block at the height seen last: the ledger has forked.
    #[error("block {height} is another than the one seen before: the ledger has two histories")]
    Forked {
        /// The height.
        height: u64,
    },
    /// It does not show that the history seen before is the beginning of its own.
    #[error("it does not show that the history under block {height} goes on that under block {seen}")]
    Inconsistent {
        /// Its head's height.
        height: u64,
        /// Height of the head seen last.
        seen: u64,
    },
}

impl Foreign {
    /// The ledger that starts from `genesis`, of which no block is known yet.
    pub fn anchored(genesis: Genesis) -> Self {
        Self { genesis, seen: None }
    }

    /// Height of the head seen last.
    pub fn seen(&self) -> Option<u64> {
        self.seen.map(|seen| seen.height)
    }

    /// Takes a proof's bytes, of unknown origin, for what they prove.
    ///
    /// # Errors
    /// Names why they are not taken; what is known is then as it was.
    pub fn accept(&mut self, bytes: &[u8]) -> Result<ProvenSettlement, ForeignError> {
        let proof = SettlementProof::decode(bytes)?;
        let proven = proof.check(&self.genesis)?;
        let head = &proof.chain().head.header;
        if let Some(seen) = self.seen {
            seen.check(head, &proof)?;
        }
        let Header { height, history_root, .. } = *head;
        self.seen = Some(Seen { height, hash: head.hash(), history_root });
        Ok(proven)
    }
}

impl Seen {
    fn check(&self, head: &Header, proof: &SettlementProof) -> Result<(), ForeignError> {
        let (height, seen) = (head.height, self.height);
        if height < seen {
            return Err(ForeignError::Older { height, seen });
        }
        if height == seen {
            let same = head.hash() == self.hash;
            return same.then_some(()).ok_or(ForeignError::Forked { height });
        }
        // Under the first block lies no history that another could contradict.
        let goes_on = seen == 1
            || proof.chain().earlier.as_ref().is_some_and(|earlier| {
                earlier.old_size == seen - 1
                    && earlier.new_size == height - 1
                    && earlier.holds(&self.history_root, &head.history_root)
            });
        goes_on.then_some(()).ok_or(ForeignError::Inconsistent { height, seen })
    }
}
