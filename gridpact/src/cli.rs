//! The command line: what can be said to the program, and the help that teaches it.

use crate::audit::simulate::SimulateArgs as LedgerSimulateArgs;
use crate::bench::BenchCommand;
use crate::check::args::CheckArgs;
use crate::clear::ClearArgs;
use crate::device::args::DeviceCommand;
use crate::forecast::ForecastArgs;
use crate::gateway::args::{AggregatesArgs, ExportArgs, FetchArgs};
use crate::neighbourhood::day::{Season, Weekday};
use crate::neighbourhood::simbench::Grid;
use crate::provision::args::ProvisionArgs;
use crate::sim::SimCommand;
use crate::simulate::SimulateArgs;
use crate::torment::TormentArgs;
use clap::{Args, Parser, Subcommand, ValueEnum};
use market::day_ahead::rules::MAX_SESSION_INTERVALS;
use market::interval::{Interval, UnixSeconds};
use std::net::SocketAddr;
use std::path::PathBuf;
use time::format_description::well_known::Rfc3339;
use time::OffsetDateTime;

const EXIT_CODES: &str = "\
Exit codes:
  0  done, and what was checked is right
  1  it could not be done; standard error says what and why
  2  `clear`: the case is infeasible; the result names the limit that can't be met.
     `ledger check`: a file is of no use
  3  `ledger ...`: a ledger, or what an archive holds of it, is not what it should be; the output says
     where. `ledger check`: the proof proves nothing
  4  `bench`: a target was missed; the output says which
  5  `device scan`: nothing was found
  6  `device`: it does not answer
  7  `device`: it answers what can't be right
  8  `device`: it refuses, or accepts and does otherwise
  9  `check`: it works, and something should be seen to
  10 `check`: something does not work";

const SUBMIT_HELP: &str = "\
Entries:
  entry = \"register\"    party = \"site/s9\", account, key and possession (`gridpact ledger possess`); for a site
                        bus, aggregator, connection_milliwatt; pseudonym, valid_from, valid_to if wanted
  entry = \"rotate\"      next_key = \"new.pem\"
  entry = \"revoke\"      party = \"site/s9\"
  entry = \"equipment\"   revision = 0, and [[devices]] with device, make, model, firmware, [devices.nameplate]
  entry = \"proposal\"    at_height = 1200, and one of [change.parameters], [change.grid], [change.day-ahead],
                        [change.validators], [change.contract], [change.admit], [change.revoke]
  entry = \"ballot\"      proposal = \"(hash)\", approve = true

Who may submit what stands in docs/RIGHTS.md.";

/// A local energy market: sites bid flexibility by price, the grid operator clears within the
/// feeder's limits, validators check and settle.
#[derive(Debug, Parser)]
#[command(name = "gridpact", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How log lines are written to standard error.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Human)]
    pub log_format: LogFormat,
}

/// How log lines are written. What is logged is chosen by RUST_LOG, e.g. `RUST_LOG=agents=debug`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Play one day of a real low-voltage grid, with every role and device on its own sockets
    Demo(DemoArgs),
    /// Start the roles that configuration files name, until Ctrl-C
    Run(RunArgs),
    /// Say all that is wrong on this machine, and what to do: before a start, and while it runs
    Check(CheckArgs),
    /// Make, from one plan, everything a deployment needs: keys, certificates, genesis, configurations
    Provision(ProvisionArgs),
    /// Say how good forecasts are, held against persistence
    Forecast(ForecastArgs),
    /// Look for real devices, read, watch and set them
    #[command(subcommand)]
    Device(DeviceCommand),
    /// Look after a ledger
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Clear one market case, or a file of orders, and print the result as JSON
    Clear(ClearArgs),
    /// Play one day of very many sites in this process, with and without coordination
    Simulate(SimulateArgs),
    /// Run one simulated device behind its real protocol, until Ctrl-C
    #[command(subcommand)]
    Sim(SimCommand),
    /// Measure against the targets the project has set itself
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Print docs/CONFIGURATION.md
    #[command(hide = true)]
    ConfigDoc,
    /// Print docs/RIGHTS.md
    #[command(hide = true)]
    RightsDoc,
    /// Print docs/METRICS.md
    #[command(hide = true)]
    MetricsDoc,
    /// Print docs/TOPICS.md
    #[command(hide = true)]
    TopicsDoc,
}

/// Arguments of `gridpact demo`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact demo                                 a winter Wednesday in about two minutes
  gridpact demo --season summer --grid urban6   many customers, strong sun
  gridpact demo --intervals 8 --json            two hours, figures as JSON
  gridpact demo --serve                         keep running; day after day, until Ctrl-C
  gridpact demo --lose-validator 4              one of four validators stops after an hour; nothing else does

The demo is nothing but `gridpact run` on the files it writes to its data directory, plus simulated
devices. Copy one of DIR/roles/*.toml and change it to build a site of your own.")]
pub struct DemoArgs {
    /// Which week of the data sets
    #[arg(long, value_enum, default_value_t = Season::Winter)]
    pub season: Season,
    /// Which day of that week
    #[arg(long, value_enum, default_value_t = Weekday::Wednesday)]
    pub weekday: Weekday,
    /// Which SimBench grid
    #[arg(long, value_enum, default_value_t = Grid::Rural1)]
    pub grid: Grid,
    /// How many intervals of 15 minutes, from local midnight
    #[arg(long, default_value_t = 96, value_parser = clap::value_parser!(u32).range(1..=96))]
    pub intervals: u32,
    /// How many intervals a day-ahead session clears together, 2 to 96; 0 for a market in real time alone
    #[arg(long, default_value_t = 96, value_parser = session_intervals)]
    pub day_ahead: u32,
    /// Market seconds per real second, at most; at 720 a day takes two minutes
    #[arg(long, default_value_t = 720, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub speed: u32,
    /// Where configuration, keys, ledgers and logs go; must be empty or not there yet
    /// [default: a new ./gridpact-demo-N]
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
    /// Read grids, profiles and prices from a directory laid out like gridpact/data
    #[arg(long)]
    pub dataset: Option<PathBuf>,
    /// Print one JSON document at the end instead of lines and tables
    #[arg(long)]
    pub json: bool,
    /// Keep running after the day, repeating its profiles, until Ctrl-C
    #[arg(long)]
    pub serve: bool,
    /// Where /metrics and /healthz are served
    #[arg(long, default_value = "127.0.0.1:0")]
    pub metrics_listen: SocketAddr,
    /// Where the console for the browser is served; it shows all sites, so loopback is the place for it
    #[arg(long, default_value = "127.0.0.1:0")]
    pub console_listen: SocketAddr,
    /// Stop the last of the four validators after so many intervals, to see that the market goes on
    #[arg(long, value_name = "INTERVALS")]
    pub lose_validator: Option<u32>,
}

fn session_intervals(text: &str) -> Result<u32, String> {
    let wrong = || "it must be 0 or lie in 2..=96".to_owned();
    text.parse().ok().filter(|count| matches!(count, 0 | 2..=MAX_SESSION_INTERVALS)).ok_or_else(wrong)
}

/// Arguments of `gridpact run`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact run site.toml                        one site controller
  gridpact run broker.toml dso.toml tso.toml    three roles in one process
  GRIDPACT_PARTY__BROKERS=10.0.0.2:1883 gridpact run site.toml

A variable GRIDPACT_SECTION__KEY overrides that key in every file given. All keys stand in
docs/CONFIGURATION.md.")]
pub struct RunArgs {
    /// Stop when standard input ends, too: a program that starts this one takes it along
    #[arg(long)]
    pub until_stdin_ends: bool,
    /// Configuration files, one role each
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
}

/// Arguments of `gridpact ledger prove`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact ledger prove gridpact-demo-1 --party s1 --interval 2020-01-15T12:00:00Z -o s1.proof

The file shows the site's own figures and its bus's price. It holds no other account's, but for the
allocation of one neighbour, without a name, and sums of several.")]
pub struct ProveArgs {
    /// A validator's data directory, or a demo's with several in it
    pub dir: PathBuf,
    /// The site, or its account
    #[arg(long)]
    pub party: String,
    /// When the interval starts: a time as RFC 3339 has it, or seconds since 1970
    #[arg(long, value_parser = interval)]
    pub interval: Interval,
    /// Prove, too, that the history goes on the one under the block of this height, from which an earlier proof
    /// hangs
    #[arg(long)]
    pub since: Option<u64>,
    /// Where the proof goes
    #[arg(long, short)]
    pub output: PathBuf,
}

fn interval(text: &str) -> Result<Interval, String> {
    let time = || OffsetDateTime::parse(text, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp);
    let seconds = text.parse().ok().or_else(time);
    let seconds = seconds.ok_or("it must be a time like 2020-01-15T12:00:00Z, or seconds since 1970")?;
    Ok(Interval(UnixSeconds(seconds)))
}

/// Commands about a ledger.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Recompute every hash, signature, vote certificate, clearing certificate and balance
    #[command(after_help = "\
Examples:
  gridpact ledger verify gridpact-demo-1                   every validator's ledger of a demo
  gridpact ledger verify gridpact-demo-1/validator-v1      one validator's

Exits 0 when everything holds, 3 naming the height where it does not.")]
    Verify {
        /// A validator's data directory, or a demo's with several in it
        dir: PathBuf,
        /// Print one JSON document instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Write the proof that one site's commitment, price and payment in one interval are final
    Prove(ProveArgs),
    /// Check such a proof, or one of a head as it is had over HTTP, from nothing but the genesis
    #[command(after_help = "\
Examples:
  gridpact ledger check s1.proof --genesis genesis.json
  gridpact ledger check s1.proof --genesis genesis.json --json
  gridpact ledger check later.proof --genesis genesis.json --after s1.proof

Needs no ledger and no network. Exits 0 when it is proven, 3 when it is not, 2 when a file is of no use.")]
    Check {
        /// The proof's file
        proof: PathBuf,
        /// The genesis of the ledger it must be of
        #[arg(long)]
        genesis: PathBuf,
        /// A proof seen before: the history must go on the one that it hangs from
        #[arg(long)]
        after: Option<PathBuf>,
        /// Print one JSON document instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Run whole validators under a virtual clock with seeded faults, and check what must hold
    Simulate(LedgerSimulateArgs),
    /// List who takes part, and what is voted on
    Participants {
        /// A validator's data directory
        dir: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print public key and proof of possession of somebody new, for who registers it
    Possess {
        /// The market's genesis
        #[arg(long)]
        genesis: PathBuf,
        /// Whose key it will be, as role/id
        #[arg(long)]
        party: String,
        /// The private key, PKCS#8 PEM
        #[arg(long)]
        key: PathBuf,
    },
    /// Submit an entry about participants or rules, and wait until it is final
    #[command(after_help = SUBMIT_HELP)]
    Submit {
        /// The entry, in TOML, or in JSON where the name ends so
        file: PathBuf,
        /// Configuration file of the party that submits it: its role and [party]
        #[arg(long = "as")]
        submitter: PathBuf,
    },
    /// Build the index of a validator's data directory anew from its log and snapshots
    #[command(after_help = "\
Examples:
  gridpact ledger reindex gridpact-demo-1/validator-v1

Stop the validator first. It does the same by itself where it finds its index damaged; by hand it also
gives back the disk that the index of a pruned ledger no longer needs.
Exits 0 when done, 3 where the log is damaged, naming file and offset, 1 where it can't be done.")]
    Reindex {
        /// A validator's data directory
        dir: PathBuf,
        /// Begin with the oldest state there is and not the newest: takes as long as verifying, and what any block
        /// did can be asked for over HTTP then
        #[arg(long)]
        whole: bool,
        /// Print what was done as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a token with which a party reads a ledger over HTTP
    #[command(after_help = "\
Examples:
  curl -H \"Authorization: Bearer $(gridpact ledger token --as site.toml)\" http://127.0.0.1:8080/v1/balance

What a party may read follows from its role: docs/RIGHTS.md. The paths stand in /openapi.json.")]
    Token {
        /// Configuration file of the party: its role and [party]
        #[arg(long = "as")]
        party: PathBuf,
        /// How long it is valid
        #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=60))]
        minutes: u32,
    },
    /// Kill validators at random under load, and see that nothing decided is lost
    Torment(TormentArgs),
    /// Write every account's lines over a period, for billing systems, reconciled to the nano-euro
    Export(ExportArgs),
    /// Write sums over at least k sites, for third parties
    Aggregates(AggregatesArgs),
    /// Fetch a batch of readings or bids from an archive, and check it against the ledger
    Fetch(FetchArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn check(line: &str, accepted: bool) {
        assert_eq!(Cli::try_parse_from(line.split(' ')).is_ok(), accepted, "{line}");
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_are_checked_before_anything_starts() {
        check("gridpact demo", true);
        check("gridpact demo --season summer --weekday monday --grid urban6 --intervals 8 --json", true);
        check("gridpact demo --intervals 97", false);
        check("gridpact demo --speed 0", false);
        check("gridpact demo --speed fast", false);
        check("gridpact demo --console-listen 127.0.0.1:8080 --lose-validator 4", true);
        check("gridpact demo --console-listen 8080", false);
        check("gridpact forecast", true);
        check("gridpact forecast week.csv --interval-s 300 --json", true);
        check("gridpact clear case.json", true);
        check("gridpact clear", false);
        check("gridpact simulate --sites 100000 --scaling --seed 7 --threads 2", true);
        check("gridpact simulate --sites 0", false);
        check("gridpact simulate --intervals 289", false);
        check("gridpact sim inverter --port 5020 --model 701 --fault late --fault silent --seed 7", true);
        check("gridpact sim inverter --model 203", false);
        check("gridpact sim battery --json --speed 60", true);
        check("gridpact sim meter --model 213", true);
        check("gridpact sim house --port 5020 --json", true);
        check("gridpact sim house --port 65534", false);
        check("gridpact sim meter --fault melting", false);
        check("gridpact sim", false);
        check("gridpact bench site --quick", true);
        check("gridpact sim charger --url ws://127.0.0.1:8180/ocpp/CP-1 --version 2.0.1 --json", true);
        check("gridpact sim charger --url ws://h/CP-1 --fault late --fault rebooting --seed 7", true);
        check("gridpact sim charger --url ws://h/CP-1 --version 2.1", false);
        check("gridpact sim charger --url wss://h/CP-1 --certificate c.pem", false);
        check("gridpact sim charger", false);
        check("gridpact bench clearing --quick --json", true);
        check("gridpact bench ledger --quick --json", true);
        check("gridpact bench messaging --sites 10000 --json", true);
        check("gridpact bench messaging --sites 0", false);
        check("gridpact bench", false);
        check("gridpact provision plan.toml --out d", true);
        check("gridpact provision plan.toml", false);
        check("gridpact provision rotate plan.toml --out d --party site/s1 --certificate-only", true);
        check("gridpact provision revoke plan.toml --out d", false);
        check("gridpact device scan 192.168.1.20 --units 1-10,126 --json", true);
        check("gridpact device scan /dev/ttyUSB0", true);
        check("gridpact device scan", false);
        check("gridpact device read eastron-sdm630 192.168.1.30 --unit 3", true);
        check("gridpact device read eastron-sdm630", false);
        check("gridpact device read --site site.toml battery", true);
        check("gridpact device watch shelly-3em b:1883 -s id=x --every-s 1 --count 3", true);
        check("gridpact device set shelly-gen2-plug b:1883 -s id=x --off --yes", true);
        check("gridpact device set sunspec-inverter h --power-w -2000 --hold-s 60", true);
        check("gridpact device set sunspec-inverter h --power-w 1 --release", false);
        check("gridpact device set sunspec-inverter h", false);
        check("gridpact device set shelly-gen2-plug b:1883 -s id --off", false);
        check("gridpact device templates eastron-sdm630 --json", true);
        check("gridpact sim heatpump --broker 127.0.0.1:1883", true);
        check("gridpact sim plug --broker 127.0.0.1:1883 --misbehave late=0.1,lie=0.2 --seed 7", true);
        check("gridpact sim plug --broker 127.0.0.1:1883 --misbehave dance=1", false);
        check("gridpact check", true);
        check("gridpact check a.toml b --offline --json", true);
        check("gridpact check a.toml --ntp 10.0.0.1 --expiry-days 60 -q", true);
        check("gridpact check --offline --ntp h", false);
        check("gridpact check --all -q", false);
        check("gridpact run", false);
        check("gridpact run a.toml b.toml", true);
        check("gridpact run --until-stdin-ends a.toml", true);
        check("gridpact ledger verify", false);
        check("gridpact ledger token --as site.toml --minutes 60", true);
        check("gridpact ledger token --as site.toml --minutes 61", false);
        check("gridpact ledger participants v1 --json", true);
        check("gridpact ledger possess --genesis g.json --party site/s9 --key k.pem", true);
        check("gridpact ledger submit entry.toml --as dso.toml", true);
        check("gridpact ledger submit entry.toml", false);
        check("gridpact ledger reindex validator-v1 --whole --json", true);
        check("gridpact ledger reindex", false);
        check("gridpact ledger verify demo --json", true);
        check("gridpact ledger prove demo --party s1 --interval 2020-01-15T12:00:00Z -o s1.proof", true);
        check("gridpact ledger prove demo --party s1 --interval 1579089600 -o s1.proof", true);
        check("gridpact ledger prove demo --party s1 --interval noon -o s1.proof", false);
        check("gridpact ledger check s1.proof --genesis genesis.json --json", true);
        check("gridpact ledger check s1.proof", false);
        check("gridpact ledger torment --kills 20 --seed 7", true);
        check("gridpact ledger torment --kills 0", false);
        check("gridpact ledger export d --from 2026-01-01T00:00:00Z --of interval --party site/h1", true);
        check("gridpact ledger export d --from yesterday", false);
        check("gridpact ledger aggregates d --by bus,hour --k 5 --format json", true);
        check("gridpact ledger aggregates d --by bus --k 1", false);
        check("gridpact ledger aggregates d", false);
        check("gridpact ledger fetch d --interval 2026-01-01T00:00:00Z --archive s3://b/p", true);
        check(&format!("gridpact ledger fetch d {}", "5a".repeat(32)), true);
        check("gridpact ledger fetch d 5a", false);
        check("gridpact ledger fetch d", false);
    }
}
