//! Modbus TCP as a device needs it: bounded reads and writes with deadlines, nothing of SunSpec.

pub mod link;

pub use link::{LinkError, ModbusLink, Timeouts, READ_MAX};
