//! The distribution system operator: clears within the feeder's limits, in rounds with the aggregators.

pub mod answers;
pub mod award;
pub mod balance;
mod balances;
pub mod core;
pub mod day_ahead;
mod entry;
mod market;
pub mod measurement;
pub mod problem;
pub mod question;
mod reactive;
mod session;
mod shell;

pub use self::core::DsoCore;
pub use self::shell::{start, start_measuring, DsoOptions};
