//! Folders of data: whether they can be written to, how much room there is, what they lie on.

use super::configuration::Loaded;
use super::mounts;
use crate::check::facts::FolderFacts;
use crate::configuration::party::ClockKind;
use std::io::Write;
use std::path::{Path, PathBuf};
use wire::party::Role;

/// The data folder of a file's party. A party that runs nothing keeps nothing.
pub fn of(loaded: &Loaded) -> Option<FolderFacts> {
    loaded.role()?;
    let (role, keys) = loaded.party()?;
    let path = keys.data_dir.clone();
    let nearest = nearest(&path);
    let there = path.is_dir();
    let unwritable = match () {
        () if path.exists() && !there => Some("it is a file".to_owned()),
        // A folder that will be made in one that can be written to.
        () => written(&nearest).err().map(|error| error.to_string()),
    };
    let space = rustix::fs::statvfs(&nearest).ok();
    let list = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    Some(FolderFacts {
        of: loaded.name(),
        ledger: role == Role::Validator,
        simulated: keys.clock == ClockKind::Simulated,
        there,
        unwritable,
        space: space
            .as_ref()
            .map(|it| (it.f_bavail.saturating_mul(it.f_frsize), it.f_blocks.saturating_mul(it.f_frsize))),
        inodes_free: space.as_ref().filter(|it| it.f_files > 0).map(|it| it.f_favail),
        mount: nearest.canonicalize().ok().and_then(|whole| mounts::of(&whole, &list)),
        path,
    })
}

/// The folder itself, or the nearest above it that is there.
fn nearest(path: &Path) -> PathBuf {
    let there = path.ancestors().find(|above| above.is_dir());
    match there {
        Some(there) if !there.as_os_str().is_empty() => there.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Writes, syncs and removes a file, as a role does.
fn written(folder: &Path) -> std::io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".gridpact-check-").tempfile_in(folder)?;
    file.write_all(b"written by gridpact check\n")?;
    file.as_file().sync_data()
}
