//! Device physics, and servers that speak the devices' real protocols.

pub mod fault;
pub mod mqtt;
pub mod ocpp;
pub mod physics;
pub mod site;
pub mod sunspec;
pub mod world;
