//! Changes of the registry: what a registration, a rotation, a revocation and a list of equipment must be, and the
//! member that comes of each. Who may ask for which is [`crate::rights`]'s to say, and is asked here.

use super::check;
use super::member::{Member, Revocation, Standing};
use super::Provisions;
use crate::block::At;
use crate::genesis::{is_named_account, GenesisError};
use crate::rights::registrar_of;
use market::feeder::{Feeder, Tree};
use std::collections::BTreeSet;
use thiserror::Error;
use wire::entry::registry::{EquipmentList, KeyRotation, ParticipantEntry, Registration};
use wire::hash::Hash32;
use wire::party::{Id, KeyEpoch, PartyId, Role};
use wire::pseudonym::Pseudonym;
use wire::topic::Network;

/// How long what a key signed before it was rotated away is believed as evidence and between parties, in
/// milliseconds of block time: an interval's rounds and its settlement. Entries are not, from the next block on.
pub const RETIRING_MS: u64 = 30 * 60 * 1_000;
/// Most participants a ledger ever has.
pub const MAX_MEMBERS: usize = 200_000;

/// What never changes of a ledger and the registry depends on.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// Which market this is.
    pub network: &'a Network,
    /// The feeder.
    pub feeder: &'a Feeder,
    /// The feeder's order.
    pub tree: &'a Tree,
}

/// Why the registry is not changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RegistryRefusal {
    /// Somebody else registers such participants, or takes their registration back.
    #[error("{by} may not register or revoke {party}: {registrar} does")]
    Registrar {
        /// Who asks.
        by: PartyId,
        /// Whom it concerns.
        party: PartyId,
        /// Who does, in words.
        registrar: &'static str,
    },
    /// A name, key, account or pseudonym that somebody has or had.
    #[error("the {what} {value:?} is taken")]
    Taken {
        /// name, key, account or pseudonym.
        what: &'static str,
        /// The value.
        value: String,
    },
    /// The key's holder has not signed for it.
    #[error("there is no proof that {party} holds the key {}", key.short())]
    Possession {
        /// Whose key it should be.
        party: PartyId,
        /// The key.
        key: Hash32,
    },
    /// A time that ends before it begins, or has ended.
    #[error("the registration of {party} ends before it begins, or has ended already")]
    Validity {
        /// Whose.
        party: PartyId,
    },
    /// A key epoch that is not the one after the present.
    #[error("the key epoch after {current} is not {epoch}")]
    Epoch {
        /// The epoch given.
        epoch: u32,
        /// The present one.
        current: u32,
    },
    /// Nobody of this name takes part.
    #[error("{party} takes no part")]
    NoMember {
        /// The name.
        party: PartyId,
    },
    /// The market would lack a role, or a site its place.
    #[error(transparent)]
    Market(#[from] GenesisError),
    /// A list of equipment stated before, or one that names a device twice.
    #[error("the list of equipment {reason}")]
    Equipment {
        /// What is wrong.
        reason: &'static str,
    },
    /// There are as many as there may be.
    #[error("{MAX_MEMBERS} participants are registered, and there may be no more")]
    Full,
}

impl RegistryRefusal {
    /// A word for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            RegistryRefusal::Registrar { .. } => "registrar",
            RegistryRefusal::Taken { .. } => "taken",
            RegistryRefusal::Possession { .. } => "possession",
            RegistryRefusal::Validity { .. } => "validity",
            RegistryRefusal::Epoch { .. } => "epoch",
            RegistryRefusal::NoMember { .. } => "no-member",
            RegistryRefusal::Market(_) => "market",
            RegistryRefusal::Equipment { .. } => "equipment",
            RegistryRefusal::Full => "registry-full",
        }
    }
}

/// The member that an entry makes or changes.
///
/// # Errors
/// Names why it may not.
pub fn change(
    provisions: &Provisions,
    ground: Ground<'_>,
    at: At,
    by: &PartyId,
    entry: &ParticipantEntry,
) -> Result<Member, RegistryRefusal> {
    match entry {
        ParticipantEntry::Register(registration) => {
            check_registrar(by, &registration.participant.party)?;
            register(provisions, ground, at, registration, Some(by.clone()))
        }
        ParticipantEntry::Rotate(rotation) => rotate(provisions, ground, at, by, rotation),
        ParticipantEntry::Revoke(party) => {
            if by != party || party.role == Role::Validator {
                check_registrar(by, party)?;
            }
            revoke(provisions, at, party, Some(by.clone()))
        }
        ParticipantEntry::Equipment(list) => equip(provisions, by, list),
    }
}

fn check_registrar(by: &PartyId, party: &PartyId) -> Result<(), RegistryRefusal> {
    let registrar = registrar_of(party.role);
    if registrar == Some(by.role) {
        return Ok(());
    }
    let registrar = registrar.map_or("a vote of the validators", Role::word);
    Err(RegistryRefusal::Registrar { by: by.clone(), party: party.clone(), registrar })
}

/// Somebody new. `registrar` is none where the validators voted for it.
///
/// # Errors
/// Names what does not hold.
pub fn register(
    provisions: &Provisions,
    ground: Ground<'_>,
    at: At,
    registration: &Registration,
    registrar: Option<PartyId>,
) -> Result<Member, RegistryRefusal> {
    let Registration { participant, pseudonym, valid_from_ms, valid_to_ms, possession } = registration;
    let party = &participant.party;
    if provisions.members.len() >= MAX_MEMBERS {
        return Err(RegistryRefusal::Full);
    }
    check_free(provisions, (party, Some(&participant.account), Some(pseudonym)), &participant.key)?;
    if participant.epoch != KeyEpoch::default() {
        return Err(RegistryRefusal::Epoch { epoch: participant.epoch.number, current: 0 });
    }
    if !possession.holds(&participant.key, ground.network, party, 0) {
        return Err(RegistryRefusal::Possession { party: party.clone(), key: participant.key });
    }
    if valid_to_ms.is_some_and(|to| to <= *valid_from_ms || to <= at.time_ms) {
        return Err(RegistryRefusal::Validity { party: party.clone() });
    }
    let takes_part = |party: &PartyId| {
        let member = provisions.members.get(party);
        member.is_some_and(|member| member.standing(at.time_ms) == Standing::Valid)
    };
    check::place(participant, ground.feeder, takes_part)?;
    Ok(Member {
        pseudonym: *pseudonym,
        valid_from_ms: *valid_from_ms,
        valid_to_ms: *valid_to_ms,
        registrar,
        ..Member::founding(ground.network, participant.clone())
    })
}

/// Name, account and pseudonym must be nobody's, now or before; so must the key, but for those rotated away.
fn check_free(
    provisions: &Provisions,
    (party, account, pseudonym): (&PartyId, Option<&Id>, Option<&Pseudonym>),
    key: &Hash32,
) -> Result<(), RegistryRefusal> {
    let taken = |what, value: String| Err(RegistryRefusal::Taken { what, value });
    if let Some(account) = account {
        if provisions.members.contains_key(party) {
            return taken("name", party.to_string());
        }
        let of_another = |m: &Member| m.participant.account == *account;
        if is_named_account(account) || provisions.members.values().any(|member| of_another(member)) {
            return taken("account", account.to_string());
        }
    }
    for member in provisions.members.values() {
        if member.participant.keys().any(|(_, known)| known == key) {
            return taken("key", key.to_string());
        }
        if let Some(pseudonym) = pseudonym.filter(|pseudonym| **pseudonym == member.pseudonym) {
            return taken("pseudonym", pseudonym.to_string());
        }
    }
    Ok(())
}

fn member<'a>(provisions: &'a Provisions, party: &PartyId) -> Result<&'a Member, RegistryRefusal> {
    let member = provisions.members.get(party).filter(|member| member.revoked.is_none());
    member.map(AsRef::as_ref).ok_or_else(|| RegistryRefusal::NoMember { party: party.clone() })
}

fn rotate(
    provisions: &Provisions,
    ground: Ground<'_>,
    at: At,
    party: &PartyId,
    rotation: &KeyRotation,
) -> Result<Member, RegistryRefusal> {
    let KeyRotation { key, epoch, possession } = rotation;
    let mut member = member(provisions, party)?.clone();
    let current = member.participant.epoch.number;
    if Some(*epoch) != current.checked_add(1) {
        return Err(RegistryRefusal::Epoch { epoch: *epoch, current });
    }
    check_free(provisions, (party, None, None), key)?;
    if !possession.holds(key, ground.network, party, *epoch) {
        return Err(RegistryRefusal::Possession { party: party.clone(), key: *key });
    }
    let before = std::mem::replace(&mut member.participant.key, *key);
    member.participant.epoch = KeyEpoch { number: *epoch, retiring: Some(before) };
    member.retiring_until_ms = Some(at.time_ms.saturating_add(RETIRING_MS));
    Ok(member)
}

/// Ends a registration. `by` is none where the validators voted for it.
///
/// # Errors
/// Where there is none, or the market would lack a role.
pub fn revoke(
    provisions: &Provisions,
    at: At,
    party: &PartyId,
    by: Option<PartyId>,
) -> Result<Member, RegistryRefusal> {
    let mut member = member(provisions, party)?.clone();
    let others =
        provisions.members.values().filter(|other| other.party() != party && other.revoked.is_none());
    check::roles(others.map(|other| &other.participant))?;
    member.revoked = Some(Revocation { at_ms: at.time_ms, by });
    Ok(member)
}

fn equip(provisions: &Provisions, party: &PartyId, list: &EquipmentList) -> Result<Member, RegistryRefusal> {
    let mut member = member(provisions, party)?.clone();
    let stated = member.equipment.as_ref().map_or(0, |known| known.revision.saturating_add(1));
    if list.revision != stated {
        return Err(RegistryRefusal::Equipment { reason: "is not the one after the last stated" });
    }
    let mut names = BTreeSet::new();
    if !list.devices.iter().all(|device| names.insert(&device.device)) {
        return Err(RegistryRefusal::Equipment { reason: "names a device twice" });
    }
    member.equipment = Some(list.clone());
    Ok(member)
}
