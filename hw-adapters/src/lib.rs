//! Real devices behind small traits: SunSpec over Modbus TCP and RTU, OCPP charge points, plain MQTT devices.
//!
//! The site controller knows these traits and not the protocols. Nothing here decides about
//! energy or price; it reads, writes within bounds, and reads back.

pub mod config;
pub mod counted;
pub mod device;
pub mod metrics;
pub mod modbus;
pub mod mqtt;
pub mod ocpp;
pub mod sunspec;
