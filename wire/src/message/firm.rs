//! From the aggregator down to a site: the firm price with its proofs; and what the site did with it.

use super::metering::DeviceFault;
use super::reactive::ReactiveFirm;
use crate::hash::Hash32;
use market::dlmp::BusDlmp;
use market::interval::Interval;
use market::share::Demand as DemandRange;
use market::units::{Milliwatt, PicoEurPerWh};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// A firm price. The site checks all of it: that its own bid lies under both roots, that its
/// allocation is its own demand at the price, that the price's parts follow from the clearing, and that
/// validators' votes stand behind the block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firm {
    /// For which interval.
    pub interval: Interval,
    /// Price and range at the site's bus, as the ledger has it for this aggregator.
    pub bus: BusAward,
    /// What the bus's prices are made of, as it follows from the clearing decided; none where a part is
    /// beyond what the market counts in.
    pub parts: Option<BusDlmp>,
    /// What the site owes physically.
    pub allocation: Milliwatt,
    /// What it owes of reactive power, where it offered any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reactive: Option<ReactiveFirm>,
    /// From the site's leaf to the allocations' root.
    pub path: MerkleSumPath,
    /// From the same bid's hash to the root committed before the first question.
    pub bid_path: BidPath,
    /// Proof, in the ledger crate's encoding, that the clearing is in a decided block.
    pub finality: ByteBuf,
}

/// A path through the tree over an aggregator's bids ([`crate::merkle`]), from a bid's salted hash to the
/// root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BidPath {
    /// The bid's place among the aggregator's, in order of account.
    pub place: u64,
    /// How many bids there are.
    pub count: u64,
    /// Siblings from the leaf upward.
    pub siblings: Vec<Hash32>,
}

/// What the ledger holds of one aggregator at one bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusAward {
    /// Name of the bus.
    pub bus: String,
    /// Local price.
    pub price: PicoEurPerWh,
    /// What the aggregator's bids allow there at this price.
    pub range: DemandRange,
    /// What was allocated of it; with `range` this is the marginal share.
    pub allocation: Milliwatt,
}

/// A path through a Merkle-sum tree, from leaf to root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MerkleSumPath {
    /// Salt of the site's leaf.
    pub salt: Hash32,
    /// Siblings from the leaf upward.
    pub steps: Vec<PathStep>,
}

/// One sibling on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathStep {
    /// Whether the sibling stands to the left.
    pub left: bool,
    /// The sibling's hash.
    pub hash: Hash32,
    /// Import under the sibling.
    pub import: Milliwatt,
    /// Export under the sibling, as a positive power.
    pub export: Milliwatt,
}

/// What a site did with its commitment at the interval's start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetpointReport {
    /// The interval.
    pub interval: Interval,
    /// What it was committed to; none where no firm price came in time.
    pub commitment: Option<Milliwatt>,
    /// Setpoints written and read back as written.
    pub confirmed: u32,
    /// Devices that did not take theirs.
    pub faults: Vec<DeviceFault>,
}
