//! OCPP 1.6J and 2.0.1: a central system that charge points connect to, and each of them as a [`Charger`].
//!
//! Pure parts: [`frame`] (OCPP-J framing), [`fields`] (lenient reading of values), [`message`] and [`v201`] (what
//! charge points say), [`request`] (what we ask of them), [`settings`] (what they can), [`meter`] (sampled
//! values), [`profile`] (power as a charging profile and back), `clock` (what of it is new), `session` (what
//! is known), `judge` (what of it is believed), `steering` and `wear` (limits kept), `core` (one charge point's conversation), `auth` (who may
//! connect). Shells: `server` (listener), `door` (handshakes), `driver` (one charge point's socket), `charger`
//! (the device trait) with `operate`.
//!
//! Lenient in what real charge points send (numbers as strings, timestamps without zone, unknown
//! fields and measurands), strict in what it costs: every message, depth and string is bounded.
//!
//! [`Charger`]: crate::device::Charger

mod auth;
mod budget;
mod charger;
mod clock;
mod core;
mod door;
mod driver;
pub mod fields;
pub mod frame;
mod judge;
pub mod message;
pub mod meter;
mod operate;
pub mod profile;
pub mod request;
mod server;
mod session;
pub mod settings;
mod station;
mod station_config;
mod steering;
mod tls;
pub mod v201;
mod version;
mod wear;

pub use auth::Password;
pub use charger::OcppCharger;
pub use core::{Core, CoreConfig, Effect, Input, Now};
pub use server::{CentralSystem, OcppError};
pub use station::{CallFailure, RateUnit, StationState, Transaction, TransactionId};
pub use station_config::StationConfig;
pub use steering::Bounds;
pub use tls::{TlsError, TlsFiles};
pub use version::Version;
