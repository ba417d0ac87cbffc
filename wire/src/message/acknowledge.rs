//! The market's own acknowledgement. A PUBACK says a broker has a message; this says a party has it.

use super::bounds::MAX_TEXT_CHARS;
use crate::party::PartyId;
use serde::{Deserialize, Serialize};

/// Which message is meant: a sender's boot and sequence number name it for good.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageRef {
    /// Who sent it.
    pub sender: PartyId,
    /// The sender's boot.
    pub boot: u64,
    /// Its sequence number within that boot.
    pub sequence: u64,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Taken.
    Accepted,
    /// Understood and refused, with the reason in words, at most 200 characters.
    Refused(String),
}

impl Verdict {
    /// A refusal for this reason, cut to what may be said.
    pub fn refused(reason: &str) -> Self {
        Self::Refused(reason.chars().take(MAX_TEXT_CHARS).collect())
    }
}

/// Acknowledges one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The message meant.
    pub of: MessageRef,
    /// What became of it.
    pub verdict: Verdict,
}
