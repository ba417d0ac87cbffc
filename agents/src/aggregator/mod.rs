//! The aggregator: sums its sites' curves, commits to them, answers prices, and settles what was delivered.

pub mod act;
pub mod allocation;
pub mod answer;
pub mod archiver;
pub mod bids;
pub mod core;
pub mod day_ahead;
pub mod delivery;
mod keeper;
mod keeping;
pub mod kept;
pub mod late;
mod lateness;
mod market;
mod once;
mod reactive;
pub mod rounds;
mod shell;
mod trading;

pub use self::core::{AggregatorCore, AggregatorSettings};
pub use self::shell::{start, AggregatorOptions};
