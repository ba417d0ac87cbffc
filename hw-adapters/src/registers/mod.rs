//! Meters read by a table of plain Modbus registers that their template gives.
//!
//! [`plan`] is pure: which registers to read together and what they mean. The shell is `meter`.

mod meter;
pub mod plan;

pub use meter::RegisterMeter;
