//! What governance and the registry may change: market parameters, grid and day-ahead rules, participants, the
//! validators and the contracts' versions. A part of the state; rules are derived from it. Who may change what
//! is the contracts' to say.

pub mod check;
pub mod member;
pub mod proposal;
pub mod registry;
pub mod roster;
pub mod succession;

use crate::genesis::Genesis;
use market::day_ahead::rules::DayAheadRules;
use market::grid::rules::GridRules;
use market::parameters::MarketParameters;
use member::Member;
use proposal::{Outcome, Pending};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use wire::cbor;
use wire::entry::governance::GovernedChange;
use wire::hash::Hash32;
use wire::party::{Id, Participant, PartyId, Registry, Role};

/// What may change, as plain data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provisions {
    /// The market's figures.
    pub parameters: MarketParameters,
    /// What a market that knows its grid goes by besides.
    pub grid: Option<GridRules>,
    /// When day-ahead sessions are, where there are any.
    pub day_ahead: Option<DayAheadRules>,
    /// Everyone who takes part or once did.
    #[serde(with = "member::as_list")]
    pub members: BTreeMap<PartyId, Arc<Member>>,
    /// Whose votes decide on blocks.
    pub validators: BTreeSet<Id>,
    /// Versions of contracts that are not the first, by contract as
    /// [`crate::contracts::versions::Contract::word`].
    pub contracts: BTreeMap<String, u32>,
    /// Proposals that wait for their height, in the order they were made.
    pub proposals: Vec<Pending>,
    /// What became of the last ones.
    pub outcomes: Vec<Outcome>,
}

/// One entry's change of what is governed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// A member, new or changed.
    Member(Box<Member>),
    /// A proposal to wait for votes.
    Proposal(Box<Pending>),
    /// A vote.
    Ballot {
        /// On which proposal.
        proposal: Hash32,
        /// By whom.
        validator: Id,
        /// For or against it.
        approve: bool,
    },
}

/// [`Provisions`] with their hash, made once.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Provisions", into = "Provisions")]
pub struct Governed {
    provisions: Provisions,
    hash: OnceLock<Hash32>,
}

impl Governed {
    /// What a ledger starts from.
    pub fn genesis(genesis: &Genesis) -> Self {
        let member = |p: &Participant| Arc::new(Member::founding(&genesis.network, p.clone()));
        let members: BTreeMap<PartyId, Arc<Member>> =
            genesis.participants.iter().map(|p| (p.party.clone(), member(p))).collect();
        let validators = members.keys().filter(|party| party.role == Role::Validator);
        Provisions {
            parameters: genesis.parameters,
            grid: genesis.grid.clone(),
            day_ahead: genesis.day_ahead,
            validators: validators.map(|party| party.id.clone()).collect(),
            members,
            contracts: BTreeMap::new(),
            proposals: Vec::new(),
            outcomes: Vec::new(),
        }
        .into()
    }

    /// Hash over all of it.
    pub fn hash(&self) -> Hash32 {
        *self.hash.get_or_init(|| {
            // Fails for nothing that can be stored, and then all fail alike.
            let bytes = cbor::to_vec(&self.provisions).unwrap_or_default();
            Hash32::of("gridpact governed", &[&bytes])
        })
    }

    /// Makes one entry's change.
    pub fn make(&mut self, edit: Edit) {
        self.edit(|provisions| match edit {
            Edit::Member(member) => {
                provisions.members.insert(member.party().clone(), Arc::from(member));
            }
            Edit::Proposal(pending) => provisions.proposals.push(*pending),
            Edit::Ballot { proposal, validator, approve } => {
                let named = provisions.proposals.iter_mut().find(|pending| pending.id == proposal);
                if let Some(pending) = named {
                    pending.ballots.insert(validator, approve);
                }
            }
        });
    }

    /// Lets `change` change it, whatever the contracts would say.
    pub fn edit(&mut self, change: impl FnOnce(&mut Provisions)) {
        self.hash = OnceLock::new();
        change(&mut self.provisions);
    }

    /// Everyone whose signature is believed once a block of this time is decided: all but those revoked. When
    /// each may say anything is checked where it does.
    pub fn registry(&self, time_ms: u64) -> Registry {
        let believed = self.members.values().filter(|member| member.revoked.is_none());
        believed.map(|member| (member.party().clone(), member.participant_at(time_ms))).collect()
    }

    /// Validators that may ask for blocks although they take no part: those that a proposal would admit, so that they
    /// stand at its height when it comes, and those dismissed.
    pub fn onlookers(&self) -> impl Iterator<Item = &Participant> {
        let to_come = self.proposals.iter().flat_map(|pending| match &pending.entry.change {
            GovernedChange::Validators { admit, .. } => admit.as_slice(),
            _ => &[],
        });
        let dismissed = self.members.values().filter(|member| {
            member.party().role == Role::Validator && !self.validators.contains(&member.party().id)
        });
        to_come.map(|registration| &registration.participant).chain(dismissed.map(|gone| &gone.participant))
    }

    /// The next time after `time_ms`, in milliseconds since 1970, at which somebody's standing changes by
    /// itself.
    pub fn next_boundary_ms(&self, time_ms: u64) -> Option<u64> {
        let boundaries = self.members.values().flat_map(|member| member.boundaries_ms());
        boundaries.filter(|at| *at > time_ms).min()
    }

    /// Version of a contract; 0 where it is switched off.
    pub fn contract_version(&self, contract: &str) -> u32 {
        self.contracts.get(contract).copied().unwrap_or(1)
    }
}

impl Deref for Governed {
    type Target = Provisions;
    fn deref(&self) -> &Provisions {
        &self.provisions
    }
}

impl From<Provisions> for Governed {
    fn from(provisions: Provisions) -> Self {
        Self { provisions, hash: OnceLock::new() }
    }
}

impl From<Governed> for Provisions {
    fn from(governed: Governed) -> Self {
        governed.provisions
    }
}

impl PartialEq for Governed {
    fn eq(&self, other: &Self) -> bool {
        self.provisions == other.provisions
    }
}

impl Eq for Governed {}
