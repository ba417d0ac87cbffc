//! What can be said to `gridpact bench`.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Commands that measure.
#[derive(Clone, Debug, Subcommand)]
pub enum BenchCommand {
    /// Measure clearing against its targets
    Clearing(ClearingArgs),
    /// Measure messaging: many sites at once through the embedded broker and Mosquitto, against bare MQTT clients
    Messaging(MessagingArgs),
    /// Measure the ledger: four validators as four processes, against limits measured in the same run
    Ledger(LedgerArgs),
    /// Measure a site controller: polling many devices, start-up, memory, what is written a day
    Site(SiteArgs),
}

/// Arguments of `gridpact bench site`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact bench site                    50 devices for half a minute, then 12 intervals of 10 seconds
  gridpact bench site --quick            five seconds and 2 intervals; targets are printed, none is judged
  gridpact bench site --folder /var/tmp  on the disk that is asked about

First every device is read each second by this process: at most 5 % of a core, and 30 MB resident. Then a whole
site controller with meter, inverter and battery trades by mutual TLS with a market in another process: how soon it
is there, its memory, and the bytes written in an interval, times 96, which is a day of 15 minutes each. What would
be in memory is not counted: --folder must not be a tmpfs. Exits 0 when every target is met, 4 when one is missed.")]
pub struct SiteArgs {
    /// How many devices: meters, inverters and batteries in turn
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub devices: u16,
    /// For how many seconds
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub seconds: u32,
    /// How many intervals the site controller trades
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub intervals: u32,
    /// Where the site controller's files go meanwhile
    #[arg(long, default_value = ".")]
    pub folder: PathBuf,
    /// Measure five seconds and two intervals
    #[arg(long)]
    pub quick: bool,
    /// Print one JSON document instead of lines
    #[arg(long)]
    pub json: bool,
    /// Serve so many devices, for the process that measures
    #[arg(long, hide = true)]
    pub serve: Option<u16>,
}

/// Arguments of `gridpact bench clearing`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact bench clearing                ten to fifteen minutes, sizes as targets are stated for
  gridpact bench clearing --quick        a tenth of the sizes; targets are printed, none is judged
  gridpact bench clearing --json         one JSON document on standard output

Instances are random with a fixed seed, so every run measures the same markets. Each figure is the
best of several runs, and a ratio's two sides take turns in the same run. Leave the machine alone
meanwhile. Exits 0 when every target is met, 4 when one is missed.")]
pub struct ClearingArgs {
    /// Measure a tenth of the sizes
    #[arg(long)]
    pub quick: bool,
    /// Print one JSON document instead of lines
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `gridpact bench ledger`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact bench ledger                  about three minutes, sizes as targets are stated for
  gridpact bench ledger --quick          a tenth of the sizes; targets are printed, none is judged
  gridpact bench ledger --json           one JSON document on standard output

Four validators run as processes of this program, with their files in a temporary folder. Each figure
is a ratio to a limit measured in the same run: signatures verified raw on all cores, messages through
the same broker, writes to the same disk. Leave the machine alone meanwhile. Exits 0 when every target
is met, 4 when one is missed.")]
pub struct LedgerArgs {
    /// Measure a tenth of the sizes
    #[arg(long)]
    pub quick: bool,
    /// Print one JSON document instead of lines
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `gridpact bench messaging`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact bench messaging                 1,000 sites, some minutes
  gridpact bench messaging --sites 10000   as far as the machine goes
  gridpact bench messaging --quick         a tenth of the sizes; targets are printed, none is judged
  gridpact bench messaging --only rounds   one part; --only envelopes,gate for two
  gridpact bench messaging --json          one JSON document on standard output

Brokers run as processes: the embedded one of this program, and Mosquitto where it is installed, with the queues that
`gridpact provision` gives it. In turns, sites bid at once by their links and get firm prices, and bare MQTT clients move
the same bytes through the same broker. Leave the machine alone meanwhile. Exits 0 when every target is met, 4 when one
is missed.")]
pub struct MessagingArgs {
    /// How many sites bid at once
    #[arg(long, default_value_t = 1_000, value_parser = sites)]
    pub sites: usize,
    /// Measure these parts alone
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = MessagingPart::ALL)]
    pub only: Vec<MessagingPart>,
    /// Measure a tenth of the sizes
    #[arg(long)]
    pub quick: bool,
    /// Print one JSON document instead of lines
    #[arg(long)]
    pub json: bool,
}

/// What `gridpact bench messaging` measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MessagingPart {
    /// Signing and checking an envelope beside bare Ed25519
    Envelopes,
    /// What the gate costs beside rumqttd's own listener
    Gate,
    /// How fast clients come in
    Crowd,
    /// Rounds of bids and firm prices, against bare clients
    Rounds,
    /// The broker's memory over 500 intervals
    Memory,
}

impl MessagingPart {
    /// All of them.
    pub const ALL: [MessagingPart; 5] = [
        MessagingPart::Envelopes,
        MessagingPart::Gate,
        MessagingPart::Crowd,
        MessagingPart::Rounds,
        MessagingPart::Memory,
    ];
}

fn sites(text: &str) -> Result<usize, String> {
    let wrong = || "it must lie in 1..=100000".to_owned();
    text.parse().ok().filter(|count| (1..=100_000).contains(count)).ok_or_else(wrong)
}
