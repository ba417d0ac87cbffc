//! A party's private key as a file: PKCS#8 PEM, readable by its owner alone.

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::SigningKey;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a key could not be made, written or read.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The operating system gave no randomness.
    #[error("drawing a key: {0}")]
    Randomness(getrandom::Error),
    /// The file can't be read.
    #[error("reading the key {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file can't be written.
    #[error("writing the key {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no Ed25519 key in PKCS#8 PEM. The key's own bytes never stand in an error.
    #[error("{path} is not an Ed25519 private key in PKCS#8 PEM")]
    Form {
        /// The file.
        path: PathBuf,
    },
}

/// A new key from the operating system's randomness.
///
/// # Errors
/// [`KeyError::Randomness`].
pub fn generate() -> Result<SigningKey, KeyError> {
    let mut secret = [0u8; 32];
    getrandom::fill(&mut secret).map_err(KeyError::Randomness)?;
    Ok(SigningKey::from_bytes(&secret))
}

/// What the file of a key holds.
///
/// # Errors
/// [`KeyError::Form`], which no Ed25519 key has.
pub fn pem(key: &SigningKey, path: &Path) -> Result<impl std::ops::Deref<Target = String>, KeyError> {
    key.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError::Form { path: path.to_owned() })
}

/// Writes a key to a file that must not be there yet.
///
/// # Errors
/// [`KeyError::Write`], also where the file exists.
pub fn write(path: &Path, key: &SigningKey) -> Result<(), KeyError> {
    let pem = pem(key, path)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(pem.as_bytes()))
        .map_err(|source| KeyError::Write { path: path.to_owned(), source })
}

/// Reads a key.
///
/// # Errors
/// [`KeyError::Read`] or [`KeyError::Form`].
pub fn read(path: &Path) -> Result<SigningKey, KeyError> {
    let pem =
        std::fs::read_to_string(path).map_err(|source| KeyError::Read { path: path.to_owned(), source })?;
    SigningKey::from_pkcs8_pem(&pem).map_err(|_| KeyError::Form { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_file_and_is_nobody_elses_to_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c01.pem");
        let key = generate().unwrap();
        write(&path, &key).unwrap();
        assert_eq!(read(&path).unwrap(), key);
        assert!(matches!(write(&path, &key), Err(KeyError::Write { .. })), "a key is never overwritten");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c01.pem");
        std::fs::write(&path, "secret nonsense").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("c01.pem") && !error.contains("secret nonsense"), "{error}");
    }
}
