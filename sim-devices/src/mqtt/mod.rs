//! A heat pump that speaks plain MQTT: state as JSON on `{prefix}/state`, commands on `{prefix}/set`.
//!
//! `message` is pure; the shell that keeps a connection is `heat_pump`. What it says comes from
//! [`HeatPumpSim`](crate::physics::heat_pump::HeatPumpSim).

mod heat_pump;
mod message;

pub use heat_pump::{MqttHeatPump, MqttHeatPumpConfig, MqttHeatPumpError};
