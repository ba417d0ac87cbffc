//! `gridpact sim`: simulated devices behind their real protocols, for tools of ours and of others to be tried on.

pub mod args;
pub mod charger;
pub mod house;
pub mod mqtt;
pub mod sunspec;

use args::{HouseArgs, SunSpecCommand};
use charger::{ChargerArgs, ChargerError};
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
    /// A house's meter, inverter and battery together, over Modbus TCP
    House(HouseArgs),
    /// On an MQTT broker.
    #[command(flatten)]
    Mqtt(MqttCommand),
    /// A charge point that connects to a central system by OCPP 1.6J or 2.0.1
    Charger(ChargerArgs),
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
    /// By OCPP.
    #[error(transparent)]
    Charger(#[from] ChargerError),
}

/// Runs the device until Ctrl-C or SIGTERM.
///
/// # Errors
/// Where it can't be started, or its lines can't be printed.
pub fn run(command: &SimCommand, out: &mut impl Write) -> Result<(), SimError> {
    match command {
        SimCommand::SunSpec(command) => Ok(sunspec::run(command, out)?),
        SimCommand::House(args) => Ok(house::run(args, out)?),
        SimCommand::Mqtt(command) => Ok(mqtt::run(command)?),
        SimCommand::Charger(args) => Ok(charger::run(args, out)?),
    }
}
