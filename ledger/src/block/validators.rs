//! The validators of one height: who may vote, how many are enough, and whether their votes hold.

use super::verifier::BlockError;
use super::vote::{ValidatorIndex, Vote, VoteCertificate, VoteKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use wire::hash::Hash32;
use wire::party::Id;

/// Validators with their keys, in order of identifier. Each has one vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorSet(Vec<(Id, Hash32)>);

impl ValidatorSet {
    /// A set of these validators.
    pub fn new(mut members: Vec<(Id, Hash32)>) -> Self {
        members.sort();
        members.dedup_by(|a, b| a.0 == b.0);
        Self(members)
    }

    /// Validators with their keys, in order of identifier.
    pub fn members(&self) -> &[(Id, Hash32)] {
        &self.0
    }

    /// The validator's place, where it is one.
    pub fn index_of(&self, validator: &Id) -> Option<ValidatorIndex> {
        let place = self.0.binary_search_by(|(id, _)| id.cmp(validator)).ok()?;
        ValidatorIndex::try_from(place).ok()
    }

    /// The validator's name.
    pub fn name_of(&self, validator: ValidatorIndex) -> Option<&Id> {
        self.0.get(usize::from(validator)).map(|(name, _)| name)
    }

    /// The validator's key.
    pub fn key_of(&self, validator: ValidatorIndex) -> Option<&Hash32> {
        self.0.get(usize::from(validator)).map(|(_, key)| key)
    }

    /// In which order they propose at a height, round after round: one after the other, a height's
    /// first being the next after that of the height before. Those passed over come last, so that
    /// everyone has a turn in as many rounds as there are validators, and none of them costs a
    /// time-out while another is there.
    pub fn turns(&self, height: u64, passed_over: &BTreeSet<Id>) -> Vec<ValidatorIndex> {
        let places = (0..).zip(&self.0).map(|(place, (name, _))| (place, passed_over.contains(name)));
        let (last, first): (Vec<_>, Vec<_>) = places.partition(|(_, passed_over)| *passed_over);
        let mut turns = Vec::with_capacity(self.0.len());
        for part in [first, last].into_iter().filter(|part| !part.is_empty()) {
            let start = (height % part.len() as u64) as usize;
            turns.extend(part[start..].iter().chain(&part[..start]).map(|(place, _)| *place));
        }
        turns
    }
}

/// Checks the votes of these validators, in order of identifier, for the block with this height and hash
/// on the ledger with this identity: more than two thirds, each once, rightly signed. Signatures that
/// stand in `known` were checked before and are believed.
///
/// # Errors
/// Names the first vote that does not hold, or that there are too few.
pub fn check_votes(
    ledger: &Hash32,
    validators: &[(Id, Hash32)],
    (height, block): (u64, Hash32),
    certificate: &VoteCertificate,
    known: Option<&VoteCertificate>,
) -> Result<(), BlockError> {
    let round = certificate.round;
    let known = known.filter(|known| known.round == round);
    let mut last = None;
    for (index, (validator, signature)) in certificate.signatures.iter().enumerate() {
        let voter = validators.get(usize::from(*validator));
        let Some((id, key)) = voter.filter(|_| last < Some(*validator)) else {
            return Err(BlockError::Voter { height, index });
        };
        last = Some(*validator);
        let kind = VoteKind::Precommit;
        let vote = Vote { kind, height, round, block: Some(block), validator: *validator };
        let believed = known.is_some_and(|known| known.holds(*validator, signature));
        if !believed && !vote.verify(ledger, key, signature) {
            return Err(BlockError::Signature { height, validator: id.clone() });
        }
    }
    let (votes, validators) = (certificate.signatures.len(), validators.len());
    if 3 * votes <= 2 * validators {
        return Err(BlockError::Quorum { height, votes, validators });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(number: u16) -> Id {
        format!("v{number}").parse().unwrap()
    }

    fn check(height: u64, passed_over: &[u16], expected: &[ValidatorIndex]) {
        let set = ValidatorSet::new((0..4).map(|n| (name(n), Hash32([n as u8; 32]))).collect());
        let passed_over = passed_over.iter().copied().map(name).collect();
        assert_eq!(set.turns(height, &passed_over), expected);
    }

    #[test]
    fn turns_go_round_and_those_passed_over_come_last() {
        check(0, &[], &[0, 1, 2, 3]);
        check(5, &[], &[1, 2, 3, 0]);
        check(5, &[1], &[3, 0, 2, 1]);
        check(6, &[1, 2], &[0, 3, 1, 2]);
        check(3, &[0, 1, 2, 3], &[3, 0, 1, 2]);
    }

    proptest! {
        #[test]
        fn everyone_has_one_turn(count in 1u16..20, height: u64, passed_over in prop::collection::btree_set(0u16..20, 0..20)) {
            let set = ValidatorSet::new((0..count).map(|n| (name(n), Hash32::default())).collect());
            let mut turns = set.turns(height, &passed_over.into_iter().map(name).collect());
            turns.sort_unstable();
            prop_assert_eq!(turns, (0..count).collect::<Vec<_>>());
        }
    }
}
