//! Why validators as processes can't be had.

use crate::configuration::key_file::KeyError;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// Why validators as processes can't be had, or don't do what they should.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// No free port.
    #[error("looking for a free port: {0}")]
    Ports(io::Error),
    /// A file can't be written or read.
    #[error("{act} {}: {source}", path.display())]
    File {
        /// What was tried.
        act: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A key can't be written.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A name is none.
    #[error(transparent)]
    Party(#[from] wire::party::PartyError),
    /// The genesis has no JSON.
    #[error("writing the genesis: {0}")]
    Json(#[from] serde_json::Error),
    /// A configuration has no TOML.
    #[error("writing a configuration: {0}")]
    Toml(#[from] toml::ser::Error),
    /// The genesis makes no ledger.
    #[error("the genesis: {0}")]
    Verifier(#[from] wire::cbor::CborError),
    /// An entry can't be signed.
    #[error("signing an entry: {0}")]
    Sign(#[from] wire::envelope::EnvelopeError),
    /// A process can't be started, asked or killed.
    #[error("{act} the process of {}: {source}", file.display())]
    Process {
        /// What was tried.
        act: &'static str,
        /// Its configuration.
        file: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A process ended by itself.
    #[error("the process of {} ended by itself ({status}); its last words: {words}", file.display())]
    Ended {
        /// Its configuration.
        file: PathBuf,
        /// How.
        status: String,
        /// The end of what it wrote.
        words: String,
    },
    /// Something did not come in time.
    #[error("{what} was not there within {limit:?}")]
    Late {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
    /// A link can't be made.
    #[error(transparent)]
    Link(#[from] broker::link::LinkError),
    /// Counters can't be registered.
    #[error("registering counters: {0}")]
    Metrics(#[from] prometheus::Error),
    /// No runtime.
    #[error("starting a runtime: {0}")]
    Runtime(io::Error),
}
