//! Why a deployment was not made, or not changed.

use crate::configuration::key_file::KeyError;
use std::io;
use std::path::PathBuf;
use thiserror::Error;
use wire::party::PartyError;

/// Why nothing was made or changed.
#[derive(Debug, Error)]
pub enum ProvisionError {
    /// Another command is at work in the same folder.
    #[error("{directory}: another gridpact provision is at work there; try again when it has ended")]
    Busy {
        /// The folder.
        directory: PathBuf,
    },
    /// The plan can't be read.
    #[error("reading the plan {path}: {source}")]
    Plan {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The plan is too large to be one.
    #[error("the plan {path} has {bytes} bytes, more than the {most} allowed")]
    PlanSize {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// Most allowed.
        most: u64,
    },
    /// The plan is no TOML, or not of its form. The parser says the line.
    #[error("{path}: {source}")]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its line.
        source: Box<toml::de::Error>,
    },
    /// A value of the plan that can't be.
    #[error("{path}:{line}: {key}: {reason}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The value's line, from 1.
        line: usize,
        /// Its key.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// A file beside the plan can't be read.
    #[error("{path}:{line}: {key}: reading {file}: {source}")]
    Beside {
        /// The plan.
        path: PathBuf,
        /// The line that names the file.
        line: usize,
        /// Its key.
        key: &'static str,
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The plan asks for another genesis than the one made.
    #[error("{path}:{line}: {key} differs from the genesis that was made; the ledger's rules change by vote (`gridpact ledger submit`)")]
    Genesis {
        /// The plan.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What differs.
        key: &'static str,
    },
    /// What was made before can't be used.
    #[error("{path}: {reason}")]
    Made {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A command names somebody it can't be about.
    #[error("--party {party}: {reason}")]
    Party {
        /// Whom.
        party: String,
        /// What is wrong.
        reason: String,
    },
    /// A name that is none.
    #[error(transparent)]
    Name(#[from] PartyError),
    /// A key can't be drawn or read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A certificate can't be made.
    #[error("making a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A file can't be read, written or put in its place.
    #[error("{act} {path}: {source}")]
    File {
        /// What was done.
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A configuration has no TOML.
    #[error("writing {path} as TOML: {source}")]
    Toml {
        /// The file.
        path: PathBuf,
        /// Why.
        source: toml::ser::Error,
    },
    /// Genesis or record has no JSON.
    #[error("writing JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The operating system gives no randomness.
    #[error("drawing a serial number: {0}")]
    Randomness(getrandom::Error),
    /// What was done can't be printed.
    #[error("printing: {0}")]
    Print(io::Error),
}
