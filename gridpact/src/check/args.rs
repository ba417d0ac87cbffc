//! What can be said to `gridpact check`.

use super::print::Detail;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `gridpact check`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact check                                   what stands in /etc/gridpact
  gridpact check site.toml                         one role, before its first start or while it runs
  gridpact check deployment/machines/NAME          all roles of one provisioned machine
  gridpact check gridpact-demo-1/roles             all roles of a demo
  gridpact check site.toml --offline               files alone: nothing is connected to
  gridpact check site.toml --ntp 192.168.1.1       asks a time server how far the clock is off
  sudo -u gridpact gridpact check --json | jq '.findings[] | select(.severity == \"fault\")'

What is looked at: configuration and what it names; signing keys (there, readable by their owner
alone, the ones of genesis or ledger); certificates (in time, of the right authority, not revoked,
the right name and key); the clock; data folders (writable, room, whether the file system keeps
what it was given); ports; brokers (name, port, TLS, MQTT, rights); devices (read once; who they
say they are); and a running process's /healthz and /readyz by process.metrics_listen. Nothing is
written but one file in each data folder, removed at once. Run it as the service's user.

A site that runs keeps its devices and its place at the broker: devices are then not asked
(--devices does in spite of that), and the broker's rights not tried.

Exit codes:
  0   nothing is wrong
  9   it works, and something should be seen to
  10  something does not work
  1   it could not be looked at")]
pub struct CheckArgs {
    /// Configuration files, a machine's file, or folders with such [default: /etc/gridpact]
    #[arg(value_name = "CONFIG")]
    pub files: Vec<PathBuf>,
    /// Connect to nothing: files, keys, certificates, clock and disk alone
    #[arg(long, conflicts_with_all = ["ntp", "devices"])]
    pub offline: bool,
    /// Ask devices even where the site runs and has them
    #[arg(long)]
    pub devices: bool,
    /// Ask this time server (SNTP), as HOST or HOST:PORT
    #[arg(long, value_name = "HOST")]
    pub ntp: Option<String>,
    /// Days before a certificate's end from which on it is spoken of
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=3_650))]
    pub expiry_days: i64,
    /// The authority's revocation list, where no broker's file names one
    #[arg(long, value_name = "FILE")]
    pub revoked: Option<PathBuf>,
    /// Show only what is wrong
    #[arg(long, short)]
    pub quiet: bool,
    /// List everything that is as it should be, too
    #[arg(long, conflicts_with = "quiet")]
    pub all: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

impl CheckArgs {
    /// How much a table lists.
    pub(super) fn detail(&self) -> Detail {
        match (self.quiet, self.all) {
            (true, _) => Detail::Wrong,
            (_, true) => Detail::All,
            _ => Detail::Usual,
        }
    }
}
