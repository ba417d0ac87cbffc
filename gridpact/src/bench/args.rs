//! What can be said to `gridpact bench`.

use clap::{Args, Subcommand};

/// Commands that measure.
#[derive(Clone, Debug, Subcommand)]
pub enum BenchCommand {
    /// Measure clearing against its targets
    Clearing(ClearingArgs),
    /// Measure the ledger: four validators as four processes, against limits measured in the same run
    Ledger(LedgerArgs),
    /// Measure what polling many SunSpec devices costs a site controller
    Site(SiteArgs),
}

/// Arguments of `gridpact bench site`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact bench site                    50 devices for half a minute
  gridpact bench site --quick            for five seconds; targets are printed, none is judged

Every device is read each second by this process: at most 5 % of a core, and 30 MB resident. The devices
are simulated by another process. Exits 0 when both targets are met, 4 when one is missed.")]
pub struct SiteArgs {
    /// How many devices: meters, inverters and batteries in turn
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub devices: u16,
    /// For how many seconds
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub seconds: u32,
    /// Measure five seconds
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
