//! Who decides one height: its validators, and in which order they propose. Follows from the state
//! before that height, so that everyone who is there knows the same.

use crate::block::validators::ValidatorSet;
use crate::block::vote::ValidatorIndex;
use crate::contracts::rules::Rules;
use crate::state::State;
use wire::hash::Hash32;

/// Who decides one height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committee {
    /// Identity of the ledger, which is under every vote.
    pub ledger: Hash32,
    /// Those who vote.
    pub validators: ValidatorSet,
    /// In which order they propose, round after round; everyone once.
    pub turns: Vec<ValidatorIndex>,
}

impl Committee {
    /// Those who decide the height after the one that led to `state`, under the rules for it.
    pub fn after(state: &State, rules: &Rules) -> Self {
        let validators = rules.verifier.validator_set().clone();
        let voting = state.voting();
        let turns = validators.turns(voting.height().saturating_add(1), voting.passed_over());
        Self { ledger: *rules.verifier.ledger(), validators, turns }
    }

    /// Who proposes in a round. None only where there is no validator.
    pub fn proposer(&self, round: u32) -> Option<ValidatorIndex> {
        let turn = (round as usize).checked_rem(self.turns.len())?;
        self.turns.get(turn).copied()
    }
}
