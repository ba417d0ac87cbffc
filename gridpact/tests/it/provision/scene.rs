//! A small street's plan on loopback, its folder, and simulated meters and a battery on real sockets.

use broker::link::Identity;
use clap::Parser;
use gridpact::cli::{Cli, Command};
use gridpact::cluster::layout::ProcessFile;
use gridpact::cluster::process::{Limits, Node};
use gridpact::demo::observer::shell::Observer;
use gridpact::demo::ports::FreePorts;
use gridpact::provision::{self, ProvisionError};
use gridpact::run::party::read_genesis;
use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt};
use sim_devices::physics::battery::BatterySpec;
use sim_devices::physics::profile::Profile;
use sim_devices::site::{serve, SiteServers, Wiring};
use sim_devices::world::{LoadSpec, SharedWorld, SiteSpec, World};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Only against hanging for ever.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// A plan's text with its folder beside it.
pub struct Scene {
    pub folder: tempfile::TempDir,
    pub plan: String,
    pub broker: SocketAddr,
    pub metrics: BTreeMap<&'static str, SocketAddr>,
    mosquitto: bool,
}

/// How a plan's market runs.
#[derive(Clone, Copy)]
pub struct Kind {
    pub mosquitto: bool,
    /// By the timekeeper; else by the system's clock, from now on.
    pub simulated: bool,
}

const SITES: [&str; 2] = ["s1", "s2"];
const MACHINES: [&str; 3] = ["grid", "ring", "home"];
/// When simulated time begins.
const FIRST: &str = "2026-03-02T12:00:00Z";

impl Scene {
    /// Lays out a plan for these meters; where there are none they are never reached.
    pub fn new(kind: Kind, meters: &[String]) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let mut ports = FreePorts::new().unwrap();
        let mut port = || ports.take().unwrap();
        let broker = port();
        let validators: Vec<SocketAddr> = (0..4).map(|_| port()).collect();
        let metrics: BTreeMap<_, _> = MACHINES.map(|name| (name, port())).into_iter().collect();
        let interval_s = if kind.simulated { 900 } else { 20 };
        let (open, closure) = if kind.simulated { (600, 120) } else { (14, 7) };
        let mut plan = format!(
            "first_balance_eur = 1000\nclock = \"{clock}\"\n\
             [market]\nnetwork = \"test\"\nfeeder = \"street\"\n\
             [parameters]\ninterval_s = {interval_s}\nbids_open_s = {open}\ngate_closure_s = {closure}\n\
             price_min = -500000000\nprice_max = 4000000000\nimbalance_spread = 20000000\naggregator_fee = 1000000\n\
             [feeder]\nvoltage_millivolt = 400000\nroot = \"substation\"\nbuses = [\"substation\", \"street\"]\n\
             [[feeder.lines]]\nid = \"cable\"\nfrom = \"substation\"\nto = \"street\"\npower_max = 200000000\n\
             power_min = -200000000\nresistance_microohm = 1000\nreactance_microohm = 1000\n\
             [[broker]]\nname = \"b1\"\nkind = \"{kind}\"\nmachine = \"grid\"\nport = {port}\n\
             [dso]\nid = \"d1\"\nmachine = \"grid\"\n\
             [tso]\nid = \"t1\"\nmachine = \"grid\"\nprices = \"prices.csv\"\nrepeat = 1\n\
             import_max_kw = 500.0\nexport_max_kw = 500.0\n\
             [[aggregator]]\nid = \"a1\"\nmachine = \"grid\"\nreadings_grace_ms = 3000\n\
             [[participant]]\nrole = \"auditor\"\nid = \"x1\"\nmachine = \"home\"\n",
            clock = if kind.simulated { "simulated" } else { "system" },
            kind = if kind.mosquitto { "mosquitto" } else { "embedded" },
            port = broker.port(),
        );
        for name in MACHINES {
            plan += &format!(
                "[[machine]]\nname = \"{name}\"\nhost = \"127.0.0.1\"\nlisten = \"127.0.0.1\"\nmetrics_listen = \"{}\"\n",
                metrics[name]
            );
        }
        for (number, address) in validators.iter().enumerate() {
            let machine = if number < 2 { "grid" } else { "ring" };
            plan += &format!(
                "[[validator]]\nid = \"v{}\"\nmachine = \"{machine}\"\nport = {}\n",
                number + 1,
                address.port()
            );
        }
        for (number, id) in SITES.iter().enumerate() {
            let meter = meters.get(number).cloned().unwrap_or("127.0.0.1:9".to_owned());
            plan += &site(id, &meter);
        }
        let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
        let first = if kind.simulated {
            plan += &format!(
                "[timekeeper]\nid = \"k1\"\nmachine = \"home\"\nfirst_interval = \"{FIRST}\"\nintervals = 2\nspeed = 5000\n"
            );
            time(FIRST) - interval_s
        } else {
            now - now % interval_s - interval_s
        };
        write_prices(folder.path(), first, interval_s, 60);
        let scene = Scene { folder, plan, broker, metrics, mosquitto: kind.mosquitto };
        scene.write_plan();
        scene
    }

    /// The same by the system's clock, each role that may be killed on a machine of its own: broker `hub`, DSO `grid`,
    /// aggregator `agg`, validators `v1` to `v4`; the rest on `home`. With it the length of an interval, of which so
    /// many have prices.
    pub fn apart(meters: &[String], machines: &[&'static str], intervals: usize) -> (Scene, i64) {
        let mut scene = Scene::new(Kind { mosquitto: false, simulated: false }, meters);
        let mut plan = scene.plan.clone();
        let ring = plan.find("[[machine]]\nname = \"ring\"").unwrap();
        let end = ring + 2 + plan[ring + 2..].find("[[").unwrap();
        plan.replace_range(ring..end, "");
        let mut ports = FreePorts::new().unwrap();
        for name in machines.iter().filter(|name| !MACHINES.contains(name)) {
            let metrics = ports.take().unwrap();
            scene.metrics.insert(name, metrics);
            plan += &format!(
                "[[machine]]\nname = \"{name}\"\nhost = \"127.0.0.1\"\nlisten = \"127.0.0.1\"\nmetrics_listen = \"{metrics}\"\n"
            );
        }
        let moved = |plan: String, who: &str, from: &str, to: &str| {
            let [before, after] = [from, to].map(|at| format!("{who}\nmachine = \"{at}\""));
            assert!(plan.contains(&before), "{before}");
            plan.replace(&before, &after)
        };
        plan = moved(plan, "kind = \"embedded\"", "grid", "hub");
        plan = moved(plan, "id = \"a1\"", "grid", "agg");
        plan = moved(plan, "id = \"t1\"", "grid", "home");
        for (validator, from) in [("v1", "grid"), ("v2", "grid"), ("v3", "ring"), ("v4", "ring")] {
            plan = moved(plan, &format!("id = \"{validator}\""), from, validator);
        }
        scene.plan = plan;
        scene.write_plan();
        let interval_s = 20;
        let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
        write_prices(scene.folder.path(), now - now % interval_s - interval_s, interval_s, intervals);
        (scene, interval_s)
    }

    pub fn write_plan(&self) {
        std::fs::write(self.plan_path(), &self.plan).unwrap();
    }

    pub fn plan_path(&self) -> PathBuf {
        self.folder.path().join("plan.toml")
    }

    /// A path within the deployment.
    pub fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join("out").join(path)
    }

    /// `gridpact provision WORDS`, with PLAN and OUT in the place of the plan and the folder.
    pub fn provision(&self, words: &str) -> Result<String, ProvisionError> {
        let (plan, out) = (self.plan_path(), self.at(""));
        let words = format!("gridpact provision {words} PLAN --out OUT");
        let words: Vec<String> = words
            .split_whitespace()
            .map(|word| match word {
                "PLAN" => plan.display().to_string(),
                "OUT" => out.display().to_string(),
                word => word.to_owned(),
            })
            .collect();
        let Command::Provision(args) = Cli::try_parse_from(words).unwrap().command else {
            panic!("provision")
        };
        let mut said = Vec::new();
        provision::run(&args, &mut said).map(|()| String::from_utf8(said).unwrap())
    }

    /// Starts a machine's process.
    pub fn start(&self, machine: &str) -> Node {
        let program = Path::new(env!("CARGO_BIN_EXE_gridpact"));
        let file = self.at(&format!("machines/{machine}/machine.toml"));
        let shown = ProcessFile { file, metrics: self.metrics[machine] };
        let folder = self.folder.path().join(machine);
        std::fs::create_dir_all(&folder).unwrap();
        Node::start(program, &shown, &folder, Limits::default()).unwrap()
    }

    /// What a machine's processes wrote so far.
    pub fn log(&self, machine: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(machine).join("machine.log")).unwrap_or_default()
    }

    /// An onlooker by the auditor's key and certificate, let in.
    pub async fn auditor(&self) -> Observer {
        let genesis = read_genesis(&self.at("genesis.json")).unwrap();
        let at = |file: &str| self.at(&format!("machines/home/tls/{file}"));
        let (certificate, key) = (at("auditor-x1.crt"), at("auditor-x1.key"));
        let identity = Identity::load(&certificate, &key, &at("authority.pem")).unwrap();
        let broker = format!("mqtts://{}", self.broker);
        let observer = Observer::start_as(&genesis, &broker, ("auditor-x1", Some(&identity))).unwrap();
        tokio::time::timeout(PATIENCE, observer.listening()).await.expect("the auditor is let in");
        observer
    }

    /// Starts Mosquitto with the files made for it, and waits until it listens.
    pub fn start_mosquitto(&self) -> Mosquitto {
        assert!(self.mosquitto);
        let configuration = self.at("machines/grid/broker-b1/mosquitto.conf");
        let log = std::fs::File::create(self.folder.path().join("mosquitto.log")).unwrap();
        let mut command = std::process::Command::new(mosquitto());
        command.arg("-c").arg(configuration).stderr(log).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        let deadline = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(self.broker).is_err() {
            let ended = child.try_wait().unwrap();
            let words = std::fs::read_to_string(self.folder.path().join("mosquitto.log")).unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "Mosquitto does not listen: {words}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Mosquitto(child)
    }
}

/// Prices of so many intervals from `first` on.
fn write_prices(folder: &Path, first: i64, interval_s: i64, count: usize) {
    let mut prices = "interval_start_utc,price_eur_per_mwh\n".to_owned();
    for (at, number) in (0..count).map(|number| (first + number as i64 * interval_s, number)) {
        let at = time::OffsetDateTime::from_unix_timestamp(at).unwrap();
        let at = at.format(&time::format_description::well_known::Rfc3339).unwrap();
        prices += &format!("{at},{}\n", 60 + number % 3 * 20);
    }
    std::fs::write(folder.join("prices.csv"), prices).unwrap();
}

/// Where Mosquitto's program is. It comes from Debian's package, which `.ci/run` installs.
fn mosquitto() -> &'static str {
    ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/opt/homebrew/sbin/mosquitto"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .expect("Mosquitto is needed: apt-get install mosquitto")
}

/// A broker's process.
pub struct Mosquitto(Child);

impl Mosquitto {
    /// Reads access list and certificates again (SIGHUP).
    pub fn reload(&self) {
        let kill = std::process::Command::new("kill").arg("-HUP").arg(self.0.id().to_string()).status();
        assert!(kill.unwrap().success());
        std::thread::sleep(Duration::from_millis(200));
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn time(text: &str) -> i64 {
    time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339)
        .unwrap()
        .unix_timestamp()
}

/// A site's part of a plan.
pub fn site(id: &str, meter: &str) -> String {
    format!(
        "[[site]]\nid = \"{id}\"\nmachine = \"home\"\nbus = \"street\"\naggregator = \"a1\"\nconnection_kw = 20.0\n\
         [site.options]\nmeter = {{ kind = \"sunspec-meter\", name = \"meter\", address = \"{meter}\" }}\n"
    )
}

/// Meters of two houses with a constant load, in a world that stands still.
pub struct Houses {
    _world: SharedWorld,
    servers: Vec<SiteServers>,
}

impl Houses {
    pub async fn start() -> Houses {
        let spec = |name: &str| SiteSpec {
            name: name.to_owned(),
            load: LoadSpec {
                peak: Milliwatt(2_000_000),
                active: Profile::constant(1.0),
                reactive_peak_mvar: 1,
                reactive: Profile::constant(0.0),
            },
            pv: None,
            battery: Some(BatterySpec {
                capacity: Millijoule(36_000_000_000),
                stored: Millijoule(18_000_000_000),
                charge_max: Milliwatt(3_000_000),
                discharge_max: Milliwatt(3_000_000),
                efficiency_permille: 950,
            }),
            charger: None,
            heat_pump: None,
        };
        let world = World::new(UnixSeconds(time(FIRST) - 900), SITES.map(spec).to_vec()).unwrap();
        let world = Arc::new(Mutex::new(world));
        let mut servers = Vec::new();
        for place in 0..SITES.len() {
            let wiring = Wiring { listen: Ipv4Addr::LOCALHOST.into(), charger: None, heat_pump: None };
            servers.push(serve(world.clone(), place, wiring).await.unwrap());
        }
        Houses { _world: world, servers }
    }

    pub fn meters(&self) -> Vec<String> {
        self.servers.iter().map(|servers| servers.meter.address().to_string()).collect()
    }
}
