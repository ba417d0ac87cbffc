//! What a validator is told, and what it wants done.

use crate::block::DecidedBlock;
use crate::consensus::message::{Record, SnapshotPart};
use crate::execute::OpenedEntry;
use crate::snapshot::Snapshot;
use crate::state::State;
use wire::entry::SignedEnvelope;
use wire::hash::Hash32;
use wire::message::{MessageRef, Verdict};
use wire::party::{Id, PartyId};

/// The time, as the shell reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds of real time since an arbitrary start; for time-outs.
    pub real_ms: u64,
    /// Milliseconds since 1970 by wall clock; for blocks' headers.
    pub wall_ms: u64,
}

/// What a validator is told.
#[derive(Clone, Debug)]
pub enum Event {
    /// It starts: what the write-ahead log holds of the height to be decided, and the entries
    /// decided lately.
    Started {
        /// The log's records, in order.
        records: Vec<Record>,
        /// Envelopes of entries decided lately.
        decided: Vec<SignedEnvelope>,
    },
    /// Somebody submits an entry; the envelope was opened.
    Submit {
        /// The message, to be acknowledged.
        id: MessageRef,
        /// Envelope, submitter, entry.
        opened: Box<OpenedEntry>,
    },
    /// Another validator's [`ConsensusMessage`].
    Consensus {
        /// Whose.
        sender: Id,
        /// Its encoding.
        bytes: Vec<u8>,
    },
    /// A decided block, as somebody broadcast it.
    Block {
        /// Its encoding.
        bytes: Vec<u8>,
    },
    /// Somebody asks what is governed.
    Question {
        /// Who.
        by: PartyId,
        /// Hash of what it knows.
        known: Hash32,
    },
    /// Time has passed: see [`ValidatorCore::next_deadline`].
    Poll,
}

/// What a validator wants done, in this order. What is published, announced or answered after a
/// record or a commit must wait until that is durable.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Append to the write-ahead log.
    Record {
        /// Height it belongs to.
        height: u64,
        /// Its encoding.
        bytes: Vec<u8>,
    },
    /// Broadcast as [`wire::message::Body::Consensus`].
    Publish(Vec<u8>),
    /// Append to the block log and the index; empty the write-ahead log.
    Commit {
        /// The block.
        decided: Box<DecidedBlock>,
        /// The state after it.
        state: Box<State>,
    },
    /// Broadcast as [`wire::message::Body::Block`].
    Announce(Vec<u8>),
    /// Put a snapshot in the place of log, index and write-ahead log.
    Install(Box<Snapshot>),
    /// Read decided blocks and publish them as [`ConsensusMessage::Decided`].
    SendDecided {
        /// From which on.
        height: u64,
    },
    /// Tell somebody what is governed, as [`wire::message::Body::RegistrySummary`].
    Summarise {
        /// Whom.
        to: PartyId,
        /// A [`crate::follower::Summary`]'s encoding.
        bytes: Vec<u8>,
    },
    /// Read part of the newest snapshot and publish it.
    SendSnapshot(SnapshotPart),
    /// Answer a submission.
    Acknowledge {
        /// Which.
        of: MessageRef,
        /// How.
        verdict: Verdict,
    },
    /// A submission was taken, one of so many that the answer is given only to who asks again.
    AcceptWhenAsked {
        /// Which.
        of: MessageRef,
    },
    /// An entry was refused: count it.
    Refused {
        /// A word for metrics.
        reason: &'static str,
    },
    /// An entry is final: measure it.
    Final {
        /// Milliseconds since it came in here.
        after_ms: u64,
    },
    /// Something happened that an operator may want to know.
    Note {
        /// A word for metrics, of few.
        event: &'static str,
        /// In words.
        text: String,
    },
}
