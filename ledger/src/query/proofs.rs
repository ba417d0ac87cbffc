//! Proofs: the file with which a site's owner shows what she was committed to and paid, an entry's finality, and a
//! head with a block under it. What would not be believed is not given out.

use super::history::AsTree;
use super::{ReadError, Reader};
use crate::genesis::Genesis;
use crate::proof::gathered::Gathered;
use crate::proof::head::HeadProof;
use crate::proof::prove::ProveError;
use crate::proof::way::Way;
use crate::proof::FinalityProof;
use crate::rights::{EntryKind, Query};
use market::interval::{Interval, UnixSeconds};
use std::collections::BTreeSet;
use wire::party::Id;

/// Which settlement is to be proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofRequest {
    /// A time at which the interval starts.
    pub interval: UnixSeconds,
    /// Whose; the caller's own where none is named.
    pub account: Option<Id>,
    /// Height of a block seen before, on whose history the proof's is to go on.
    pub since: Option<u64>,
}

impl Reader<'_> {
    /// The proof that one account's commitment, price and payment in an interval are final, under the last block: the
    /// bytes of the file that `gridpact ledger prove` writes.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn settlement_proof(&self, genesis: &Genesis, asked: ProofRequest) -> Result<Vec<u8>, ReadError> {
        let account = self.account_for(asked.account, (Query::OwnProofs, Query::AnyProofs))?;
        let interval = Interval(asked.interval);
        let mut heights = BTreeSet::new();
        for kind in [EntryKind::Clearing, EntryKind::DayAhead, EntryKind::Delivery] {
            let places = self.history.about(interval, Some(kind))?;
            heights.extend(places.into_iter().map(|place| place.height));
        }
        let mut gathered = Gathered::about(interval);
        for height in heights {
            let (decided, receipts) = self.executed(height)?;
            gathered.take(&decided, &receipts)?;
        }
        let (way, tree) = (self.way()?, AsTree::of(self.history));
        let proof = gathered.prove(&account, way, asked.since, &tree);
        let proof = tree.made(proof)?;
        proof.check(genesis)?;
        Ok(proof.encode()?)
    }

    /// The proof that one entry is final: a [`FinalityProof`]'s bytes. For who submitted it, and who may see proofs of
    /// anything.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn entry_proof(&self, height: u64, index: usize) -> Result<Vec<u8>, ReadError> {
        self.allow(Query::OwnProofs)?;
        let missing = || ReadError::NoSuch { what: format!("entry {index} of block {height}") };
        let decided = self.block(height)?;
        let (submitter, _) = decided.entries().nth(index).ok_or_else(missing)?;
        if self.caller.as_ref() != Some(&submitter) {
            self.allow(Query::AnyProofs)?;
        }
        Ok(FinalityProof::of(&decided, index).ok_or_else(missing)?.encode()?)
    }

    /// The proof of the last head, and that the block at a height is under it, and that its history goes on the one
    /// under the block at the height `since`: a [`HeadProof`]'s bytes.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn head_proof(
        &self,
        genesis: &Genesis,
        height: Option<u64>,
        since: Option<u64>,
    ) -> Result<Vec<u8>, ReadError> {
        self.allow(Query::Heads)?;
        let older = height.map(|height| self.block(height)).transpose()?;
        let older = older.as_ref().map(|decided| &decided.block.header);
        if let Some(height) = height.filter(|height| *height > self.view.tip.height) {
            return Err(ReadError::NoSuch { what: format!("block {height}") });
        }
        let (way, tree) = (self.way()?, AsTree::of(self.history));
        let proof = tree.made(HeadProof::of(way, older, since, &tree))?;
        proof.check(genesis, None)?;
        Ok(proof.encode()?)
    }

    /// The way to the last block.
    fn way(&self) -> Result<Way, ReadError> {
        let height = self.view.tip.height;
        if height == 0 {
            return Err(ProveError::NoBlock.into());
        }
        let (decided, verifier) = (self.block(height)?, &self.view.rules.verifier);
        let way = Way::to(*verifier.ledger(), &decided, &self.history.lineage()?, verifier.roster());
        Ok(way.ok_or(ProveError::Unprovable { height, what: "its head" })?)
    }
}
