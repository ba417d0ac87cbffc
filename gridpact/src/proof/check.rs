//! `gridpact ledger check`: whether a proof's file proves what it says, offline.

use super::words;
use ledger::genesis::Genesis;
use ledger::proof::foreign::{Foreign, ForeignError};
use ledger::proof::head::{HeadProof, HeadProofError, MAX_HEAD_PROOF_BYTES};
use ledger::proof::settlement::{SettlementProof, SettlementProofError, MAX_PROOF_BYTES};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a proof can't be said to hold.
#[derive(Debug, Error)]
pub enum CheckError {
    /// A file can't be read.
    #[error("reading {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The genesis file is no genesis.
    #[error("{path} is no genesis: {reason}")]
    Genesis {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is no proof.
    #[error("{path}: {source}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SettlementProofError,
    },
    /// The file is no proof of a head, and is to go before one.
    #[error("{path}: {source}")]
    NoHead {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: HeadProofError,
    },
    /// The proof proves nothing.
    #[error("not proven: {0}")]
    NotProven(#[from] ForeignError),
    /// A proof of a head proves nothing.
    #[error("not proven: {0}")]
    HeadNotProven(#[from] HeadProofError),
    /// What was found can't be printed.
    #[error("printing: {0}")]
    Print(#[from] io::Error),
    /// What was found has no JSON.
    #[error("printing: {0}")]
    Json(#[from] serde_json::Error),
}

/// Checks a proof, and prints what it proves. Where an earlier one is given, that must hold as well, and the
/// later one's history go on the earlier one's.
///
/// # Errors
/// Names why it proves nothing.
pub fn run(
    (proof, after): (&Path, Option<&Path>),
    genesis: &Path,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), CheckError> {
    let genesis = read_genesis(genesis)?;
    if let Ok(head) = HeadProof::decode(&read(proof, MAX_HEAD_PROOF_BYTES)?) {
        return check_head(&head, after, &genesis, json, out);
    }
    let interval_s = genesis.parameters.interval_s;
    let mut ledger = Foreign::anchored(genesis);
    if let Some(earlier) = after {
        ledger.accept(&read_proof(earlier)?)?;
    }
    let proven = ledger.accept(&read_proof(proof)?)?;
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&proven)?)?;
        return Ok(());
    }
    words::print(&proven, interval_s, out)?;
    Ok(())
}

/// The same of a proof of a head, as it is had over HTTP.
fn check_head(
    proof: &HeadProof,
    after: Option<&Path>,
    genesis: &Genesis,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), CheckError> {
    let seen = match after {
        Some(path) => {
            let earlier = HeadProof::decode(&read(path, MAX_HEAD_PROOF_BYTES)?);
            let earlier = earlier.map_err(|source| CheckError::NoHead { path: path.to_owned(), source })?;
            earlier.check(genesis, None)?;
            Some(earlier.head().clone())
        }
        None => None,
    };
    let proven = proof.check(genesis, seen.as_ref())?;
    match json {
        true => writeln!(out, "{}", serde_json::to_string_pretty(&proven)?)?,
        false => words::print_head(&proven, out)?,
    }
    Ok(())
}

/// A proof's bytes, where they are those of one.
fn read_proof(path: &Path) -> Result<Vec<u8>, CheckError> {
    let bytes = read(path, MAX_PROOF_BYTES)?;
    let unusable = |source| CheckError::Unusable { path: path.to_owned(), source };
    SettlementProof::decode(&bytes).map_err(unusable)?;
    Ok(bytes)
}

fn read_genesis(path: &Path) -> Result<Genesis, CheckError> {
    let wrong = |reason: String| CheckError::Genesis { path: path.to_owned(), reason };
    let genesis: Genesis =
        serde_json::from_slice(&read(path, usize::MAX)?).map_err(|error| wrong(error.to_string()))?;
    genesis.validate().map_err(|error| wrong(error.to_string()))?;
    Ok(genesis)
}

/// A file's bytes; of a larger one, one more than are of use.
fn read(path: &Path, limit: usize) -> Result<Vec<u8>, CheckError> {
    let wrong = |source| CheckError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(wrong)?;
    file.take((limit as u64).saturating_add(1)).read_to_end(&mut bytes).map_err(wrong)?;
    Ok(bytes)
}
