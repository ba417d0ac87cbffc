//! `gridpact sim`: simulated devices on the network, for tools of ours and of others to be tried on.

pub mod mqtt;

use clap::Subcommand;
use mqtt::{MqttArgs, MqttDevice, SimError};

/// Devices that can be simulated.
#[derive(Clone, Debug, Subcommand)]
pub enum SimCommand {
    /// A heat pump on an MQTT broker, announced for Home Assistant
    Heatpump(MqttArgs),
    /// A plug with a water heater on an MQTT broker, announced for Home Assistant
    Plug(MqttArgs),
    /// A power meter on an MQTT broker, announced for Home Assistant
    Powermeter(MqttArgs),
}

/// Runs the device until Ctrl-C.
///
/// # Errors
/// Where it can't be started.
pub fn run(command: SimCommand) -> Result<(), SimError> {
    match command {
        SimCommand::Heatpump(args) => mqtt::run(&args, MqttDevice::HeatPump),
        SimCommand::Plug(args) => mqtt::run(&args, MqttDevice::Plug),
        SimCommand::Powermeter(args) => mqtt::run(&args, MqttDevice::PowerMeter),
    }
}
