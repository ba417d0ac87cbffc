//! Signed envelopes: COSE_Sign1 (RFC 9052) with EdDSA over deterministic CBOR, the MQTT topic being
//! the external data, so that a message is worth nothing on any topic but its own.
//!
//! ```text
//! 18([ << {1: -8, 4: 'role/id'} >>,  protected: algorithm EdDSA, key id = the sender
//!      {},                           nothing unprotected
//!      << {"body", "boot", "epoch", "sender", "interval", "sequence", "issued_ms", "recipient",
//!          "expires_ms"} >>,
//!      signature ])                  64 bytes, over Sig_structure with the topic as external_aad
//! ```
//!
//! Times are carried here and judged in [`crate::freshness`]; numbers are in [`crate::replay`].

mod cose;
mod open;
mod signer;
mod submitted;

pub use open::{claimed, open, open_with, Opened};
pub(crate) use signer::sign_separated;
pub use signer::{verify_bytes, HeldKey, KeyChange, Sealed, Signer, Under};
pub use submitted::{is_sound_key, Unchecked};

use crate::cbor::CborError;
use crate::message::{BoundsError, MessageRef};
use crate::party::{PartyError, PartyId};
use crate::refusal::Refusal;
use crate::topic::{Network, Topic, TopicError};
use market::interval::Interval;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What is signed: who says what, when, about which interval.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Payload<B> {
    sender: PartyId,
    recipient: Option<PartyId>,
    boot: u64,
    sequence: u64,
    epoch: u32,
    issued_ms: u64,
    expires_ms: u64,
    interval: Interval,
    body: B,
}

impl<B> Payload<B> {
    fn id(&self) -> MessageRef {
        MessageRef { sender: self.sender.clone(), boot: self.boot, sequence: self.sequence }
    }
    /// The one topic this may stand on.
    fn topic(&self, network: &Network, kind: &str) -> Result<String, PartyError> {
        let network = network.clone();
        let (sender, recipient) = (self.sender.clone(), self.recipient.clone());
        Ok(Topic { network, sender, kind: kind.parse()?, recipient }.to_string())
    }
}

/// Why a message could not be sealed, or bytes on a topic are none of ours.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// More than [`crate::message::MAX_ENVELOPE_BYTES`].
    #[error("the envelope has {size} bytes, more than the {limit} allowed")]
    Oversized {
        /// Bytes given.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The topic is none of ours.
    #[error("the envelope's topic: {0}")]
    Topic(#[from] TopicError),
    /// The message's kind is no topic level; no kind of ours is such.
    #[error("the message's kind: {0}")]
    Kind(#[from] PartyError),
    /// The topic belongs to another network or feeder.
    #[error("the topic {topic:?} belongs to another network")]
    OtherNetwork {
        /// The topic.
        topic: String,
    },
    /// No such participant, or its key is no Ed25519 public key.
    #[error("{sender} is no participant with a valid key")]
    UnknownSender {
        /// Who the topic says it is.
        sender: PartyId,
    },
    /// The key id names somebody other than the topic.
    #[error("the envelope on the topic of {sender} is signed with the key id {kid:?}")]
    OtherKey {
        /// Who the topic says it is.
        sender: String,
        /// The key id, cut to 80 characters.
        kid: String,
    },
    /// The sender names another key epoch than that of the key it signed with.
    #[error("{sender} says it signed in key epoch {epoch}, and its key is that of epoch {key}")]
    OtherEpoch {
        /// Who signed.
        sender: PartyId,
        /// The epoch named.
        epoch: u32,
        /// The key's epoch by the registry.
        key: u32,
    },
    /// No COSE_Sign1 structure.
    #[error("the envelope is no COSE_Sign1 structure: {reason}")]
    NotCose {
        /// What is wrong.
        reason: String,
    },
    /// CBOR of some kind, with no signature by EdDSA on it.
    #[error("the envelope is not signed: {reason}")]
    Unsigned {
        /// What is missing.
        reason: &'static str,
    },
    /// A header we must understand and don't, or one we don't use.
    #[error("the envelope's headers are not ours: {reason}")]
    Header {
        /// What is wrong.
        reason: &'static str,
    },
    /// The envelope is not in deterministic CBOR.
    #[error("the envelope is not deterministic CBOR")]
    NotDeterministic,
    /// The topic is not one of entries.
    #[error("there are no entries on the topic {topic:?}")]
    NotSubmitted {
        /// The topic.
        topic: String,
    },
    /// The signature does not hold for these bytes on this topic.
    #[error("the signature does not hold for {sender} on this topic")]
    BadSignature {
        /// Who the topic says it is.
        sender: PartyId,
    },
    /// The signed payload is no message.
    #[error("the signed payload: {0}")]
    Payload(#[from] CborError),
    /// The message holds more than it may.
    #[error(transparent)]
    Bounds(#[from] BoundsError),
    /// The signature holds, and what it covers belongs on another topic.
    #[error("a message for the topic {rightful:?} stands on {actual:?}")]
    OtherTopic {
        /// Where it stands.
        actual: String,
        /// Where it belongs.
        rightful: String,
    },
    /// The sender's role may not say this.
    #[error("{sender} has no business sending {kind}")]
    NoRight {
        /// Who sent it.
        sender: PartyId,
        /// What it sent.
        kind: &'static str,
    },
    /// Addressed to one where it must go to all, or the reverse.
    #[error("a message of kind {kind} is addressed to {}", if *.addressed { "one party" } else { "nobody" })]
    Addressing {
        /// The kind.
        kind: &'static str,
        /// Whether the topic names a recipient.
        addressed: bool,
    },
}

impl EnvelopeError {
    /// The reason to count it under.
    pub fn refusal(&self) -> Refusal {
        use EnvelopeError::*;
        match self {
            Oversized { .. } => Refusal::Oversized,
            UnknownSender { .. } | OtherEpoch { .. } => Refusal::UnknownSender,
            NotCose { .. } | Header { .. } | NotDeterministic | Payload(_) | Bounds(_) => Refusal::Malformed,
            Unsigned { .. } => Refusal::Unsigned,
            BadSignature { .. } => Refusal::BadSignature,
            Topic(_)
            | OtherNetwork { .. }
            | OtherKey { .. }
            | NotSubmitted { .. }
            | OtherTopic { .. }
            | Kind(_)
            | NoRight { .. }
            | Addressing { .. } => Refusal::Misplaced,
        }
    }

    /// The reason's word in metrics.
    pub fn reason(&self) -> &'static str {
        self.refusal().word()
    }
}
