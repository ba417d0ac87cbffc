//! What can be said to `gridpact sim` of SunSpec devices.

use clap::{Args, Subcommand, ValueEnum};
use std::net::IpAddr;

const INVERTER_HELP: &str = "\
Examples:
  gridpact sim inverter --port 5020                           models 1, 103, 120 to 123 at 40000, unit 1
  gridpact sim inverter --port 5020 --model 701               models 1, 701 to 704, as IEEE 1547-2018 has them
  gridpact sim inverter --port 5020 --fault late --fault half-frames --chance 20 --seed 7

What can be written: the limit on output and reactive power, each with its reversion timer and switch (123, 704),
and entering service (703). All else is refused with exception 2, a value out of range with exception 3.";

const BATTERY_HELP: &str = "\
Examples:
  gridpact sim battery --port 5021                            models 1, 103, 120, 124, 802
  gridpact sim battery --port 5021 --model 701                models 1, 701 to 704, 713, 802
  gridpact sim battery --port 5021 --fault lying              takes setpoints, reads them back, does as it likes

What can be written: both rates of 124, or the power of 704, with reversion timer and switch; entering service (703).
Left to itself it keeps its site's exchange with the grid at zero.";

const METER_HELP: &str = "\
Examples:
  gridpact sim meter --port 5022                              models 1, 203, of a house with load and sun
  gridpact sim meter --port 5022 --model 213 --load-w 1500    in floating-point numbers

Nothing in it can be written.";

const HOUSE_HELP: &str = "\
Examples:
  gridpact sim house --port 5020          meter at 5020, inverter at 5021, battery at 5022, unit 1 each
  gridpact sim house --port 5020 --json   and each second what they do

The three belong together: the meter measures what load, sun and battery add up to. With it a site controller
can be tried where there is no inverter yet (docs/RASPBERRY-PI.md).";

/// Simulated devices, one a process.
#[derive(Clone, Debug, Subcommand)]
pub enum SunSpecCommand {
    /// A PV inverter that speaks SunSpec over Modbus TCP
    #[command(after_help = INVERTER_HELP)]
    Inverter(InverterArgs),
    /// A battery that speaks SunSpec over Modbus TCP
    #[command(after_help = BATTERY_HELP)]
    Battery(BatteryArgs),
    /// A meter that speaks SunSpec over Modbus TCP
    #[command(after_help = METER_HELP)]
    Meter(MeterArgs),
}

/// Arguments of `gridpact sim inverter`.
#[derive(Clone, Debug, Args)]
pub struct InverterArgs {
    /// Which measuring model: 101 to 103, 111 to 113 in floating-point numbers, or 701
    #[arg(long, default_value_t = 103, value_parser = inverter_model)]
    pub model: u16,
    /// Its nameplate in W
    #[arg(long, default_value_t = 10_000, value_parser = watts())]
    pub nameplate_w: u32,
    /// What the sun gives, in percent of the nameplate
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub sun_percent: u32,
    /// How it is served
    #[command(flatten)]
    pub serving: ServingArgs,
}

/// Arguments of `gridpact sim battery`.
#[derive(Clone, Debug, Args)]
pub struct BatteryArgs {
    /// Which measuring model: 101 to 103, 111 to 113 in floating-point numbers, or 701
    #[arg(long, default_value_t = 103, value_parser = inverter_model)]
    pub model: u16,
    /// Usable energy when full, in Wh
    #[arg(long, default_value_t = 10_000, value_parser = watts())]
    pub capacity_wh: u32,
    /// How full it is at the start, in percent
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub charged_percent: u32,
    /// Most charging and discharging power in W
    #[arg(long, default_value_t = 5_000, value_parser = watts())]
    pub power_w: u32,
    /// The house's load in W, which it covers when left to itself
    #[arg(long, default_value_t = 1_000, value_parser = watts())]
    pub load_w: u32,
    /// How it is served
    #[command(flatten)]
    pub serving: ServingArgs,
}

/// Arguments of `gridpact sim meter`.
#[derive(Clone, Debug, Args)]
pub struct MeterArgs {
    /// Which model: 201 to 204, or 211 to 214 in floating-point numbers
    #[arg(long, default_value_t = 203, value_parser = meter_model)]
    pub model: u16,
    /// The house's load in W
    #[arg(long, default_value_t = 1_000, value_parser = watts())]
    pub load_w: u32,
    /// What its sun gives in W
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub sun_w: u32,
    /// How it is served
    #[command(flatten)]
    pub serving: ServingArgs,
}

/// Arguments of `gridpact sim house`.
#[derive(Clone, Debug, Args)]
#[command(after_help = HOUSE_HELP)]
pub struct HouseArgs {
    /// The house's load in W
    #[arg(long, default_value_t = 1_000, value_parser = watts())]
    pub load_w: u32,
    /// The inverter's nameplate in W
    #[arg(long, default_value_t = 10_000, value_parser = watts())]
    pub nameplate_w: u32,
    /// What the sun gives, in percent of the nameplate
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub sun_percent: u32,
    /// The battery's usable energy when full, in Wh
    #[arg(long, default_value_t = 10_000, value_parser = watts())]
    pub capacity_wh: u32,
    /// How full it is at the start, in percent
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub charged_percent: u32,
    /// Its most charging and discharging power in W
    #[arg(long, default_value_t = 5_000, value_parser = watts())]
    pub power_w: u32,
    /// Port of the meter; inverter and battery have the two after it
    #[arg(long, default_value_t = 5020, value_parser = clap::value_parser!(u16).range(1..=65_533))]
    pub port: u16,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    pub listen: IpAddr,
    /// Print one JSON object a line: where they listen, and then their state each second
    #[arg(long)]
    pub json: bool,
}

/// How a device is served, and what it does wrong.
#[derive(Clone, Debug, Args)]
pub struct ServingArgs {
    /// Port to listen on; 0 takes a free one and says which
    #[arg(long, default_value_t = 5020)]
    pub port: u16,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    pub listen: IpAddr,
    /// Simulated seconds per real second; timers run in simulated time
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub speed: u32,
    /// What it does wrong; given several times, one of them at random
    #[arg(long = "fault", value_enum)]
    pub faults: Vec<FaultKind>,
    /// How many requests in a hundred meet a fault
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub chance: u32,
    /// What chance begins with: the same seed and requests meet the same faults
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// By how many milliseconds `late` is late, and for how many `rebooting` is down
    #[arg(long, default_value_t = 3_000, value_parser = clap::value_parser!(u32).range(1..=600_000))]
    pub fault_ms: u32,
    /// Print one JSON object a line: where it listens, and then its state each second
    #[arg(long)]
    pub json: bool,
}

/// What a device does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FaultKind {
    /// Answers nothing, and keeps connections
    Silent,
    /// Answers late
    Late,
    /// Sends half of each answer
    HalfFrames,
    /// Answers with the exception "server device busy"
    Busy,
    /// Acknowledges writes and forgets them
    Forgets,
    /// Acknowledges writes, reads them back, and does not act on them
    Lying,
    /// Goes on giving the measurements it had
    Frozen,
    /// Goes down with its connections, and comes back
    Rebooting,
}

fn watts() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=1_000_000)
}

fn inverter_model(text: &str) -> Result<u16, String> {
    of_models(text, &sim_devices::sunspec::INVERTERS)
}

fn meter_model(text: &str) -> Result<u16, String> {
    of_models(text, &sim_devices::sunspec::METERS)
}

fn of_models(text: &str, models: &[u16]) -> Result<u16, String> {
    let known = text.parse().ok().filter(|model| models.contains(model));
    known.ok_or_else(|| {
        let models: Vec<String> = models.iter().map(ToString::to_string).collect();
        format!("it must be one of {}", models.join(", "))
    })
}
