//! Configuration files: TOML, one role a file, overridden by GRIDPACT_* variables, unknown keys refused.

pub mod key_file;
pub mod listeners;
pub mod machine;
pub mod mesh;
pub mod page;
pub mod party;
pub mod roles;
mod watched;

use config::{Config, Environment, File, FileFormat};
use mesh::MeshKeys;
use party::{PartyKeys, ProcessKeys};
use roles::{
    AggregatorFile, BrokerFile, DsoFile, ForecasterFile, RoleWord, SiteFile, TimekeeperFile, TsoFile,
    ValidatorFile,
};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use thiserror::Error;
use wire::party::Role;

/// Prefix of the variables that override keys: GRIDPACT_SECTION__KEY.
const PREFIX: &str = "GRIDPACT";

/// One role's configuration, paths resolved.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum RoleFile {
    /// A site controller.
    Site(SiteFile),
    /// An aggregator.
    Aggregator(AggregatorFile),
    /// The DSO.
    Dso(DsoFile),
    /// The TSO interface.
    Tso(TsoFile),
    /// A validator.
    Validator(ValidatorFile),
    /// A broker.
    Broker(BrokerFile),
    /// The timekeeper.
    Timekeeper(TimekeeperFile),
    /// A forecaster.
    Forecaster(ForecasterFile),
}

/// Why a file configures no role.
#[derive(Debug, Error)]
pub enum ConfigurationError {
    /// It can't be read, is no TOML, has an unknown key, or a value that can't be.
    #[error("{file}: {source}")]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong, naming the key.
        source: Box<config::ConfigError>,
    },
}

/// Reads one role's file, with the environment's overrides.
///
/// # Errors
/// [`ConfigurationError::File`], naming file and key.
pub fn load(file: &Path) -> Result<RoleFile, ConfigurationError> {
    load_with(file, Environment::with_prefix(PREFIX))
}

/// Reads who a file is about, and nothing else of it: roles that have no process of their own are named in such files
/// too.
///
/// # Errors
/// [`ConfigurationError::File`], naming file and key.
pub fn read_party(file: &Path) -> Result<(Role, PartyKeys), ConfigurationError> {
    #[derive(Deserialize)]
    struct Only {
        role: Role,
        party: PartyKeys,
        #[serde(default)]
        mesh: Option<MeshKeys>,
    }
    let read = sources(file, Environment::with_prefix(PREFIX)).and_then(Config::try_deserialize);
    let Only { role, mut party, mesh } =
        read.map_err(|source| ConfigurationError::File { file: file.to_owned(), source: Box::new(source) })?;
    party.resolve(file.parent().unwrap_or(Path::new("")));
    // A validator's brokers stand in its mesh.
    party.validator_brokers.extend(mesh.iter().flat_map(MeshKeys::addresses));
    Ok((role, party))
}

fn load_with(file: &Path, environment: Environment) -> Result<RoleFile, ConfigurationError> {
    let wrong = |source| ConfigurationError::File { file: file.to_owned(), source: Box::new(source) };
    let read = sources(file, environment).map_err(wrong)?;
    let directory = file.parent().unwrap_or(Path::new(""));
    role_of(read).map(|role| role.resolved(directory)).map_err(wrong)
}

fn sources(file: &Path, environment: Environment) -> Result<Config, config::ConfigError> {
    let environment = environment
        .prefix_separator("_")
        .separator("__")
        .try_parsing(true)
        .list_separator(",")
        .with_list_parse_key("party.brokers")
        .with_list_parse_key("party.validator_brokers");
    Config::builder().add_source(File::from(file).format(FileFormat::Toml)).add_source(environment).build()
}

fn role_of(read: Config) -> Result<RoleFile, config::ConfigError> {
    #[derive(Deserialize)]
    struct Only {
        role: RoleWord,
    }
    let Only { role } = read.clone().try_deserialize()?;
    Ok(match role {
        RoleWord::Site => RoleFile::Site(read.try_deserialize()?),
        RoleWord::Aggregator => RoleFile::Aggregator(read.try_deserialize()?),
        RoleWord::Dso => RoleFile::Dso(read.try_deserialize()?),
        RoleWord::Tso => RoleFile::Tso(read.try_deserialize()?),
        RoleWord::Validator => RoleFile::Validator(read.try_deserialize()?),
        RoleWord::Broker => RoleFile::Broker(read.try_deserialize()?),
        RoleWord::Timekeeper => RoleFile::Timekeeper(read.try_deserialize()?),
        RoleWord::Forecaster => RoleFile::Forecaster(read.try_deserialize()?),
        RoleWord::Machine => {
            let nested = "a machine's file names roles, and no other machine";
            return Err(config::ConfigError::Message(nested.to_owned()));
        }
    })
}

impl RoleFile {
    /// What its process shows.
    pub fn process(&self) -> &ProcessKeys {
        match self {
            RoleFile::Site(file) => &file.process,
            RoleFile::Aggregator(file) => &file.process,
            RoleFile::Dso(file) => &file.process,
            RoleFile::Tso(file) => &file.process,
            RoleFile::Validator(file) => &file.process,
            RoleFile::Broker(file) => &file.process,
            RoleFile::Timekeeper(file) => &file.process,
            RoleFile::Forecaster(file) => &file.process,
        }
    }

    /// Who it is about; nobody, for a broker.
    pub fn party(&self) -> Option<(Role, &PartyKeys)> {
        Some(match self {
            RoleFile::Site(file) => (Role::Site, &file.party),
            RoleFile::Aggregator(file) => (Role::Aggregator, &file.party),
            RoleFile::Dso(file) => (Role::Dso, &file.party),
            RoleFile::Tso(file) => (Role::Tso, &file.party),
            RoleFile::Validator(file) => (Role::Validator, &file.party),
            RoleFile::Timekeeper(file) => (Role::Timekeeper, &file.party),
            RoleFile::Forecaster(file) => (Role::Forecaster, &file.party),
            RoleFile::Broker(_) => return None,
        })
    }

    /// Makes every path absolute against the file's own directory.
    fn resolved(mut self, directory: &Path) -> Self {
        let party = match &mut self {
            RoleFile::Site(file) => {
                file.site.resolve(directory);
                Some(&mut file.party)
            }
            RoleFile::Aggregator(file) => Some(&mut file.party),
            RoleFile::Dso(file) => {
                file.measured.iter_mut().for_each(|path| *path = directory.join(&*path));
                Some(&mut file.party)
            }
            RoleFile::Tso(file) => {
                for path in file.prices.iter_mut().chain(&mut file.wholesale) {
                    *path = directory.join(&*path);
                }
                Some(&mut file.party)
            }
            RoleFile::Validator(file) => {
                file.mesh.iter_mut().for_each(|mesh| mesh.resolve(directory));
                Some(&mut file.party)
            }
            RoleFile::Timekeeper(file) => Some(&mut file.party),
            RoleFile::Forecaster(file) => {
                file.observations = directory.join(&file.observations);
                Some(&mut file.party)
            }
            RoleFile::Broker(file) => {
                file.parties.iter_mut().for_each(|parties| parties.resolve(directory));
                None
            }
        };
        if let Some(party) = party {
            party.resolve(directory);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    const DSO: &str = "role = 'dso'
[party]
id = 'd1'
key = 'keys/d1.pem'
genesis = '/etc/gridpact/genesis.json'
brokers = ['one:1883']
data_dir = 'd1'
";

    /// Loads `text` from a file `role.toml` under these variables.
    fn load_text(text: &str, variables: &[(&str, &str)]) -> (PathBuf, Result<RoleFile, ConfigurationError>) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("role.toml");
        std::fs::write(&file, text).unwrap();
        let variables: HashMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let environment = Environment::with_prefix(PREFIX).source(Some(variables));
        (directory.path().to_owned(), load_with(&file, environment))
    }

    fn check_refused(text: &str, named: &str) {
        let error = load_text(text, &[]).1.unwrap_err().to_string();
        assert!(error.contains("role.toml") && error.contains(named), "{error}");
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let (directory, read) = load_text(DSO, &[]);
        let RoleFile::Dso(read) = read.unwrap() else { panic!("a DSO") };
        assert_eq!(read.party.key, directory.join("keys/d1.pem"));
        assert_eq!(read.party.genesis, Path::new("/etc/gridpact/genesis.json"));
    }

    #[test]
    fn variables_override_keys() {
        let variables =
            [("GRIDPACT_PARTY__BROKERS", "two:1,three:2"), ("GRIDPACT_PARTY__ID", "d2"), ("OTHER", "x")];
        let RoleFile::Dso(read) = load_text(DSO, &variables).1.unwrap() else { panic!("a DSO") };
        assert_eq!(read.party.brokers, ["two:1", "three:2"]);
        assert_eq!(read.party.id, "d2");
    }

    #[test]
    fn a_validator_knows_its_place_in_the_mesh() {
        let mesh = "[mesh]\nlisten = '127.0.0.1:1884'\n[mesh.peers]\nv2 = ['two:1884', 'two:1885']\n";
        let text =
            format!("{}{mesh}", DSO.replace("'dso'", "'validator'").replace("brokers = ['one:1883']\n", ""));
        let RoleFile::Validator(read) = load_text(&text, &[]).1.unwrap() else { panic!("a validator") };
        let mesh = read.mesh.unwrap();
        assert_eq!(mesh.listen, Some(([127, 0, 0, 1], 1884).into()));
        assert_eq!(mesh.peers["v2"], ["two:1884", "two:1885"]);
        assert!(read.party.brokers.is_empty());
    }

    #[test]
    fn what_is_not_understood_is_refused_naming_key_and_file() {
        check_refused(&DSO.replace("data_dir", "dada_dir"), "dada_dir");
        check_refused(&format!("colour = 'red'\n{DSO}"), "colour");
        check_refused(&DSO.replace("'dso'", "'king'"), "king");
        check_refused(&DSO.replace("id = 'd1'\n", ""), "id");
        check_refused(&DSO.replace("['one:1883']", "7"), "brokers");
        check_refused(&format!("{DSO}validator_connections = 0\n"), "validator_connections");
        check_refused("role = ", "role.toml");
    }
}
