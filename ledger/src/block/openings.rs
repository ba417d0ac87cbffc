//! Entries of a block opened together: checking many signatures at once costs about half of checking them one
//! by one, and gives the same verdicts.

use super::entry_leaf;
use super::verifier::{EntryError, Verifier};
use std::collections::HashMap;
use wire::entry::{Entry, SignedEnvelope};
use wire::envelope::{EnvelopeError, Opened, Unchecked};
use wire::hash::Hash32;
use wire::message::Body;
use wire::party::PartyId;

/// Entries that were opened, by their leaves.
pub struct Openings<'a> {
    verifier: &'a Verifier,
    opened: HashMap<Hash32, Result<(PartyId, Entry), EntryError>>,
}

impl Verifier {
    /// Opens entries' envelopes, their signatures checked together.
    pub fn open_entries<'a>(&'a self, envelopes: impl Iterator<Item = &'a SignedEnvelope>) -> Openings<'a> {
        let (mut opened, mut leaves, mut unchecked) = (HashMap::new(), Vec::new(), Vec::new());
        for envelope in envelopes {
            let leaf = entry_leaf(envelope);
            match Unchecked::take(self.registry(), self.network(), &envelope.topic, &envelope.bytes) {
                Ok(taken) => {
                    leaves.push(leaf);
                    unchecked.push(taken);
                }
                Err(error) => {
                    opened.insert(leaf, Err(error.into()));
                }
            }
        }
        let checked = Unchecked::check_all(unchecked).into_iter().map(entry_of);
        opened.extend(leaves.into_iter().zip(checked));
        Openings { verifier: self, opened }
    }
}

impl Openings<'_> {
    /// Who submitted what in this envelope, as [`Verifier::open_entry`].
    ///
    /// # Errors
    /// Names why the envelope is no entry.
    pub fn open(&self, envelope: &SignedEnvelope) -> Result<(PartyId, Entry), EntryError> {
        let opened = self.opened.get(&entry_leaf(envelope)).cloned();
        opened.unwrap_or_else(|| self.verifier.open_entry(envelope))
    }
}

fn entry_of(opened: Result<Opened, EnvelopeError>) -> Result<(PartyId, Entry), EntryError> {
    let opened = opened?;
    match opened.body {
        Body::Submit(entry) => Ok((opened.topic.sender, entry)),
        other => Err(EntryError::NotSubmit { kind: other.kind() }),
    }
}
