//! From the TSO interface: what import costs, and what it is expected to cost.

use market::interval::Interval;
use market::supply::SupplyCurve;
use market::units::{MicrogramPerWh, PicoEurPerWh};
use serde::{Deserialize, Serialize};

/// Most intervals one forecast may cover.
pub const MAX_FORECAST: usize = 768;

/// The import's price curve at the grid supply point for one interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supply {
    /// For which interval.
    pub interval: Interval,
    /// Import by price.
    pub curve: SupplyCurve,
    /// What a watt-hour of it emits; counts where the market has a carbon price.
    #[serde(default, skip_serializing_if = "is_none")]
    pub emission: MicrogramPerWh,
}

pub(super) fn is_none(emission: &MicrogramPerWh) -> bool {
    *emission == MicrogramPerWh::ZERO
}

/// Prices expected at the grid supply point, from the day-ahead auction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// One per interval, in order of time, without gaps.
    pub prices: Vec<ForecastPrice>,
}

/// The price expected for one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForecastPrice {
    /// The interval.
    pub interval: Interval,
    /// The price.
    pub price: PicoEurPerWh,
}
