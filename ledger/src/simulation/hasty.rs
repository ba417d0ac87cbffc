//! Agreement in which a new set of validators takes effect a height early: the real one, handed the committee
//! of the height after.

use crate::block::validators::ValidatorSet;
use crate::block::vote::ValidatorIndex;
use crate::consensus::committee::Committee;
use crate::consensus::core::Tendermint;
use crate::consensus::{Agreement, AgreementError, Input, Output};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use wire::envelope::Signer;

/// Proposed sets of validators by the first height that is theirs, as far as the operator has proposed any.
pub type Plans = Arc<Mutex<BTreeMap<u64, ValidatorSet>>>;

/// Agreement that can't wait.
pub struct Hasty {
    inner: Tendermint,
    plans: Plans,
}

impl Hasty {
    /// Agreement in which we sign with `signer`, and go by `plans` too early.
    pub fn new(signer: Arc<Signer>, plans: Plans) -> Self {
        Self { inner: Tendermint::new(signer), plans }
    }

    /// The committee of a height with the validators of the next, its turns in the order they had.
    fn early(
        &self,
        height: u64,
        committee: &Committee,
        me: ValidatorIndex,
    ) -> Option<(Committee, ValidatorIndex)> {
        let plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let validators = plans.get(&(height + 1))?.clone();
        let index = |old: &ValidatorIndex| validators.index_of(committee.validators.name_of(*old)?);
        let (me, turns) = (index(&me)?, committee.turns.iter().filter_map(index).collect());
        Some((Committee { ledger: committee.ledger, validators, turns }, me))
    }
}

impl Agreement for Hasty {
    fn step(&mut self, input: Input) -> Result<Vec<Output>, AgreementError> {
        let Input::Start { height, committee, me, records } = input else { return self.inner.step(input) };
        let (committee, me) = match self.early(height, &committee, me) {
            Some((early, me)) => (Arc::new(early), me),
            None => (committee, me),
        };
        self.inner.step(Input::Start { height, committee, me, records })
    }

    fn round(&self) -> Option<u32> {
        self.inner.round()
    }
}
