//! SunSpec devices over Modbus: finding their models, reading points with their scale factors,
//! writing controls and reading them back.
//!
//! The `sunspec` crate's structures are not used here: one type a model (so nothing can be said of
//! 101 to 103 at once), all or nothing on length (real devices cut models short), no scale factors.
//! What the adapters need is some eighty points; they stand as data in [`points`], and tests hold them
//! against that crate's account of the same models and against the [`catalog`] of every point.

mod battery;
pub mod browse;
pub mod catalog;
mod control;
mod discovery;
pub mod enter_service;
mod found;
mod generator;
mod measured;
mod meter;
mod pace;
mod plate;
pub mod points;
pub mod registers;
mod session;

pub use battery::SunSpecBattery;
pub use browse::{ModelReading, PointReading, SunSpecDevice};
pub use discovery::{Discovery, DiscoveryError, ModelPlace, Step, BASES, MODELS_MAX};
pub use generator::{SunSpecGenerator, VoltVarPoint};
pub use meter::SunSpecMeter;
pub use registers::{Kind, ModelRegisters, Value, ValueError};
pub use session::Session;
