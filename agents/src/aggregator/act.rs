//! What an aggregator's core asks of its shell, and what it is told of it.

use super::delivery::StoredBatch;
use super::kept::Keep;
use market::interval::Interval;
use wire::message::MessageRef;

/// What only the aggregator's shell can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AggregatorAct {
    /// Store an interval's batches, durably, and report it.
    StoreBatches {
        /// Which interval.
        interval: Interval,
        /// Its readings and bids.
        batches: Vec<StoredBatch>,
    },
    /// Store a reading that came too late for its batch, durably, and report it.
    StoreLate {
        /// The message it came in.
        of: MessageRef,
        /// Its envelope.
        batch: StoredBatch,
    },
    /// Keep a bid that was taken, durably, and report it; many come at once and are to be synced together.
    KeepBid {
        /// The message it came in.
        of: MessageRef,
        /// A [`TakenBid`](super::kept::TakenBid)'s bytes.
        record: Vec<u8>,
    },
    /// Keep these bids in the place of all that were kept before.
    RenewBids {
        /// Each one's bytes.
        records: Vec<Vec<u8>>,
    },
    /// Keep a reading that was taken, likewise, and report it.
    KeepReading {
        /// The message it came in.
        of: MessageRef,
        /// Of which interval.
        interval: Interval,
        /// A [`KeptReading`](super::kept::KeptReading)'s bytes; none where it was said before, and only answered once
        /// what was kept then is durable.
        record: Option<Vec<u8>>,
    },
    /// Do this with the files of an interval, before anything that comes behind it.
    Keep {
        /// Which interval.
        interval: Interval,
        /// What.
        what: Keep,
    },
    /// Write the file of what sites hold in a day-ahead session, durably.
    StorePositions {
        /// Which session.
        session: Interval,
        /// The file's content.
        bytes: Vec<u8>,
    },
}

/// What only the aggregator's shell reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AggregatorReport {
    /// The batches of this interval will outlast a power loss.
    BatchesStored(Interval),
    /// They could not be stored.
    BatchesNotStored {
        /// Which interval.
        interval: Interval,
        /// What the archive said.
        reason: String,
    },
    /// A late reading's envelope will outlast a power loss, or why not.
    LateStored {
        /// The message it came in.
        of: MessageRef,
        /// What the archive said.
        stored: Result<(), String>,
    },
    /// The bids and readings that came in these messages will outlast a power loss.
    Kept(Vec<MessageRef>),
    /// The file of what sites hold in this session could not be written.
    PositionsNotStored {
        /// Which session.
        session: Interval,
        /// What the file system said.
        reason: String,
    },
}
