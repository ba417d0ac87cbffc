//! Entries of a block opened together: checking many signatures at once costs about half of checking them one
//! by one, and gives the same verdicts.

use super::entry_leaf;
use super::verifier::{EntryError, Verifier};
use std::collections::HashMap;
use wire::entry::{Entry, SignedEnvelope};
use wire::envelope::{EnvelopeError, Unchecked};
use wire::hash::Hash32;
use wire::party::PartyId;

/// Entries that were opened, by their leaves.
pub struct Openings<'a> {
    verifier: &'a Verifier,
    opened: HashMap<Hash32, Result<(PartyId, Entry), EntryError>>,
}

impl Verifier {
    /// Opens entries' envelopes, their signatures checked together; each verdict stands at its envelope's place.
    pub fn open_together<'e>(
        &self,
        envelopes: impl IntoIterator<Item = &'e SignedEnvelope>,
    ) -> Vec<Result<(PartyId, Entry), EntryError>> {
        let take = |envelope: &SignedEnvelope| {
            Unchecked::take(self.registry(), self.network(), &envelope.topic, &envelope.bytes)
        };
        let mut unchecked = Vec::new();
        // What can't be taken apart has its verdict; the rest get theirs in order.
        let taken: Vec<Option<EnvelopeError>> = envelopes
            .into_iter()
            .map(|envelope| take(envelope).map(|one| unchecked.push(one)).err())
            .collect();
        let mut checked = Unchecked::check_all(unchecked).into_iter();
        let verdict = |error: Option<EnvelopeError>| match error {
            Some(error) => Some(Err(error.into())),
            None => checked.next().map(|opened| self.entry_of(opened?)),
        };
        taken.into_iter().filter_map(verdict).collect()
    }

    /// Opens entries' envelopes, their signatures checked together, for whoever asks for them one by one.
    pub fn open_entries<'a>(&'a self, envelopes: impl Iterator<Item = &'a SignedEnvelope>) -> Openings<'a> {
        let envelopes: Vec<&SignedEnvelope> = envelopes.collect();
        let opened = self.open_together(envelopes.iter().copied());
        let leaves = envelopes.into_iter().map(entry_leaf);
        Openings { verifier: self, opened: leaves.zip(opened).collect() }
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
