//! From the site to its aggregator, and from the aggregator to the DSO, before the gate closes.

use super::ReactiveRange;
use crate::hash::Hash32;
use market::curve::FlexCurve;
use market::interval::Interval;
use market::units::{Millijoule, Millivar};
use serde::{Deserialize, Serialize};

/// One site's curve for one interval. A later bid for the same interval replaces an earlier one
/// until the gate closes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bid {
    /// For which interval.
    pub interval: Interval,
    /// Net power at the connection point as a function of the local price.
    pub curve: FlexCurve,
    /// Whether this stands for intervals to come as well, should the site fall silent.
    pub forward: bool,
    /// The last meter reading, where there is one.
    pub reading: Option<PastReading>,
    /// Reactive power its inverters can give or absorb, where the market clears it: at most so much.
    #[serde(default, skip_serializing_if = "super::reactive::is_none")]
    pub reactive_range: Millivar,
}

/// A meter reading as it goes up with a bid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastReading {
    /// The interval it is for.
    pub interval: Interval,
    /// Net energy over it.
    pub energy: Millijoule,
}

/// The aggregator's bids are fixed: their salted hashes lie under this root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BidsCommitted {
    /// For which interval.
    pub interval: Interval,
    /// Merkle root over the salted hashes of the signed bids, in order of account.
    pub bids_root: Hash32,
    /// How many bids lie under it.
    pub bid_count: u32,
    /// Reactive power the bids offer, by bus, in order of bus name; buses without any are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactive: Vec<ReactiveRange>,
}
