//! A session's rounds between the DSO and its aggregators: prices down, demand up, for all intervals at
//! once. A place in a session is an interval's number from 0; a bus is its place in the feeder's buses.

use super::PlacedOrders;
use crate::hash::Hash32;
use crate::message::series::{FallingPowers, RisingPrices};
use market::day_ahead::clearing::{DeferrableAward, StorageAward};
use market::interval::Interval;
use market::share::Demand as DemandRange;
use market::units::{Milliwatt, PicoEurPerWh};
use serde::{Deserialize, Serialize};

/// What would your curves take at these prices, in these intervals, at these of your buses?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayAheadQuestion {
    /// The session.
    pub session: Interval,
    /// Round, from 1.
    pub round: u32,
    /// Stretches of price, each from its first tick to its last.
    pub windows: Vec<RisingPrices>,
    /// What is asked, in order of interval and, within one, of bus.
    pub asked: Vec<AskedAt>,
}

/// What is asked of one bus in one interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u16, u32, Vec<u32>)", into = "(u16, u32, Vec<u32>)")]
pub struct AskedAt {
    /// Place of the interval.
    pub interval: u16,
    /// Place of the bus.
    pub bus: u32,
    /// Places of its windows in the question's, rising.
    pub windows: Vec<u32>,
}

/// The answer, in the order of the question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayAheadDemand {
    /// The session.
    pub session: Interval,
    /// The round answered.
    pub round: u32,
    /// Demand wherever it was asked.
    pub answers: Vec<AnswerAt>,
}

/// Demand at one bus in one interval, summed over its sites' curves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(FallingPowers, Vec<AnsweredCorner>)", into = "(FallingPowers, Vec<AnsweredCorner>)")]
pub struct AnswerAt {
    /// One value for each tick of each of the windows asked.
    pub powers: FallingPowers,
    /// Corners of the sites' curves in narrow windows, as in [`crate::message::DemandAt`].
    pub corners: Vec<AnsweredCorner>,
}

/// Demand at a price at which some site's curve has a corner, and one tick above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(PicoEurPerWh, Milliwatt, Milliwatt)", into = "(PicoEurPerWh, Milliwatt, Milliwatt)")]
pub struct AnsweredCorner {
    /// The price.
    pub price: PicoEurPerWh,
    /// Demand of all sites at the bus at it.
    pub at: Milliwatt,
    /// The same one tick above.
    pub above: Milliwatt,
}

/// A session's cleared prices, and what they give the receiving aggregator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayAheadAward {
    /// The session.
    pub session: Interval,
    /// The aggregator's buses, rising.
    pub buses: Vec<u32>,
    /// For each interval and each of these buses, the local price and what the curves there are given.
    pub intervals: Vec<Vec<(PicoEurPerWh, Milliwatt)>>,
    /// What each of its storage orders does, in the order committed.
    pub storages: Vec<StorageAward>,
    /// What each of its deferrable orders takes, in the order committed.
    pub deferrables: Vec<DeferrableAward>,
}

/// The aggregator's signed word on its demand at a session's cleared prices, and on its orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayAheadFinalDemand {
    /// The session.
    pub session: Interval,
    /// The root of the bids, as committed before the first question.
    pub bids_root: Hash32,
    /// The last round in which it was asked.
    pub rounds: u32,
    /// Its orders, as committed.
    pub orders: PlacedOrders,
    /// Its buses, rising.
    pub buses: Vec<u32>,
    /// Each interval's.
    pub intervals: Vec<DemandIn>,
}

/// One interval of a [`DayAheadFinalDemand`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "DemandInFields", into = "DemandInFields")]
pub struct DemandIn {
    /// Root of the Merkle-sum tree over the sites' positions, schedules of their orders included.
    pub allocations_root: Hash32,
    /// Sum of the positions that import.
    pub import: Milliwatt,
    /// Sum of the positions that export, as a positive power.
    pub export: Milliwatt,
    /// For each of the aggregator's buses.
    pub buses: Vec<DemandOf>,
}

type DemandInFields = (Hash32, Milliwatt, Milliwatt, Vec<DemandOf>);

/// What an aggregator's curves at one bus ask for in one interval, and were given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "DemandOfFields", into = "DemandOfFields")]
pub struct DemandOf {
    /// Local price.
    pub price: PicoEurPerWh,
    /// What the curves were given.
    pub allocation: Milliwatt,
    /// What they allow from the price tolerance above the price to as much below.
    pub range: DemandRange,
}

type DemandOfFields = (PicoEurPerWh, Milliwatt, Milliwatt, Milliwatt);

impl From<(u16, u32, Vec<u32>)> for AskedAt {
    fn from((interval, bus, windows): (u16, u32, Vec<u32>)) -> Self {
        Self { interval, bus, windows }
    }
}

impl From<AskedAt> for (u16, u32, Vec<u32>) {
    fn from(asked: AskedAt) -> Self {
        (asked.interval, asked.bus, asked.windows)
    }
}

impl From<(FallingPowers, Vec<AnsweredCorner>)> for AnswerAt {
    fn from((powers, corners): (FallingPowers, Vec<AnsweredCorner>)) -> Self {
        Self { powers, corners }
    }
}

impl From<AnswerAt> for (FallingPowers, Vec<AnsweredCorner>) {
    fn from(answer: AnswerAt) -> Self {
        (answer.powers, answer.corners)
    }
}

impl From<(PicoEurPerWh, Milliwatt, Milliwatt)> for AnsweredCorner {
    fn from((price, at, above): (PicoEurPerWh, Milliwatt, Milliwatt)) -> Self {
        Self { price, at, above }
    }
}

impl From<AnsweredCorner> for (PicoEurPerWh, Milliwatt, Milliwatt) {
    fn from(corner: AnsweredCorner) -> Self {
        (corner.price, corner.at, corner.above)
    }
}

impl From<DemandInFields> for DemandIn {
    fn from((allocations_root, import, export, buses): DemandInFields) -> Self {
        Self { allocations_root, import, export, buses }
    }
}

impl From<DemandIn> for DemandInFields {
    fn from(demand: DemandIn) -> Self {
        (demand.allocations_root, demand.import, demand.export, demand.buses)
    }
}

impl From<DemandOfFields> for DemandOf {
    fn from((price, allocation, low, high): DemandOfFields) -> Self {
        Self { price, allocation, range: DemandRange { low, high } }
    }
}

impl From<DemandOf> for DemandOfFields {
    fn from(demand: DemandOf) -> Self {
        (demand.price, demand.allocation, demand.range.low, demand.range.high)
    }
}
