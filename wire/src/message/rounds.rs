//! The rounds between the DSO and its aggregators: prices down, demand up, curves stay below.

use super::ReactiveAward;
use crate::hash::Hash32;
use market::interval::Interval;
use market::share::Demand as DemandRange;
use market::units::{Milliwatt, PicoEurPerWh};
use serde::{Deserialize, Serialize};

/// Most price ticks one question may name, and most powers one bus may answer.
pub const MAX_TICKS_PER_QUESTION: usize = 65_536;
/// Most corners of its sites' curves that an aggregator tells of one bus in one round.
pub const MAX_CORNERS: usize = 16;

/// What would you take at these prices, at these of your buses?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceQuestion {
    /// For which interval.
    pub interval: Interval,
    /// Round, from 1.
    pub round: u32,
    /// Stretches of price asked about.
    pub windows: Vec<PriceWindow>,
    /// Who is asked what, in order of bus name.
    pub buses: Vec<BusQuestion>,
}

/// A stretch of price in which demand is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceWindow {
    /// Its first tick.
    pub from: PicoEurPerWh,
    /// Its last tick.
    pub to: PicoEurPerWh,
    /// Prices asked, strictly increasing, from first to last.
    pub ticks: Vec<PicoEurPerWh>,
}

/// What one bus is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusQuestion {
    /// Name of the bus.
    pub bus: String,
    /// Places of its windows in the question's, rising.
    pub windows: Vec<u32>,
}

/// The answer: the aggregator's demand at every bus it was asked about.
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
    /// One value for each tick of each of its windows, non-increasing in a window.
    pub powers: Vec<Milliwatt>,
    /// Corners of its sites' curves in windows of a 64th of the price range or less, in order of
    /// price; the highest steps where there are more than [`MAX_CORNERS`].
    pub corners: Vec<Corner>,
}

/// Demand at a price at which some site's curve has a corner, and one tick above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corner {
    /// The price.
    pub price: PicoEurPerWh,
    /// Demand of all sites at the bus at it.
    pub at: Milliwatt,
    /// The same one tick above.
    pub above: Milliwatt,
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
    /// Where its bids offer reactive power, by bus, in order of bus name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactive: Vec<ReactiveAward>,
}

/// The aggregator's signed word on its demand at the cleared prices: what the certificate rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalDemand {
    /// For which interval.
    pub interval: Interval,
    /// The root of the bids, as committed before the first question.
    pub bids_root: Hash32,
    /// The last round in which it was asked.
    pub rounds: u32,
    /// Root of the Merkle-sum tree over the sites' allocations.
    pub allocations_root: Hash32,
    /// Sum of the sites' allocations that import.
    pub import: Milliwatt,
    /// Sum of the sites' allocations that export, as a positive power.
    pub export: Milliwatt,
    /// By bus, in order of bus name: price, allocation, and the range the bids allow there.
    pub buses: Vec<(BusPrice, DemandRange)>,
    /// Where its bids offer reactive power, by bus, in order of bus name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactive: Vec<ReactiveAward>,
}
