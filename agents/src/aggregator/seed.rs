//! The secret from which bids' salts follow: drawn once and kept, for what was committed to before a restart must be
//! fixed the same after it.

use crate::shell::StartError;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Its file.
const SEED: &str = "salts.seed";

/// The secret kept in a folder, drawn where there is none. Nobody but the file's owner may read it.
///
/// # Errors
/// Where it can't be read or written, is none, or the system has no randomness.
pub(super) fn kept_seed(folder: &Path) -> Result<[u8; 32], StartError> {
    let path = folder.join(SEED);
    let at = |source| StartError::Directory { directory: folder.to_owned(), source };
    match fs::read(&path) {
        Ok(bytes) => {
            let reason = || format!("{} is no secret of 32 bytes", path.display());
            bytes.try_into().map_err(|_| StartError::Options { reason: reason() })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut seed = [0; 32];
            getrandom::fill(&mut seed).map_err(|error| StartError::Random { reason: error.to_string() })?;
            write(folder, &path, &seed).map_err(at)?;
            Ok(seed)
        }
        Err(error) => Err(at(error)),
    }
}

/// Durably, and whole or not at all.
fn write(folder: &Path, path: &Path, seed: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("part");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(seed)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_drawn_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let seed = kept_seed(folder.path()).unwrap();
        assert_eq!(kept_seed(folder.path()).unwrap(), seed);
        let path = folder.path().join(SEED);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_ne!(kept_seed(tempfile::tempdir().unwrap().path()).unwrap(), seed);
        fs::write(&path, b"short").unwrap();
        let error = kept_seed(folder.path()).unwrap_err().to_string();
        assert!(error.contains("no secret of 32 bytes"), "{error}");
    }
}
