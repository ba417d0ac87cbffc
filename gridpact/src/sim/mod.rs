//! `gridpact sim`: one simulated device behind its real protocol, for tools of ours and of others to be tried on.

pub mod args;
pub mod mqtt;
pub mod sunspec;

use args::SunSpecCommand;
use clap::Subcommand;
use mqtt::{MqttCommand, MqttSimError};
use std::io::Write;
use sunspec::SunSpecError;
use thiserror::Error;

/// Devices that can be simulated, by protocol.
#[derive(Clone, Debug, Subcommand)]
pub enum SimCommand {
    /// Over Modbus.
    #[command(flatten)]
    SunSpec(SunSpecCommand),
    /// On an MQTT broker.
    #[command(flatten)]
    Mqtt(MqttCommand),
}

/// A device that can't be simulated.
#[derive(Debug, Error)]
pub enum SimError {
    /// Over Modbus.
    #[error(transparent)]
    SunSpec(#[from] SunSpecError),
    /// On a broker.
    #[error(transparent)]
    Mqtt(#[from] MqttSimError),
}

/// Runs the device until Ctrl-C.
///
/// # Errors
/// Where it can't be started, or its lines can't be printed.
pub fn run(command: &SimCommand, out: &mut impl Write) -> Result<(), SimError> {
    match command {
        SimCommand::SunSpec(command) => Ok(sunspec::run(command, out)?),
        SimCommand::Mqtt(command) => Ok(mqtt::run(command)?),
    }
}
