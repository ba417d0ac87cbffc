//! Files of a deployment, all of a change or none: they are laid ready in a folder beside their places, together with
//! a list of them, and put in place by renaming. A change that was cut off is ended, or forgotten, by the next command.

use super::error::ProvisionError;
use super::lock::Lock;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where a change is laid ready.
const NEXT: &str = ".next";
/// What it consists of. Once this is there the change is made.
const LIST: &str = "change.json";

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// Its owner alone.
    Private,
    /// Anyone.
    Public,
}

/// What is to become of a deployment's files, by their paths within it. Nobody else changes them meanwhile.
#[derive(Debug)]
pub struct Change {
    directory: PathBuf,
    _lock: Lock,
    written: BTreeMap<PathBuf, (Vec<u8>, Secrecy)>,
    removed: BTreeSet<PathBuf>,
}

/// The list.
#[derive(Debug, Serialize, Deserialize)]
struct Listed {
    /// Files by their names in the folder of the change.
    written: BTreeMap<String, PathBuf>,
    removed: BTreeSet<PathBuf>,
}

impl Change {
    /// Nothing to be changed in `directory` yet. Ends what was cut off there before.
    ///
    /// # Errors
    /// Where another command is at work there, or what was cut off can't be ended.
    pub fn of(directory: &Path) -> Result<Self, ProvisionError> {
        let lock = Lock::take(directory)?;
        recover(directory)?;
        let (written, removed) = Default::default();
        Ok(Self { directory: directory.to_owned(), _lock: lock, written, removed })
    }

    /// The file's content as it will be, where it is there.
    ///
    /// # Errors
    /// Where it is there and can't be read.
    pub fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, ProvisionError> {
        if let Some((bytes, _)) = self.written.get(path) {
            return Ok(Some(bytes.clone()));
        }
        let full = self.directory.join(path);
        match fs::read(&full) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ProvisionError::File { act: "reading", path: full, source }),
        }
    }

    /// The file is to have this content; nothing is done where it has.
    ///
    /// # Errors
    /// Where it is there and can't be read.
    pub fn put(&mut self, path: PathBuf, bytes: Vec<u8>, secrecy: Secrecy) -> Result<(), ProvisionError> {
        self.removed.remove(&path);
        if self.read(&path)?.as_deref() != Some(&bytes[..]) {
            self.written.insert(path, (bytes, secrecy));
        }
        Ok(())
    }

    /// The file is to be gone.
    pub fn remove(&mut self, path: PathBuf) {
        self.written.remove(&path);
        if self.directory.join(&path).exists() {
            self.removed.insert(path);
        }
    }

    /// Paths of what will be written, then of what will be gone.
    pub fn paths(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        (self.written.keys().cloned().collect(), self.removed.iter().cloned().collect())
    }

    /// Makes the change.
    ///
    /// # Errors
    /// Where a file can't be written; nothing has changed then, or the next command ends it.
    pub fn make(mut self) -> Result<(), ProvisionError> {
        if self.written.is_empty() && self.removed.is_empty() {
            return Ok(());
        }
        let next = self.directory.join(NEXT);
        fs::create_dir_all(&next).map_err(failed("making", &next))?;
        private_folder(&next)?;
        let mut listed = Listed { written: BTreeMap::new(), removed: std::mem::take(&mut self.removed) };
        for (number, (path, (bytes, secrecy))) in std::mem::take(&mut self.written).into_iter().enumerate() {
            let name = format!("{number}");
            write(&next.join(&name), &bytes, secrecy)?;
            listed.written.insert(name, path);
        }
        let list = serde_json::to_vec(&listed)?;
        let (half, whole) = (next.join("list"), next.join(LIST));
        write(&half, &list, Secrecy::Private)?;
        fs::rename(&half, &whole).map_err(failed("listing", &whole))?;
        synced(&next)?;
        put_in_place(&self.directory, listed)
    }
}

/// Ends a change that was cut off once its list stood; forgets one before.
fn recover(directory: &Path) -> Result<(), ProvisionError> {
    let next = directory.join(NEXT);
    if !next.exists() {
        return Ok(());
    }
    let list = next.join(LIST);
    if !list.exists() {
        return fs::remove_dir_all(&next).map_err(failed("forgetting", &next));
    }
    let text = fs::read(&list).map_err(failed("reading", &list))?;
    put_in_place(directory, serde_json::from_slice(&text)?)
}

fn put_in_place(directory: &Path, listed: Listed) -> Result<(), ProvisionError> {
    let next = directory.join(NEXT);
    let mut folders = BTreeSet::new();
    for (name, path) in listed.written {
        let (from, to) = (next.join(name), directory.join(path));
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(failed("making", folder))?;
            folders.insert(folder.to_owned());
        }
        // One that is not there any more was put in place before the change was cut off.
        if from.exists() {
            fs::rename(&from, &to).map_err(failed("putting in place", &to))?;
        }
    }
    for path in listed.removed {
        let path = directory.join(path);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ProvisionError::File { act: "removing", path, source: error });
            }
            _ => {}
        }
    }
    folders.iter().try_for_each(|folder| synced(folder))?;
    fs::remove_dir_all(&next).map_err(failed("ending", &next))
}

fn write(path: &Path, bytes: &[u8], secrecy: Secrecy) -> Result<(), ProvisionError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        let mode = if secrecy == Secrecy::Private { 0o600 } else { 0o644 };
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    }
    #[cfg(not(unix))]
    let _ = secrecy;
    let written =
        options.open(path).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(failed("writing", path))
}

#[cfg(unix)]
fn private_folder(path: &Path) -> Result<(), ProvisionError> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed("closing", path))
}

#[cfg(not(unix))]
fn private_folder(_path: &Path) -> Result<(), ProvisionError> {
    Ok(())
}

fn synced(folder: &Path) -> Result<(), ProvisionError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("syncing", folder))
}

fn failed<'a>(act: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> ProvisionError + 'a {
    move |source| ProvisionError::File { act, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(change: &mut Change, path: &str, text: &str) {
        change.put(path.into(), text.into(), Secrecy::Private).unwrap();
    }

    #[test]
    fn a_change_is_made_whole_and_what_is_there_already_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let mut change = Change::of(directory.path()).unwrap();
        put(&mut change, "keys/a.pem", "a");
        put(&mut change, "b", "b");
        change.make().unwrap();
        let at = |name: &str| directory.path().join(name);
        assert_eq!(fs::read_to_string(at("keys/a.pem")).unwrap(), "a");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(at("keys/a.pem")).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let mut change = Change::of(directory.path()).unwrap();
        put(&mut change, "keys/a.pem", "a");
        change.remove("nowhere".into());
        assert_eq!(change.paths(), (Vec::new(), Vec::new()));
        change.remove("b".into());
        change.make().unwrap();
        assert!(!at("b").exists() && !at(NEXT).exists());
    }

    #[test]
    fn a_change_cut_off_is_ended_once_it_is_listed_and_forgotten_before() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at(NEXT)).unwrap();
        fs::write(at(".next/0"), "half").unwrap();
        Change::of(directory.path()).unwrap();
        assert!(!at(NEXT).exists());
        // Two files listed, one of them in place already, and one to be removed.
        fs::create_dir(at(NEXT)).unwrap();
        fs::write(at(".next/1"), "second").unwrap();
        fs::write(at("first"), "first").unwrap();
        fs::write(at("old"), "old").unwrap();
        let list = r#"{"written": {"0": "first", "1": "deep/second"}, "removed": ["old"]}"#;
        fs::write(at(".next/change.json"), list).unwrap();
        Change::of(directory.path()).unwrap();
        assert_eq!(fs::read_to_string(at("first")).unwrap(), "first");
        assert_eq!(fs::read_to_string(at("deep/second")).unwrap(), "second");
        assert!(!at("old").exists() && !at(NEXT).exists());
    }
}
