//! The aggregator: sums its sites' curves, commits to them, answers prices, and settles what was delivered.

pub mod act;
pub mod allocation;
pub mod answer;
pub mod archiver;
pub mod bids;
pub mod core;
pub mod day_ahead;
mod deciding;
pub mod delivery;
mod durable;
mod keeper;
mod keeping;
pub mod kept;
pub mod late;
mod lateness;
mod market;
mod once;
mod reactive;
mod resuming;
pub mod rounds;
mod said;
mod seed;
mod shell;
mod trading;

pub use self::core::{AggregatorCore, AggregatorSettings};
pub use self::shell::{start, AggregatorOptions};
