//! What a role sees of a DSO that signs two clearings where it may sign one: it keeps the proof, tells those who
//! watch, and has it recorded. Pure.

use ledger::double_clearing::{check, Spoken, Statement, Watch};
use wire::entry::{DoubleClearingEntry, Entry, SignedEnvelope};
use wire::envelope::{EnvelopeError, Opened};
use wire::party::PartyId;

/// Things said by DSOs that are kept to hold others against: two intervals' clearings and awards. Every role of a
/// process keeps its own, so these are few.
const WATCHED: usize = 4;

/// Something that came to be known of a DSO.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// We hold both things it signed, and nobody told us.
    Seen(Statement, Box<DoubleClearingEntry>),
    /// Somebody told us of both.
    Told(Statement, Box<DoubleClearingEntry>),
    /// Somebody told us something that proves nothing, for this reason.
    Unproven(String),
    /// The ledger has it.
    Recorded(Statement, Box<DoubleClearingEntry>),
}

/// One role's eyes on what DSOs sign.
#[derive(Clone, Debug)]
pub(crate) struct Witness {
    watch: Watch,
    found: Vec<Found>,
}

impl Default for Witness {
    fn default() -> Self {
        Self { watch: Watch::keeping(WATCHED), found: Vec::new() }
    }
}

impl Witness {
    /// What somebody signed, opened.
    pub fn hear(&mut self, sender: &PartyId, to: Option<&PartyId>, spoken: Spoken<'_>, raw: &SignedEnvelope) {
        if let Some((statement, proof)) = self.watch.hear(sender, to, spoken, raw) {
            self.found.push(Found::Seen(statement, Box::new(proof)));
        }
    }

    /// A proof somebody sent.
    pub fn told(
        &mut self,
        open: impl Fn(&SignedEnvelope) -> Result<Opened, EnvelopeError>,
        proof: &DoubleClearingEntry,
    ) {
        match check(open, proof) {
            Ok(statement) if self.watch.learn(&statement) => {
                self.found.push(Found::Told(statement, Box::new(proof.clone())));
            }
            Ok(_) => {}
            Err(error) => self.found.push(Found::Unproven(error.to_string())),
        }
    }

    /// A decided entry. What validators recorded is believed for their votes, and opened to know what it says.
    pub fn decided(
        &mut self,
        open: impl Fn(&SignedEnvelope) -> Result<Opened, EnvelopeError>,
        submitter: &PartyId,
        entry: &Entry,
        raw: &SignedEnvelope,
    ) {
        match entry {
            Entry::DoubleClearing(proof) => {
                if let Ok(statement) = check(open, proof) {
                    self.watch.learn(&statement);
                    self.found.push(Found::Recorded(statement, proof.clone()));
                }
            }
            entry => {
                if let Some(spoken) = Spoken::in_entry(entry) {
                    self.hear(submitter, None, spoken, raw);
                }
            }
        }
    }

    /// What was found since the last call.
    pub fn take(&mut self) -> Vec<Found> {
        std::mem::take(&mut self.found)
    }
}
