//! A heat pump that speaks plain MQTT: state as JSON on `{prefix}/state`, commands on `{prefix}/set`.
//!
//! `message` is pure; the shell that keeps a connection is `heat_pump`. What it says comes from
//! [`HeatPumpSim`](crate::physics::heat_pump::HeatPumpSim).

//!
//! [`appliance`] has a heat pump, a plug and a meter that announce themselves for Home Assistant; `served` puts one on a
//! broker, and [`mischief`] is how it misbehaves there, by a seed.

pub mod appliance;
mod heat_pump;
mod message;
pub mod mischief;
mod served;

pub use served::{serve, ServeConfig, ServeError};

pub use heat_pump::{MqttHeatPump, MqttHeatPumpConfig, MqttHeatPumpError};
