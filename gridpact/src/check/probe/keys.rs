//! Signing keys: their files, and what the genesis says of them.

use super::configuration::Loaded;
use super::owned;
use super::values::Cache;
use crate::check::facts::{KeyFacts, Ledger, Registered, Secret};
use crate::configuration::key_file::{self, KeyError};
use crate::configuration::party::PartyKeys;
use crate::run::party::{self, PartyOpenError};
use crate::run::process::ProcessMetrics;
use agents::shell::LearnError;
use futures::future::join_all;
use ledger::genesis::Genesis;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;
use wire::hash::Hash32;
use wire::party::{PartyId, Role};

/// Longest wait for a validator's word.
const PATIENCE: Duration = Duration::from_secs(6);

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
            ledger: None,
            data_owner: owned(&keys.data_dir).map(|owned| owned.user),
        }
    };
    std::iter::once(one(&keys.key, false)).chain(keys.next_key.iter().map(|path| one(path, true))).collect()
}

/// Asks the validators for parties that are not in the genesis. A validator knows from its own ledger, and a party that runs is
/// answered for already.
pub async fn ask_ledger(keys: &mut [KeyFacts], loaded: &[Loaded], runs: impl Fn(&Loaded) -> bool) {
    let asked = keys.iter_mut().filter(|key| {
        key.registered == Some(Registered::Not)
            && key.secret == Secret::Key
            && !key.next
            && key.party.role != Role::Validator
    });
    let looks = asked.filter_map(|key| {
        let of = |one: &&Loaded| {
            one.party().is_some_and(|(role, keys)| role == key.party.role && keys.key == key.path)
        };
        let one = loaded.iter().find(of).filter(|one| !runs(one))?;
        let (role, keys) = one.party()?;
        Some(async move { key.ledger = Some(look_up(role, keys).await) })
    });
    join_all(looks).await;
}

async fn look_up(role: Role, keys: &PartyKeys) -> Ledger {
    let metrics = match ProcessMetrics::new() {
        Ok(metrics) => metrics,
        Err(error) => return Ledger::NoWord(error.to_string()),
    };
    match party::look_up(role, keys, &metrics, PATIENCE).await {
        Ok(()) => Ledger::Has,
        Err(PartyOpenError::OtherKey { .. }) => Ledger::OtherKey,
        Err(PartyOpenError::Unknown(LearnError::Unknown { .. })) => {
            Ledger::NoWord("no validator says that the ledger's registry has it".to_owned())
        }
        Err(error) => Ledger::NoWord(error.to_string()),
    }
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
