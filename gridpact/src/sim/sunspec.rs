//! One simulated SunSpec device behind Modbus TCP, in real time, until Ctrl-C or SIGTERM.

use super::args::{ExcursionArg, FaultKind, ServingArgs, SunSpecCommand};
use crate::stop;
use hw_adapters::modbus::Parity;

use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt, MILLIJOULE_PER_WH};
use serde_json::json;
use sim_devices::physics::battery::BatterySpec;
use sim_devices::physics::grid::{Excursion, Grid, GridCourse};
use sim_devices::physics::profile::Profile;
use sim_devices::physics::pv::PvSpec;
use sim_devices::sunspec::fault::ModbusFault;
use sim_devices::sunspec::{Dialect, Line, Role, SunSpecServer, UNIT};
use sim_devices::world::{lock, LoadSpec, SharedWorld, SiteSpec, SpecError, World};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use thiserror::Error;
use time::OffsetDateTime;

/// How often the device's state moves on.
pub(super) const STEP: Duration = Duration::from_millis(250);
/// A state is printed each so many steps.
pub(super) const PRINTED: u64 = 4;
/// Energy stored per energy taken, in thousandths.
pub(super) const EFFICIENCY_PERMILLE: i64 = 950;

/// A device that can't be simulated.
#[derive(Debug, Error)]
pub enum SunSpecError {
    /// Nothing can be started.
    #[error("starting the runtime: {0}")]
    Runtime(#[source] io::Error),
    /// It can't be.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The port can't be had.
    #[error("listening on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The serial line can't be had.
    #[error("opening {path}: {source}")]
    Line {
        /// Its path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Ctrl-C can't be waited for.
    #[error("waiting for Ctrl-C: {0}")]
    Signal(#[source] io::Error),
    /// Standard output is gone.
    #[error("printing: {0}")]
    Print(#[source] io::Error),
}

/// Runs the device until Ctrl-C or SIGTERM.
///
/// # Errors
/// Where it can't be started, or its lines can't be printed.
pub fn run(command: &SunSpecCommand, out: &mut impl Write) -> Result<(), SunSpecError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(SunSpecError::Runtime)?.block_on(serve(command, out))
}

async fn serve(command: &SunSpecCommand, out: &mut impl Write) -> Result<(), SunSpecError> {
    let (kind, role, dialect, spec, serving) = device(command);
    let start = UnixSeconds(OffsetDateTime::now_utc().unix_timestamp());
    let world: SharedWorld = Arc::new(Mutex::new(World::new(start, vec![spec])?));
    if let SunSpecCommand::Inverter(args) = command {
        if let Some(pv) = lock(&world).site_mut(0).and_then(|site| site.pv.as_mut()) {
            pv.grid = course(start, &args.excursion);
        }
    }
    let server = server(&world, (role, dialect), serving).await?;
    let faults: Vec<ModbusFault> = serving.faults.iter().map(|kind| fault(*kind, serving)).collect();
    server.fault().set_by_chance(serving.seed, serving.chance, faults);
    let place = serving.serial.clone().unwrap_or_else(|| server.address().to_string());
    let mut stopping = pin!(stop::asked().map_err(SunSpecError::Signal)?);
    let line = if serving.json {
        json!({ "device": kind, "listening": place, "unit": UNIT }).to_string()
    } else {
        format!("a simulated {kind} listens on {place}, Modbus unit {UNIT}; Ctrl-C ends it")
    };
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(SunSpecError::Print)?;
    let mut ticks = tokio::time::interval(STEP);
    let mut count = 0u64;
    loop {
        tokio::select! {
            () = &mut stopping => return Ok(()),
            _ = ticks.tick() => {}
        }
        count += 1;
        let passed = count * STEP.as_millis() as u64 * u64::from(serving.speed) / 1_000;
        lock(&world).advance_to(start.plus(i64::try_from(passed).unwrap_or(i64::MAX)));
        if serving.json && count.is_multiple_of(PRINTED) {
            let state = state(&lock(&world));
            writeln!(out, "{state}").and_then(|()| out.flush()).map_err(SunSpecError::Print)?;
        }
    }
}

/// Puts it on the network, or on its serial line.
async fn server(
    world: &SharedWorld,
    as_what: (Role, Dialect),
    serving: &ServingArgs,
) -> Result<SunSpecServer, SunSpecError> {
    if let Some(path) = &serving.serial {
        let line = Line {
            path: path.clone(),
            baud: serving.line.baud,
            even_parity: match serving.line.parity {
                Parity::None => None,
                Parity::Even => Some(true),
                Parity::Odd => Some(false),
            },
            two_stop_bits: serving.line.stop_bits == 2,
        };
        let path = path.clone();
        return SunSpecServer::start_on(world.clone(), 0, as_what, &line)
            .map_err(|source| SunSpecError::Line { path, source });
    }
    let address = SocketAddr::new(serving.listen, serving.port);
    let server = SunSpecServer::start_as(world.clone(), 0, as_what, address).await;
    server.map_err(|source| SunSpecError::Listen { address, source })
}

/// How its grid goes.
fn course(start: UnixSeconds, excursions: &[ExcursionArg]) -> GridCourse {
    let of = |excursion: &ExcursionArg| {
        let from = start.plus(excursion.after_s.into());
        let grid = Grid {
            voltage: (excursion.voltage_percent * 100.0).round() as i64,
            frequency: (excursion.hertz * 1_000.0).round() as i64,
        };
        Excursion { from, until: from.plus(excursion.for_s.into()), grid }
    };
    GridCourse(excursions.iter().map(of).collect())
}

fn device(command: &SunSpecCommand) -> (&'static str, Role, Dialect, SiteSpec, &ServingArgs) {
    let watts = |power: u32| Milliwatt(i64::from(power) * 1_000);
    match command {
        SunSpecCommand::Inverter(args) => {
            let sun = Profile::constant(f64::from(args.sun_percent) / 100.0);
            let spec = SiteSpec {
                pv: Some(PvSpec { nameplate: watts(args.nameplate_w), sun }),
                ..house("inverter", 1)
            };
            let dialect = Dialect { inverter: args.model, ..Dialect::default() };
            ("inverter", Role::Pv, dialect, spec, &args.serving)
        }
        SunSpecCommand::Battery(args) => {
            let capacity = Millijoule(i64::from(args.capacity_wh) * MILLIJOULE_PER_WH);
            let battery = BatterySpec {
                capacity,
                stored: Millijoule(capacity.0 / 100 * i64::from(args.charged_percent)),
                charge_max: watts(args.power_w),
                discharge_max: watts(args.power_w),
                efficiency_permille: EFFICIENCY_PERMILLE,
            };
            let spec = SiteSpec { battery: Some(battery), ..house("battery", args.load_w) };
            let dialect = Dialect { inverter: args.model, ..Dialect::default() };
            ("battery", Role::Battery, dialect, spec, &args.serving)
        }
        SunSpecCommand::Meter(args) => {
            let nameplate = watts(args.sun_w);
            let pv = (args.sun_w > 0).then(|| PvSpec { nameplate, sun: Profile::constant(1.0) });
            let spec = SiteSpec { pv, ..house("meter", args.load_w) };
            let dialect = Dialect { meter: args.model, ..Dialect::default() };
            ("meter", Role::Meter, dialect, spec, &args.serving)
        }
    }
}

/// A house with nothing in it but a load.
pub(super) fn house(name: &str, load_w: u32) -> SiteSpec {
    SiteSpec {
        name: format!("sim-{name}"),
        load: LoadSpec {
            peak: Milliwatt(i64::from(load_w) * 1_000),
            active: Profile::constant(1.0),
            reactive_peak_mvar: 0,
            reactive: Profile::constant(0.0),
        },
        pv: None,
        battery: None,
        charger: None,
        heat_pump: None,
    }
}

fn fault(kind: FaultKind, serving: &ServingArgs) -> ModbusFault {
    let time = Duration::from_millis(serving.fault_ms.into());
    match kind {
        FaultKind::Silent => ModbusFault::Silent,
        FaultKind::Late => ModbusFault::Late(time),
        FaultKind::HalfFrames => ModbusFault::HalfFrames,
        FaultKind::Busy => ModbusFault::Busy,
        FaultKind::Forgets => ModbusFault::Forgets,
        FaultKind::Lying => ModbusFault::Pretends,
        FaultKind::Frozen => ModbusFault::Frozen,
        FaultKind::Rebooting => ModbusFault::Rebooting(time),
    }
}

/// What the devices do, import positive.
pub(super) fn state(world: &World) -> serde_json::Value {
    let now = world.now();
    let site = world.sites().first();
    json!({
        "time": now.0,
        "meter_power_w": site.map(|site| site.meter().power.0 / 1_000),
        "pv_power_w": site.and_then(|site| site.pv.as_ref()).map(|pv| pv.power().0 / 1_000),
        "pv_limit_percent": site
            .and_then(|site| site.pv.as_ref())
            .and_then(|pv| pv.limit.at(now))
            .map(|limit| f64::from(limit) / 100.0),
        "battery_power_w": site.and_then(|site| site.battery.as_ref()).map(|b| b.power().0 / 1_000),
        "battery_stored_wh": site
            .and_then(|site| site.battery.as_ref())
            .map(|battery| battery.stored().0 / MILLIJOULE_PER_WH),
    })
}
