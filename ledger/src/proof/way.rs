//! The way from the genesis to the head that a proof hangs from, and the places of blocks and histories under it.
//! What the tree over the blocks is kept in is the caller's affair.

use super::chain::{CertifiedHead, ChainProof, RosterChange};
use super::part::BlockPart;
use super::prove::ProveError;
use crate::block::{DecidedBlock, Header};
use crate::governed::roster::Roster;
use crate::governed::succession::{Lineage, Succession};
use wire::hash::Hash32;
use wire::merkle::Grown;
use wire::receipt::{Consistency, Inclusion};

/// The tree over the hashes of a chain's headers, as far as it is known.
pub trait HistoryTree {
    /// The path from the leaf at `index` to the root over the first `size` leaves; none where that is not known.
    fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Hash32>>;
    /// The path that shows that the first `size` leaves go on the first `old_size`; none where it is not known.
    fn consistency(&self, old_size: u64, size: u64) -> Option<Vec<Hash32>>;
}

impl HistoryTree for Grown {
    fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Hash32>> {
        self.inclusion_proof(index, size)
    }

    fn consistency(&self, old_size: u64, size: u64) -> Option<Vec<Hash32>> {
        self.consistency_proof(old_size, size)
    }
}

/// A lineage's steps, as proofs carry them; none where votes make no receipts.
pub(super) fn changes(ledger: &Hash32, lineage: &Lineage) -> Option<Vec<RosterChange>> {
    let change = |step: &Succession| {
        let Succession { header, certificate, decided, next } = step;
        let head = CertifiedHead::of(ledger, decided, header, certificate)?;
        Some(RosterChange { head, next: next.clone() })
    };
    lineage.0.iter().map(change).collect()
}

/// The way to a head.
#[derive(Clone, Debug)]
pub struct Way {
    ledger: Hash32,
    changes: Vec<RosterChange>,
    head: CertifiedHead,
}

impl Way {
    /// The way to a certified head, by these changes of validators; one that the head itself makes is for blocks
    /// after it.
    pub fn new(ledger: Hash32, mut changes: Vec<RosterChange>, head: CertifiedHead) -> Self {
        changes.retain(|change| change.head.header.height < head.header.height);
        Self { ledger, changes, head }
    }

    /// The way to a decided block, by all steps there were, the last of which leads to the validators in `now`. None
    /// where votes make no receipts.
    pub fn to(ledger: Hash32, decided: &DecidedBlock, lineage: &Lineage, now: &Roster) -> Option<Self> {
        let header = &decided.block.header;
        let roster = lineage.at(header.height, now);
        let head = CertifiedHead::of(&ledger, roster, header, &decided.certificate)?;
        Some(Self::new(ledger, changes(&ledger, lineage)?, head))
    }

    /// The head.
    pub fn head(&self) -> &Header {
        &self.head.header
    }

    /// A block's place under the head.
    pub fn block(&self, header: &Header, tree: &dyn HistoryTree) -> Option<BlockPart> {
        let head = self.head();
        let (index, size) = (header.height.checked_sub(1)?, head.height.checked_sub(1)?);
        let history = match header.height == head.height {
            true => None,
            false => Some(Inclusion { size, index, path: tree.inclusion(index, size)? }),
        };
        Some(BlockPart { header: header.clone(), history })
    }

    /// The way, proven; with it, where that is asked for, that the head's history goes on the one under the block at
    /// the height `since`.
    ///
    /// # Errors
    /// Where it does not, or is not known so far back.
    pub fn prove(self, since: Option<u64>, tree: &dyn HistoryTree) -> Result<ChainProof, ProveError> {
        let earlier = |since: u64| {
            let sizes = since.checked_sub(1).zip(self.head().height.checked_sub(1));
            let proof = sizes.and_then(|(old_size, new_size)| {
                let path = tree.consistency(old_size, new_size)?;
                Some(Consistency { old_size, new_size, path })
            });
            let what = "that it goes on an earlier history, or not so far back,";
            proof.ok_or(ProveError::Unprovable { height: since, what })
        };
        let earlier = since.map(earlier).transpose()?;
        let Self { ledger, changes, head } = self;
        Ok(ChainProof { ledger, changes, head, earlier })
    }
}
