//! OCPP 1.6J: a central system that charge points connect to, and each of them as a [`Charger`].
//!
//! Pure parts: [`frame`] (OCPP-J framing), [`fields`] (lenient reading of values), [`message`] (what
//! charge points say), [`request`] (what we ask of them), [`meter`] (sampled values), [`profile`]
//! (power as a charging profile and back), `core` (one charge point's conversation). Shells:
//! `server` (listener), `driver` (one charge point's socket), `charger` (the device trait).
//!
//! Lenient in what real charge points send (numbers as strings, timestamps without zone, unknown
//! fields and measurands), strict in what it costs: every message, depth and string is bounded.
//!
//! [`Charger`]: crate::device::Charger

mod charger;
mod core;
mod driver;
pub mod fields;
pub mod frame;
pub mod message;
pub mod meter;
pub mod profile;
pub mod request;
mod server;
mod session;
mod station;

pub use charger::{OcppCharger, OcppChargerConfig};
pub use core::{Core, CoreConfig, Effect, Input, Now};
pub use server::{CentralSystem, OcppError, StationConfig};
pub use station::{CallFailure, RateUnit, StationState, Transaction};
