//! Why a role can't be started.

use broker::link::LinkError;
use std::path::PathBuf;
use thiserror::Error;

/// Why a role can't be started.
#[derive(Debug, Error)]
pub enum StartError {
    /// The genesis has no place for it.
    #[error("starting a role: {0}")]
    Roster(#[from] crate::roster::RosterError),
    /// Its link can't be made.
    #[error("starting a role: {0}")]
    Link(#[from] LinkError),
    /// Its metrics can't be registered.
    #[error("starting a role: {0}")]
    Metrics(#[from] prometheus::Error),
    /// Its directory can't be made.
    #[error("starting a role: making {directory}: {source}")]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// What the file system said.
        #[source]
        source: std::io::Error,
    },
    /// The system has no randomness to give.
    #[error("starting a role: drawing a random seed: {reason}")]
    Random {
        /// What the system said.
        reason: String,
    },
    /// What it was given makes no such role.
    #[error("starting a role: {reason}")]
    Options {
        /// What is wrong.
        reason: String,
    },
}
