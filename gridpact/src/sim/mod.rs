//! `gridpact sim`: one simulated device behind its real protocol, in real time, until Ctrl-C.

pub mod charger;

use charger::{ChargerArgs, ChargerError};
use clap::Subcommand;
use std::io::Write;

/// Simulated devices, one a process.
#[derive(Clone, Debug, Subcommand)]
pub enum SimCommand {
    /// A charge point that connects to a central system by OCPP 1.6J or 2.0.1
    Charger(ChargerArgs),
}

/// Runs the device until Ctrl-C.
///
/// # Errors
/// Where it can't be started, or its lines can't be printed.
pub fn run(command: &SimCommand, out: &mut impl Write) -> Result<(), ChargerError> {
    match command {
        SimCommand::Charger(args) => charger::run(args, out),
    }
}
