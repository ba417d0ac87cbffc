//! `gridpact ledger participants`, `possess` and `submit`: who takes part in a ledger, and an operator's entries about
//! it and about the rules.

pub mod entry_file;
mod finality;
pub mod listing;
pub mod submission;

use crate::configuration::key_file::{self, KeyError};
use crate::run::party::{read_genesis, PartyOpenError};
use std::io::{self, Write};
use std::path::Path;
use thiserror::Error;
use wire::hash::Hash32;
use wire::party::{PartyError, PartyId};
use wire::possession::Possession;

/// Why a possession could not be proven.
#[derive(Debug, Error)]
pub enum PossessError {
    /// The key can't be read.
    #[error("--key: {0}")]
    Key(#[from] KeyError),
    /// The genesis can't be read.
    #[error("--genesis: {0}")]
    Genesis(#[from] PartyOpenError),
    /// The party's name is none.
    #[error("--party: {0}")]
    Party(#[from] PartyError),
    /// It can't be printed.
    #[error("printing: {0}")]
    Print(#[from] io::Error),
}

/// Prints what a registrar needs of somebody new: the public key, and the proof that its holder holds it.
///
/// # Errors
/// Where a file can't be read, or the name is none.
pub fn possess(genesis: &Path, party: &str, key: &Path, out: &mut dyn Write) -> Result<(), PossessError> {
    let party: PartyId = party.parse()?;
    let key = key_file::read(key)?;
    let network = read_genesis(genesis)?.network;
    let possession = Possession::prove(&key, &network, &party, 0);
    writeln!(out, "key = \"{}\"", Hash32(key.verifying_key().to_bytes()))?;
    writeln!(out, "possession = \"{possession}\"")?;
    Ok(())
}
