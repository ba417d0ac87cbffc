//! The distribution system operator: clears within the feeder's limits, in rounds with the aggregators.

pub mod act;
pub mod answers;
pub mod award;
pub mod balance;
pub(crate) mod balances;
pub mod core;
pub mod day_ahead;
mod entry;
pub(crate) mod gauges;
mod market;
pub mod measurement;
mod meters;
pub mod problem;
pub mod question;
mod reactive;
mod session;
mod shell;

pub use self::core::DsoCore;
pub use self::gauges::MOST_SHOWN;
pub use self::shell::{start, start_measuring, DsoOptions};
