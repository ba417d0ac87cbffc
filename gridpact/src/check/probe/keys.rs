//! Signing keys: their files, and what the genesis says of them.

use super::configuration::Loaded;
use super::owned;
use super::values::Cache;
use crate::check::facts::{KeyFacts, Registered, Secret};
use crate::configuration::key_file::{self, KeyError};
use ledger::genesis::Genesis;
use std::io::ErrorKind;
use std::path::Path;
use wire::hash::Hash32;
use wire::party::PartyId;

/// The keys of a file's party: the one it signs with, and the next one.
pub fn of(loaded: &Loaded, cache: &mut Cache) -> Vec<KeyFacts> {
    let Some((role, keys)) = loaded.party() else { return Vec::new() };
    let Ok(id) = keys.id.parse() else { return Vec::new() };
    let party = PartyId::new(role, id);
    let genesis = cache.get(&keys.genesis).ok();
    let one = |path: &Path, next: bool| {
        let (secret, public) = read(path);
        KeyFacts {
            registered: genesis.as_deref().map(|genesis| registered(genesis, &party, public.as_ref())),
            party: party.clone(),
            path: path.to_owned(),
            secret,
            owned: owned(path),
            public,
            epoch: keys.key_epoch,
            next,
            data_owner: owned(&keys.data_dir).map(|owned| owned.user),
        }
    };
    std::iter::once(one(&keys.key, false)).chain(keys.next_key.iter().map(|path| one(path, true))).collect()
}

fn read(path: &Path) -> (Secret, Option<Hash32>) {
    match key_file::read(path) {
        Ok(key) => (Secret::Key, Some(Hash32(key.verifying_key().to_bytes()))),
        Err(KeyError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => (Secret::Missing, None),
        Err(KeyError::Read { source, .. }) => (Secret::Unreadable(source.to_string()), None),
        Err(_) => (Secret::NoKey("it holds something else".to_owned()), None),
    }
}

fn registered(genesis: &Genesis, party: &PartyId, public: Option<&Hash32>) -> Registered {
    let of = |known: &&wire::party::Participant| public == Some(&known.key) && known.party != *party;
    if let Some(other) = genesis.participants.iter().find(of) {
        return Registered::ToAnother(other.party.clone());
    }
    match genesis.participants.iter().find(|known| known.party == *party) {
        Some(known) => Registered::With(known.key),
        None => Registered::Not,
    }
}
