//! Why there is no link, or it does not take a message.

use thiserror::Error;
use wire::envelope::EnvelopeError;

/// Why a link could not be made, or did not take a message.
#[derive(Debug, Error)]
pub enum LinkError {
    /// The file of answers can't be opened.
    #[error("opening the answers kept in {path}: {source}", path = path.display())]
    Answers {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The configuration makes no link.
    #[error("connecting a link: {what} {value:?}: {reason}")]
    Config {
        /// Which key.
        what: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A link's tasks need a tokio runtime to run on.
    #[error("connecting a link outside a tokio runtime")]
    NoRuntime,
    /// As many messages wait, or as many bytes of them, as are allowed. Nothing was sent.
    #[error("sending {what}: {waiting} wait already")]
    Full {
        /// What was to be sent.
        what: &'static str,
        /// How many wait.
        waiting: usize,
    },
    /// None of the link's connections carries such messages.
    #[error("sending {what}: no connection carries it")]
    NoRoute {
        /// What was to be sent.
        what: &'static str,
    },
    /// The link's task has ended, which only the end of its runtime can do.
    #[error("sending {what}: the link has ended")]
    Ended {
        /// What was to be sent.
        what: &'static str,
    },
    /// The message could not be signed.
    #[error("sending {what}: {source}")]
    Envelope {
        /// What was to be sent.
        what: &'static str,
        /// Why not.
        #[source]
        source: EnvelopeError,
    },
}
