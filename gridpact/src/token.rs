//! `gridpact ledger token`: a short-lived token with which a party reads the ledger over HTTP.

use crate::clock::wall_ms;
use crate::configuration::key_file::{self, KeyError};
use crate::configuration::{self, ConfigurationError};
use crate::run::party::{read_genesis, PartyOpenError};
use std::io::{self, Write};
use std::path::Path;
use thiserror::Error;
use wire::cbor::CborError;
use wire::envelope::Signer;
use wire::party::{PartyError, PartyId};
use wire::token::{issue, TokenError};

/// Why there is no token.
#[derive(Debug, Error)]
pub enum TokenCommandError {
    /// The party's file is no configuration.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The party's identifier is none.
    #[error("party.id: {0}")]
    Id(#[from] PartyError),
    /// Its key can't be read.
    #[error("party.key: {0}")]
    Key(#[from] KeyError),
    /// Its genesis can't be read.
    #[error(transparent)]
    Genesis(#[from] PartyOpenError),
    /// The genesis has no encoding.
    #[error("encoding the genesis: {0}")]
    Encoding(#[from] CborError),
    /// The token can't be made.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// It can't be printed.
    #[error("printing the token: {0}")]
    Print(#[from] io::Error),
}

/// Prints a token of the party that `file` configures, valid from now on for `minutes`.
///
/// # Errors
/// As [`TokenCommandError`] says.
pub fn run(file: &Path, minutes: u32, out: &mut dyn Write) -> Result<(), TokenCommandError> {
    let (role, keys) = configuration::read_party(file)?;
    let genesis = read_genesis(&keys.genesis)?;
    let party = PartyId::new(role, keys.id.parse()?);
    let key = key_file::read(&keys.key)?;
    let now_s = (wall_ms() / 1_000) as i64;
    let signer = Signer::new(genesis.network.clone(), party, key, 0);
    writeln!(out, "{}", issue(&signer, &genesis.id()?, now_s, i64::from(minutes) * 60)?)?;
    Ok(())
}
