//! One command at a time in a deployment's folder: two that read the same record would each issue what the other does
//! not know of.

use super::error::ProvisionError;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The folder itself is locked, so that no file of ours is left in it. Held as long as it lives, and at the latest until the process ends.
#[derive(Debug)]
pub(super) struct Lock {
    _folder: File,
    /// The folder, where it was made for this.
    made: Option<PathBuf>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Where nothing came of it there is no folder either; one with something in it can't be removed so.
        if let Some(made) = &self.made {
            let _ = fs::remove_dir(made);
        }
    }
}

impl Lock {
    /// Takes the folder's lock; the folder is made where it is not there.
    ///
    /// # Errors
    /// [`ProvisionError::Busy`] where another command holds it.
    pub fn take(directory: &Path) -> Result<Self, ProvisionError> {
        let failed = |act, source| ProvisionError::File { act, path: directory.to_owned(), source };
        let made = (!directory.exists()).then(|| directory.to_owned());
        fs::create_dir_all(directory).map_err(|source| failed("making", source))?;
        let folder = File::open(directory).map_err(|source| failed("opening", source))?;
        match lock(&folder) {
            Ok(true) => Ok(Self { _folder: folder, made }),
            Ok(false) => Err(ProvisionError::Busy { directory: directory.to_owned() }),
            Err(source) => Err(failed("locking", source)),
        }
    }
}

/// Whether the lock was free. It ends with the open folder, however its process ends (flock(2)).
#[cfg(unix)]
fn lock(folder: &File) -> std::io::Result<bool> {
    use rustix::fs::{flock, FlockOperation};
    match flock(folder, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn lock(_folder: &File) -> std::io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_command_is_told_that_one_is_at_work_and_a_third_later_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("out");
        let first = Lock::take(&folder).unwrap();
        let error = Lock::take(&folder).unwrap_err();
        assert!(matches!(error, ProvisionError::Busy { .. }), "{error}");
        assert!(error.to_string().contains("another gridpact provision"), "{error}");
        drop(first);
        Lock::take(&folder).unwrap();
    }
}
