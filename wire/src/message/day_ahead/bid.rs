//! Before a session's gate closes: what sites bid for its intervals, what their aggregator commits to, and
//! what import costs.

use crate::hash::Hash32;
use crate::message::supply::is_none;
use market::curve::FlexCurve;
use market::day_ahead::orders::{DeferrableOffer, StorageOffer};
use market::interval::Interval;
use market::supply::SupplyCurve;
use market::units::MicrogramPerWh;
use serde::{Deserialize, Serialize};

/// One site's bid for every interval of a session. A later one replaces an earlier one until the gate
/// closes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayAheadBid {
    /// The session: its first interval.
    pub session: Interval,
    /// Net power at the connection point as a function of the local price, what the orders take not
    /// counted: one curve for each interval.
    pub curves: Vec<FlexCurve>,
    /// Storage that the market is to schedule.
    pub storages: Vec<StorageOffer>,
    /// Energy that the market is to deliver within a window.
    pub deferrables: Vec<DeferrableOffer>,
}

/// The aggregator's bids for a session are fixed: their salted hashes lie under this root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayAheadCommitted {
    /// The session.
    pub session: Interval,
    /// Merkle root over the salted hashes of the signed bids, in order of account.
    pub bids_root: Hash32,
    /// How many bids lie under it.
    pub bid_count: u32,
    /// The orders in these bids, whose schedules are the market's to make.
    pub orders: PlacedOrders,
}

/// Orders of one aggregator's sites, without the sites' names: each at its bus's place in the feeder's
/// buses, in order of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedOrders {
    /// Storage.
    pub storages: Vec<(u32, StorageOffer)>,
    /// Energy within a window.
    pub deferrables: Vec<(u32, DeferrableOffer)>,
}

impl PlacedOrders {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.storages.len() + self.deferrables.len()
    }
}

/// The import's price curves at the grid supply point for a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayAheadSupply {
    /// The session.
    pub session: Interval,
    /// Import by price, one curve for each interval.
    pub curves: Vec<SupplyCurve>,
    /// What a watt-hour of it emits; counts where the market has a carbon price.
    #[serde(default, skip_serializing_if = "is_none")]
    pub emission: MicrogramPerWh,
}
