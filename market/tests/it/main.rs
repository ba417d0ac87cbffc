//! The market crate from outside, in one binary.

#![allow(clippy::unwrap_used)]

mod auction;
mod cases;
mod certificate;
mod certified;
mod corners;
mod engine;
mod feeders;
mod grid;
mod horizon;
mod nodal;
mod powerflow;
mod reference;
mod sampled;
mod standing;
mod zoom;

/// So many cases, and no file left behind: a failure prints its smallest case whole.
pub fn cases(cases: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config { cases, failure_persistence: None, ..Default::default() }
}
