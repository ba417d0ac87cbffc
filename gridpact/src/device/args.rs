//! What can be said to `gridpact device`.

use clap::{Args, Subcommand};
use hw_adapters::modbus::SerialLine;
use hw_adapters::mqtt::login::{BrokerLogin, BrokerTls};
use std::path::PathBuf;

const EXIT_CODES: &str = "
Exit codes: 0 done; 1 it could not be tried; 5 nothing was found; 6 the device does not answer; 7 it answers what can't be
right; 8 it refuses, or accepts and does otherwise.";

/// Commands on devices.
#[derive(Clone, Debug, Subcommand)]
#[command(after_help = EXIT_CODES)]
pub enum DeviceCommand {
    /// Look which devices there are at an address; writes nothing to any
    Scan(ScanArgs),
    /// Read a device once
    Read(ReadArgs),
    /// Read a device again and again
    Watch(WatchArgs),
    /// Write one setpoint to a device, and read it back; asks before it writes
    Set(SetArgs),
    /// List the templates there are, or show one
    Templates(TemplatesArgs),
}

/// Arguments of `gridpact device scan`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact device scan 192.168.1.20                SunSpec on ports 502 and 1502, and an MQTT broker's devices on 1883
  gridpact device scan 192.168.1.20 --units 1-247  every unit, which takes a while
  gridpact device scan /dev/ttyUSB0 --units 1-32   a serial line, at 9600 and 19200 bits a second, with and without parity
  gridpact device scan /dev/ttyUSB0 --baud 19200,38400 --parity even
  gridpact device scan broker.local --user house --password-file password --ca ca.pem --broker --port 8883
  gridpact device scan broker.local --broker --port 18830   a broker alone, on a port of its own

A charge point can't be looked for: it connects to us. Set its central system to ws://THIS_HOST:8180, then
`gridpact device read ocpp-charger 0.0.0.0:8180 --identity ITS_IDENTITY` waits for it.

Exits 0 when something was found, 5 when nothing was, 6 when nothing answers there.")]
pub struct ScanArgs {
    /// Host, or a serial device's path
    pub host: String,
    /// Ports to try; 1883 and 8883 are taken for brokers [default: 502, 1502 and 1883]
    #[arg(long, value_delimiter = ',')]
    pub port: Vec<u16>,
    /// What listens on these ports is a broker
    #[arg(long)]
    pub broker: bool,
    /// Modbus units to try, as 1-10,126
    #[arg(long, default_value = "1-5,126,200,240", value_parser = units)]
    pub units: Units,
    /// Milliseconds within which a unit must answer
    #[arg(long, default_value_t = 700, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    pub answer_within_ms: u64,
    /// Seconds to listen to a broker
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub listen_s: u64,
    /// Who we are to a broker
    #[command(flatten)]
    pub login: LoginArgs,
    /// Speeds of a serial line to try, in bits a second
    #[arg(long, value_delimiter = ',', default_values_t = [9_600, 19_200], value_parser = clap::value_parser!(u32).range(1_200..=115_200))]
    pub baud: Vec<u32>,
    /// Parities of a serial line to try at each speed
    #[arg(long, value_delimiter = ',', default_values = ["none", "even"], value_parser = ["none", "even", "odd"])]
    pub parity: Vec<String>,
    /// Stop bits of a serial line; 2 are usual without parity in a few devices
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub stop_bits: u8,
    /// Folder with templates of your own
    #[arg(long)]
    pub templates: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Who we are to a broker.
#[derive(Clone, Debug, Default, Args)]
pub struct LoginArgs {
    /// The user's name at the broker
    #[arg(long)]
    pub user: Option<String>,
    /// File that holds the user's password and nothing else
    #[arg(long, requires = "user", value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// TLS to the broker: PEM file of the authority that signed its certificate
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

impl LoginArgs {
    /// As a configuration has it.
    pub fn login(&self) -> BrokerLogin {
        let tls = self.ca.clone();
        BrokerLogin {
            user: self.user.clone(),
            password_file: self.password_file.clone(),
            tls: tls.map(|authority| BrokerTls { authority, certificate: None, key: None }),
        }
    }
}

/// Which device, and how it is reached.
#[derive(Clone, Debug, Default, Args)]
pub struct TargetArgs {
    /// Its template, or with --site its name there
    pub device: String,
    /// Where it is: HOST or HOST:PORT of a Modbus device, the broker's of one on MQTT; for a charge point, where to
    /// wait for it
    #[arg(required_unless_present = "site")]
    pub address: Option<String>,
    /// Take the device of that name from a site's configuration file
    #[arg(long, conflicts_with_all = ["address", "unit", "setting", "identity"])]
    pub site: Option<PathBuf>,
    /// Modbus unit [default: the template's]
    #[arg(long)]
    pub unit: Option<u8>,
    /// How a serial line is set, as 19200-8E1 [default: the template's, or 9600-8N1]
    #[arg(long)]
    pub serial: Option<SerialLine>,
    /// A setting of the template, as id=shellyplug-s-1; can be given several times
    #[arg(long, short, value_name = "NAME=VALUE", value_parser = setting)]
    pub setting: Vec<(String, String)>,
    /// Who we are to its broker
    #[command(flatten)]
    pub login: LoginArgs,
    /// A charge point's identity
    #[arg(long)]
    pub identity: Option<String>,
    /// Most power it takes or gives, in watts [default: the template's]
    #[arg(long)]
    pub power_max_w: Option<u32>,
    /// Outdoor temperature to reckon with where the device doesn't say it
    #[arg(long, allow_negative_numbers = true)]
    pub outdoor_celsius: Option<f64>,
    /// Milliseconds within which it must answer [default: the template's]
    #[arg(long)]
    pub answer_within_ms: Option<u64>,
    /// Folder with templates of your own
    #[arg(long)]
    pub templates: Option<PathBuf>,
    /// Seconds to wait for a charge point to connect
    #[arg(long, default_value_t = 120)]
    pub wait_s: u64,
}

/// Arguments of `gridpact device read`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact device read sma-sunny-tripower 192.168.1.20
  gridpact device read eastron-sdm630 192.168.1.30 --unit 3 --json
  gridpact device read shelly-gen2-plug 192.168.1.2:1883 -s id=shellyplusplugs-d4d4da7c1234
  gridpact device read ocpp-charger 0.0.0.0:8180 --identity CP-1     waits for it to connect
  gridpact device read sunspec-inverter 192.168.1.20 --all           every point of every SunSpec model
  gridpact device read --site roles/site-s1.toml battery")]
pub struct ReadArgs {
    /// Which device
    #[command(flatten)]
    pub target: TargetArgs,
    /// Every point that a SunSpec device says, model by model
    #[arg(long)]
    pub all: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `gridpact device watch`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact device watch fronius-gen24 192.168.1.20
  gridpact device watch shelly-pro-3em 192.168.1.2 -s id=shellypro3em-2c --every-s 1 --count 60 --json

One line a reading, with --json one JSON object a line. A reading that fails is a line too; ends after --count readings,
with the last one's exit code, or at Ctrl-C.")]
pub struct WatchArgs {
    /// Which device
    #[command(flatten)]
    pub target: TargetArgs,
    /// Seconds between readings
    #[arg(long, default_value_t = 2.0)]
    pub every_s: f64,
    /// Readings after which to end [default: never]
    #[arg(long)]
    pub count: Option<u64>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `gridpact device set`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact device set sunspec-inverter 192.168.1.20 --power-w -2000         feeds in 2 kW at most, for a minute
  gridpact device set sunspec-storage 192.168.1.21 --power-w 1500 --hold-s 300
  gridpact device set shelly-gen2-plug 192.168.1.2:1883 -s id=shellyplusplugs-1 --off
  gridpact device set sunspec-inverter 192.168.1.20 --release --yes

Import and charging are positive, feeding in and discharging negative. Bounded by the device's nameplate and walked to
within its ramp, with its own timer armed where it has one, and read back; prints what the device then says it holds.")]
pub struct SetArgs {
    /// Which device
    #[command(flatten)]
    pub target: TargetArgs,
    /// What it is told
    #[command(flatten)]
    pub order: OrderArgs,
    /// Seconds after which the device forgets it by itself, where it can
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub hold_s: u32,
    /// Do not ask before writing
    #[arg(long)]
    pub yes: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// What a device is told: exactly one of these.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct OrderArgs {
    /// Power in watts: what a battery or heat pump takes, the most an inverter feeds in (negative) or a car charges at
    #[arg(long, allow_negative_numbers = true)]
    pub power_w: Option<i64>,
    /// Switch on
    #[arg(long)]
    pub on: bool,
    /// Switch off
    #[arg(long)]
    pub off: bool,
    /// Give it back to itself
    #[arg(long)]
    pub release: bool,
}

/// Arguments of `gridpact device templates`.
#[derive(Clone, Debug, Args)]
pub struct TemplatesArgs {
    /// Show this one
    pub name: Option<String>,
    /// Folder with templates of your own
    #[arg(long)]
    pub templates: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Modbus units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Units(pub Vec<u8>);

fn units(text: &str) -> Result<Units, String> {
    let wrong = || format!("{text:?} is no list of units like 1-10,126; units are 0 to 247");
    let unit = |text: &str| text.trim().parse::<u8>().ok().filter(|unit| *unit <= 247).ok_or_else(wrong);
    let mut units = Vec::new();
    for part in text.split(',') {
        match part.split_once('-') {
            Some((first, last)) => units.extend(unit(first)?..=unit(last)?),
            None => units.push(unit(part)?),
        }
    }
    units.sort_unstable();
    units.dedup();
    if units.is_empty() {
        return Err(wrong());
    }
    Ok(Units(units))
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_lists_and_ranges() {
        let check = |text: &str, expected: Option<&[u8]>| {
            assert_eq!(units(text).ok().map(|units| units.0).as_deref(), expected, "{text}");
        };
        check("1-3,126,2", Some(&[1, 2, 3, 126]));
        check("7", Some(&[7]));
        for wrong in ["", "1-", "248", "3-1", "a", "1;2"] {
            check(wrong, None);
        }
    }
}
