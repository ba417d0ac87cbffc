//! Plain MQTT devices: a heat pump that publishes its state as JSON and takes commands.
//!
//! [`message`] is pure: what the device says and is told, bounded. The shell is `heat_pump`.
//! Retained messages don't count: they say what was, not what is.

mod heat_pump;
pub mod message;

pub use heat_pump::{MqttError, MqttHeatPump, MqttHeatPumpConfig};
