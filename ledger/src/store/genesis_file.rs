//! The genesis that a data folder belongs to.

use super::error::io_error;
use super::{sync_folder, StoreError, GENESIS_FILE};
use crate::genesis::Genesis;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Reads the genesis of a data folder.
///
/// # Errors
/// Where there is none, or it can't be read.
pub fn read_genesis(folder: &Path) -> Result<Genesis, StoreError> {
    let path = folder.join(GENESIS_FILE);
    let text = fs::read(&path).map_err(io_error("reading", &path))?;
    serde_json::from_slice(&text).map_err(|source| StoreError::GenesisFile { path, source })
}

/// Writes the genesis into a new folder; in an old one it must be the same.
pub(super) fn keep_genesis(folder: &Path, genesis: &Genesis) -> Result<(), StoreError> {
    let path = folder.join(GENESIS_FILE);
    let mut text = serde_json::to_vec_pretty(genesis)
        .map_err(|source| StoreError::GenesisFile { path: path.clone(), source })?;
    text.push(b'\n');
    if path.exists() {
        if fs::read(&path).map_err(io_error("reading", &path))? == text {
            return Ok(());
        }
        if read_genesis(folder)? != *genesis {
            return Err(StoreError::OtherLedger { path: folder.to_owned() });
        }
        tracing::warn!(file = %path.display(), "the genesis was written otherwise; it is written anew");
    }
    // Renamed into place, so that a crash leaves either none or the whole of it.
    let draft = folder.join("genesis.json.new");
    let write = || -> io::Result<()> {
        let mut file = fs::File::create(&draft)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&draft, &path)
    };
    write().map_err(io_error("writing", &path))?;
    sync_folder(folder)
}
