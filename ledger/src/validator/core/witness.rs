//! Watching what DSOs sign: who signs two clearings for one interval is told of, and recorded.

use super::{Effect, ValidatorCore};
use crate::block::{DecidedBlock, MAX_ENTRY_BYTES};
use crate::contracts::double_clearing::is_known;
use crate::double_clearing::{check, Spoken, Statement};
use crate::execute::OpenedEntry;
use wire::entry::{DoubleClearingEntry, Entry, SignedEnvelope};
use wire::envelope::Unchecked;
use wire::party::Role;
use wire::topic::Topic;

/// Things said by DSOs that a validator keeps to hold others against.
pub(super) const WATCHED: usize = 64;
/// Room in an entry's envelope besides the proof.
const MARGIN: usize = 4 * 1024;

impl ValidatorCore {
    /// An entry came in, or is decided.
    pub(super) fn witness(&mut self, entry: &OpenedEntry) {
        let Some(spoken) = Spoken::in_entry(&entry.entry) else { return };
        if let Some((statement, proof)) = self.watch.hear(&entry.submitter, None, spoken, &entry.envelope) {
            self.effects.push(Effect::Gossip(Box::new(proof.clone())));
            self.proven(&statement, proof);
        }
    }

    /// The entries of a block that a DSO submitted: this validator may never have heard them otherwise.
    pub(super) fn witness_block(&mut self, decided: &DecidedBlock) {
        let by_dso = |envelope: &&SignedEnvelope| {
            let topic = envelope.topic.parse::<Topic>();
            topic.is_ok_and(|topic| topic.sender.role == Role::Dso && topic.kind.as_str() == Unchecked::KIND)
        };
        if !decided.block.entries.iter().any(|envelope| by_dso(&envelope)) {
            return;
        }
        let opened =
            decided.block.entries.iter().zip(decided.entries()).filter(|(envelope, _)| by_dso(envelope));
        let opened: Vec<OpenedEntry> = opened
            .map(|(envelope, (submitter, entry))| {
                let (envelope, epoch) = (envelope.clone(), 0);
                OpenedEntry { envelope, submitter, entry, epoch }
            })
            .collect();
        opened.iter().for_each(|entry| self.witness(entry));
    }

    /// Somebody says that a DSO signed two. Believed for the signatures alone.
    pub(super) fn told(&mut self, proof: &DoubleClearingEntry) {
        match check(|envelope| self.rules.verifier.open_evidence(envelope), proof) {
            Ok(statement) if self.watch.learn(&statement) => self.proven(&statement, proof.clone()),
            Ok(_) => {}
            Err(error) => self.note("bad-proof", error.to_string()),
        }
    }

    fn proven(&mut self, statement: &Statement, proof: DoubleClearingEntry) {
        self.note("double-clearing", statement.to_string());
        if is_known(&self.state, statement) {
            return;
        }
        let size = proof.first.bytes.len() + proof.second.bytes.len();
        if size > MAX_ENTRY_BYTES - MARGIN {
            self.note("proof-too-large", format!("{statement}: with {size} bytes more than an entry holds"));
            return;
        }
        self.effects.push(Effect::Submit(Box::new(Entry::DoubleClearing(Box::new(proof)))));
    }
}
