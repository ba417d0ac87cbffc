//! What the chain itself says of its validators: who voted from which height on, whose turn to
//! propose is passed over, and who contradicted itself. Changed by blocks alone, so that everyone who
//! follows the chain knows the same.

use crate::block::validators::ValidatorSet;
use crate::block::vote::VoteCertificate;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use wire::entry::StatementKind;
use wire::party::Id;

/// Heights for which former validators' keys are kept, and evidence against them is taken.
pub const EVIDENCE_HEIGHTS: u64 = 1_000;
/// Contradictions of one validator recorded within [`EVIDENCE_HEIGHTS`]. More prove nothing more.
pub const MAX_CONTRADICTIONS: usize = 16;

/// One contradiction, by what a validator may sign once alone: in order of height, so that the oldest
/// are forgotten first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Contradiction {
    /// Height.
    pub height: u64,
    /// Who contradicted itself.
    pub validator: Id,
    /// Round.
    pub round: u32,
    /// What it signed two of.
    pub kind: StatementKind,
}

/// What is remembered for good of a validator that contradicted itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Liar {
    /// Contradictions recorded.
    pub contradictions: u64,
    /// Height of the first recorded.
    pub first: u64,
    /// Height of the last recorded.
    pub last: u64,
}

/// Validators from some height on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Term {
    from: u64,
    validators: ValidatorSet,
}

/// What the chain says of its validators.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Voting {
    /// The last block's height.
    height: u64,
    /// Who voted from when on, in order of height.
    terms: Vec<Term>,
    /// Whose turn is passed over at the next height.
    passed_over: BTreeSet<Id>,
    /// Whose turn was passed over at the last block's height.
    passed_over_last: BTreeSet<Id>,
    /// Contradictions of the last [`EVIDENCE_HEIGHTS`].
    contradictions: BTreeSet<Contradiction>,
    liars: BTreeMap<Id, Liar>,
}

impl Voting {
    /// The last block's height.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// Who voted at a height; none for one that is not decided or too long ago.
    pub fn validators_at(&self, height: u64) -> Option<&ValidatorSet> {
        let term = self.terms.iter().rfind(|term| term.from <= height)?;
        (height <= self.height).then_some(&term.validators)
    }

    /// Whose turn is passed over at the next height.
    pub fn passed_over(&self) -> &BTreeSet<Id> {
        &self.passed_over
    }

    /// Whether this contradiction is recorded.
    pub fn has(&self, contradiction: &Contradiction) -> bool {
        self.contradictions.contains(contradiction)
    }

    /// Contradictions of this validator within the last [`EVIDENCE_HEIGHTS`].
    pub fn contradictions_of(&self, validator: &Id) -> usize {
        self.contradictions.iter().filter(|known| known.validator == *validator).count()
    }

    /// Every validator that contradicted itself, as far as recorded.
    pub fn liars(&self) -> &BTreeMap<Id, Liar> {
        &self.liars
    }

    /// A block begins, by these validators, with the votes that decided the block before: whose turn
    /// passed in vain, and who was not among those that voted in the end, is passed over until it
    /// votes again.
    pub(crate) fn begin_block(&mut self, validators: &ValidatorSet, votes: Option<&VoteCertificate>) {
        let mut passed_over = self.passed_over.clone();
        if let Some((before, votes)) = self.validators_at(self.height).zip(votes) {
            let turns = before.turns(self.height, &self.passed_over_last);
            let vain = turns.iter().take(votes.round as usize);
            passed_over.extend(vain.filter_map(|turn| before.name_of(*turn)).cloned());
            for voter in votes.signatures.iter().filter_map(|(voter, _)| before.name_of(*voter)) {
                passed_over.remove(voter);
            }
        }
        passed_over.retain(|name| validators.index_of(name).is_some());
        self.passed_over_last = std::mem::replace(&mut self.passed_over, passed_over);
        self.height += 1;
        if self.terms.last().is_none_or(|term| term.validators != *validators) {
            self.terms.push(Term { from: self.height, validators: validators.clone() });
        }
        self.forget();
    }

    fn forget(&mut self) {
        let oldest = self.height.saturating_sub(EVIDENCE_HEIGHTS);
        let gone = self.terms.iter().skip(1).take_while(|next| next.from <= oldest).count();
        self.terms.drain(..gone);
        while self.contradictions.first().is_some_and(|known| known.height < oldest) {
            self.contradictions.pop_first();
        }
    }

    /// Records a contradiction that was proven.
    pub(super) fn record(&mut self, contradiction: Contradiction) {
        let height = contradiction.height;
        let new = Liar { contradictions: 0, first: height, last: height };
        let liar = self.liars.entry(contradiction.validator.clone()).or_insert(new);
        liar.contradictions += 1;
        liar.first = liar.first.min(height);
        liar.last = liar.last.max(height);
        self.contradictions.insert(contradiction);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::vote::Signature;
    use wire::hash::Hash32;

    fn set(count: u16) -> ValidatorSet {
        ValidatorSet::new(
            (1..=count).map(|n| (format!("v{n}").parse().unwrap(), Hash32([n as u8; 32]))).collect(),
        )
    }

    /// Votes of the validators with these numbers, from 1.
    fn votes(round: u32, voters: &[u16]) -> VoteCertificate {
        let signatures = voters.iter().map(|voter| (voter - 1, Signature([0; 64]))).collect();
        VoteCertificate { round, signatures }
    }

    /// Whom the blocks from 2 on pass over, where these votes decided the blocks before each.
    fn check(validators: u16, decided: &[(u32, &[u16])], expected: &[&[u16]]) {
        let (mut voting, set) = (Voting::default(), set(validators));
        voting.begin_block(&set, None);
        for ((round, voters), expected) in decided.iter().zip(expected) {
            voting.begin_block(&set, Some(&votes(*round, voters)));
            let names: Vec<String> = expected.iter().map(|n| format!("v{n}")).collect();
            let found: Vec<&str> = voting.passed_over().iter().map(Id::as_str).collect();
            assert_eq!(found, names, "after block {}", voting.height());
        }
    }

    // At height h the turns of four begin with validator h % 4 + 1.
    #[test]
    fn who_missed_its_turn_is_passed_over_until_it_votes() {
        check(4, &[(0, &[1, 2, 3])], &[&[]]);
        check(4, &[(1, &[1, 3, 4]), (0, &[1, 3, 4]), (0, &[1, 2, 3])], &[&[2], &[2], &[]]);
        // It was late with its proposal, and there with its vote.
        check(4, &[(1, &[1, 2, 3, 4])], &[&[]]);
        // Height 1 takes two rounds, and two are passed over.
        check(7, &[(2, &[1, 4, 5, 6, 7]), (0, &[1, 3, 4, 5, 6])], &[&[2, 3], &[2]]);
    }

    #[test]
    fn many_rounds_pass_over_nobody_who_voted() {
        check(4, &[(99, &[1, 2, 3])], &[&[4]]);
    }

    #[test]
    fn who_left_is_no_longer_passed_over() {
        let mut voting = Voting::default();
        voting.begin_block(&set(4), None);
        voting.begin_block(&set(4), Some(&votes(1, &[1, 3, 4])));
        voting.begin_block(&set(1), Some(&votes(0, &[1, 3, 4])));
        assert!(voting.passed_over().is_empty());
        assert_eq!(voting.validators_at(2).map(|set| set.members().len()), Some(4));
        assert_eq!(voting.validators_at(3).map(|set| set.members().len()), Some(1));
        assert_eq!(voting.validators_at(4), None);
    }

    #[test]
    fn former_validators_are_remembered_as_long_as_evidence_is_taken() {
        let mut voting = Voting::default();
        voting.begin_block(&set(4), None);
        for _ in 0..EVIDENCE_HEIGHTS {
            voting.begin_block(&set(5), None);
        }
        assert_eq!(voting.height(), EVIDENCE_HEIGHTS + 1);
        assert_eq!(voting.validators_at(1).map(|set| set.members().len()), Some(4));
        voting.begin_block(&set(5), None);
        assert_eq!(voting.validators_at(1), None);
        assert_eq!(voting.validators_at(2).map(|set| set.members().len()), Some(5));
    }
}
