//! Why a file is not cleared.

use market::certificate::CertificateError;
use market::grid::rounding::RoundingError;
use market::grid::GridError;
use market::horizon::error::HorizonError;
use market::powerflow::PowerFlowError;
use std::path::PathBuf;
use thiserror::Error;

/// Why there is no result. All of them end with exit code 1.
#[derive(Debug, Error)]
pub enum Refusal {
    /// The file can't be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is longer than any case.
    #[error("{path} has more than {limit} bytes")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Most bytes read.
        limit: u64,
    },
    /// Not JSON, or not of the schema.
    #[error("not a valid case: {0}")]
    Schema(#[from] serde_json::Error),
    /// Of the schema, and makes no sense.
    #[error("not a valid case: {place}: {reason}")]
    Invalid {
        /// Where, as a path into the file.
        place: String,
        /// What is wrong there.
        reason: String,
    },
    /// A valid case that asks for what is not built.
    #[error("not supported: {place}: {feature}")]
    Unsupported {
        /// Where the case asks for it.
        place: String,
        /// What it asks for.
        feature: String,
    },
    /// No clearing was found.
    #[error("not cleared: {0}")]
    NotCleared(GridError),
    /// No clearing of several intervals was found, or none that passes its own check.
    #[error("not cleared: {0}")]
    HorizonNotCleared(#[from] HorizonError),
    /// The dispatch has no AC power flow.
    #[error("the dispatch has no AC power flow: {0}")]
    NoFlow(#[from] PowerFlowError),
    /// The clearing did not pass its own check, and is not shown.
    #[error("the clearing found does not pass its certificate, so it is withheld: {0}")]
    Uncertified(#[from] CertificateError),
    /// The same for a clearing with the whole grid.
    #[error("the clearing found can't be published, so it is withheld: {0}")]
    Unpublished(#[from] RoundingError),
}

impl Refusal {
    /// What is wrong where.
    pub fn invalid(place: impl Into<String>, reason: impl ToString) -> Self {
        Self::Invalid { place: place.into(), reason: reason.to_string() }
    }
    /// What is not built.
    pub fn unsupported(place: impl Into<String>, feature: impl Into<String>) -> Self {
        Self::Unsupported { place: place.into(), feature: feature.into() }
    }
}
