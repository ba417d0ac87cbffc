//! What a session publishes, in integers: prices and the multipliers behind them by interval, and each
//! order's schedule with what stored or deferred energy is worth.
//!
//! Only what had to be decided stands here. Flows and import are sums of what was given, which everyone
//! adds up for themselves.

use crate::feeder::Tree;
use crate::grid::certificate::Multipliers;
use crate::units::{Milliwatt, PicoEurPerWh};
use serde::{Deserialize, Serialize};

/// A cleared session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayAheadClearing {
    /// Prices by interval.
    pub intervals: Vec<IntervalPrices>,
    /// What each storage order does, in the order of [`super::orders::Orders::storages`].
    pub storages: Vec<StorageAward>,
    /// What each deferrable order takes, in the order of [`super::orders::Orders::deferrables`].
    pub deferrables: Vec<DeferrableAward>,
}

/// One interval's prices and what they are made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntervalPrices {
    /// Price of real power at each place; the grid supply point's first.
    pub prices: Vec<PicoEurPerWh>,
    /// Price of reactive power at each place, per var-hour; the root's is zero.
    pub reactive_prices: Vec<PicoEurPerWh>,
    /// What limits of lines and voltages are worth where they are worth anything, in order of place.
    pub binding: Vec<(u32, Multipliers)>,
}

/// What a storage order does. Every list has one element for each interval of the session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageAward {
    /// Power taken from the grid.
    pub charge: Vec<Milliwatt>,
    /// Power given to the grid, as a positive power.
    pub discharge: Vec<Milliwatt>,
    /// What one more watt-hour in store at the interval's end is worth.
    pub stored_values: Vec<PicoEurPerWh>,
}

/// What a deferrable order takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeferrableAward {
    /// Power in each interval of its window.
    pub power: Vec<Milliwatt>,
    /// What one watt-hour less to be taken would save.
    pub energy_value: PicoEurPerWh,
}

impl IntervalPrices {
    /// Prices in the order of the feeder's buses.
    pub fn by_bus(&self, tree: &Tree) -> Vec<PicoEurPerWh> {
        tree.place.iter().map(|place| self.prices.get(*place).copied().unwrap_or_default()).collect()
    }
}

impl StorageAward {
    /// What the grid sees in an interval: charge less discharge; nothing beyond the session.
    pub fn power(&self, interval: usize) -> Milliwatt {
        let at = |powers: &[Milliwatt]| powers.get(interval).copied().unwrap_or_default();
        Milliwatt(at(&self.charge).0.saturating_sub(at(&self.discharge).0))
    }
}

impl DeferrableAward {
    /// What the grid sees in an interval, the order's window beginning at `start`; nothing outside it.
    pub fn power(&self, start: u32, interval: usize) -> Milliwatt {
        let inside = interval.checked_sub(start as usize);
        inside.and_then(|inside| self.power.get(inside)).copied().unwrap_or_default()
    }
}
