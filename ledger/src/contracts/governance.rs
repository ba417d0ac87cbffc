//! Proposals and ballots: how the rules themselves change. What becomes of a proposal is decided at the end of the
//! block before the height it names.

use super::rules::Rules;
use crate::block::At;
use crate::governed::proposal::{changed, ChangeRefusal, Pending, MAX_AHEAD, MAX_PENDING_EACH};
use crate::governed::{Edit, Governed};
use crate::state::receipt::Refusal;
use std::collections::BTreeMap;
use thiserror::Error;
use wire::cbor::CborError;
use wire::entry::governance::{BallotEntry, ProposalEntry};
use wire::hash::Hash32;
use wire::party::{Id, PartyId};

/// Why a proposal or a ballot is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GovernanceRefusal {
    /// A height that is past, or too far ahead.
    #[error("the height {at_height} is not one of the {MAX_AHEAD} after this block's, {height}")]
    Height {
        /// The height named.
        at_height: u64,
        /// The block's.
        height: u64,
    },
    /// What it proposes can't be.
    #[error("the change proposed: {0}")]
    Change(#[from] ChangeRefusal),
    /// The same proposal waits already.
    #[error("the proposal {} was made already", id.short())]
    Again {
        /// Its identity.
        id: Hash32,
    },
    /// As many of this party's wait as may.
    #[error("{MAX_PENDING_EACH} proposals of {by} wait already")]
    TooMany {
        /// Whose.
        by: PartyId,
    },
    /// It has no encoding, so no identity.
    #[error("the proposal: {0}")]
    Encoding(#[from] CborError),
    /// No such proposal waits: it never was, or was decided.
    #[error("no proposal {} waits for votes", id.short())]
    NoProposal {
        /// The identity named.
        id: Hash32,
    },
    /// The voter is no validator now.
    #[error("{validator} is no validator now")]
    NoValidator {
        /// The voter.
        validator: Id,
    },
    /// The validator has voted.
    #[error("{validator} has voted on this proposal already")]
    Voted {
        /// The validator.
        validator: Id,
    },
}

impl GovernanceRefusal {
    /// A word for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            GovernanceRefusal::Height { .. } => "proposal-height",
            GovernanceRefusal::Change(_) | GovernanceRefusal::Encoding(_) => "proposed-change",
            GovernanceRefusal::Again { .. } => "proposed-before",
            GovernanceRefusal::TooMany { .. } => "too-many-proposals",
            GovernanceRefusal::NoProposal { .. } => "no-proposal",
            GovernanceRefusal::NoValidator { .. } => "no-validator",
            GovernanceRefusal::Voted { .. } => "voted-before",
        }
    }
}

/// What a proposal changes: it waits for votes, if what it proposes could be now.
pub(super) fn propose(
    rules: &Rules,
    governed: &Governed,
    at: At,
    by: &PartyId,
    entry: &ProposalEntry,
) -> Result<Edit, Refusal> {
    let at_height = entry.at_height;
    if at_height <= at.height || at_height - at.height > MAX_AHEAD {
        return Err(GovernanceRefusal::Height { at_height, height: at.height }.into());
    }
    let id = entry.id().map_err(GovernanceRefusal::from)?;
    if governed.proposals.iter().any(|pending| pending.id == id) {
        return Err(GovernanceRefusal::Again { id }.into());
    }
    if governed.proposals.iter().filter(|pending| pending.by == *by).count() >= MAX_PENDING_EACH {
        return Err(GovernanceRefusal::TooMany { by: by.clone() }.into());
    }
    changed(governed, rules.ground(), at, &entry.change).map_err(GovernanceRefusal::from)?;
    let (entry, ballots) = (entry.clone(), BTreeMap::new());
    Ok(Edit::Proposal(Box::new(Pending { id, by: by.clone(), entry, ballots })))
}

/// What a ballot changes.
pub(super) fn vote(governed: &Governed, by: &PartyId, entry: &BallotEntry) -> Result<Edit, Refusal> {
    let BallotEntry { proposal: id, approve } = *entry;
    let pending = governed.proposals.iter().find(|pending| pending.id == id);
    let pending = pending.ok_or(GovernanceRefusal::NoProposal { id })?;
    let validator = by.id.clone();
    if !governed.validators.contains(&validator) {
        return Err(GovernanceRefusal::NoValidator { validator }.into());
    }
    if pending.ballots.contains_key(&validator) {
        return Err(GovernanceRefusal::Voted { validator }.into());
    }
    Ok(Edit::Ballot { proposal: id, validator, approve })
}
