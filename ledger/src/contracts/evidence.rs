//! Proof that a validator signed two different things where it may sign one. Whoever reads the
//! ledger can check it again; what follows for the validator is for governance to say.

use crate::block::validators::ValidatorSet;
use crate::block::vote::{Proposal, ValidatorIndex, Vote, VoteKind};
use crate::state::receipt::Refusal;
use crate::state::voting::{Contradiction, EVIDENCE_HEIGHTS, MAX_CONTRADICTIONS};
use crate::state::{Changes, State};
use thiserror::Error;
use wire::entry::{EvidenceEntry, Said, StatementKind};
use wire::hash::Hash32;
use wire::party::Id;

/// Why something proves no contradiction, or none worth recording.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EvidenceRefusal {
    /// Its height is not decided yet.
    #[error("evidence about height {height}, and the last block decided is {last}")]
    Ahead {
        /// Height it is about.
        height: u64,
        /// The last decided.
        last: u64,
    },
    /// Its height was too long ago.
    #[error("evidence about height {height}, more than {EVIDENCE_HEIGHTS} before {last}")]
    Old {
        /// Height it is about.
        height: u64,
        /// The last decided.
        last: u64,
    },
    /// Not by a validator of that height.
    #[error("{validator} was no validator at height {height}")]
    NoValidator {
        /// Who.
        validator: Id,
        /// Height.
        height: u64,
    },
    /// Both say the same, stand in the wrong order, or are no statements of that kind.
    #[error("the two statements of {validator} are not two of one kind in their order")]
    Form {
        /// Who.
        validator: Id,
    },
    /// A signature does not hold.
    #[error("a statement of {validator} has a wrong signature")]
    Signature {
        /// Who.
        validator: Id,
    },
    /// The same contradiction, or enough of this validator's, stand on the ledger already.
    #[error("the contradiction of {validator} at height {height} is known, or enough of its others are")]
    Known {
        /// Who.
        validator: Id,
        /// Height.
        height: u64,
    },
}

impl EvidenceRefusal {
    /// A word for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            EvidenceRefusal::Ahead { .. } => "evidence-ahead",
            EvidenceRefusal::Old { .. } => "evidence-old",
            EvidenceRefusal::Known { .. } => "evidence-known",
            EvidenceRefusal::NoValidator { .. }
            | EvidenceRefusal::Form { .. }
            | EvidenceRefusal::Signature { .. } => "evidence-wrong",
        }
    }
}

/// What evidence changes, on the ledger with this identity.
pub(super) fn execute(ledger: &Hash32, state: &State, entry: &EvidenceEntry) -> Result<Changes, Refusal> {
    let EvidenceEntry { validator, height, round, kind, .. } = entry;
    let (height, voting) = (*height, state.voting());
    let last = voting.height();
    if height > last {
        return Err(EvidenceRefusal::Ahead { height, last }.into());
    }
    if last - height > EVIDENCE_HEIGHTS {
        return Err(EvidenceRefusal::Old { height, last }.into());
    }
    let contradiction = Contradiction { height, validator: validator.clone(), round: *round, kind: *kind };
    if voting.has(&contradiction) || voting.contradictions_of(validator) >= MAX_CONTRADICTIONS {
        return Err(EvidenceRefusal::Known { validator: validator.clone(), height }.into());
    }
    let unknown = || EvidenceRefusal::NoValidator { validator: validator.clone(), height };
    let validators = voting.validators_at(height).ok_or_else(unknown)?;
    let index = validators.index_of(validator).ok_or_else(unknown)?;
    check_form(entry)?;
    for said in [&entry.first, &entry.second] {
        if !holds(ledger, validators, index, entry, said) {
            return Err(EvidenceRefusal::Signature { validator: validator.clone() }.into());
        }
    }
    Ok(Changes { contradiction: Some(contradiction), ..Changes::default() })
}

fn check_form(entry: &EvidenceEntry) -> Result<(), EvidenceRefusal> {
    let what = |said: &Said| (said.block, said.polka_round);
    let of_kind = |said: &Said| match entry.kind {
        StatementKind::Proposal => said.block.is_some(),
        StatementKind::Prevote | StatementKind::Precommit => said.polka_round.is_none(),
    };
    let ordered = what(&entry.first) < what(&entry.second);
    if ordered && of_kind(&entry.first) && of_kind(&entry.second) {
        return Ok(());
    }
    Err(EvidenceRefusal::Form { validator: entry.validator.clone() })
}

fn holds(
    ledger: &Hash32,
    validators: &ValidatorSet,
    validator: ValidatorIndex,
    entry: &EvidenceEntry,
    said: &Said,
) -> bool {
    let EvidenceEntry { height, round, kind, .. } = *entry;
    let Said { block, polka_round, signature } = said;
    let Some(key) = validators.key_of(validator) else { return false };
    let vote = |kind| Vote { kind, height, round, block: *block, validator }.verify(ledger, key, signature);
    match kind {
        StatementKind::Prevote => vote(VoteKind::Prevote),
        StatementKind::Precommit => vote(VoteKind::Precommit),
        StatementKind::Proposal => block.is_some_and(|block| {
            Proposal { height, round, polka_round: *polka_round, block, validator }
                .verify(ledger, key, signature)
        }),
    }
}
