//! SunSpec devices over Modbus: finding their models, reading points with their scale factors,
//! writing controls and reading them back.
//!
//! The `sunspec` crate's structures are not used here: one type a model (so nothing can be said of
//! 101 to 103 at once), all or nothing on length (real devices cut models short), no scale factors.
//! What is needed is some forty points; they stand as data in [`points`], and a test holds them
//! against that crate's account of the same models.

mod battery;
mod control;
mod discovery;
mod generator;
mod meter;
pub mod points;
mod registers;
mod session;

pub use battery::SunSpecBattery;
pub use discovery::{Discovery, DiscoveryError, ModelPlace, Step, BASES, MODELS_MAX};
pub use generator::SunSpecGenerator;
pub use meter::SunSpecMeter;
pub use registers::{ModelRegisters, ValueError};
