//! The distribution system operator: clears within the feeder's limits, in rounds with the aggregators.

pub mod answers;
pub mod award;
pub mod core;
pub mod measurement;
pub mod problem;
mod session;
mod shell;

pub use self::core::{DsoCore, MAX_ROUNDS};
pub use self::shell::{start, DsoOptions};
