//! Judging proposed blocks: executed once, before anybody votes on them.

use super::{Now, ValidatorCore};
use crate::block::vote::{SignedProposal, ValidatorIndex};
use crate::block::Block;
use crate::consensus::committee::Committee;
use crate::consensus::message::Record;
use crate::execute::{execute_block, Executed, OpenedEntry};
use serde_bytes::ByteBuf;
use wire::entry::SignedEnvelope;
use wire::freshness::MAX_SKEW_MS;

impl ValidatorCore {
    /// Whether a proposed block may follow on the chain; an error where the proposal is none.
    pub(super) fn proposed(
        &mut self,
        now: Now,
        signed: &SignedProposal,
        bytes: Option<ByteBuf>,
    ) -> Result<bool, String> {
        let proposal = &signed.proposal;
        let (height, round, proposer) = (proposal.height, proposal.round, proposal.validator);
        let named = || format!("the proposal of validator {proposer} in round {round} of height {height}");
        let Committee { ledger, validators, .. } = &*self.committee;
        let its_turn = self.committee.proposer(round) == Some(proposer);
        let key = validators.key_of(proposer).filter(|_| its_turn);
        if !key.is_some_and(|key| proposal.verify(ledger, key, &signed.signature)) {
            return Err(format!("{} is not its to make, or not signed by it", named()));
        }
        if let Some(known) = self.candidates.get(&proposal.block) {
            return Ok(known.executed.is_some());
        }
        if !self.candidates.has_room(round) {
            return Err(format!("{} is one too many", named()));
        }
        let bytes = bytes.ok_or_else(|| format!("{} comes without its block", named()))?;
        let block = Block::decode(&bytes).map_err(|error| format!("{}: {error}", named()))?;
        if block.header.hash() != proposal.block {
            return Err(format!("{} comes with another block", named()));
        }
        let fresh = proposal.polka_round.is_none();
        let executed = self.judge(now, &block, fresh.then_some(proposer));
        let valid = executed.is_some();
        if valid {
            self.record(&Record::Bytes(bytes.clone()));
        }
        self.candidates.insert(round, block, bytes, executed);
        Ok(valid)
    }

    /// Executes a proposed block. Beyond what every block must hold to, a new one must be its
    /// proposer's own, and not from the future: time never goes back, so a false time would stay.
    fn judge(&mut self, now: Now, block: &Block, fresh_by: Option<ValidatorIndex>) -> Option<Executed> {
        let header = &block.header;
        let builder = self.committee.validators.index_of(&header.proposer);
        let by_proposer = fresh_by.is_none_or(|proposer| builder == Some(proposer));
        let in_time = header.time_ms <= now.wall_ms.saturating_add(MAX_SKEW_MS);
        if builder.is_none() || !by_proposer || !in_time {
            let text = format!("block {}: not by its proposer, or from the future", header.height);
            self.note("bad-block", text);
            return None;
        }
        match self.execute(block) {
            Ok(executed) => Some(executed),
            Err(error) => {
                self.note("bad-block", error);
                None
            }
        }
    }

    pub(super) fn execute(&self, block: &Block) -> Result<Executed, String> {
        let verifier = &self.rules.verifier;
        // Checked by the link when it came, which counts while the key is still the submitter's.
        let known = |opened: &&OpenedEntry| verifier.epoch_of(&opened.submitter) == Some(opened.epoch);
        let ours = |envelope: &SignedEnvelope| self.pool.opened(envelope).filter(known);
        let others = verifier.open_entries(block.entries.iter().filter(|entry| ours(entry).is_none()));
        let open = |envelope: &SignedEnvelope| match ours(envelope) {
            Some(opened) => Ok((opened.submitter.clone(), opened.entry.clone())),
            None => others.open(envelope),
        };
        execute_block(&self.rules, &self.tip, &self.state, block, &open).map_err(|error| error.to_string())
    }
}
