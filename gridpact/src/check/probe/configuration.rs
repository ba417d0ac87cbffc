//! Configuration files: those given, those in folders given, those that machines' files name.

use crate::check::facts::{FileFacts, NOT_THERE};
use crate::configuration::{self, machine, party::PartyKeys, RoleFile};
use std::path::{Path, PathBuf};
use wire::party::Role;

/// A machine's file within a folder, which names the others there.
const MACHINE: &str = "machine.toml";

/// A file that could be read.
pub struct Loaded {
    /// The file.
    pub file: PathBuf,
    /// What it holds.
    pub what: What,
}

/// What a file holds.
pub enum What {
    /// A role that runs.
    Role(Box<RoleFile>),
    /// A party that only gives commands.
    Party(Role, Box<PartyKeys>),
}

impl Loaded {
    /// Who it is about; nobody, for a broker.
    pub fn party(&self) -> Option<(Role, &PartyKeys)> {
        match &self.what {
            What::Party(role, keys) => Some((*role, keys)),
            What::Role(file) => file.party(),
        }
    }

    /// In words.
    pub fn name(&self) -> String {
        match self.party() {
            Some((role, keys)) => format!("{}/{}", role.word(), keys.id),
            None => "a broker".to_owned(),
        }
    }

    /// The role, where it runs.
    pub fn role(&self) -> Option<&RoleFile> {
        match &self.what {
            What::Role(file) => Some(file),
            What::Party(..) => None,
        }
    }
}

/// Reads all of them; what can't be read is told apart.
pub fn read(given: &[PathBuf]) -> (Vec<Loaded>, Vec<FileFacts>) {
    let (mut loaded, mut broken) = (Vec::new(), Vec::new());
    let wrong = |file: &Path, reason: String| FileFacts {
        file: file.to_owned(),
        role: None,
        wrong: vec![(None, reason)],
    };
    let mut files = Vec::new();
    for path in given {
        match within(path) {
            Ok(found) => files.extend(found),
            Err(reason) => broken.push(wrong(path, reason)),
        }
    }
    for file in files {
        match machine::expanded(std::slice::from_ref(&file)) {
            Ok(all) => all.into_iter().for_each(|file| match load(&file) {
                Ok(what) => loaded.push(Loaded { file, what }),
                Err(reason) => broken.push(wrong(&file, reason)),
            }),
            // It may be a party's that runs nothing.
            Err(error) => match configuration::read_party(&file) {
                Ok((role, keys)) => loaded.push(Loaded { file, what: What::Party(role, Box::new(keys)) }),
                Err(_) => broken.push(wrong(&file, brief(&file, &error.to_string()))),
            },
        }
    }
    (loaded, broken)
}

fn load(file: &Path) -> Result<What, String> {
    match configuration::load(file) {
        Ok(role) => Ok(What::Role(Box::new(role))),
        Err(error) => match configuration::read_party(file) {
            Ok((role, keys)) if !runs(role) => Ok(What::Party(role, Box::new(keys))),
            _ => Err(brief(file, &error.to_string())),
        },
    }
}

/// Whether a role has a process of its own.
fn runs(role: Role) -> bool {
    !matches!(
        role,
        Role::Meter | Role::Auditor | Role::Regulator | Role::Trader | Role::DataService | Role::Gateway
    )
}

/// The error without the file's name, which stands before it anyway.
fn brief(file: &Path, error: &str) -> String {
    let name = format!("{}: ", file.display());
    error.strip_prefix(&name).unwrap_or(error).trim().to_owned()
}

/// The files that a path stands for.
fn within(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.exists() {
        return Err(NOT_THERE.to_owned());
    }
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let machine = path.join(MACHINE);
    if machine.exists() {
        return Ok(vec![machine]);
    }
    let entries = std::fs::read_dir(path).map_err(|error| error.to_string())?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| file.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err("the folder has no configuration file (*.toml)".to_owned());
    }
    Ok(files)
}
