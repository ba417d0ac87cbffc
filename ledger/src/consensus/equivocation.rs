//! Two things one validator said where it may say one, with both messages, and the ledger's entry
//! that proves it.

use crate::block::validators::ValidatorSet;
use crate::block::vote::{SignedProposal, SignedVote, ValidatorIndex, VoteKind};
use wire::entry::{EvidenceEntry, Said, StatementKind};

/// Two things one validator said where it may say one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Equivocation {
    /// Two votes of one kind in one round.
    Votes(SignedVote, SignedVote),
    /// Two proposals in one round.
    Proposals(SignedProposal, SignedProposal),
}

impl Equivocation {
    /// Whose.
    pub fn validator(&self) -> ValidatorIndex {
        match self {
            Equivocation::Votes(one, _) => one.vote.validator,
            Equivocation::Proposals(one, _) => one.proposal.validator,
        }
    }

    /// The entry that proves it, where `validators` are those of its height. None where it is by none
    /// of them.
    pub fn evidence(&self, validators: &ValidatorSet) -> Option<EvidenceEntry> {
        let validator = validators.name_of(self.validator())?.clone();
        let ((height, round), kind, mut both) = match self {
            Equivocation::Votes(one, other) => {
                let kind = match one.vote.kind {
                    VoteKind::Prevote => StatementKind::Prevote,
                    VoteKind::Precommit => StatementKind::Precommit,
                };
                ((one.vote.height, one.vote.round), kind, [one, other].map(said_in_vote))
            }
            Equivocation::Proposals(one, other) => {
                let at = (one.proposal.height, one.proposal.round);
                (at, StatementKind::Proposal, [one, other].map(said_in_proposal))
            }
        };
        both.sort_by_key(|said| (said.block, said.polka_round));
        let [first, second] = both;
        Some(EvidenceEntry { validator, height, round, kind, first, second })
    }
}

fn said_in_vote(signed: &SignedVote) -> Said {
    Said { block: signed.vote.block, polka_round: None, signature: signed.signature }
}

fn said_in_proposal(signed: &SignedProposal) -> Said {
    let SignedProposal { proposal, signature } = signed;
    Said { block: Some(proposal.block), polka_round: proposal.polka_round, signature: *signature }
}
