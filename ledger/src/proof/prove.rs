//! Makes a settlement's proof out of a chain's blocks, given one after another as they were executed.

use super::chain::{CertifiedHead, RosterChange};
use super::gathered::Gathered;
use super::settlement::SettlementProof;
use super::way::{changes, Way};
use crate::block::{history_leaf, DecidedBlock};
use crate::governed::roster::Roster;
use crate::governed::succession::Lineage;
use crate::state::receipt::Receipt;
use market::interval::Interval;
use thiserror::Error;
use wire::entry::Entry;
use wire::hash::Hash32;
use wire::merkle::{Frontier, Grown};
use wire::party::Id;

/// Why there is no proof.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProveError {
    /// There is no block.
    #[error("there is no block")]
    NoBlock,
    /// The interval is not cleared, or the ledger's older blocks are gone.
    #[error("no block here clears {interval}")]
    NotCleared {
        /// The interval.
        interval: Interval,
    },
    /// No delivery settles the account.
    #[error("no block here settles account {account} in {interval}: its delivery is not decided yet, or it took no part")]
    NotSettled {
        /// The account.
        account: Id,
        /// The interval.
        interval: Interval,
    },
    /// What was recorded does not fit together.
    #[error("block {height}: {what} can't be proven")]
    Unprovable {
        /// The block's height.
        height: u64,
        /// What.
        what: &'static str,
    },
}

/// Collects what a proof about one interval needs.
pub struct Prover {
    ledger: Hash32,
    history: Grown,
    roster: Roster,
    changes: Vec<RosterChange>,
    gathered: Gathered,
    last: Option<CertifiedHead>,
    since: Option<u64>,
}

impl Prover {
    /// For an interval of the ledger with this identity, from the blocks that follow on `before`, on the first of
    /// which `roster` decides.
    pub fn new(ledger: Hash32, interval: Interval, before: Frontier, roster: Roster) -> Self {
        Self {
            ledger,
            history: Grown::from(before),
            roster,
            changes: Vec::new(),
            gathered: Gathered::about(interval),
            last: None,
            since: None,
        }
    }

    /// Adds who decided on the blocks before the first taken, where these are gone.
    ///
    /// # Errors
    /// Where its votes make no receipts.
    pub fn after(self, lineage: &Lineage) -> Result<Self, ProveError> {
        let height = lineage.0.first().map_or(0, |step| step.header.height);
        let unprovable = ProveError::Unprovable { height, what: "who decided after it" };
        let changes = changes(&self.ledger, lineage).ok_or(unprovable)?;
        Ok(Self { changes, ..self })
    }

    /// Asks for proof, too, that the history under the head of this height is the beginning of the proof's own.
    #[must_use]
    pub fn since(self, height: u64) -> Self {
        Self { since: Some(height), ..self }
    }

    /// Takes the next block, with what its entries did and who decides on the block after it.
    ///
    /// # Errors
    /// Where its votes make no receipts.
    pub fn take(
        &mut self,
        decided: &DecidedBlock,
        receipts: &[(Entry, Receipt)],
        next: Roster,
    ) -> Result<(), ProveError> {
        let header = &decided.block.header;
        let head = CertifiedHead::of(&self.ledger, &self.roster, header, &decided.certificate)
            .ok_or(ProveError::Unprovable { height: header.height, what: "its head" })?;
        self.history.push(history_leaf(&header.hash()));
        if next != self.roster {
            self.changes.push(RosterChange { head: head.clone(), next: next.clone() });
            self.roster = next;
        }
        self.last = Some(head);
        self.gathered.take(decided, receipts)
    }

    /// The proof for one account, under the last block taken.
    ///
    /// # Errors
    /// Where what should be proven is not there.
    pub fn prove(self, account: &Id) -> Result<SettlementProof, ProveError> {
        let head = self.last.ok_or(ProveError::NoBlock)?;
        let way = Way::new(self.ledger, self.changes, head);
        self.gathered.prove(account, way, self.since, &self.history)
    }
}
