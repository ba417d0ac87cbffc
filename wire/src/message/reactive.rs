//! Reactive power in a market that clears it: ranges go up, prices and allocations come down. Which answer a
//! range gives to a price is the market's rule, so no curve is needed.

use market::units::{Millivar, PicoEurPerWh};
use serde::{Deserialize, Serialize};

/// Whether there is none: such a figure is left out of a message.
pub(crate) fn is_none(reactive: &Millivar) -> bool {
    *reactive == Millivar::ZERO
}

/// What an aggregator's sites at a bus offer together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReactiveRange {
    /// Name of the bus.
    pub bus: String,
    /// The most they give or absorb.
    pub range: Millivar,
}

/// Reactive price and allocation at one bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReactiveAward {
    /// Name of the bus.
    pub bus: String,
    /// Local price of reactive power.
    pub price: PicoEurPerWh,
    /// The most the receiving aggregator's sites at this bus offered together.
    pub range: Millivar,
    /// What they take together; absorbed positive.
    pub allocation: Millivar,
}

/// What a site is told of the reactive power it offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReactiveFirm {
    /// What the ledger holds of the aggregator at the site's bus.
    pub award: ReactiveAward,
    /// The site's share of it, in proportion to its range.
    pub allocation: Millivar,
}
