//! What the state keeps of day-ahead sessions: one record for each interval, until its delivery has settled.

use super::digest;
use super::receipt::{Allocated, Cleared};
use market::interval::Interval;
use market::units::{Milliwatt, PicoEurPerWh};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
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

/// Records of the latest sessions' intervals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayAheadRecords {
    records: BTreeMap<Interval, Arc<DayAheadRecord>>,
    digests: BTreeMap<Interval, Hash32>,
}

impl DayAheadRecords {
    /// The record of an interval; none where no session holds it, or it is forgotten.
    pub fn get(&self, interval: Interval) -> Option<&DayAheadRecord> {
        self.records.get(&interval).map(Arc::as_ref)
    }

    /// The last interval that a session was decided for. Sessions are decided in their order, so none is
    /// decided twice, however little is kept of it.
    pub fn last(&self) -> Option<Interval> {
        self.records.keys().next_back().copied()
    }

    /// Every interval kept.
    pub fn intervals(&self) -> impl Iterator<Item = Interval> + '_ {
        self.records.keys().copied()
    }

    /// Takes a record in, and gives the intervals forgotten in its favour.
    pub(super) fn put(&mut self, at: Interval, record: DayAheadRecord) -> Vec<Interval> {
        self.digests.insert(at, digest::day_ahead(&record));
        self.records.insert(at, Arc::new(record));
        let mut forgotten = Vec::new();
        while self.records.len() > KEPT_DAY_AHEAD {
            let Some((oldest, _)) = self.records.pop_first() else { break };
            self.digests.remove(&oldest);
            forgotten.push(oldest);
        }
        forgotten
    }

    pub(super) fn digests(&self) -> &BTreeMap<Interval, Hash32> {
        &self.digests
    }
}

impl FromIterator<(Interval, DayAheadRecord)> for DayAheadRecords {
    fn from_iter<T: IntoIterator<Item = (Interval, DayAheadRecord)>>(stored: T) -> Self {
        let mut records = Self::default();
        for (at, record) in stored {
            records.put(at, record);
        }
        records
    }
}
