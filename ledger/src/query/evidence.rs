//! What is on the ledger against validators, that they contradicted themselves, and against DSOs, that they cleared
//! something twice; with both signatures.

use super::answers::{Contradiction, DoubleClearer, DoubleClearing, Envelope, Evidence, Liar, Signed};
use super::prices::time_s;
use super::{Place, ReadError, Reader};
use crate::double_clearing::check;
use crate::rights::{EntryKind, Query};
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use wire::entry::{DoubleClearingEntry, Entry, EvidenceEntry, Said, SignedEnvelope, StatementKind};
use wire::envelope::claimed;
use wire::party::PartyId;

/// Most proofs in one answer.
pub const MAX_PROOFS: usize = 100;
/// Bytes of signed envelopes after which no more proofs are put into an answer.
const ENOUGH_BYTES: usize = 1 << 20;

impl Reader<'_> {
    /// Every validator that contradicted itself and every DSO that cleared something twice, and the first proofs of
    /// either recorded from a place in a block on.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn evidence(&self, from: (u64, usize)) -> Result<Evidence, ReadError> {
        self.allow(Query::Evidence)?;
        let state = &self.view.state;
        let mut told = Evidence {
            validators: state.voting().liars().iter().map(liar).collect(),
            contradictions: Vec::new(),
            dsos: state.contracts().double_clearers.iter().map(double_clearer).collect(),
            double_clearings: Vec::new(),
            next_from: None,
            next_entry: None,
        };
        let mut bytes = 0;
        for (count, place) in self.proofs(from)?.into_iter().enumerate() {
            if count == MAX_PROOFS || bytes > ENOUGH_BYTES {
                (told.next_from, told.next_entry) = (Some(place.height), Some(place.index));
                break;
            }
            let Some(decided) = self.history.block(place.height)? else { continue };
            let found = decided.entries().nth(place.index);
            match found {
                Some((submitter, Entry::Evidence(entry))) => {
                    told.contradictions.push(contradiction(&place, &submitter, *entry));
                }
                Some((submitter, Entry::DoubleClearing(entry))) => {
                    bytes += entry.first.bytes.len() + entry.second.bytes.len();
                    told.double_clearings.extend(self.double_clearing(&place, &submitter, &entry));
                }
                _ => {}
            }
        }
        Ok(told)
    }

    /// Where the first proofs from a place on stand, in order, one more than are told at once.
    fn proofs(&self, from: (u64, usize)) -> Result<Vec<Place>, ReadError> {
        let mut places = Vec::new();
        for kind in [EntryKind::Evidence, EntryKind::DoubleClearing] {
            places.extend(self.history.of_kind(kind, from, MAX_PROOFS + 1)?);
        }
        places.sort_by_key(|place| (place.height, place.index));
        places.truncate(MAX_PROOFS + 1);
        Ok(places)
    }

    /// What a proof on the ledger says. Its signatures were checked by the keys of its time; they are not again.
    fn double_clearing(
        &self,
        place: &Place,
        submitter: &PartyId,
        entry: &DoubleClearingEntry,
    ) -> Option<DoubleClearing> {
        let network = self.view.rules.verifier.network();
        let open = |envelope: &SignedEnvelope| claimed(network, &envelope.topic, &envelope.bytes);
        let statement = check(open, entry).ok()?;
        Some(DoubleClearing {
            height: place.height,
            entry: place.index,
            submitter: submitter.to_string(),
            dso: statement.dso.to_string(),
            kind: statement.kind.word().to_owned(),
            interval_start: time_s(statement.interval.start()),
            signed: [&entry.first, &entry.second].map(envelope).into(),
        })
    }
}

fn liar((validator, liar): (&wire::party::Id, &crate::state::voting::Liar)) -> Liar {
    Liar {
        validator: validator.to_string(),
        contradictions: liar.contradictions,
        first_height: liar.first,
        last_height: liar.last,
    }
}

fn double_clearer(
    (dso, known): (&wire::party::Id, &crate::state::double_clearing::DoubleClearer),
) -> DoubleClearer {
    DoubleClearer {
        dso: dso.to_string(),
        times: known.times,
        first_interval_start: time_s(known.first.start()),
        last_interval_start: time_s(known.last.start()),
    }
}

fn contradiction(place: &Place, submitter: &PartyId, entry: EvidenceEntry) -> Contradiction {
    let EvidenceEntry { validator, height, round, kind, first, second } = entry;
    Contradiction {
        height: place.height,
        entry: place.index,
        submitter: submitter.to_string(),
        validator: validator.to_string(),
        about_height: height,
        round,
        kind: word(kind).to_owned(),
        signed: [first, second].iter().map(signed).collect(),
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

fn envelope(signed: &SignedEnvelope) -> Envelope {
    Envelope { topic: signed.topic.clone(), envelope: URL_SAFE_NO_PAD.encode(&signed.bytes) }
}
