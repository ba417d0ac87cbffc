//! What is on the ledger against validators: that they contradicted themselves, with both signatures.

use super::answers::{Contradiction, Evidence, Liar, Signed};
use super::{ReadError, Reader};
use crate::rights::{EntryKind, Query};
use wire::entry::{Entry, EvidenceEntry, Said, StatementKind};

/// Most contradictions in one answer.
pub const MAX_CONTRADICTIONS: usize = 100;

impl Reader<'_> {
    /// Every validator that contradicted itself, and the first proofs of it recorded from a place in a block on.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn evidence(&self, from: (u64, usize)) -> Result<Evidence, ReadError> {
        self.allow(Query::Evidence)?;
        let liars = self.view.state.voting().liars().iter();
        let liar = |(validator, liar): (&wire::party::Id, &crate::state::voting::Liar)| Liar {
            validator: validator.to_string(),
            contradictions: liar.contradictions,
            first_height: liar.first,
            last_height: liar.last,
        };
        let mut contradictions = Vec::new();
        let places = self.history.of_kind(EntryKind::Evidence, from, MAX_CONTRADICTIONS + 1)?;
        let next = places.get(MAX_CONTRADICTIONS).map(|place| (place.height, place.index));
        for place in places.into_iter().take(MAX_CONTRADICTIONS) {
            let Some(decided) = self.history.block(place.height)? else { continue };
            let Some((submitter, Entry::Evidence(entry))) = decided.entries().nth(place.index) else {
                continue;
            };
            let EvidenceEntry { validator, height, round, kind, first, second } = *entry;
            contradictions.push(Contradiction {
                height: place.height,
                entry: place.index,
                submitter: submitter.to_string(),
                validator: validator.to_string(),
                about_height: height,
                round,
                kind: word(kind).to_owned(),
                signed: [first, second].iter().map(signed).collect(),
            });
        }
        Ok(Evidence {
            validators: liars.map(liar).collect(),
            contradictions,
            next_from: next.map(|(height, _)| height),
            next_entry: next.map(|(_, entry)| entry),
        })
    }
}

fn word(kind: StatementKind) -> &'static str {
    match kind {
        StatementKind::Proposal => "proposal",
        StatementKind::Prevote => "prevote",
        StatementKind::Precommit => "precommit",
    }
}

fn signed(said: &Said) -> Signed {
    Signed {
        block: said.block.map(|block| block.to_string()),
        polka_round: said.polka_round,
        signature: hex::encode(said.signature.0),
    }
}
