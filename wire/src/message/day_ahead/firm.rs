//! From the aggregator down to a site: the positions a decided session gives it, with their proofs.

use crate::hash::Hash32;
use crate::message::{BidPath, PathStep};
use market::interval::Interval;
use market::units::Milliwatt;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// A site's positions. The rest stands in the entry that `finality` proves: prices and ranges at its bus in
/// its aggregator's signed demand, its orders among that one's, their schedules. The site checks all of
/// it: that its own bid lies under every interval's root with its position, and that this is its curve's
/// demand at the price, by the marginal share, plus what its orders are scheduled for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayAheadFirm {
    /// The session.
    pub session: Interval,
    /// Salt of the site's leaves.
    pub salt: Hash32,
    /// From the site's bid to the root its aggregator had fixed before the first question.
    pub bid_path: BidPath,
    /// Places of its storage orders among its aggregator's, in the order in which it bid them.
    pub storages: Vec<u32>,
    /// The same for its deferrable orders.
    pub deferrables: Vec<u32>,
    /// Each interval's position, with the siblings from the site's leaf upward to that interval's root.
    pub positions: Vec<(Milliwatt, Vec<PathStep>)>,
    /// Proof, in the ledger crate's encoding, that the session's clearing is in a decided block.
    pub finality: ByteBuf,
}
