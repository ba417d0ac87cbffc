//! `gridpact sim charger`: a charge point for other people's central systems, or ours, to be tried on.

use crate::stop;
use clap::{Args, ValueEnum};
use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt, MILLIJOULE_PER_WH};
use serde_json::{json, Value};
use sim_devices::ocpp::{ChargePoint, ChargePointConfig, ChargePointError, ChargerFault, Mischief, Version};
use sim_devices::physics::car::{CarStay, ChargerConfig, ChargerConfigError, ChargerSim, ConnectorStatus};
use std::io::{self, Write};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use thiserror::Error;
use time::OffsetDateTime;

/// How often the physics move on.
const STEP: Duration = Duration::from_millis(250);
/// A state is printed each so many steps.
const PRINTED: u64 = 4;
/// Usable energy of a car's battery, in Wh.
const BATTERY_WH: i64 = 60_000;
/// Cars that come, one after another.
const CARS: i64 = 1000;

const HELP: &str = "\
Examples:
  gridpact sim charger --url ws://127.0.0.1:8180/ocpp --identity CP-1
  gridpact sim charger --url ws://10.0.0.5:8180/ocpp/CP-1 --version 2.0.1 --car-after-s 5 --json
  gridpact sim charger --url wss://csms.example:443/ocpp --identity CP-1 --password SECRET --authority ca.pem
  gridpact sim charger --url ws://127.0.0.1:8180 --fault silent --fault rebooting --fault-ms 5000 --seed 7

It has one connector. Cars come one after another, each staying --stay-s seconds and leaving for --away-s. What limits
charging is its stack of charging profiles: the session's own before the default one, the station's most before both,
the highest stack level first; the schedule in force is told by GetCompositeSchedule. What happens in a transaction while
there is no connection is told afterwards. Reset has it start anew: profiles that lie in it stay, the session's end.

With --json each line is an object: {\"device\":\"charger\",...} first, then its state each second, power in W.";

/// Arguments of `gridpact sim charger`.
#[derive(Clone, Debug, Args)]
#[command(after_help = HELP)]
pub struct ChargerArgs {
    /// The central system: ws://HOST:PORT/PATH or wss://...; the identity is appended unless given in it
    #[arg(long)]
    pub url: String,
    /// Its identity [default: the last part of the URL's path, where --identity is not given]
    #[arg(long)]
    pub identity: Option<String>,
    /// Version of OCPP it speaks
    #[arg(long, value_enum, default_value_t = VersionName::V16)]
    pub version: VersionName,
    /// Password for HTTP basic authentication (security profiles 1 and 2)
    #[arg(long)]
    pub password: Option<String>,
    /// The authority that signs the central system's certificate, PEM, for wss://
    #[arg(long)]
    pub authority: Option<PathBuf>,
    /// Its own certificate, PEM, for wss:// (security profile 3)
    #[arg(long, requires = "key")]
    pub certificate: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, requires = "certificate")]
    pub key: Option<PathBuf>,
    /// Phases it charges on
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=3))]
    pub phases: u8,
    /// Most power it charges at, in W
    #[arg(long, default_value_t = 11_040, value_parser = clap::value_parser!(u32).range(1_380..=1_000_000))]
    pub power_w: u32,
    /// Seconds until the first car comes
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub car_after_s: u32,
    /// Seconds that a car stays
    #[arg(long, default_value_t = 14_400, value_parser = clap::value_parser!(u32).range(10..=604_800))]
    pub stay_s: u32,
    /// Seconds between two cars
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=604_800))]
    pub away_s: u32,
    /// What each car needs, in Wh
    #[arg(long, default_value_t = 30_000, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub need_wh: u32,
    /// Seconds between meter values during a transaction
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub meter_every_s: u32,
    /// Simulated seconds per real second; its clock runs by them
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub speed: u32,
    /// What it does wrong from time to time; given several times, one of them at random each time
    #[arg(long = "fault", value_enum)]
    pub faults: Vec<FaultName>,
    /// For how many milliseconds a fault lasts, and by how many `late` is late
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=600_000))]
    pub fault_ms: u32,
    /// What chance begins with: the same seed, the same faults at the same times
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Print JSON, one object a line
    #[arg(long)]
    pub json: bool,
}

/// A version of OCPP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VersionName {
    /// OCPP 1.6J
    #[value(name = "1.6")]
    V16,
    /// OCPP 2.0.1
    #[value(name = "2.0.1")]
    V201,
}

/// What a charge point does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FaultName {
    /// Keeps its connection and says nothing
    Silent,
    /// Answers late
    Late,
    /// Turns down what it is told
    Refusing,
    /// Accepts what it is told and does not do it
    Disobeying,
    /// Accepts what it is told, says that it holds it, and does not do it
    Lying,
    /// Sends half of each message
    HalfFrames,
    /// Loses its power, and starts anew
    Rebooting,
    /// Loses its connection
    Offline,
}

/// A charge point that can't be simulated.
#[derive(Debug, Error)]
pub enum ChargerError {
    /// No identity.
    #[error("{0} ends in no identity, and none is given by --identity")]
    Identity(String),
    /// It can't be.
    #[error(transparent)]
    Config(#[from] ChargerConfigError),
    /// It can't be started.
    #[error(transparent)]
    Start(#[from] ChargePointError),
    /// Nothing can be started.
    #[error("starting the runtime: {0}")]
    Runtime(#[source] io::Error),
    /// Ctrl-C can't be waited for.
    #[error("waiting for Ctrl-C: {0}")]
    Signal(#[source] io::Error),
    /// Standard output is gone.
    #[error("printing: {0}")]
    Print(#[source] io::Error),
}

/// Runs the charge point until Ctrl-C or SIGTERM.
///
/// # Errors
/// Where it can't be started, or its lines can't be printed.
pub fn run(args: &ChargerArgs, out: &mut impl Write) -> Result<(), ChargerError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(ChargerError::Runtime)?.block_on(serve(args, out))
}

async fn serve(args: &ChargerArgs, out: &mut impl Write) -> Result<(), ChargerError> {
    let start = UnixSeconds(OffsetDateTime::now_utc().unix_timestamp());
    let sim = Arc::new(Mutex::new(ChargerSim::new(physics(args, start), start)?));
    let config = connection(args)?;
    let identity = config.identity.clone();
    let point = ChargePoint::start(config, sim.clone())?;
    let mut stopping = pin!(stop::asked().map_err(ChargerError::Signal)?);
    let line = if args.json {
        json!({ "device": "charger", "identity": identity, "url": args.url, "seed": args.seed }).to_string()
    } else {
        format!("a simulated charger, {identity}, connects to {}; Ctrl-C ends it", args.url)
    };
    print(out, &line)?;
    let faults = args.faults.iter().map(|name| fault(*name, args.fault_ms)).collect();
    let mut mischief = Mischief::new(args.seed, faults, args.fault_ms.into());
    let started = Instant::now();
    let mut ticks = tokio::time::interval(STEP);
    let (mut steps, mut stepped_s) = (0_u64, 0_u64);
    let mut said = Value::Null;
    loop {
        tokio::select! {
            () = &mut stopping => return Ok(()),
            _ = ticks.tick() => steps += 1,
        }
        let passed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let due_s = passed_ms.saturating_mul(args.speed.into()) / 1000;
        lock(&sim).step(u32::try_from(due_s - stepped_s).unwrap_or(u32::MAX));
        stepped_s = due_s;
        let fault = mischief.at(passed_ms);
        point.set_fault(fault);
        let state = state(&lock(&sim), fault);
        if args.json && steps.is_multiple_of(PRINTED) {
            print(out, &state.to_string())?;
        } else if !args.json && (&state["status"], &state["fault"]) != (&said["status"], &said["fault"]) {
            print(out, &words(&state))?;
            said = state;
        }
    }
}

fn physics(args: &ChargerArgs, start: UnixSeconds) -> ChargerConfig {
    let (first, stay, away) = (args.car_after_s.into(), i64::from(args.stay_s), i64::from(args.away_s));
    let stays = (0..CARS).map(|car| {
        let arrival = start.plus(first).plus(car * (stay + away));
        let energy_need = Millijoule(i64::from(args.need_wh) * MILLIJOULE_PER_WH);
        CarStay { arrival, departure: arrival.plus(stay), energy_need }
    });
    ChargerConfig {
        phases: args.phases,
        power_max: Milliwatt(i64::from(args.power_w) * 1000),
        battery_capacity: Millijoule(BATTERY_WH * MILLIJOULE_PER_WH),
        stays: stays.collect(),
    }
}

/// The address is given with the identity or without.
fn connection(args: &ChargerArgs) -> Result<ChargePointConfig, ChargerError> {
    let (url, identity) = match &args.identity {
        Some(identity) => {
            let appended = format!("/{identity}");
            (args.url.strip_suffix(&appended).unwrap_or(&args.url).to_owned(), identity.clone())
        }
        None => {
            let path = args.url.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
            let last = path.and_then(|(_, path)| path.rsplit('/').next()).filter(|last| !last.is_empty());
            let identity = last.ok_or_else(|| ChargerError::Identity(args.url.clone()))?;
            (args.url[..args.url.len() - identity.len()].to_owned(), identity.to_owned())
        }
    };
    Ok(ChargePointConfig {
        version: match args.version {
            VersionName::V16 => Version::V16,
            VersionName::V201 => Version::V201,
        },
        meter_interval_s: args.meter_every_s,
        password: args.password.clone(),
        authority: args.authority.clone(),
        certificate: args.certificate.clone().zip(args.key.clone()),
        ..ChargePointConfig::new(&url, &identity)
    })
}

fn fault(name: FaultName, fault_ms: u32) -> ChargerFault {
    match name {
        FaultName::Silent => ChargerFault::Silent,
        FaultName::Late => ChargerFault::Late(fault_ms),
        FaultName::Refusing => ChargerFault::Refusing,
        FaultName::Disobeying => ChargerFault::Disobeying,
        FaultName::Lying => ChargerFault::Lying,
        FaultName::HalfFrames => ChargerFault::HalfFrames,
        FaultName::Rebooting => ChargerFault::Rebooting,
        FaultName::Offline => ChargerFault::Offline,
    }
}

/// What it does, whatever it says it does.
fn state(sim: &ChargerSim, fault: ChargerFault) -> Value {
    let status = match sim.status() {
        ConnectorStatus::Available => "available",
        ConnectorStatus::Charging => "charging",
        ConnectorStatus::SuspendedEv => "suspended-by-car",
        ConnectorStatus::SuspendedEvse => "suspended-by-charger",
    };
    let now = sim.now();
    let limit = sim.limits().iter().rev().find(|limit| limit.from <= now).and_then(|limit| limit.power);
    json!({
        "time": now.0,
        "status": status,
        "power_w": sim.power().0 / 1000,
        "limit_w": limit.map(|limit| limit.0 / 1000),
        "energy_wh": sim.register().0 / MILLIJOULE_PER_WH,
        "fault": (fault != ChargerFault::None).then(|| format!("{fault:?}").to_lowercase()),
    })
}

fn words(state: &Value) -> String {
    let status = state["status"].as_str().unwrap_or_default();
    match state["fault"].as_str() {
        Some(fault) => format!("{status}, {} W, {fault}", state["power_w"]),
        None => format!("{status}, {} W", state["power_w"]),
    }
}

fn print(out: &mut impl Write, line: &str) -> Result<(), ChargerError> {
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(ChargerError::Print)
}

fn lock(sim: &Mutex<ChargerSim>) -> MutexGuard<'_, ChargerSim> {
    sim.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use crate::cli::{Cli, Command};
    use crate::sim::SimCommand;
    use clap::Parser;

    fn check(line: &str, expected: Option<(&str, &str)>) {
        let cli = Cli::try_parse_from(format!("gridpact sim charger {line}").split(' ')).unwrap();
        let Command::Sim(SimCommand::Charger(args)) = cli.command else { panic!("{line}") };
        let got = super::connection(&args).ok();
        let got = got.as_ref().map(|config| (config.central_system.as_str(), config.identity.as_str()));
        assert_eq!(got, expected, "{line}");
    }

    #[test]
    fn the_identity_stands_in_the_url_or_beside_it() {
        check("--url ws://a:1/ocpp/CP-1", Some(("ws://a:1/ocpp/", "CP-1")));
        check("--url ws://a:1/ocpp --identity CP-1", Some(("ws://a:1/ocpp", "CP-1")));
        check("--url ws://a:1/ocpp/CP-1 --identity CP-1", Some(("ws://a:1/ocpp", "CP-1")));
        check("--url ws://a:1/CP-1", Some(("ws://a:1/", "CP-1")));
        check("--url ws://a:1/", None);
        check("--url ws://a:1", None);
    }
}
