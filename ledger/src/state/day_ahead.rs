//! What the state keeps of day-ahead sessions: one record for each interval, until its delivery has settled.

use super::receipt::{Allocated, Cleared};
use market::interval::Interval;
use market::units::{Milliwatt, PicoEurPerWh};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wire::hash::Hash32;
use wire::party::Id;

/// Intervals whose day-ahead records are kept: three days of quarter hours, one of them yet to come.
pub const KEPT_DAY_AHEAD: usize = 288;

/// What the ledger keeps of one interval of a day-ahead session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayAheadRecord {
    /// Price at each bus, in the order of the feeder's buses.
    pub prices: Vec<PicoEurPerWh>,
    /// What each aggregator's sites bought and sold.
    pub positions: BTreeMap<Id, PositionRecord>,
}

/// What the ledger keeps of one aggregator in one interval of a day-ahead session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PositionRecord {
    /// Root of the bids it had fixed before the first question.
    pub bids_root: Hash32,
    /// Root of the Merkle-sum tree over its sites' positions.
    pub allocations_root: Hash32,
    /// Sum of the positions that import.
    pub import: Milliwatt,
    /// Sum of the positions that export, as a positive power.
    pub export: Milliwatt,
    /// Positions at each of its buses together, by the bus's place in the feeder.
    pub buses: BTreeMap<u32, Milliwatt>,
}

impl DayAheadRecord {
    /// What its session recorded of it, being of this interval.
    pub(crate) fn cleared(&self, interval: Interval) -> Cleared {
        let award = |(aggregator, held): (&Id, &PositionRecord)| {
            let PositionRecord { bids_root, allocations_root, import, export, .. } = *held;
            Allocated { aggregator: aggregator.clone(), bids_root, allocations_root, import, export }
        };
        Cleared { interval, prices: self.prices.clone(), awards: self.positions.iter().map(award).collect() }
    }
}
