//! Modbus as a device needs it, over TCP and serial lines: bounded reads and writes with deadlines,
//! nothing of SunSpec.

mod backoff;
mod bus;
pub mod endpoint;
pub mod guard;
pub mod link;
mod stream;

pub use endpoint::{Endpoint, EndpointError, Parity, SerialLine};
pub use link::{LinkError, ModbusLink, Timeouts, READ_MAX, WRITE_MAX};
