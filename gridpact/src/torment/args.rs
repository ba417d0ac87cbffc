//! What can be said to `gridpact ledger torment`.

use clap::Args;

/// Arguments of `gridpact ledger torment`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact ledger torment                        200 kills, some minutes
  gridpact ledger torment --kills 20 --seed 7    fewer, the same ones in every run

Four validators run as processes of this program, with their files in a temporary folder, while entries
are submitted. They are killed (SIGKILL) at random, one or several at a time, and started again; then one
gets a full disk. In the end no entry that was seen decided may be missing, no two ledgers may differ,
balances must add up, and every folder must verify.")]
pub struct TormentArgs {
    /// How often a process is killed
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub kills: u32,
    /// Which kills; drawn where not given. Who wins which race is the machine's affair
    #[arg(long)]
    pub seed: Option<u64>,
}
