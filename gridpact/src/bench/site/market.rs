//! The market that a measured site controller trades in: made by `gridpact provision`, so with its certificates, and run by
//! another process of this program.

use super::super::BenchError;
use crate::cluster::layout::ProcessFile;
use crate::cluster::process::{Limits, Node};
use crate::demo::ports::FreePorts;
use crate::provision;
use crate::provision::args::{AllArgs, ProvisionArgs};
use crate::run::price_file;
use market::interval::{Interval, UnixSeconds};
use market::units::PicoEurPerWh;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use wire::message::ForecastPrice;

/// Seconds of an interval, short enough to measure several.
pub(super) const INTERVAL_S: i64 = 10;
/// Intervals that prices are known of: more than are ever measured.
const PRICED: i64 = 4_000;

/// A market's files.
pub(super) struct Market {
    folder: PathBuf,
    metrics: [SocketAddr; 2],
}

impl Market {
    /// Makes the files, for devices in the order of `bench site`: a meter, an inverter, a battery.
    ///
    /// # Errors
    /// Where there are no ports, or a file can't be written.
    pub fn write(folder: &Path, devices: &[String], now_s: i64) -> Result<Market, BenchError> {
        let [meter, inverter, battery] = devices else {
            return Err(BenchError::Site(io::Error::other("three devices are needed")));
        };
        let mut ports = FreePorts::new().map_err(BenchError::Site)?;
        let mut take = || ports.take().map_err(BenchError::Site);
        let metrics = [take()?, take()?];
        let mut plan = plan(meter, inverter, battery, take()?);
        for (name, metrics) in ["market", "home"].iter().zip(metrics) {
            plan += &format!(
                "[[machine]]\nname = \"{name}\"\nhost = \"127.0.0.1\"\nlisten = \"127.0.0.1\"\n\
                 metrics_listen = \"{metrics}\"\n"
            );
        }
        for number in 1..=4 {
            let port = take()?.port();
            plan += &format!("[[validator]]\nid = \"v{number}\"\nmachine = \"market\"\nport = {port}\n");
        }
        let plan_file = folder.join("plan.toml");
        std::fs::write(&plan_file, plan).map_err(BenchError::Folder)?;
        let first = Interval(UnixSeconds(now_s - now_s.rem_euclid(INTERVAL_S) - INTERVAL_S));
        let price = |at: i64| ForecastPrice {
            interval: first.later(at, INTERVAL_S),
            price: PicoEurPerWh::from_eur_per_mwh(60.0 + (at % 4 * 20) as f64).unwrap_or(PicoEurPerWh::ZERO),
        };
        let prices: Vec<ForecastPrice> = (0..PRICED).map(price).collect();
        let written = price_file::write(&folder.join("prices.csv"), &prices);
        written.map_err(|error| BenchError::Site(io::Error::other(error)))?;
        let all =
            AllArgs { plan: Some(plan_file), out: Some(folder.join("out")), at_height: None, json: false };
        provision::run(&ProvisionArgs { act: None, all }, &mut io::sink())?;
        Ok(Market { folder: folder.to_owned(), metrics })
    }

    /// Starts everyone but the site, in one process.
    ///
    /// # Errors
    /// Where it can't be started.
    pub fn start(&self) -> Result<Node, BenchError> {
        self.node("market", self.metrics[0])
    }

    /// Starts the site controller.
    ///
    /// # Errors
    /// Where it can't be started.
    pub fn start_site(&self) -> Result<Node, BenchError> {
        self.node("home", self.metrics[1])
    }

    fn node(&self, machine: &str, metrics: SocketAddr) -> Result<Node, BenchError> {
        let program = std::env::current_exe().map_err(BenchError::Site)?;
        let file = self.folder.join("out/machines").join(machine).join("machine.toml");
        let folder = self.folder.join(format!("log-{machine}"));
        std::fs::create_dir_all(&folder).map_err(BenchError::Folder)?;
        Ok(Node::start(&program, &ProcessFile { file, metrics }, &folder, Limits::default())?)
    }

    /// What the site controller has logged so far.
    pub fn site_log(&self) -> String {
        // Nothing is logged yet where there is no file.
        std::fs::read_to_string(self.folder.join("log-home/machine.log")).unwrap_or_default()
    }
}

fn plan(meter: &str, inverter: &str, battery: &str, broker: SocketAddr) -> String {
    format!(
        "first_balance_eur = 1000\n\
         [market]\nnetwork = \"bench\"\nfeeder = \"street\"\n\
         [parameters]\ninterval_s = {INTERVAL_S}\nbids_open_s = 8\ngate_closure_s = 4\n\
         price_min = -500000000\nprice_max = 4000000000\nimbalance_spread = 20000000\naggregator_fee = 1000000\n\
         [feeder]\nvoltage_millivolt = 400000\nroot = \"substation\"\nbuses = [\"substation\", \"street\"]\n\
         [[feeder.lines]]\nid = \"cable\"\nfrom = \"substation\"\nto = \"street\"\npower_max = 200000000\n\
         power_min = -200000000\nresistance_microohm = 1000\nreactance_microohm = 1000\n\
         [[broker]]\nname = \"b1\"\nkind = \"embedded\"\nmachine = \"market\"\nport = {port}\n\
         [dso]\nid = \"d1\"\nmachine = \"market\"\n\
         [tso]\nid = \"t1\"\nmachine = \"market\"\nprices = \"prices.csv\"\n\
         import_max_kw = 500.0\nexport_max_kw = 500.0\n\
         [[aggregator]]\nid = \"a1\"\nmachine = \"market\"\nreadings_grace_ms = 2000\n\
         [[site]]\nid = \"s1\"\nmachine = \"home\"\nbus = \"street\"\naggregator = \"a1\"\nconnection_kw = 20.0\n\
         [site.options]\nmeter = {{ kind = \"sunspec-meter\", name = \"meter\", address = \"{meter}\" }}\n\
         [[site.options.devices]]\n\
         config = {{ kind = \"sunspec-generator\", name = \"inverter\", address = \"{inverter}\" }}\n\
         preferences = {{ kind = \"generator\" }}\n\
         [[site.options.devices]]\n\
         config = {{ kind = \"sunspec-battery\", name = \"battery\", address = \"{battery}\" }}\n\
         preferences = {{ kind = \"battery\", reserve_percent = 10.0, wear_eur_per_mwh = 20.0, efficiency = 0.9 }}\n",
        port = broker.port(),
    )
}
