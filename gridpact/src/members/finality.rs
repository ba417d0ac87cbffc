//! Waiting for an entry to be final: what validators say to it, and the block that has it. Pure.

use agents::chain::{Chain, ChainError};
use std::collections::BTreeMap;
use wire::entry::Entry;
use wire::message::Verdict;
use wire::party::PartyId;

/// What is known of an entry that was submitted.
pub struct Waiting {
    chain: Chain,
    by: PartyId,
    entry: Entry,
    refused: BTreeMap<PartyId, String>,
    validators: usize,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the block at this height.
    Final(u64),
    /// So many validators refuse it that it can't be: what one of them says.
    Refused(String),
}

impl Waiting {
    /// An entry, submitted by `by` to so many validators.
    pub fn new(chain: Chain, by: PartyId, entry: Entry, validators: usize) -> Self {
        Self { chain, by, entry, refused: BTreeMap::new(), validators }
    }

    /// The chain as far as it was followed.
    pub fn chain(&mut self) -> &mut Chain {
        &mut self.chain
    }

    /// A validator's answer. More than a third who refuse are enough that it won't be decided.
    pub fn answered(&mut self, by: PartyId, verdict: Verdict) -> Option<Outcome> {
        let Verdict::Refused(reason) = verdict else { return None };
        self.refused.insert(by, reason.clone());
        (3 * self.refused.len() > self.validators).then_some(Outcome::Refused(reason))
    }

    /// A block.
    ///
    /// # Errors
    /// Where it is none, or can't be checked.
    pub fn block(&mut self, bytes: &[u8]) -> Result<Option<Outcome>, ChainError> {
        let Some(decided) = self.chain.take(bytes)? else { return Ok(None) };
        let ours = decided.entries().iter().any(|(by, entry)| *by == self.by && *entry == self.entry);
        Ok(ours.then(|| Outcome::Final(decided.height())))
    }
}
