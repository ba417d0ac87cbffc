//! A checksum over the index's files, kept from one orderly stop to the next start. sled notices most
//! damage to its files, but by ways that can end the process; what the seal notices never gets there.

use super::error::io_error;
use super::StoreError;
use crc32fast::Hasher;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What the seal's name ends in, after the index's.
const SUFFIX: &str = "seal";

/// Seals an index when it is dropped. Stands last among the fields of what has the index open.
pub(super) struct Seal {
    folder: PathBuf,
}

impl Seal {
    /// Takes the seal off an index, so that a crash leaves none. Whether the index is as it was sealed;
    /// one without a seal was not stopped in order, and nothing is known of it.
    pub fn take_off(folder: &Path) -> Result<bool, StoreError> {
        let path = folder.with_extension(SUFFIX);
        let sealed = match fs::read(&path) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(io_error("reading", &path)(error)),
        };
        fs::remove_file(&path).map_err(io_error("removing", &path))?;
        if !folder.exists() {
            return Ok(true);
        }
        let sum = sum(folder).map_err(io_error("reading", folder))?;
        Ok(sealed == sum.to_be_bytes())
    }

    /// To be sealed when this is dropped.
    pub fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }
}

impl Drop for Seal {
    fn drop(&mut self) {
        let path = self.folder.with_extension(SUFFIX);
        if let Err(error) = sum(&self.folder).and_then(|sum| fs::write(&path, sum.to_be_bytes())) {
            tracing::warn!(seal = %path.display(), %error, "the index is not sealed");
            // Half a seal would pass for damage, which costs a rebuild and no more.
        }
    }
}

/// CRC-32 over names, lengths and contents of all files, in order of name.
fn sum(folder: &Path) -> io::Result<u32> {
    let mut hasher = Hasher::new();
    add(folder, &mut hasher)?;
    Ok(hasher.finalize())
}

fn add(folder: &Path, hasher: &mut Hasher) -> io::Result<()> {
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        hasher.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        if path.is_dir() {
            add(&path, hasher)?;
            continue;
        }
        let mut file = File::open(&path)?;
        hasher.update(&file.metadata()?.len().to_be_bytes());
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                read => hasher.update(&buffer[..read]),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_broken_by_any_change_and_comes_off_once() {
        let folder = tempfile::tempdir().unwrap();
        let index = folder.path().join("index");
        fs::create_dir_all(index.join("blobs")).unwrap();
        fs::write(index.join("db"), [1; 100]).unwrap();
        fs::write(index.join("blobs/1"), [2; 10]).unwrap();
        let check = |change: &dyn Fn(), expected| {
            drop(Seal::of(&index));
            change();
            assert_eq!(Seal::take_off(&index).unwrap(), expected);
            assert!(Seal::take_off(&index).unwrap(), "no seal");
        };
        check(&|| {}, true);
        check(&|| fs::write(index.join("db"), [1; 99]).unwrap(), false);
        check(&|| fs::write(index.join("blobs/1"), [3; 10]).unwrap(), false);
        check(&|| fs::rename(index.join("blobs/1"), index.join("blobs/2")).unwrap(), false);
        check(&|| fs::remove_file(index.join("blobs/2")).unwrap(), false);
    }
}
