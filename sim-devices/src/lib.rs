//! Device physics, and servers that speak the devices' real protocols.

pub mod ocpp;
pub mod physics;
pub mod world;
