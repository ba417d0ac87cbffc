//! Forecasts with quantiles from what was measured, and how good they were. Pure arithmetic on series of
//! equal steps; what they are series of, and who wants to know, is the forecaster's business.

pub mod history;
pub mod model;
pub mod point;
pub mod score;

/// Levels of the three quantiles forecast.
pub const QUANTILES: [f64; 3] = [0.1, 0.5, 0.9];

/// What a series is of, which decides how it is forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantity {
    /// Price at the grid supply point.
    Price,
    /// Load besides what the market steers.
    Load,
    /// What PV could feed in, as a part of its nameplate.
    Pv,
}

impl Quantity {
    /// Every quantity.
    pub const ALL: [Quantity; 3] = [Quantity::Price, Quantity::Load, Quantity::Pv];

    /// Its word in metrics and tables.
    pub fn word(self) -> &'static str {
        match self {
            Quantity::Price => "price",
            Quantity::Load => "load",
            Quantity::Pv => "pv",
        }
    }

    /// How much of a departure from the usual is expected to be left an hour later.
    pub fn hourly_persistence(self) -> f64 {
        match self {
            Quantity::Price | Quantity::Load => 0.9,
            Quantity::Pv => 0.8,
        }
    }

    /// Hours of the day whose errors are taken together. Price errors are alike all day; those of load
    /// and sun are not.
    fn error_block_hours(self) -> usize {
        match self {
            Quantity::Price => 24,
            Quantity::Load => 4,
            Quantity::Pv => 1,
        }
    }
}
