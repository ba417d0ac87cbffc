//! The rounds between the DSO and its aggregators: prices down, demand up, curves stay below.

use crate::hash::Hash32;
use market::interval::Interval;
use market::share::Demand as DemandRange;
use market::units::{Milliwatt, PicoEurPerWh};
use serde::{Deserialize, Serialize};

/// Most price ticks one question may name.
pub const MAX_TICKS_PER_QUESTION: usize = 1_024;

/// What would you take, bus by bus, at each of these prices?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceQuestion {
    /// For which interval.
    pub interval: Interval,
    /// Round, from 1.
    pub round: u32,
    /// Prices, strictly increasing, the same for every bus.
    pub ticks: Vec<PicoEurPerWh>,
}

/// The answer: the aggregator's demand at every bus where it has sites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// For which interval.
    pub interval: Interval,
    /// The round answered.
    pub round: u32,
    /// By bus, in order of bus name.
    pub buses: Vec<DemandAt>,
}

/// Demand at one bus: [`market::curve::FlexCurve::power_at`] summed over its sites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DemandAt {
    /// Name of the bus.
    pub bus: String,
    /// One value for each tick asked, non-increasing.
    pub powers: Vec<Milliwatt>,
}

/// Price and allocation at one bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusPrice {
    /// Name of the bus.
    pub bus: String,
    /// Local price.
    pub price: PicoEurPerWh,
    /// What the receiving aggregator's sites at this bus take together.
    pub allocation: Milliwatt,
}

/// The cleared prices, and the receiving aggregator's allocation at each of its buses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Award {
    /// For which interval.
    pub interval: Interval,
    /// By bus, in order of bus name.
    pub buses: Vec<BusPrice>,
}

/// The aggregator's signed word on its demand at the cleared prices: what the certificate rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalDemand {
    /// For which interval.
    pub interval: Interval,
    /// The root of the bids, as committed before the first question.
    pub bids_root: Hash32,
    /// Root of the Merkle-sum tree over the sites' allocations.
    pub allocations_root: Hash32,
    /// Sum of the sites' allocations that import.
    pub import: Milliwatt,
    /// Sum of the sites' allocations that export, as a positive power.
    pub export: Milliwatt,
    /// By bus, in order of bus name: price, allocation, and the range the bids allow there.
    pub buses: Vec<(BusPrice, DemandRange)>,
}
