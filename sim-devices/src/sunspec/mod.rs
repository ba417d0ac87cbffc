//! Simulated devices as SunSpec servers over Modbus TCP: register maps made from the world's state,
//! controls written into it, and faults on demand. Device physics live elsewhere.

mod battery;
mod der;
pub mod fault;
mod functions;
mod inverter;
pub mod map;
mod meter;
pub mod models;
mod pv;
mod rtu;
mod server;

pub use rtu::Line;
pub use server::{Dialect, Refusal, Role, SunSpecServer, INVERTERS, METERS, UNIT};
