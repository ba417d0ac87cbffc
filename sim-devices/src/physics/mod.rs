//! What the devices are in themselves: states that change with time. No protocol, clock or socket.

pub mod battery;
pub mod car;
pub mod connection;
pub mod functions;
pub mod grid;
pub mod heat_pump;
pub mod profile;
pub mod pv;
pub mod reversion;
pub mod service;
