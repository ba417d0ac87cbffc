//! Changes of the rules by vote: what a change must be, and what becomes of a proposal at its height.

use super::member::{Member, Revocation};
use super::registry::{register, revoke, Ground, RegistryRefusal};
use super::{check, Governed, Provisions};
use crate::block::At;
use crate::contracts::versions::Contract;
use crate::genesis::GenesisError;
use crate::rights::registrar_of;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use thiserror::Error;
use wire::entry::governance::{GovernedChange, ProposalEntry};
use wire::entry::registry::Registration;
use wire::hash::Hash32;
use wire::party::{Id, PartyId, Role};

/// Furthest height ahead that a proposal may name.
pub const MAX_AHEAD: u64 = 100_000;
/// Most proposals one party has waiting.
pub const MAX_PENDING_EACH: usize = 4;
/// Outcomes kept. The blocks have them all.
pub const KEPT_OUTCOMES: usize = 64;
/// Most validators.
pub const MAX_VALIDATORS: usize = 100;

/// A proposal that waits for its height.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// Its identity, which ballots name.
    pub id: Hash32,
    /// Who made it.
    pub by: PartyId,
    /// What it says.
    pub entry: ProposalEntry,
    /// Validators' votes, for or against.
    pub ballots: BTreeMap<Id, bool>,
}

/// What became of a proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Its identity.
    pub id: Hash32,
    /// The height it named.
    pub at_height: u64,
    /// Validators for it.
    pub approvals: u32,
    /// Validators there were.
    pub validators: u32,
    /// How it ended.
    pub result: OutcomeKind,
}

/// How a proposal ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeKind {
    /// It holds.
    Applied,
    /// Too few had voted for it.
    Lapsed,
    /// Enough had, and it did not fit what held by then.
    Unfit {
        /// What was wrong.
        reason: String,
    },
}

/// Why a change can't be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChangeRefusal {
    /// It makes no market.
    #[error(transparent)]
    Market(#[from] GenesisError),
    /// It does not fit the registry.
    #[error(transparent)]
    Registry(#[from] RegistryRefusal),
    /// Something that never changes.
    #[error("{what} can't be changed")]
    Fixed {
        /// What.
        what: &'static str,
    },
    /// A set of validators that can't be.
    #[error("validators: {reason}")]
    Validators {
        /// What is wrong.
        reason: &'static str,
    },
    /// Somebody whose role has a registrar, or a validator alone.
    #[error("{party} is not registered by a proposal of this kind")]
    Registrar {
        /// Who.
        party: PartyId,
    },
    /// No contract of this program's, or not in this version.
    #[error("this program knows no version {version} of a contract {contract:?}")]
    Contract {
        /// The contract.
        contract: String,
        /// The version.
        version: u32,
    },
}

/// What holds after a change.
///
/// # Errors
/// Names why the change can't be: what a genesis is checked for, and what would break records made before.
pub fn changed(
    provisions: &Provisions,
    ground: Ground<'_>,
    at: At,
    change: &GovernedChange,
) -> Result<Provisions, ChangeRefusal> {
    let mut next = provisions.clone();
    match change {
        GovernedChange::Parameters(parameters) => {
            if parameters.interval_s != next.parameters.interval_s {
                return Err(ChangeRefusal::Fixed { what: "the length of an interval" });
            }
            next.parameters = *parameters;
        }
        GovernedChange::Grid(rules) => next.grid = Some(rules.as_ref().clone()),
        GovernedChange::DayAhead(rules) => next.day_ahead = *rules,
        GovernedChange::Validators { admit, dismiss } => {
            change_validators(&mut next, ground, at, admit, dismiss)?;
        }
        GovernedChange::Contract { contract, version } => {
            let known = Contract::ALL.into_iter().find(|known| known.word() == contract);
            // Version 0 is none: entries of a contract that is switched off are refused.
            if !known.is_some_and(|known| *version == 0 || known.knows(*version)) {
                return Err(ChangeRefusal::Contract { contract: contract.clone(), version: *version });
            }
            next.contracts.insert(contract.clone(), *version);
        }
        GovernedChange::Admit(registration) => {
            let party = &registration.participant.party;
            if party.role == Role::Validator || registrar_of(party.role).is_some() {
                return Err(ChangeRefusal::Registrar { party: party.clone() });
            }
            let member = register(&next, ground, at, registration, None)?;
            next.members.insert(party.clone(), Arc::new(member));
        }
        GovernedChange::Revoke(party) => {
            if party.role == Role::Validator {
                return Err(ChangeRefusal::Registrar { party: party.clone() });
            }
            let member = revoke(&next, at, party, None)?;
            next.members.insert(party.clone(), Arc::new(member));
        }
    }
    let on = (ground.feeder, ground.tree);
    check::market(&next.parameters, next.grid.as_ref(), next.day_ahead.as_ref(), on)?;
    let taking_part = next.members.values().filter(|member| member.revoked.is_none());
    check::roles(taking_part.map(|member| &member.participant))?;
    Ok(next)
}

fn change_validators(
    next: &mut Provisions,
    ground: Ground<'_>,
    at: At,
    admit: &[Registration],
    dismiss: &[Id],
) -> Result<(), ChangeRefusal> {
    let wrong = |reason| ChangeRefusal::Validators { reason };
    for id in dismiss {
        let party = PartyId::new(Role::Validator, id.clone());
        let member = next.members.get(&party).filter(|_| next.validators.contains(id));
        let mut member = Member::clone(member.ok_or_else(|| wrong("one to be dismissed is none"))?);
        member.revoked = Some(Revocation { at_ms: at.time_ms, by: None });
        next.validators.remove(id);
        next.members.insert(party, Arc::new(member));
    }
    for registration in admit {
        let party = &registration.participant.party;
        if party.role != Role::Validator {
            return Err(wrong("one to be admitted has another role"));
        }
        // A set must not shrink because time passes.
        if registration.valid_from_ms > at.time_ms || registration.valid_to_ms.is_some() {
            return Err(wrong("one to be admitted has a time of its own"));
        }
        let member = register(next, ground, at, registration, None)?;
        next.validators.insert(party.id.clone());
        next.members.insert(party.clone(), Arc::new(member));
    }
    if next.validators.is_empty() || next.validators.len() > MAX_VALIDATORS {
        return Err(wrong("there would be none, or too many"));
    }
    if admit.is_empty() && dismiss.is_empty() {
        return Err(wrong("nobody comes or goes"));
    }
    Ok(())
}

impl Governed {
    /// Whether a proposal is to be decided at the end of this block.
    pub fn is_due(&self, at: At) -> bool {
        self.proposals.iter().any(|pending| pending.entry.at_height <= at.height.saturating_add(1))
    }

    /// Decides what proposals name the next height: those that more than two thirds of the validators have voted
    /// for hold from then on, the others lapse.
    pub fn decide(&mut self, ground: Ground<'_>, at: At) {
        let is_due = |pending: &Pending| pending.entry.at_height <= at.height.saturating_add(1);
        let (due, waiting) = self.proposals.iter().cloned().partition(is_due);
        let due: Vec<Pending> = due;
        self.edit(|provisions| provisions.proposals = waiting);
        for pending in due {
            let validators = self.validators.len();
            let approvals =
                self.validators.iter().filter(|id| pending.ballots.get(*id) == Some(&true)).count();
            let result = if 3 * approvals <= 2 * validators {
                OutcomeKind::Lapsed
            } else {
                match changed(self, ground, at, &pending.entry.change) {
                    Ok(next) => {
                        self.edit(|provisions| *provisions = next);
                        OutcomeKind::Applied
                    }
                    Err(refusal) => OutcomeKind::Unfit { reason: refusal.to_string() },
                }
            };
            let Pending { id, entry: ProposalEntry { at_height, .. }, .. } = pending;
            let (approvals, validators) = (approvals as u32, validators as u32);
            self.edit(|provisions| {
                provisions.outcomes.push(Outcome { id, at_height, approvals, validators, result });
                let too_many = provisions.outcomes.len().saturating_sub(KEPT_OUTCOMES);
                provisions.outcomes.drain(..too_many);
            });
        }
    }
}
