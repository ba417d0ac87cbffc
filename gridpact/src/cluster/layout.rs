//! The files of a market whose validators are to be measured: a genesis with as many sites as submit
//! entries, keys from fixed seeds, one configuration a process.

use super::ClusterError;
use crate::configuration::key_file;
use crate::configuration::mesh::MeshKeys;
use crate::configuration::party::{ClockKind, PartyKeys, ProcessKeys};
use crate::configuration::roles::{RoleWord, StoreKeys, ValidatorFile};
use crate::configuration::RoleFile;
use crate::demo::genesis::PARAMETERS;
use crate::demo::ports::FreePorts;
use ed25519_dalek::SigningKey;
use ledger::genesis::Genesis;
use market::feeder::{Feeder, Line};
use market::units::NanoEur;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wire::hash::Hash32;
use wire::party::{KeyEpoch, Participant, PartyError, PartyId, Role};
use wire::topic::Network;

/// Four validators stay able to decide while one of them is dead.
pub const VALIDATORS: usize = 4;
/// What every account begins with: enough for every entry of a measurement.
const FIRST_BALANCE: NanoEur = NanoEur(10_000_000_000_000);
/// A connection that any household has.
const CONNECTION_MILLIWATT: i64 = 10_000_000;

/// One process's configuration, and where it shows what it counts.
#[derive(Clone, Debug)]
pub struct ProcessFile {
    /// The configuration.
    pub file: PathBuf,
    /// Where /metrics is served.
    pub metrics: SocketAddr,
}

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The folder of all files.
    pub folder: PathBuf,
    /// What the ledger starts from.
    pub genesis: Arc<Genesis>,
    /// Each validator's broker, which is a part of it.
    pub brokers: Vec<SocketAddr>,
    /// The validators' processes.
    pub validators: Vec<ProcessFile>,
}

/// A party's key: the same in every run, and nobody's outside.
pub fn key_of(party: &PartyId) -> SigningKey {
    SigningKey::from_bytes(&Hash32::of("gridpact bench key", &[party.to_string().as_bytes()]).0)
}

/// The site with this number, from 0.
///
/// # Errors
/// None for any number.
pub fn site(number: usize) -> Result<PartyId, PartyError> {
    Ok(PartyId::new(Role::Site, format!("s{number}").parse()?))
}

/// The validator with this number, from 0.
///
/// # Errors
/// None for any number.
pub fn validator(number: usize) -> Result<PartyId, PartyError> {
    Ok(PartyId::new(Role::Validator, format!("v{}", number + 1).parse()?))
}

impl Layout {
    /// Writes everything into `folder`.
    ///
    /// # Errors
    /// Names the first file that can't be written.
    pub fn write(folder: &Path, sites: usize, ports: &mut FreePorts) -> Result<Layout, ClusterError> {
        let genesis = genesis(sites)?;
        for name in ["keys", "roles"] {
            let path = folder.join(name);
            std::fs::create_dir(&path).map_err(failed("making", &path))?;
        }
        put(&folder.join("genesis.json"), &serde_json::to_string(&genesis)?)?;
        let mut take = || ports.take().map_err(ClusterError::Ports);
        let brokers = (0..VALIDATORS).map(|_| take()).collect::<Result<Vec<_>, _>>()?;
        let mut validators = Vec::with_capacity(VALIDATORS);
        for number in 0..VALIDATORS {
            let (party, metrics) = (validator(number)?, take()?);
            key_file::write(&folder.join(key_path(&party)), &key_of(&party))?;
            let process = ProcessKeys { metrics_listen: Some(metrics) };
            let (party_keys, mesh) = (keys(&party), Some(mesh(number, &brokers)?));
            let store = StoreKeys::default();
            let party = party_keys;
            let file = ValidatorFile { role: RoleWord::Validator, store, party, process, mesh, api: None };
            let file = role(folder, &file.party.id.clone(), &RoleFile::Validator(file))?;
            validators.push(ProcessFile { file, metrics });
        }
        Ok(Layout { folder: folder.to_owned(), genesis: Arc::new(genesis), brokers, validators })
    }

    /// A validator's data.
    pub fn data_dir(&self, validator: usize) -> PathBuf {
        self.folder.join(format!("validator-v{}", validator + 1))
    }
}

/// A validator's place in the mesh: its own broker, and where the others' are.
fn mesh(own: usize, brokers: &[SocketAddr]) -> Result<MeshKeys, PartyError> {
    let others = brokers.iter().enumerate().filter(|(number, _)| *number != own);
    let peer = |(number, address): (usize, &SocketAddr)| {
        Ok((validator(number)?.id.to_string(), vec![address.to_string()]))
    };
    let peers = others.map(peer).collect::<Result<_, PartyError>>()?;
    Ok(MeshKeys { listen: brokers.get(own).copied(), broker: Vec::new(), tls: None, peers })
}

fn keys(party: &PartyId) -> PartyKeys {
    PartyKeys {
        id: party.id.to_string(),
        key: Path::new("..").join(key_path(party)),
        genesis: "../genesis.json".into(),
        brokers: Vec::new(),
        validator_brokers: Vec::new(),
        validator_connections: None,
        key_epoch: 0,
        next_key: None,
        tls: None,
        clock: ClockKind::System,
        data_dir: Path::new("..").join(format!("validator-{}", party.id)),
    }
}

fn key_path(party: &PartyId) -> PathBuf {
    Path::new("keys").join(format!("{}.pem", party.id))
}

fn role(folder: &Path, name: &str, role: &RoleFile) -> Result<PathBuf, ClusterError> {
    let path = folder.join("roles").join(format!("{name}.toml"));
    put(&path, &toml::to_string(role)?)?;
    Ok(path)
}

fn put(path: &Path, text: &str) -> Result<(), ClusterError> {
    std::fs::write(path, text).map_err(failed("writing", path))
}

pub(super) fn failed<'a>(
    act: &'static str,
    path: &'a Path,
) -> impl FnOnce(std::io::Error) -> ClusterError + 'a {
    move |source| ClusterError::File { act, path: path.to_owned(), source }
}

/// Sites on one bus behind one line, and everyone else a market must have.
fn genesis(sites: usize) -> Result<Genesis, PartyError> {
    let mut participants = Vec::with_capacity(sites + VALIDATORS + 3);
    let sole = |role: Role| Ok::<_, PartyError>(PartyId::new(role, role.word().parse()?));
    for role in [Role::Dso, Role::Tso, Role::Aggregator] {
        participants.push(participant(sole(role)?)?);
    }
    for number in 0..VALIDATORS {
        participants.push(participant(validator(number)?)?);
    }
    let aggregator = sole(Role::Aggregator)?.id;
    for number in 0..sites {
        participants.push(Participant {
            bus: Some("street".to_owned()),
            aggregator: Some(aggregator.clone()),
            connection_milliwatt: Some(CONNECTION_MILLIWATT),
            ..participant(site(number)?)?
        });
    }
    let balances = participants.iter().map(|p| (p.account.clone(), FIRST_BALANCE)).collect();
    Ok(Genesis {
        network: Network { network: "bench".parse()?, feeder: "street".parse()? },
        feeder: feeder(),
        parameters: PARAMETERS,
        grid: None,
        day_ahead: None,
        participants,
        balances,
    })
}

fn participant(party: PartyId) -> Result<Participant, PartyError> {
    Ok(Participant {
        key: Hash32(key_of(&party).verifying_key().to_bytes()),
        account: format!("acct-{}", party.id).parse()?,
        bus: None,
        aggregator: None,
        connection_milliwatt: None,
        epoch: KeyEpoch::default(),
        party,
    })
}

fn feeder() -> Feeder {
    Feeder {
        voltage_millivolt: 400_000,
        root: "grid".to_owned(),
        buses: vec!["grid".to_owned(), "street".to_owned()],
        lines: vec![Line {
            id: "cable".to_owned(),
            from: "grid".to_owned(),
            to: "street".to_owned(),
            power_max: None,
            power_min: None,
            resistance_microohm: 1_000,
            reactance_microohm: 1_000,
            rating_millivoltampere: None,
        }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration;

    #[test]
    fn what_is_laid_out_is_what_run_reads() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::write(folder.path(), 3, &mut FreePorts::new().unwrap()).unwrap();
        layout.genesis.validate().unwrap();
        assert_eq!(layout.validators.len(), VALIDATORS);
        for validator in &layout.validators {
            let RoleFile::Validator(read) = configuration::load(&validator.file).unwrap() else {
                panic!("a validator")
            };
            assert!(read.party.key.exists() && read.party.genesis.exists());
            assert_eq!(read.process.metrics_listen, Some(validator.metrics));
            let mesh = read.mesh.unwrap();
            assert!(mesh.listen.is_some_and(|own| layout.brokers.contains(&own)));
            assert_eq!(mesh.peers.len(), VALIDATORS - 1);
        }
    }
}
