//! The devices to be polled: simulated, each on a port of its own, in a process of their own.

use super::super::BenchError;
use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt};
use sim_devices::physics::battery::BatterySpec;
use sim_devices::physics::profile::Profile;
use sim_devices::physics::pv::PvSpec;
use sim_devices::sunspec::{Role, SunSpecServer};
use sim_devices::world::{lock, LoadSpec, SharedWorld, SiteSpec, World};
use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The process the devices are in. Dropping it ends it.
pub(super) struct Devices {
    process: Child,
    /// Where each device listens: in turn a meter, an inverter and a battery.
    pub addresses: Vec<String>,
}

impl Devices {
    /// Starts so many devices.
    pub fn start(count: u16) -> Result<Self, BenchError> {
        let program = std::env::current_exe().map_err(BenchError::Site)?;
        let mut process = Command::new(program)
            .args(["bench", "site", "--serve", &count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(BenchError::Site)?;
        let mut line = String::new();
        if let Some(out) = process.stdout.take() {
            BufReader::new(out).read_line(&mut line).map_err(BenchError::Site)?;
        }
        let addresses = serde_json::from_str(&line)?;
        Ok(Self { process, addresses })
    }
}

impl Drop for Devices {
    fn drop(&mut self) {
        // It ends with its standard input; what is left of it is waited for.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// Is that process: serves so many devices until standard input ends.
pub(super) fn serve(count: u16) -> Result<(), BenchError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(BenchError::Site)?;
    let sites = (0..count.div_ceil(3)).map(site).collect();
    let start = UnixSeconds(0);
    let world = World::new(start, sites).map_err(|e| BenchError::Site(io::Error::other(e)))?;
    let world: SharedWorld = Arc::new(Mutex::new(world));
    let servers = runtime.block_on(listen(&world, count)).map_err(BenchError::Site)?;
    let addresses: Vec<String> = servers.iter().map(|server| server.address().to_string()).collect();
    println!("{}", serde_json::to_string(&addresses)?);
    runtime.spawn(async move {
        let begun = Instant::now();
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let passed = i64::try_from(begun.elapsed().as_secs()).unwrap_or(i64::MAX);
            lock(&world).advance_to(start.plus(passed));
        }
    });
    io::stdin().read_to_end(&mut Vec::new()).map_err(BenchError::Site)?;
    Ok(())
}

async fn listen(world: &SharedWorld, count: u16) -> io::Result<Vec<SunSpecServer>> {
    let mut servers = Vec::new();
    for place in 0..usize::from(count) {
        let role = [Role::Meter, Role::Pv, Role::Battery][place % 3];
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        servers.push(SunSpecServer::start(world.clone(), place / 3, role, any_port).await?);
    }
    Ok(servers)
}

fn site(number: u16) -> SiteSpec {
    let kw = |power: i64| Milliwatt(power * 1_000_000);
    SiteSpec {
        name: format!("site-{number}"),
        load: LoadSpec {
            peak: kw(1),
            active: Profile::constant(1.0),
            reactive_peak_mvar: 0,
            reactive: Profile::constant(0.0),
        },
        pv: Some(PvSpec { nameplate: kw(10), sun: Profile::constant(0.6) }),
        battery: Some(BatterySpec {
            capacity: Millijoule(36_000_000_000),
            stored: Millijoule(18_000_000_000),
            charge_max: kw(5),
            discharge_max: kw(5),
            efficiency_permille: 950,
        }),
        charger: None,
        heat_pump: None,
    }
}
