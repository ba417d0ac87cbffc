//! What the state keeps of bilateral contracts.

use super::records::Record;
use market::interval::Interval;
use market::units::{Millijoule, Milliwatt, PicoEurPerWh};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wire::party::Id;

/// Most bilateral contracts kept.
pub const MAX_BILATERALS: usize = 1_024;
/// Most of one seller.
pub const MAX_BILATERALS_PER_SELLER: usize = 16;

/// A bilateral contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BilateralRecord {
    /// Account that sells.
    pub seller: Id,
    /// Account that buys.
    pub buyer: Id,
    /// First interval.
    pub first: Interval,
    /// The interval after the last one.
    pub end: Interval,
    /// Power from seller to buyer in every interval.
    pub power: Milliwatt,
    /// What the buyer pays.
    pub price: PicoEurPerWh,
    /// How far it has come.
    pub stage: Stage,
    /// The party that asked for its end while both must.
    pub cancelled_by: Option<Id>,
    /// Intervals for which one side's meter is known and the other's is not.
    pub half_settled: BTreeMap<Interval, Sides>,
}

/// How far a bilateral contract has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The seller has offered it.
    Offered,
    /// The buyer has taken it.
    Accepted,
    /// It ended before it was approved, or before any of its intervals was cleared. It stays known, so that nobody
    /// can bring it back with words that were signed for it.
    Ended,
    /// The DSO has found that the feeder carries it.
    Approved {
        /// Its place among all approved: a site's energy goes to its contracts in this order.
        order: u64,
    },
}

/// What each side's meter leaves a contract in one interval; none where it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sides {
    /// Fed in by the seller.
    pub sold: Option<Millijoule>,
    /// Taken by the buyer.
    pub bought: Option<Millijoule>,
}

impl Record for BilateralRecord {
    const DOMAIN: &'static str = "gridpact bilateral record";
}

impl BilateralRecord {
    /// Whether it is about an interval.
    pub fn covers(&self, interval: Interval) -> bool {
        (self.first..self.end).contains(&interval)
    }

    /// Whether it shares an interval with another span.
    pub fn overlaps(&self, first: Interval, end: Interval) -> bool {
        self.first < end && first < self.end
    }

    /// Its place among all approved; none where it is not.
    pub fn order(&self) -> Option<u64> {
        match self.stage {
            Stage::Approved { order } => Some(order),
            Stage::Offered | Stage::Accepted | Stage::Ended => None,
        }
    }
}
