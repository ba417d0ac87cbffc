//! The forecaster: expects price, load and sun from what was measured, says so with quantiles, and keeps
//! account of how good it was.

pub mod core;
pub mod scoring;
mod shell;

pub use self::core::{ForecasterCore, Observation};
pub(crate) use self::shell::loss_gauges;
pub use self::shell::{start, ForecasterOptions, Observations};
