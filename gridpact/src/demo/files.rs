//! A demo's files: genesis, keys, prices and one configuration a role, laid out so that copying one and
//! changing it makes a role of one's own.

use super::certificates;
use super::roster::Member;
use crate::configuration::key_file::{self, KeyError};
use crate::configuration::mesh::MeshKeys;
use crate::configuration::party::{ClockKind, PartyKeys, ProcessKeys};
use crate::configuration::roles::{
    AggregatorFile, ArchiveKeys, BrokerFile, DsoFile, ForecasterFile, RoleWord, SiteFile, StoreKeys,
    TimekeeperFile, TsoFile, ValidatorFile, METER_ERROR_PERCENT,
};
use crate::configuration::RoleFile;
use crate::neighbourhood::day::{INTERVALS_PER_DAY, INTERVAL_S};
use crate::neighbourhood::Neighbourhood;
use crate::provision::ProvisionError;
use crate::run::interval_rows::RowsError;
use crate::run::observation_file;
use crate::run::price_file::{self, rfc3339};
use agents::aggregator::AggregatorOptions;
use agents::dso::DsoOptions;
use agents::forecaster::Observation;
use agents::site::options::SiteOptions;
use ledger::genesis::Genesis;
use market::units::Milliwatt;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use thiserror::Error;
use wire::message::ForecastPrice;
use wire::party::{PartyId, Role};

/// The grid beyond the transformer takes and gives this many times what it can carry: never a limit.
const GRID_MULTIPLE: f64 = 3.0;
/// Milliseconds of real time a phase may take before time goes on without it.
const PHASE_LIMIT_MS: u64 = 20_000;

/// Why the files are not there.
#[derive(Debug, Error)]
pub enum FilesError {
    /// A file or directory can't be made.
    #[error("making {path}: {source}")]
    Make {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The directory asked for holds something already.
    #[error("{path} is not empty; a demo begins with an empty directory")]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// A key can't be written.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Prices or measurements can't be written.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// Certificates can't be made.
    #[error("making certificates: {0}")]
    Certificates(#[source] Box<ProvisionError>),
    /// The genesis has no JSON.
    #[error("writing the genesis as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A configuration has no TOML.
    #[error("writing {path} as TOML: {source}")]
    Toml {
        /// The file.
        path: PathBuf,
        /// Why.
        source: toml::ser::Error,
    },
}

/// What the roles' files say of this demo.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The data directory.
    pub directory: &'a Path,
    /// Everyone who takes part.
    pub members: &'a [Member],
    /// Where the market's broker listens to onlookers, on loopback and without certificates.
    pub broker: SocketAddr,
    /// Where it listens to the parties, by mutual TLS.
    pub broker_tls: SocketAddr,
    /// Where each validator's own broker listens.
    pub mesh: &'a BTreeMap<PartyId, SocketAddr>,
    /// Where /metrics is served.
    pub metrics_listen: SocketAddr,
    /// How many intervals are traded; none for no end.
    pub intervals: Option<u32>,
    /// Market seconds per real second.
    pub speed: u32,
    /// How often the day's prices are repeated.
    pub repeat: u32,
    /// What was and will be measured, for the forecaster.
    pub observations: &'a [Observation],
}

/// Makes an empty data directory: the one asked for, or the first free `gridpact-demo-N`.
///
/// # Errors
/// Where it can't be made, or holds something.
pub fn make_directory(asked: Option<&Path>) -> Result<PathBuf, FilesError> {
    let make = |path: &Path, source| FilesError::Make { path: path.to_owned(), source };
    if let Some(path) = asked {
        std::fs::create_dir_all(path).map_err(|source| make(path, source))?;
        let mut entries = std::fs::read_dir(path).map_err(|source| make(path, source))?;
        if entries.next().is_some() {
            return Err(FilesError::NotEmpty { path: path.to_owned() });
        }
        return Ok(path.to_owned());
    }
    let mut number = 1u32;
    loop {
        let path = PathBuf::from(format!("gridpact-demo-{number}"));
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(source) => return Err(make(&path, source)),
        }
    }
}

impl Plan<'_> {
    /// Writes everything; gives the roles' files, the timekeeper's last.
    ///
    /// # Errors
    /// The first file that can't be written.
    pub fn write(
        &self,
        genesis: &Genesis,
        neighbourhood: &Neighbourhood,
        sites: BTreeMap<PartyId, SiteOptions>,
    ) -> Result<Vec<PathBuf>, FilesError> {
        for folder in ["keys", "roles", "tls"] {
            let path = self.directory.join(folder);
            std::fs::create_dir(&path).map_err(|source| FilesError::Make { path, source })?;
        }
        self.write_text("genesis.json", &serde_json::to_string_pretty(genesis)?)?;
        let price = |(place, price): (usize, &_)| ForecastPrice {
            interval: neighbourhood.first.later(place as i64, INTERVAL_S),
            price: *price,
        };
        let prices: Vec<ForecastPrice> = neighbourhood.prices.iter().enumerate().map(price).collect();
        price_file::write(&self.directory.join("prices.csv"), &prices)?;
        observation_file::write(&self.directory.join("observations.csv"), self.observations)?;
        let parties = self.members.iter().map(|member| &member.participant.party);
        let parties = parties.map(|party| (name(party), party));
        let made = certificates::make(&genesis.network, &self.broker_tls.ip().to_string(), parties);
        let made = made.map_err(|error| FilesError::Certificates(Box::new(error)))?;
        certificates::write(self.directory, &made)
            .map_err(|(path, source)| FilesError::Make { path, source })?;
        let broker = BrokerFile {
            role: RoleWord::Broker,
            listen: Some(self.broker),
            parties: Some(certificates::of_broker(self.broker_tls)),
            devices: None,
            process: ProcessKeys { metrics_listen: Some(self.metrics_listen) },
        };
        let mut files = vec![self.write_role("broker", &RoleFile::Broker(broker))?];
        let mut sites = sites;
        for member in self.members {
            let party = &member.participant.party;
            key_file::write(&self.directory.join(key_path(party)), &member.key)?;
            let role = self.role(party, neighbourhood, &mut sites);
            files.extend(role.map(|role| self.write_role(&name(party), &role)).transpose()?);
        }
        Ok(files)
    }

    fn role(
        &self,
        party: &PartyId,
        neighbourhood: &Neighbourhood,
        sites: &mut BTreeMap<PartyId, SiteOptions>,
    ) -> Option<RoleFile> {
        let keys = self.keys(party);
        let process = ProcessKeys::default();
        Some(match party.role {
            Role::Site => RoleFile::Site(SiteFile {
                role: RoleWord::Site,
                party: keys,
                process,
                site: sites.remove(party)?,
            }),
            Role::Aggregator => RoleFile::Aggregator(AggregatorFile {
                role: RoleWord::Aggregator,
                readings_grace_ms: AggregatorOptions::default().readings_grace_ms,
                party: keys,
                process,
                archive: ArchiveKeys::default(),
            }),
            Role::Dso => RoleFile::Dso(DsoFile {
                role: RoleWord::Dso,
                round_timeout_ms: DsoOptions::default().round_timeout_ms,
                measured: None,
                meter_error_percent: METER_ERROR_PERCENT,
                party: keys,
                process,
            }),
            Role::Tso => RoleFile::Tso(self.tso(keys, neighbourhood.transformer_rating_millivoltampere())),
            Role::Validator => RoleFile::Validator(ValidatorFile {
                role: RoleWord::Validator,
                store: StoreKeys::default(),
                mesh: self.mesh(party),
                party: keys,
                process,
                api: None,
            }),
            Role::Timekeeper => RoleFile::Timekeeper(TimekeeperFile {
                role: RoleWord::Timekeeper,
                first_interval: rfc3339(neighbourhood.first.start()),
                intervals: self.intervals,
                speed: self.speed,
                phase_limit_ms: PHASE_LIMIT_MS,
                party: keys,
                process,
            }),
            // A gateway is its operator's own program; this one plays none.
            Role::Meter
            | Role::Auditor
            | Role::Regulator
            | Role::Trader
            | Role::DataService
            | Role::Gateway => return None,
            Role::Forecaster => RoleFile::Forecaster(ForecasterFile {
                role: RoleWord::Forecaster,
                observations: "../observations.csv".into(),
                horizon: 2 * INTERVALS_PER_DAY,
                party: keys,
                process,
            }),
        })
    }

    fn tso(&self, party: PartyKeys, transformer_millivoltampere: i64) -> TsoFile {
        let most_kw = Milliwatt(transformer_millivoltampere).kw() * GRID_MULTIPLE;
        TsoFile {
            role: RoleWord::Tso,
            prices: Some("../prices.csv".into()),
            wholesale: None,
            repeat: self.repeat,
            import_max_kw: most_kw,
            export_max_kw: most_kw,
            price_rise_eur_per_mwh_per_mw: 0.0,
            emission_g_per_kwh: 0.0,
            party,
            process: ProcessKeys::default(),
        }
    }

    fn mesh(&self, validator: &PartyId) -> Option<MeshKeys> {
        let listen = *self.mesh.get(validator)?;
        let peer =
            |(party, address): (&PartyId, &SocketAddr)| (party.id.to_string(), vec![address.to_string()]);
        let peers = self.mesh.iter().filter(|(party, _)| *party != validator).map(peer).collect();
        Some(MeshKeys { listen: Some(listen), broker: Vec::new(), tls: None, peers })
    }

    fn keys(&self, party: &PartyId) -> PartyKeys {
        // Sites and forecasters have nothing to do with the ledger that others can't tell them.
        let validator_brokers = match party.role {
            Role::Dso | Role::Aggregator | Role::Tso => {
                self.mesh.values().map(SocketAddr::to_string).collect()
            }
            _ => Vec::new(),
        };
        PartyKeys {
            id: party.id.to_string(),
            key: Path::new("..").join(key_path(party)),
            genesis: "../genesis.json".into(),
            brokers: vec![format!("mqtts://{}", self.broker_tls)],
            validator_brokers,
            validator_connections: None,
            key_epoch: 0,
            next_key: None,
            tls: Some(certificates::of_party(&name(party))),
            clock: ClockKind::Simulated,
            data_dir: Path::new("..").join(name(party)),
        }
    }

    fn write_role(&self, name: &str, role: &RoleFile) -> Result<PathBuf, FilesError> {
        let path = format!("roles/{name}.toml");
        let text = toml::to_string(role)
            .map_err(|source| FilesError::Toml { path: self.directory.join(&path), source })?;
        self.write_text(&path, &text)
    }

    fn write_text(&self, name: &str, text: &str) -> Result<PathBuf, FilesError> {
        let path = self.directory.join(name);
        match std::fs::write(&path, text) {
            Ok(()) => Ok(path),
            Err(source) => Err(FilesError::Make { path, source }),
        }
    }
}

/// A party's name in files and directories.
pub fn name(party: &PartyId) -> String {
    format!("{}-{}", party.role.word(), party.id)
}

fn key_path(party: &PartyId) -> PathBuf {
    Path::new("keys").join(format!("{}.pem", name(party)))
}

#[cfg(test)]
mod tests {
    use super::super::{genesis, roster};
    use super::*;
    use crate::configuration;
    use crate::neighbourhood::dataset::Dataset;
    use crate::neighbourhood::day::{Day, Season, Weekday};
    use crate::neighbourhood::simbench::Grid;
    use hw_adapters::config::{DeviceConfig, ModbusConfig};

    fn site() -> SiteOptions {
        let meter = DeviceConfig::SunSpecMeter(ModbusConfig {
            name: "meter".into(),
            address: "127.0.0.1:502".into(),
            serial: None,
            unit: 1,
            answer_within_ms: 1_000,
            enter_service: None,
            ramp: None,
        });
        SiteOptions {
            meter,
            devices: Vec::new(),
            tariff: None,
            horizon: 96,
            patience: 2,
            templates: None,
            answer_within_ms: 1_000,
        }
    }

    #[test]
    fn what_is_written_is_what_run_reads() {
        let directory = tempfile::tempdir().unwrap();
        let day = Day { season: Season::Winter, weekday: Weekday::Wednesday };
        let here = Neighbourhood::read(Grid::Rural1, day, &Dataset::Embedded).unwrap();
        let members = roster::draw(&here).unwrap();
        let genesis = genesis::build(Grid::Rural1, &here, &members, None).unwrap();
        let sites = members.iter().map(|member| (member.participant.party.clone(), site())).collect();
        let broker: SocketAddr = "127.0.0.1:1883".parse().unwrap();
        let validators = members.iter().filter(|member| member.participant.party.role == Role::Validator);
        let ports = (2_000u16..).map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let mesh = validators.map(|member| member.participant.party.clone()).zip(ports).collect();
        let plan = Plan {
            directory: directory.path(),
            members: &members,
            broker,
            broker_tls: "127.0.0.1:8883".parse().unwrap(),
            mesh: &mesh,
            metrics_listen: "127.0.0.1:0".parse().unwrap(),
            intervals: Some(8),
            speed: 720,
            repeat: 2,
            observations: &[],
        };
        let files = plan.write(&genesis, &here, sites).unwrap();
        assert_eq!(files.len(), members.len() + 1);
        let roles: Vec<RoleFile> = files.iter().map(|file| configuration::load(file).unwrap()).collect();
        assert!(matches!(&roles[0], RoleFile::Broker(file) if file.listen == Some(broker)));
        assert!(matches!(roles.last(), Some(RoleFile::Timekeeper(file)) if file.intervals == Some(8)));
        let known = roles.iter().filter_map(|role| match role {
            RoleFile::Validator(file) => Some(file.mesh.as_ref().unwrap().peers.len()),
            RoleFile::Dso(file) => Some(file.party.validator_brokers.len()),
            _ => None,
        });
        assert_eq!(known.collect::<Vec<_>>(), [4, 3, 3, 3, 3]);
        let RoleFile::Site(first) = &roles[1] else { panic!("a site") };
        assert_eq!(first.site, site());
        assert!(first.party.key.exists() && first.party.genesis.exists());
        assert!(matches!(make_directory(Some(directory.path())), Err(FilesError::NotEmpty { .. })));
    }
}
