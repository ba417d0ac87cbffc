//! What the devices are in themselves: states that change with time. No protocol, clock or socket.

pub mod car;
pub mod heat_pump;
