//! A simulated house: meter, inverter and battery behind Modbus TCP, in one world, in real time, until Ctrl-C or SIGTERM.

use super::args::HouseArgs;
use super::sunspec::{house, state, SunSpecError, EFFICIENCY_PERMILLE, PRINTED, STEP};
use crate::stop;
use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt, MILLIJOULE_PER_WH};
use serde_json::json;
use sim_devices::physics::battery::BatterySpec;
use sim_devices::physics::profile::Profile;
use sim_devices::physics::pv::PvSpec;
use sim_devices::sunspec::{Role, SunSpecServer, UNIT};
use sim_devices::world::{lock, SharedWorld, SiteSpec, World};
use std::io::Write;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use time::OffsetDateTime;

/// Its devices, in the order of their ports.
const DEVICES: [(&str, Role); 3] =
    [("meter", Role::Meter), ("inverter", Role::Pv), ("battery", Role::Battery)];

/// Runs the house until Ctrl-C or SIGTERM.
///
/// # Errors
/// Where it can't be started, or its lines can't be printed.
pub fn run(args: &HouseArgs, out: &mut impl Write) -> Result<(), SunSpecError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(SunSpecError::Runtime)?.block_on(serve(args, out))
}

async fn serve(args: &HouseArgs, out: &mut impl Write) -> Result<(), SunSpecError> {
    let start = UnixSeconds(OffsetDateTime::now_utc().unix_timestamp());
    let world: SharedWorld = Arc::new(Mutex::new(World::new(start, vec![spec(args)])?));
    let mut servers = Vec::with_capacity(DEVICES.len());
    for ((name, role), port) in DEVICES.into_iter().zip(args.port..) {
        let address = SocketAddr::new(args.listen, port);
        let server = SunSpecServer::start(world.clone(), 0, role, address).await;
        servers.push((name, server.map_err(|source| SunSpecError::Listen { address, source })?));
    }
    let mut stopping = pin!(stop::asked().map_err(SunSpecError::Signal)?);
    for (name, server) in &servers {
        let address = server.address();
        let line = if args.json {
            json!({ "device": name, "listening": address.to_string(), "unit": UNIT }).to_string()
        } else {
            format!("a simulated {name} listens on {address}, Modbus unit {UNIT}")
        };
        writeln!(out, "{line}").and_then(|()| out.flush()).map_err(SunSpecError::Print)?;
    }
    let (begun, mut ticks) = (Instant::now(), tokio::time::interval(STEP));
    let mut count = 0u64;
    loop {
        tokio::select! {
            () = &mut stopping => return Ok(()),
            _ = ticks.tick() => count += 1,
        }
        let passed = i64::try_from(begun.elapsed().as_secs()).unwrap_or(i64::MAX);
        lock(&world).advance_to(start.plus(passed));
        if args.json && count.is_multiple_of(PRINTED) {
            let state = state(&lock(&world));
            writeln!(out, "{state}").and_then(|()| out.flush()).map_err(SunSpecError::Print)?;
        }
    }
}

fn spec(args: &HouseArgs) -> SiteSpec {
    let watts = |power: u32| Milliwatt(i64::from(power) * 1_000);
    let capacity = Millijoule(i64::from(args.capacity_wh) * MILLIJOULE_PER_WH);
    SiteSpec {
        pv: Some(PvSpec {
            nameplate: watts(args.nameplate_w),
            sun: Profile::constant(f64::from(args.sun_percent) / 100.0),
        }),
        battery: Some(BatterySpec {
            capacity,
            stored: Millijoule(capacity.0 / 100 * i64::from(args.charged_percent)),
            charge_max: watts(args.power_w),
            discharge_max: watts(args.power_w),
            efficiency_permille: EFFICIENCY_PERMILLE,
        }),
        ..house("house", args.load_w)
    }
}
