//! Device physics, and servers that speak the devices' real protocols.

pub mod physics;
pub mod world;
