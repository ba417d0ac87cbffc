//! Clearing of a radial feeder whose lines limit real power: prices, allocations and flows that
//! follow from the bids, exact on integer ticks.
//!
//! A line's limits clamp its subtree's demand at every price, `D(t) = own(t) + sum of
//! clamp(D_child(t), power_min, power_max)`, so the whole tree is a function of the root's price.
//! The root clears where that demand meets the supply. Below a line that binds, the subtree has a
//! price of its own, where its demand meets the limit; everywhere else it has its parent's.
//!
//! Rules where more than one outcome is optimal, the same for every way of clearing:
//! * a price that may lie anywhere in an interval is the interval's midpoint, rounded down; where
//!   the interval reaches an end of the price range it is the other end, and where it reaches both
//!   it is the price nearest to zero;
//! * demand and supply that tie at the root's price are served: import is the largest both accept;
//! * parties and subtrees on a step at exactly the price share it ([`crate::share::split`]).
//!
//! Nothing here knows who bids, or keeps anything from one interval to the next.

mod allocate;
pub mod book;
mod bound;
pub mod corners;
pub mod engine;
mod guess;
mod levels;
mod locate;
mod packed;
mod piece;
mod pieces;
pub mod sampled;
pub mod samples;
mod slopes;
mod survey;
mod sweep;

use crate::units::{Milliwatt, PicoEurPerWh, PRICE_BOUND};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What follows from the bids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clearing {
    /// Net import at the grid supply point.
    pub import: Milliwatt,
    /// Price at each bus, in the order of [`crate::feeder::Feeder::buses`].
    pub prices: Vec<PicoEurPerWh>,
    /// What the parties at each bus take together, in the order of the feeder's buses.
    pub allocations: Vec<Milliwatt>,
    /// Power from parent to child, in the order of [`crate::feeder::Feeder::lines`].
    pub flows: Vec<Milliwatt>,
}

/// The limit that no price can meet.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Infeasible {
    /// The parties below a line take more, at any price, than it may carry.
    #[error("line {line:?}: at least {needed} must flow, and at most {allowed} may")]
    LineMax {
        /// The line.
        line: String,
        /// The least that flows at any price, other limits below it kept.
        needed: Milliwatt,
        /// Its upper limit.
        allowed: Milliwatt,
    },
    /// The parties below a line take less, at any price, than it must carry.
    #[error("line {line:?}: at most {needed} can flow, and at least {allowed} must")]
    LineMin {
        /// The line.
        line: String,
        /// The most that flows at any price, other limits below it kept.
        needed: Milliwatt,
        /// Its lower limit.
        allowed: Milliwatt,
    },
    /// The feeder takes more, at any price, than the grid supply point delivers.
    #[error("supply: at least {needed} must be imported, and at most {allowed} is on offer")]
    SupplyMax {
        /// The least imported at any price, every line's limits kept.
        needed: Milliwatt,
        /// The most on offer.
        allowed: Milliwatt,
    },
    /// The feeder takes less, at any price, than the grid supply point must deliver.
    #[error("supply: at most {needed} can be imported, and at least {allowed} must be")]
    SupplyMin {
        /// The most imported at any price, every line's limits kept.
        needed: Milliwatt,
        /// The least on offer.
        allowed: Milliwatt,
    },
}

/// The prices a market may clear at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceRange {
    min: PicoEurPerWh,
    max: PicoEurPerWh,
}

impl PriceRange {
    /// Every price the market knows, [`PRICE_BOUND`] either way.
    pub const WIDEST: Self = Self { min: PicoEurPerWh(-PRICE_BOUND.0), max: PRICE_BOUND };

    /// From `min` to `max`; none where `min` lies above it, or either beyond [`PRICE_BOUND`].
    pub fn new(min: PicoEurPerWh, max: PicoEurPerWh) -> Option<Self> {
        (-PRICE_BOUND <= min && min <= max && max <= PRICE_BOUND).then_some(Self { min, max })
    }
    /// Lowest price.
    pub fn min(self) -> PicoEurPerWh {
        self.min
    }
    /// Highest price.
    pub fn max(self) -> PicoEurPerWh {
        self.max
    }
}
