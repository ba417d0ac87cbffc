//! Market parameters: what everyone must agree on before an interval can be cleared or settled.
//! They stand in the ledger's genesis.

use crate::charges::Charges;
use crate::interval::{Interval, UnixSeconds};
use crate::units::PicoEurPerWh;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The market's rules in figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketParameters {
    /// Length of an interval in seconds.
    pub interval_s: i64,
    /// Bids for an interval are taken from this many seconds before its start.
    pub bids_open_s: i64,
    /// The gate closes this many seconds before an interval's start.
    pub gate_closure_s: i64,
    /// Lowest price the market can clear at.
    pub price_min: PicoEurPerWh,
    /// Highest price the market can clear at: the value of lost load.
    pub price_max: PicoEurPerWh,
    /// A site that takes more than committed pays its local price plus this for the difference;
    /// one that takes less is paid its local price minus this.
    pub imbalance_spread: PicoEurPerWh,
    /// What a site pays its aggregator for each watt-hour committed, imported or exported.
    pub aggregator_fee: PicoEurPerWh,
    /// Fees and the deviation penalty.
    #[serde(default, skip_serializing_if = "Charges::is_none")]
    pub charges: Charges,
}

/// Why parameters make no market.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("market parameters: {reason}")]
pub struct ParameterError {
    /// What is wrong, naming the parameter.
    pub reason: &'static str,
}

impl MarketParameters {
    /// Checks that the figures make a market.
    pub fn validate(&self) -> Result<(), ParameterError> {
        let rules = [
            (self.interval_s > 0 && self.interval_s <= 86_400, "interval_s must lie in 1..=86400"),
            (self.gate_closure_s > 0, "gate_closure_s must be more than 0"),
            (self.bids_open_s > self.gate_closure_s, "bids_open_s must be more than gate_closure_s"),
            (self.bids_open_s <= self.interval_s, "bids_open_s must be at most interval_s"),
            (self.price_min < self.price_max, "price_min must be below price_max"),
            (self.imbalance_spread >= PicoEurPerWh::ZERO, "imbalance_spread must not be negative"),
            (self.aggregator_fee >= PicoEurPerWh::ZERO, "aggregator_fee must not be negative"),
        ];
        let unsound = rules.iter().find(|(holds, _)| !holds).map(|(_, reason)| *reason);
        match unsound.or_else(|| self.charges.unsound()) {
            Some(reason) => Err(ParameterError { reason }),
            None => Ok(()),
        }
    }
    /// When bids for `interval` are first taken.
    pub fn bids_open(&self, interval: Interval) -> UnixSeconds {
        interval.start().plus(-self.bids_open_s)
    }
    /// When the gate closes for `interval`.
    pub fn gate_closure(&self, interval: Interval) -> UnixSeconds {
        interval.start().plus(-self.gate_closure_s)
    }
    /// The interval that contains `now`.
    pub fn interval_at(&self, now: UnixSeconds) -> Interval {
        Interval::containing(now, self.interval_s)
    }
    /// Whether an interval starts where the market's intervals do.
    pub fn is_interval(&self, interval: Interval) -> bool {
        interval.start().0.rem_euclid(self.interval_s) == 0
    }
    /// The interval after `interval`.
    pub fn next(&self, interval: Interval) -> Interval {
        interval.later(1, self.interval_s)
    }
}
