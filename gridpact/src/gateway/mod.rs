//! What leaves a ledger for others: batches fetched and checked, statements for billing systems, aggregates for third
//! parties. Each walks a validator's data directory from its first block and believes only what it has checked.

pub mod aggregates;
pub mod args;
pub mod export;
pub mod fetch;
pub(crate) mod format;
mod walk;

use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why nothing could be given out.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// The ledger can't be walked through, or does not hold.
    #[error(transparent)]
    Ledger(#[from] crate::audit::AuditError),
    /// Lines do not add up to what balances changed by. Nothing is written then.
    #[error("the statement does not reconcile, and is not written: {0}")]
    Statement(#[from] ledger::statement::StatementError),
    /// Nobody of this name has an account.
    #[error("{name} is neither an account nor a party of this ledger")]
    Party {
        /// The name given.
        name: String,
    },
    /// No entry names such a batch.
    #[error("no delivery on this ledger names such a batch")]
    NoBatch,
    /// More than one entry does.
    #[error("{count} deliveries name such a batch; say which --aggregator's, or give its SHA-256")]
    ManyBatches {
        /// How many.
        count: usize,
    },
    /// The batch lies in a folder, and nobody said which.
    #[error("the batch lies at {location} in the archive of {aggregator}; name that with --archive")]
    NoArchive {
        /// Its path there.
        location: String,
        /// Whose archive.
        aggregator: String,
    },
    /// The archive does not give it.
    #[error(transparent)]
    Archive(#[from] ledger::archive::store::ArchiveError),
    /// What it holds is not what was signed or settled.
    #[error("the batch at {location}: {source}")]
    Fault {
        /// Where it lies.
        location: String,
        /// What does not hold.
        source: ledger::archive::BatchFault,
    },
    /// A file can't be written.
    #[error("writing {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Rows make no CSV.
    #[error("writing CSV: {0}")]
    Csv(#[from] csv::Error),
    /// Rows make no JSON.
    #[error("writing JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// What was done can't be printed, or no runtime made.
    #[error("{0}")]
    Print(#[from] io::Error),
}

impl GatewayError {
    /// Whether the ledger or a batch is not what it should be, rather than out of reach.
    pub fn is_wrong(&self) -> bool {
        use ledger::archive::store::ArchiveError;
        match self {
            GatewayError::Ledger(error) => matches!(error, crate::audit::AuditError::Wrong { .. }),
            GatewayError::Statement(_) | GatewayError::Fault { .. } => true,
            GatewayError::Archive(error) => matches!(error, ArchiveError::Changed { .. }),
            _ => false,
        }
    }
}
