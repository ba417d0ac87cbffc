//! Clearing that knows the grid: real and reactive power, voltage, apparent-power limits, losses and
//! reserve on a radial feeder, in floating point and to a tolerance.
//!
//! [`problem`] says what is cleared, [`solution`] what comes out. What is owed follows from neither
//! directly: prices and powers are rounded to ticks and milliwatts and pass a certificate first.
//! Feeders whose lines limit real power only are cleared exactly, in integers, by
//! [`crate::clearing`].

pub mod ac;
pub mod certificate;
pub mod check;
pub mod dlmp;
pub mod error;
pub(crate) mod keepers;
pub mod problem;
pub mod rounding;
pub mod rounds;
pub mod rules;
#[cfg(test)]
mod sample;
pub mod solution;
pub mod solve;
pub mod taps;
pub mod volt_var;
pub mod zoom;

pub use error::GridError;
pub use solve::clear;
