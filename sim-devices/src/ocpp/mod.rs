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

/// How a charge point misbehaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// It doesn't.
    #[default]
    None,
    /// Its connection stands and it says nothing any more.
    Silent,
    /// Each answer comes so many milliseconds late.
    Late(u32),
    /// It rejects every charging profile.
    Refusing,
    /// It accepts charging profiles and does not follow them; asked, it says what it really does.
    Disobeying,
    /// It has no connection and seeks none.
    Offline,
}
