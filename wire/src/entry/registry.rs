//! Entries about who takes part: registering, rotating keys, revoking, and what a participant operates. Nothing
//! here names a person: who is behind a pseudonym stands in the operator's own table, off the ledger.

use crate::hash::Hash32;
use crate::party::{Id, Participant, PartyId};
use crate::possession::Possession;
use crate::pseudonym::Pseudonym;
use serde::{Deserialize, Serialize};

/// Most devices one participant states.
pub const MAX_EQUIPMENT: usize = 64;
/// Longest make, model or firmware, in characters.
pub const MAX_EQUIPMENT_TEXT: usize = 60;

/// A change of the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParticipantEntry {
    /// By whose role registers such participants: somebody new.
    Register(Registration),
    /// By the participant, signed with its key so far: another key from the next block on.
    Rotate(KeyRotation),
    /// By the participant, or by whose role registers such: it takes part no longer.
    Revoke(PartyId),
    /// By the participant: what it operates.
    Equipment(EquipmentList),
}

/// Somebody new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Name, key of the first epoch, account, and a site's place.
    pub participant: Participant,
    /// What the operator's own table knows it by.
    pub pseudonym: Pseudonym,
    /// From which block time it takes part, in milliseconds since 1970.
    pub valid_from_ms: u64,
    /// From which block time it does not any more; none where that is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to_ms: Option<u64>,
    /// Proof that it holds its key.
    pub possession: Possession,
}

/// Another key for the one who submits it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRotation {
    /// The new Ed25519 public key.
    pub key: Hash32,
    /// Its epoch: one more than that of the key so far.
    pub epoch: u32,
    /// Proof that the submitter holds it.
    pub possession: Possession,
}

/// Everything that the one who submits it operates; replaces what it stated before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EquipmentList {
    /// Lists stated before this one, against replay.
    pub revision: u32,
    /// The devices, each name once.
    pub devices: Vec<Equipment>,
}

/// One device. Its serial number would lead to a household, and is not asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Equipment {
    /// Its name at its owner's.
    pub device: Id,
    /// Who made it.
    pub make: String,
    /// Which model it is.
    pub model: String,
    /// Version of its firmware.
    pub firmware: String,
    /// What is written on it.
    pub nameplate: Nameplate,
}

/// Rated figures; none where it has no such figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nameplate {
    /// Real power in watts.
    pub power_w: Option<u64>,
    /// Apparent power in volt-amperes.
    pub apparent_va: Option<u64>,
    /// Energy it stores in watt-hours.
    pub storage_wh: Option<u64>,
}
