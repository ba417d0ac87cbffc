//! One participant with all the registry knows of it: since when, until when, by whom, and what it operates.

use serde::{Deserialize, Serialize};
use wire::entry::registry::EquipmentList;
use wire::party::{KeyEpoch, Participant, PartyId};
use wire::pseudonym::Pseudonym;
use wire::topic::Network;

/// A participant, past or present. Nobody is ever removed, so that no name, key or account comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Name, key, account, and a site's place.
    pub participant: Participant,
    /// What the operator's own table knows it by.
    pub pseudonym: Pseudonym,
    /// From which block time it may say anything, in milliseconds since 1970.
    pub valid_from_ms: u64,
    /// From which block time it may not any more; none where that is open.
    pub valid_to_ms: Option<u64>,
    /// Who registered it; none for the genesis and the validators.
    pub registrar: Option<PartyId>,
    /// When its registration was taken back.
    pub revoked: Option<Revocation>,
    /// Until which block time what its key before this one signed is believed.
    pub retiring_until_ms: Option<u64>,
    /// What it says it operates.
    pub equipment: Option<EquipmentList>,
}

/// That a registration was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// At which block time, in milliseconds since 1970.
    pub at_ms: u64,
    /// By whom; none where the validators decided it.
    pub by: Option<PartyId>,
}

/// Whether a participant may say anything at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Valid,
    /// Not yet: from this time on.
    Upcoming(u64),
    /// Not any more: until this time.
    Expired(u64),
    /// Taken back at this time.
    Revoked(u64),
}

impl Member {
    /// A participant of the genesis.
    pub fn founding(network: &Network, participant: Participant) -> Self {
        Self {
            pseudonym: Pseudonym::of(network, &participant.party),
            participant,
            valid_from_ms: 0,
            valid_to_ms: None,
            registrar: None,
            revoked: None,
            retiring_until_ms: None,
            equipment: None,
        }
    }

    /// Who it is.
    pub fn party(&self) -> &PartyId {
        &self.participant.party
    }

    /// Whether it may say anything in a block of this time.
    pub fn standing(&self, time_ms: u64) -> Standing {
        match (&self.revoked, self.valid_to_ms) {
            (Some(revocation), _) => Standing::Revoked(revocation.at_ms),
            (None, Some(to)) if time_ms >= to => Standing::Expired(to),
            _ if time_ms < self.valid_from_ms => Standing::Upcoming(self.valid_from_ms),
            _ => Standing::Valid,
        }
    }

    /// As others know it once a block of this time is decided: a key that has retired is left out.
    pub fn participant_at(&self, time_ms: u64) -> Participant {
        let mut participant = self.participant.clone();
        if self.retiring_until_ms.is_none_or(|until| time_ms >= until) {
            participant.epoch = KeyEpoch { retiring: None, ..participant.epoch };
        }
        participant
    }

    /// Times at which its standing changes by itself, or its key before this one retires.
    pub fn boundaries_ms(&self) -> impl Iterator<Item = u64> {
        [Some(self.valid_from_ms), self.valid_to_ms, self.retiring_until_ms].into_iter().flatten()
    }
}

/// Members by party, written as a list in that order: a party is no key of a map in every format.
pub(super) mod as_list {
    use super::Member;
    use serde::{Deserialize, Deserializer, Serializer};
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use wire::party::PartyId;

    pub fn serialize<S: Serializer>(
        members: &BTreeMap<PartyId, Arc<Member>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(members.values().map(Arc::as_ref))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<PartyId, Arc<Member>>, D::Error> {
        let members = Vec::<Member>::deserialize(deserializer)?;
        Ok(members.into_iter().map(|member| (member.party().clone(), Arc::new(member))).collect())
    }
}
