//! Simulated devices on an MQTT broker.

use crate::stop;
use clap::{Args, Subcommand};
use market::interval::UnixSeconds;
use market::units::Milliwatt;
use sim_devices::mqtt::appliance::{Appliance, HeatPumpAppliance, MeterAppliance, PlugAppliance};
use sim_devices::mqtt::mischief::{Misbehaviour, Mischief};
use sim_devices::mqtt::{serve, ServeConfig, ServeError};
use sim_devices::physics::heat_pump::{HeatPumpConfig, HeatPumpConfigError, HeatPumpSim};
use std::io;
use thiserror::Error;

/// Outdoor temperature at the start, in thousandths of a degree Celsius.
const OUTDOOR_MILLICELSIUS: i64 = 4_000;

/// Devices on a broker that can be simulated.
#[derive(Clone, Debug, Subcommand)]
pub enum MqttCommand {
    /// A heat pump on an MQTT broker, announced for Home Assistant
    Heatpump(MqttArgs),
    /// A plug with a water heater on an MQTT broker, announced for Home Assistant
    Plug(MqttArgs),
    /// A power meter on an MQTT broker, announced for Home Assistant
    Powermeter(MqttArgs),
}

/// Arguments of a simulated device on a broker.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact sim heatpump --broker 127.0.0.1:1883
  gridpact sim plug --broker 127.0.0.1:1883 --name boiler --misbehave late=0.1,lie=0.2 --seed 7
  gridpact device scan 127.0.0.1 --broker                           finds it
  gridpact device read homeassistant-plug 127.0.0.1:1883 -s device=boiler

Its topics begin with gridpact-sim/NAME; it announces itself under homeassistant/. Faults, each with the probability that it
happens at a state or a command, drawn from the seed: late (1 to 10 s), silent, lie (takes a command, says so, and doesn't),
half (of a message), nonsense, frozen (says what it said before), reboot (gone for 3 s, what it was told forgotten).")]
pub struct MqttArgs {
    /// The broker's host and port
    #[arg(long)]
    pub broker: String,
    /// Its name [default: sim-heatpump, sim-plug or sim-powermeter]
    #[arg(long)]
    pub name: Option<String>,
    /// Milliseconds between two states
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(100..=3_600_000))]
    pub every_ms: u64,
    /// Seconds that pass for it in one second
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub speed: u32,
    /// Its most power, in watts; a meter has none
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub power_w: u32,
    /// Faults with their probabilities, as late=0.1,lie=0.2
    #[arg(long, default_value = "")]
    pub misbehave: Misbehaviour,
    /// Seed of its misbehaviour
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// A device that can't be simulated.
#[derive(Debug, Error)]
pub enum MqttSimError {
    /// The broker's address is none.
    #[error("broker {0:?} is not HOST:PORT")]
    Broker(String),
    /// It can't be as it was asked for.
    #[error(transparent)]
    HeatPump(#[from] HeatPumpConfigError),
    /// It can't be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// Nothing can be run.
    #[error("starting: {0}")]
    Start(#[from] io::Error),
}

/// Runs it until Ctrl-C or SIGTERM.
///
/// # Errors
/// Where it can't be started.
pub fn run(command: &MqttCommand) -> Result<(), MqttSimError> {
    let (MqttCommand::Heatpump(args) | MqttCommand::Plug(args) | MqttCommand::Powermeter(args)) = command;
    let wrong = || MqttSimError::Broker(args.broker.clone());
    let (host, port) = args.broker.rsplit_once(':').ok_or_else(wrong)?;
    let power = Milliwatt(i64::from(args.power_w) * 1_000);
    let mut appliance: Box<dyn Appliance> = match command {
        MqttCommand::Heatpump(_) => {
            let config = HeatPumpConfig { power_max: power, ..HeatPumpConfig::default() };
            Box::new(HeatPumpAppliance::new(HeatPumpSim::new(config, UnixSeconds(0), OUTDOOR_MILLICELSIUS)?))
        }
        MqttCommand::Plug(_) => Box::new(PlugAppliance::new(power)),
        MqttCommand::Powermeter(_) => Box::new(MeterAppliance::default()),
    };
    let name = args.name.clone().unwrap_or_else(|| format!("sim-{}", appliance.word()));
    let config = ServeConfig {
        host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
        port: port.parse().map_err(|_| wrong())?,
        name: name.clone(),
        every_ms: args.every_ms,
        speed: args.speed,
    };
    let mut mischief = Mischief::new(args.misbehave.clone(), args.seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let stopping = stop::asked()?;
        eprintln!("{name} on {}, topics gridpact-sim/{name}, seed {}; Ctrl-C ends it", args.broker, args.seed);
        tokio::select! {
            served = serve(&config, &mut *appliance, &mut mischief, |said| eprintln!("{name} {said}")) => Ok(served?),
            () = stopping => Ok(()),
        }
    })
}
