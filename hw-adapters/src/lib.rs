//! Real devices behind small traits: SunSpec over Modbus TCP and RTU, meters by tables of registers, OCPP charge
//! points, plain MQTT devices. What is particular about a product is a template: data, in a file of its own.
//!
//! The site controller knows these traits and not the protocols. Nothing here decides about
//! energy or price; it reads, writes within bounds, and reads back.

pub mod by_template;
pub mod config;
pub mod counted;
pub mod device;
mod freshness;
mod kept;
pub mod metrics;
pub mod modbus;
pub mod mqtt;
pub mod ocpp;
pub mod ramp;
pub mod registers;
pub mod scan;
pub mod sunspec;
pub mod template;
