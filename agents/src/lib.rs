//! The roles: device, site controller, aggregator, DSO, TSO interface, timekeeper. One role, one folder: a
//! pure core that decides and an actix shell that performs.

pub mod aggregator;
pub mod chain;
pub mod clock;
pub mod core;
pub mod device;
pub mod dso;
pub mod forecast;
pub mod forecaster;
pub mod metrics;
mod missed;
pub mod price_parts;
pub mod roster;
pub mod shell;
pub mod site;
pub mod terms;
pub mod timekeeper;
pub mod tso;
mod witness;

#[cfg(test)]
mod scene;
