//! What must outlive a crash, in a file of its own: put in its place at once, and on the disk before anything that
//! depends on it is done.

use serde::de::DeserializeOwned;
use std::io::{self, Write};
use std::path::Path;

/// What `file` holds; nothing where it isn't there. One that nobody can read restores nothing, and must not keep a
/// device from being used: it is laid aside.
///
/// # Errors
/// Where the file can't be read or laid aside.
pub(crate) fn read<T: DeserializeOwned>(file: &Path) -> io::Result<Option<T>> {
    match std::fs::read(file) {
        Ok(text) => match serde_json::from_slice(&text) {
            Ok(kept) => Ok(Some(kept)),
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "a device's state can't be read; laid aside");
                std::fs::rename(file, file.with_extension("unreadable")).map(|()| None)
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Puts `text` in the file's place at once, or takes the file away, and waits until the disk has it.
///
/// # Errors
/// Where the disk doesn't take it.
pub(crate) fn write(file: &Path, text: Option<&[u8]>) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    match text {
        Some(text) => {
            let beside = file.with_extension("new");
            let mut new = std::fs::File::create(&beside)?;
            new.write_all(text)?;
            new.sync_all()?;
            std::fs::rename(&beside, file)?;
        }
        None => match std::fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        },
    }
    std::fs::File::open(folder)?.sync_all()
}
