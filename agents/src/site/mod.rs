//! The site controller: one customer's connection point, its devices and its meter.
//!
//! Everything that decides is pure: [`core`] keeps the time-line, and asks [`expectations`],
//! [`bidding`], [`firm`], [`plan`], [`schedule`] and [`metering`]. [`shell`] reads and writes devices.

pub mod act;
pub mod bidding;
pub mod core;
pub mod day_ahead;
pub mod expectations;
pub mod figure;
pub mod firm;
pub mod holding;
pub mod journal;
mod keeping;
mod lane;
pub mod load_history;
pub mod metering;
pub mod metrics;
pub mod obedience;
pub mod options;
pub mod plan;
mod reactive;
pub mod schedule;
pub mod shell;
pub mod standing;
mod tag;
pub mod trust;
mod watch;

#[cfg(test)]
mod scenarios;
