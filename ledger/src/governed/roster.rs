//! Whose votes decide on a block, by name and key: what of everything governed a proof must show.

use crate::genesis::Genesis;
use serde::{Deserialize, Serialize};
use wire::hash::Hash32;
use wire::party::{Id, Role};

/// Validators with their keys, in order of identifier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster(pub Vec<(Id, Hash32)>);

impl Roster {
    /// Those a ledger starts with.
    pub fn genesis(genesis: &Genesis) -> Self {
        let validators = genesis.participants.iter().filter(|p| p.party.role == Role::Validator);
        let mut roster: Vec<_> = validators.map(|p| (p.party.id.clone(), p.key)).collect();
        roster.sort();
        Self(roster)
    }

    /// The hash by which the header before the first block they decide on names them.
    pub fn hash(&self) -> Hash32 {
        let parts: Vec<&[u8]> =
            self.0.iter().flat_map(|(id, key)| [id.as_str().as_bytes(), key.0.as_slice()]).collect();
        Hash32::of("gridpact validators", &parts)
    }
}
