//! What validators under torment should have held to and did not.

use crate::cluster::ClusterError;
use ledger::verify::VerifyError;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// What does not hold, or could not be tried.
#[derive(Debug, Error)]
pub enum TormentError {
    /// No randomness for a seed.
    #[error("drawing a seed: {0}")]
    Seed(String),
    /// No temporary folder or runtime.
    #[error("a temporary folder for validators: {0}")]
    Folder(io::Error),
    /// What was found can't be printed.
    #[error("printing: {0}")]
    Print(#[from] io::Error),
    /// Processes that don't do what they are told, or end by themselves.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Two blocks of one height.
    #[error("two different blocks of height {height} were decided")]
    Fork {
        /// The height.
        height: u64,
    },
    /// An entry seen decided is missing.
    #[error("{}: an entry seen decided at height {height} is not there", path.display())]
    Lost {
        /// The validator's folder.
        path: PathBuf,
        /// Where it was seen.
        height: u64,
    },
    /// A folder is shorter or longer than another, though all were level.
    #[error("{}: it ends at height {height}, another at {other}", path.display())]
    Length {
        /// The validator's folder.
        path: PathBuf,
        /// Its last height.
        height: u64,
        /// The other's.
        other: u64,
    },
    /// A folder does not verify.
    #[error("{}: {source}", path.display())]
    Verify {
        /// The validator's folder.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: Box<VerifyError>,
    },
    /// Balances add up to something else than in the genesis.
    #[error("{}: balances add up to {total} nEUR, not {expected}", path.display())]
    Total {
        /// The validator's folder.
        path: PathBuf,
        /// What they add up to.
        total: i128,
        /// What they should.
        expected: i128,
    },
    /// A validator whose disk is full goes on.
    #[error("a validator whose files can't grow did not stop within {seconds} s; it said: {words}")]
    FullDisk {
        /// How long it was waited for.
        seconds: u64,
        /// Its last words.
        words: String,
    },
}

impl TormentError {
    /// Whether a ledger is not what it should be, and not merely something could not be tried.
    pub fn is_wrong(&self) -> bool {
        use TormentError::*;
        matches!(
            self,
            Fork { .. } | Lost { .. } | Length { .. } | Verify { .. } | Total { .. } | FullDisk { .. }
        )
    }
}
