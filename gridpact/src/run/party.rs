//! From a file's `[party]` to a party that can sign: genesis and key are read and held against each
//! other before anything starts.

use super::brokers;
use super::process::ProcessMetrics;
use crate::clock::wall_ms;
use crate::configuration::key_file::{self, KeyError};
use crate::configuration::party::{ClockKind, PartyKeys};
use agents::chain::Chain;
use agents::clock::ClockSource;
use agents::shell::{learn, Common, LearnError};
use broker::link::{Identity, IdentityError};
use ed25519_dalek::SigningKey;
use ledger::contracts::rules::RulesError;
use ledger::genesis::{Genesis, GenesisError};
use market::interval::UnixSeconds;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use wire::envelope::{KeyChange, Signer};
use wire::hash::Hash32;
use wire::party::{PartyError, PartyId, Role};
use wire::replay::COMMAND;

/// Largest genesis file read, in bytes: a hundred thousand sites fit.
const MAX_GENESIS_BYTES: u64 = 128 << 20;

/// Longest wait for a validator that says that the ledger's registry has a party.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why a party can't be.
#[derive(Debug, Error)]
pub enum PartyOpenError {
    /// Its identifier is none.
    #[error("party.id: {0}")]
    Id(#[from] PartyError),
    /// Its key can't be read.
    #[error("party.key: {0}")]
    Key(#[from] KeyError),
    /// Its certificate can't be used.
    #[error("party.tls: {0}")]
    Tls(#[from] IdentityError),
    /// Its next key can't be read.
    #[error("party.next_key: {0}")]
    NextKey(#[source] KeyError),
    /// The genesis can't be read.
    #[error("party.genesis: reading {path}: {source}")]
    GenesisRead {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The genesis file is too large.
    #[error("party.genesis: {path} has {bytes} bytes, more than the {MAX_GENESIS_BYTES} allowed")]
    GenesisSize {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The genesis is no genesis.
    #[error("party.genesis: {path}: {source}")]
    GenesisForm {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The genesis can't start a ledger.
    #[error("party.genesis: {path}: {source}")]
    Genesis {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: GenesisError,
    },
    /// The genesis makes no ledger.
    #[error("party.genesis: {0}")]
    Rules(#[from] RulesError),
    /// The genesis doesn't name it, and the ledger's registry neither.
    #[error("party.id: {0}")]
    Unknown(#[from] LearnError),
    /// The genesis, or the ledger's registry, has another key for it.
    #[error("party.key: the registry has another key for {party}")]
    OtherKey {
        /// The party.
        party: PartyId,
    },
    /// Its directory can't be made.
    #[error("party.data_dir: making {path}: {source}")]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Reads genesis and key, checks that they belong together, and makes the data directory: for the process that
/// speaks for the party as long as it runs. Whoever is not in the genesis is waited for to be in the ledger's registry,
/// but for validators, who have a ledger of their own to look into.
///
/// # Errors
/// As [`PartyOpenError`] says, naming the key of the configuration.
pub async fn open(role: Role, keys: &PartyKeys, metrics: &ProcessMetrics) -> Result<Common, PartyOpenError> {
    open_in(role, keys, metrics, boot()).await
}

/// The same for a command that says one thing, while such a process may run.
///
/// # Errors
/// As [`open`].
pub async fn open_for_command(
    role: Role,
    keys: &PartyKeys,
    metrics: &ProcessMetrics,
) -> Result<Common, PartyOpenError> {
    let mut common = open_in(role, keys, metrics, boot() | COMMAND).await?;
    if !common.validator_brokers.is_empty() {
        // Some brokers know one client of a party alone (docs/adr/0029), and there the process is.
        common.broker_addresses.clear();
    }
    Ok(common)
}

async fn open_in(
    role: Role,
    keys: &PartyKeys,
    metrics: &ProcessMetrics,
    boot: u64,
) -> Result<Common, PartyOpenError> {
    let (common, founder) = read(role, keys, metrics, boot)?;
    std::fs::create_dir_all(&keys.data_dir)
        .map_err(|source| PartyOpenError::DataDir { path: keys.data_dir.clone(), source })?;
    if founder {
        return Ok(common);
    }
    learned(common, PATIENCE).await
}

/// Whether the ledger's registry has a party that the genesis has not, with this key: asked of the validators for so long, in
/// the name of a command, writing nothing.
///
/// # Errors
/// As [`open`].
pub async fn look_up(
    role: Role,
    keys: &PartyKeys,
    metrics: &ProcessMetrics,
    patience: Duration,
) -> Result<(), PartyOpenError> {
    let (common, _) = read(role, keys, metrics, boot() | COMMAND)?;
    learned(common, patience).await.map(drop)
}

/// Reads what a party is made of; with it, whether the genesis has it.
fn read(
    role: Role,
    keys: &PartyKeys,
    metrics: &ProcessMetrics,
    boot: u64,
) -> Result<(Common, bool), PartyOpenError> {
    let party = PartyId::new(role, keys.id.parse()?);
    let genesis = read_genesis(&keys.genesis)?;
    let key = key_file::read(&keys.key)?;
    let founder = role == Role::Validator || is_founder(&genesis, &party, &key, keys.key_epoch)?;
    let next = keys.next_key.as_deref().map(key_file::read).transpose().map_err(PartyOpenError::NextKey)?;
    let signer = Signer::new(genesis.network.clone(), party, key, boot).in_epoch(keys.key_epoch);
    next.into_iter().for_each(|next| signer.set_next(next));
    let identity = keys.tls.as_ref().map(|tls| Identity::load(&tls.certificate, &tls.key, &tls.authority));
    let identity = identity.transpose()?;
    let common = Common {
        signer: Arc::new(signer),
        chain: Chain::new(&genesis)?,
        genesis: Arc::new(genesis),
        broker_addresses: keys.brokers.clone(),
        validator_brokers: brokers::dealt(keys),
        identity,
        clock: match keys.clock {
            ClockKind::System => ClockSource::System,
            ClockKind::Simulated => ClockSource::Simulated,
        },
        built: UnixSeconds(crate::BUILT_S),
        data_dir: keys.data_dir.clone(),
        registry: metrics.registry.clone(),
        link_metrics: metrics.links.clone(),
        metrics: metrics.agents.clone(),
    };
    Ok((common, founder))
}

/// Whether the genesis has the party, with this key. One that was rotated to stands on the ledger alone.
fn is_founder(
    genesis: &Genesis,
    party: &PartyId,
    key: &SigningKey,
    epoch: u32,
) -> Result<bool, PartyOpenError> {
    let known = genesis.participants.iter().find(|known| known.party == *party);
    let Some(known) = known else { return Ok(false) };
    if epoch == 0 && known.key != Hash32(key.verifying_key().to_bytes()) {
        return Err(PartyOpenError::OtherKey { party: party.clone() });
    }
    Ok(true)
}

/// A party that was registered later: what it goes by is what the ledger has come to.
async fn learned(common: Common, patience: Duration) -> Result<Common, PartyOpenError> {
    tracing::info!(party = %common.signer.party(), "not in the genesis: the validators are asked");
    let chain = learn(&common, patience).await?;
    let known = chain.registry().get(common.signer.party());
    match known.map(|known| common.signer.follow(known)) {
        Some(KeyChange::None | KeyChange::Rotated) => Ok(Common { chain, ..common }),
        _ => Err(PartyOpenError::OtherKey { party: common.signer.party().clone() }),
    }
}

/// Reads and validates a genesis file.
///
/// # Errors
/// Where it can't be read, or is none.
pub fn read_genesis(path: &Path) -> Result<Genesis, PartyOpenError> {
    let read = |source| PartyOpenError::GenesisRead { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(read)?.len();
    if bytes > MAX_GENESIS_BYTES {
        return Err(PartyOpenError::GenesisSize { path: path.to_owned(), bytes });
    }
    let text = std::fs::read_to_string(path).map_err(read)?;
    let genesis: Genesis = serde_json::from_str(&text)
        .map_err(|source| PartyOpenError::GenesisForm { path: path.to_owned(), source })?;
    genesis.validate().map_err(|source| PartyOpenError::Genesis { path: path.to_owned(), source })?;
    Ok(genesis)
}

/// Names this start of the party: milliseconds since 1970, larger at every later start.
pub fn boot() -> u64 {
    wall_ms()
}
