//! A charge point of OCPP 1.6J or 2.0.1 with one connector, in front of a [`ChargerSim`].
//!
//! `profiles` is its stack of charging profiles, `core` its conversation, `words` what it says in either version,
//! `fault` what it does wrong; all are pure. The shell that keeps a connection is `client`. What it says comes from
//! the physics and from nowhere else.
//!
//! [`ChargerSim`]: crate::physics::car::ChargerSim

mod client;
mod configuration;
mod core;
mod fault;
mod metering;
mod profiles;
mod tls;
mod transactions;
mod version;
mod words;

pub use client::{ChargePoint, ChargePointConfig, ChargePointError};
pub use core::{Core, Effect, Input};
pub use fault::{ChargerFault, Mischief};
pub use tls::TlsError;
pub use version::Version;
