//! A machine's file: which roles run in its one process.

use super::roles::RoleWord;
use super::{sources, ConfigurationError, PREFIX};
use config::{Config, Environment};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// All roles of a machine, in one process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MachineFile {
    /// Which kind of file this is.
    pub role: RoleWord,
    /// The roles' own files, relative to this one.
    pub roles: Vec<PathBuf>,
}

impl MachineFile {
    /// The file of a machine with these roles.
    pub fn of(roles: Vec<PathBuf>) -> Self {
        Self { role: RoleWord::Machine, roles }
    }
}

/// The roles' files that these are or name.
///
/// # Errors
/// Where a file says of no role that it is one.
pub fn expanded(files: &[PathBuf]) -> Result<Vec<PathBuf>, ConfigurationError> {
    #[derive(Deserialize)]
    struct Only {
        role: RoleWord,
    }
    let mut all = Vec::with_capacity(files.len());
    for file in files {
        let wrong = |source| ConfigurationError::File { file: file.clone(), source: Box::new(source) };
        let read = sources(file, Environment::with_prefix(PREFIX)).map_err(wrong)?;
        let Only { role } = read.clone().try_deserialize().map_err(wrong)?;
        if role == RoleWord::Machine {
            let machine: MachineFile = Config::try_deserialize(read).map_err(wrong)?;
            let directory = file.parent().unwrap_or(Path::new(""));
            all.extend(machine.roles.iter().map(|role| directory.join(role)));
        } else {
            all.push(file.clone());
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machines_file_stands_for_its_roles() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("machine.toml"), "role = 'machine'\nroles = ['a.toml', 'b/c.toml']\n").unwrap();
        std::fs::write(at("d.toml"), "role = 'broker'\n").unwrap();
        let files = expanded(&[at("machine.toml"), at("d.toml")]).unwrap();
        assert_eq!(files, [at("a.toml"), at("b/c.toml"), at("d.toml")]);
        std::fs::write(at("machine.toml"), "role = 'machine'\nroles = []\nparty = 1\n").unwrap();
        let error = expanded(&[at("machine.toml")]).unwrap_err().to_string();
        assert!(error.contains("machine.toml") && error.contains("party"), "{error}");
    }
}
