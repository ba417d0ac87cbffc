//! What can be said to `gridpact sim` of SunSpec devices.

use clap::{Args, Subcommand, ValueEnum};
use hw_adapters::modbus::SerialLine;
use std::net::IpAddr;

const INVERTER_HELP: &str = "\
Examples:
  gridpact sim inverter --port 5020                           models 1, 103, 120 to 123 at 40000, unit 1
  gridpact sim inverter --port 5020 --model 701               models 1, 701 to 712, 714 and 715, as IEEE 1547-2018 has them
  gridpact sim inverter --serial /dev/ttyUSB1 --line 19200-8E1   by Modbus RTU
  gridpact sim inverter --model 701 --excursion 30:20:60:50      a sag to 60 % after 30 s, for 20 s: it trips and comes back
  gridpact sim inverter --port 5020 --fault late --fault half-frames --chance 20 --seed 7

What can be written: the limit on output and reactive power, each with its reversion timer and switch (123, 704),
entering service (703), the stored curves of 705 to 712 with what adopts and switches them, and 715. All else is refused with exception 2, a value out of range with exception 3.";

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
    /// The grid goes elsewhere, as AFTER_S:FOR_S:VOLTAGE_PERCENT:HERTZ; can be given several times
    #[arg(long, value_parser = excursion)]
    pub excursion: Vec<ExcursionArg>,
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
    /// Serial device to answer on by Modbus RTU, not over TCP
    #[arg(long, value_name = "PATH", conflicts_with_all = ["port", "listen"])]
    pub serial: Option<String>,
    /// How the serial line is set
    #[arg(long, default_value = "9600-8N1", requires = "serial")]
    pub line: SerialLine,
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

/// A time for which the grid is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExcursionArg {
    /// Seconds after the start.
    pub after_s: u32,
    /// For how many seconds.
    pub for_s: u32,
    /// Voltage in percent of nominal.
    pub voltage_percent: f64,
    /// Frequency in hertz.
    pub hertz: f64,
}

fn excursion(text: &str) -> Result<ExcursionArg, String> {
    let wrong = || format!("{text:?} is not AFTER_S:FOR_S:VOLTAGE_PERCENT:HERTZ, as 30:20:60:50");
    let parts: Vec<&str> = text.split(':').collect();
    let [after_s, for_s, voltage_percent, hertz] = parts[..] else { return Err(wrong()) };
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| (0.0..=200.0).contains(number));
    Ok(ExcursionArg {
        after_s: after_s.parse().map_err(|_| wrong())?,
        for_s: for_s.parse().ok().filter(|seconds| *seconds > 0).ok_or_else(wrong)?,
        voltage_percent: number(voltage_percent).ok_or_else(wrong)?,
        hertz: number(hertz).ok_or_else(wrong)?,
    })
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
