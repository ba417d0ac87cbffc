//! The aggregator's part in the day-ahead market, beside its part in real time.

mod allocation;
mod answer;
mod book;
pub(super) mod core;
mod fixed;
pub mod held;
mod trading;
