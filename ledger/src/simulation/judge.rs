//! Checks a chain of decided blocks from its genesis on, alone, as an auditor would.

use super::check::Violation;
use super::world::World;
use crate::block::validators::check_votes;
use crate::block::vote::VoteCertificate;
use crate::block::DecidedBlock;
use crate::contracts::rules::Rules;
use crate::execute::{execute_block, Executed};
use crate::governed::proposal::OutcomeKind;
use crate::store::Chain;
use wire::entry::registry::ParticipantEntry;
use wire::entry::{Entry, SignedEnvelope};

/// Follows a chain of decided blocks.
pub struct Judge<'a> {
    /// The market.
    pub world: &'a World,
    /// Everything that anybody but validators submitted.
    submitted: &'a [SignedEnvelope],
    /// The chain as far as it was followed.
    pub chain: Chain,
    /// Entries on it.
    seen: Vec<SignedEnvelope>,
    /// What does not hold.
    pub found: Vec<Violation>,
}

impl<'a> Judge<'a> {
    /// Who begins at the genesis, and knows what was submitted.
    pub fn new(world: &'a World, submitted: &'a [SignedEnvelope], genesis: Chain) -> Self {
        Self { world, submitted, chain: genesis, seen: Vec::new(), found: Vec::new() }
    }

    /// Goes on with the next block: votes, link, state, balances, that its entries are the submitted ones, each
    /// once, and that validators change where it was decided; and every other certificate with which somebody has it.
    pub fn follow(&mut self, decided: &DecidedBlock, certificates: &[VoteCertificate]) -> Result<(), String> {
        let Chain { tip, state, rules } = &self.chain;
        let total = state.total_nano_eur();
        rules.verifier.verify(decided).map_err(|e| e.to_string())?;
        let at = (decided.height(), decided.block.header.hash());
        for certificate in certificates {
            let (validators, checked) = (rules.verifier.validators(), Some(&decided.certificate));
            check_votes(self.world.ledger(), validators, at, certificate, checked)
                .map_err(|e| e.to_string())?;
        }
        let open = |envelope: &SignedEnvelope| rules.verifier.open_entry(envelope);
        let executed = execute_block(rules, tip, state, &decided.block, &open).map_err(|e| e.to_string())?;
        let Executed { state, rules, .. } = executed;
        let next = Chain { tip: tip.after(decided), state, rules };
        let before = std::mem::replace(&mut self.chain, next);
        if self.chain.state.total_nano_eur() != total {
            return Err("balances are not conserved".to_owned());
        }
        self.check_change(&before.rules, decided)?;
        for (envelope, (_, entry)) in decided.block.entries.iter().zip(decided.entries()) {
            let known = matches!(entry, Entry::Evidence(_)) || self.submitted.contains(envelope);
            if !known || self.seen.contains(envelope) {
                return Err("an entry that nobody submitted, or twice".to_owned());
            }
            self.seen.push(envelope.clone());
        }
        Ok(())
    }

    /// Validators change at the height after this block where a vote named that, or one of them changed its key in
    /// it, and nowhere else.
    fn check_change(&self, before: &Rules, decided: &DecidedBlock) -> Result<(), String> {
        let after = &self.chain.rules;
        if before.verifier.roster() == after.verifier.roster() {
            return Ok(());
        }
        let next = decided.height() + 1;
        let voted = after
            .governed
            .outcomes
            .iter()
            .any(|outcome| (outcome.at_height, &outcome.result) == (next, &OutcomeKind::Applied));
        let rotated = decided.entries().any(|(_, entry)| {
            matches!(&entry, Entry::Participant(change) if matches!(**change, ParticipantEntry::Rotate(_)))
        });
        match voted || rotated {
            true => Ok(()),
            false => Err(format!("validators change at height {next}, which nobody named")),
        }
    }
}
