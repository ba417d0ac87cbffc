//! An OCPP 1.6J charge point with one connector, in front of a [`ChargerSim`].
//!
//! `profiles` is its stack of charging profiles, `core` its conversation; both are pure. The shell
//! that keeps a connection is `client`. What it says comes from the physics and from nowhere else.
//!
//! [`ChargerSim`]: crate::physics::car::ChargerSim

mod client;
mod configuration;
mod core;
mod metering;
mod profiles;
mod transactions;

pub use client::{ChargePoint, ChargePointConfig, ChargePointError};
pub use core::{Core, Effect, Input};
