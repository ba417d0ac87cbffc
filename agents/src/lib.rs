//! The roles: device, site controller, aggregator, DSO, TSO interface. One role, one folder: a pure core
//! that decides and an actix shell that performs.

pub mod core;
pub mod device;
