//! Values that a file's form allows and a start would refuse: whatever `gridpact run` would say first, and the rest.

use super::configuration::{Loaded, What};
use crate::check::facts::FileFacts;
use crate::configuration::party::{ClockKind, PartyKeys};
use crate::configuration::roles::{BrokerFile, SiteFile, ValidatorFile};
use crate::configuration::RoleFile;
use crate::run::party::read_genesis;
use crate::run::{observation_file, start};
use agents::chain::Chain;
use agents::site::standing::Standing;
use agents::terms::Terms;
use ledger::genesis::Genesis;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wire::party::{PartyId, Role};

/// Genesis files that were read, or why they can't be.
#[derive(Default)]
pub struct Cache(BTreeMap<PathBuf, Result<Arc<Genesis>, String>>);

impl Cache {
    /// The genesis in a file.
    pub fn get(&mut self, path: &Path) -> Result<Arc<Genesis>, String> {
        let read = || read_genesis(path).map(Arc::new).map_err(|error| error.to_string());
        self.0.entry(path.to_owned()).or_insert_with(read).clone()
    }
}

type Wrong = (Option<String>, String);

fn wrong(key: &str, reason: impl ToString) -> Wrong {
    let reason = reason.to_string();
    // Errors of a start name the key themselves.
    let reason = reason.strip_prefix(&format!("{key}: ")).map_or(reason.clone(), str::to_owned);
    (Some(key.to_owned()), reason)
}

/// What is wrong with a file's values.
pub fn of(loaded: &Loaded, cache: &mut Cache) -> FileFacts {
    let mut found = Vec::new();
    let mut genesis = None;
    if let Some((role, keys)) = loaded.party() {
        genesis = party(role, keys, loaded, cache, &mut found);
    }
    if let What::Role(file) = &loaded.what {
        role(file, genesis.as_deref(), cache, &mut found);
    }
    FileFacts { file: loaded.file.clone(), role: Some(loaded.name()), wrong: found }
}

fn party(
    role: Role,
    keys: &PartyKeys,
    loaded: &Loaded,
    cache: &mut Cache,
    found: &mut Vec<Wrong>,
) -> Option<Arc<Genesis>> {
    let id = keys.id.parse().map(|id| PartyId::new(role, id));
    if let Err(error) = &id {
        found.push(wrong("party.id", error));
    }
    let mesh = matches!(loaded.role(), Some(RoleFile::Validator(file)) if file.mesh.is_some());
    if keys.brokers.is_empty() && keys.validator_brokers.is_empty() && !mesh {
        found.push(wrong("party.brokers", "it names no broker, so nobody can be reached"));
    }
    let genesis = match cache.get(&keys.genesis) {
        Ok(genesis) => genesis,
        Err(reason) => {
            found.push(wrong("party.genesis", reason));
            return None;
        }
    };
    if let Err(error) = Chain::new(&genesis) {
        found.push(wrong("party.genesis", error));
    }
    let timekeeper = genesis.participants.iter().any(|known| known.party.role == Role::Timekeeper);
    if keys.clock == ClockKind::Simulated && !timekeeper {
        found.push(wrong(
            "party.clock",
            "it is simulated, and the genesis has no timekeeper: time would stand still",
        ));
    }
    if let Ok(party) = &id {
        let founder = genesis.participants.iter().any(|known| known.party == *party);
        let standing = (role == Role::Site && founder).then(|| Standing::of(&Terms::from(&*genesis), party));
        if let Some(Err(error)) = standing {
            found.push(wrong("party.id", error));
        }
    }
    Some(genesis)
}

fn role(file: &RoleFile, genesis: Option<&Genesis>, cache: &mut Cache, found: &mut Vec<Wrong>) {
    let interval_s = genesis.map(|genesis| genesis.parameters.interval_s);
    match file {
        RoleFile::Site(file) => site(file, found),
        RoleFile::Aggregator(file) => {
            found.extend(start::archive(&file.archive).err().map(|error| wrong("archive.url", error)));
        }
        RoleFile::Tso(file) => {
            found.extend(start::emission(file).err().map(|error| wrong("emission_g_per_kwh", error)));
            let read = interval_s.map(|interval_s| start::import(file, interval_s));
            let key = if file.wholesale.is_some() { "wholesale" } else { "prices" };
            found.extend(read.and_then(Result::err).map(|error| wrong(key, error)));
        }
        RoleFile::Timekeeper(file) => {
            found.extend(start::pace(file).err().map(|error| wrong("first_interval", error)));
        }
        RoleFile::Forecaster(file) => {
            let read = interval_s.map(|interval_s| observation_file::read(&file.observations, interval_s));
            found.extend(read.and_then(Result::err).map(|error| wrong("observations", error)));
        }
        RoleFile::Validator(file) => validator(file, genesis, found),
        RoleFile::Broker(file) => broker(file, cache, found),
        RoleFile::Dso(_) => {}
    }
}

fn site(file: &SiteFile, found: &mut Vec<Wrong>) {
    found.extend(file.site.validate().err().map(|reason| wrong("site", reason)));
    found.extend(file.site.catalogue().err().map(|reason| wrong("site.templates", reason)));
}

fn validator(file: &ValidatorFile, genesis: Option<&Genesis>, found: &mut Vec<Wrong>) {
    let Some(mesh) = &file.mesh else { return };
    if mesh.listen.is_some() != mesh.broker.is_empty() {
        found.push(wrong("mesh.listen", "give either listen or broker"));
    }
    let known = genesis.into_iter().flat_map(|genesis| &genesis.participants).map(|known| &known.party);
    let validators: BTreeSet<&str> =
        known.filter(|party| party.role == Role::Validator).map(|party| party.id.as_str()).collect();
    for id in validators {
        if id != file.party.id && !mesh.peers.contains_key(id) {
            found.push(wrong("mesh.peers", format!("validator {id} of the genesis has no address here")));
        }
    }
}

fn broker(file: &BrokerFile, cache: &mut Cache, found: &mut Vec<Wrong>) {
    if file.listen.is_none() && file.parties.is_none() && file.devices.is_none() {
        found.push(wrong("listen", "give at least one of listen, parties and devices"));
    }
    if let Some(parties) = &file.parties {
        found.extend(cache.get(&parties.genesis).err().map(|reason| wrong("parties.genesis", reason)));
    }
    for (user, device) in file.devices.iter().flat_map(|devices| &devices.users) {
        if device.password_sha256.len() != 64 || hex::decode(&device.password_sha256).is_err() {
            found.push(wrong("devices.users", format!("{user}: password_sha256 is no SHA-256")));
        }
        if device.topics.iter().any(|top| top.is_empty() || top.contains(['+', '#'])) {
            found.push(wrong("devices.users", format!("{user}: a topic is empty or has wildcards")));
        }
    }
}
