//! What a validator is told, and what it wants done.

use crate::block::DecidedBlock;
use crate::consensus::message::{Record, SnapshotPart};
use crate::execute::OpenedEntry;
use crate::snapshot::Snapshot;
use crate::state::State;
use crate::store::remembered::Remembered;
use market::interval::Interval;
use std::sync::Arc;
use wire::entry::{DoubleClearingEntry, Entry, SignedEnvelope};
use wire::hash::Hash32;
use wire::message::{BlockQuestion, MessageRef, Verdict};
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
        /// The message, to be acknowledged; none for our own.
        id: Option<MessageRef>,
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
    /// A [`ConsensusMessage::Statement`] on another validator's topic. Who signed its envelope is not known,
    /// and does not matter: it is signed itself.
    Statement {
        /// On whose topic.
        sender: Id,
        /// Its encoding.
        bytes: Vec<u8>,
    },
    /// Somebody says that a DSO signed two clearings where it may sign one.
    DoubleClearing {
        /// What is to prove it.
        proof: Box<DoubleClearingEntry>,
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
    /// Somebody asks for the block in which something was decided.
    BlockQuestion {
        /// Who.
        by: PartyId,
        /// What.
        question: BlockQuestion,
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
    /// Append to the block log; empty the write-ahead log.
    Commit {
        /// The block.
        decided: Arc<DecidedBlock>,
        /// Its encoding.
        bytes: Vec<u8>,
    },
    /// Index the block committed last: nobody waits for it.
    Index {
        /// The block.
        decided: Arc<DecidedBlock>,
        /// The state after it.
        state: Box<State>,
        /// What the index remembers of its entries.
        remembered: Remembered,
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
    /// Read the block in which this was decided and send it to who asks, as [`wire::message::Body::Block`].
    SendBlock {
        /// Whom.
        to: PartyId,
        /// What it asked.
        question: BlockQuestion,
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
    /// Sign an entry as this validator's own, submit it to all, and hand it back as
    /// [`Event::Submit`].
    Submit(Box<Entry>),
    /// Tell those who watch of a DSO that signed two clearings where it may sign one, as
    /// [`wire::message::Body::DoubleClearing`].
    Gossip(Box<DoubleClearingEntry>),
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
    /// An interval's entry is decided, or a session's: tell the operator.
    Decided {
        /// Height of its block.
        height: u64,
        /// Its kind.
        kind: &'static str,
        /// The interval; a session's first.
        interval: Interval,
    },
    /// Something happened that an operator may want to know.
    Note {
        /// A word for metrics, of few.
        event: &'static str,
        /// In words.
        text: String,
    },
}

/// Where an effect belongs among others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before everything since the last step.
    First,
    /// Behind all before it, before all behind it.
    Step,
    /// Where it is.
    Any,
}

impl Effect {
    fn place(&self) -> Place {
        match self {
            Effect::Record { .. } => Place::First,
            Effect::Commit { .. } | Effect::Index { .. } | Effect::Install(_) => Place::Step,
            _ => Place::Any,
        }
    }
}

/// Effects such that one sync makes durable all that is recorded between two steps, and nothing waits for a
/// second.
pub(super) fn in_order(effects: Vec<Effect>) -> Vec<Effect> {
    sorted(effects, Effect::place)
}

fn sorted<T>(all: Vec<T>, place: impl Fn(&T) -> Place) -> Vec<T> {
    let mut sorted = Vec::with_capacity(all.len());
    let mut later = Vec::new();
    for one in all {
        match place(&one) {
            Place::First => sorted.push(one),
            Place::Any => later.push(one),
            Place::Step => {
                sorted.append(&mut later);
                sorted.push(one);
            }
        }
    }
    sorted.append(&mut later);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records are `r`, steps `s`.
    fn check(before: &str, after: &str) {
        let place = |c: &char| match c {
            'r' => Place::First,
            's' => Place::Step,
            _ => Place::Any,
        };
        let found: String = sorted(before.chars().collect(), place).into_iter().collect();
        assert_eq!(found, after, "of {before}");
    }

    #[test]
    fn records_come_first_and_never_pass_a_step() {
        check("", "");
        check("arbrc", "rrabc");
        check("arbscrd", "rabsrcd");
        check("ssr", "ssr");
    }
}
