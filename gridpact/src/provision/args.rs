//! What `gridpact provision` is told.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Arguments of `gridpact provision`.
#[derive(Clone, Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  gridpact provision plan.toml --out deployment           everything the plan's machines need
  gridpact run deployment/machines/NAME/machine.toml      all roles of one machine
  gridpact provision add plan.toml --out deployment --party site/s9
  gridpact provision rotate plan.toml --out deployment --party site/s9
  gridpact provision revoke plan.toml --out deployment --party site/s9

Run again it makes what the plan has and the folder has not, revokes whom the plan names no more, and leaves
everything else as it is, to the byte. Entries for the ledger lie ready under machines/*/entries.
An example of a plan is deploy/plan.example.toml; all of it is explained in docs/PROVISION.md."
)]
pub struct ProvisionArgs {
    /// One participant alone
    #[command(subcommand)]
    pub act: Option<ProvisionAct>,
    /// The whole plan
    #[command(flatten)]
    pub all: AllArgs,
}

/// Which plan and where.
#[derive(Clone, Debug, Args)]
pub struct AllArgs {
    /// The plan
    #[arg(required = true)]
    pub plan: Option<PathBuf>,
    /// The deployment's folder; made where it isn't there
    #[arg(long, required = true)]
    pub out: Option<PathBuf>,
    /// From which block on a proposal holds, for roles on which validators vote
    #[arg(long)]
    pub at_height: Option<u64>,
    /// Print what was done as JSON
    #[arg(long)]
    pub json: bool,
}

/// What is done to one participant.
#[derive(Clone, Debug, Subcommand)]
pub enum ProvisionAct {
    /// Make what one new participant of the plan needs, and an entry that registers it
    Add(OneArgs),
    /// Give a participant another signing key and certificate; the certificate before is revoked at once, the key when
    /// the entry made for it is final
    Rotate(RotateArgs),
    /// Revoke a participant's certificate, and make an entry that ends its registration
    Revoke(OneArgs),
}

/// About whom.
#[derive(Clone, Debug, Args)]
pub struct OneArgs {
    /// The plan
    pub plan: PathBuf,
    /// The deployment's folder
    #[arg(long)]
    pub out: PathBuf,
    /// Whom, as role/id
    #[arg(long)]
    pub party: String,
    /// From which block on a proposal holds, for roles on which validators vote
    #[arg(long)]
    pub at_height: Option<u64>,
    /// Print what was done as JSON
    #[arg(long)]
    pub json: bool,
}

/// About whom, and what.
#[derive(Clone, Debug, Args)]
pub struct RotateArgs {
    /// About whom
    #[command(flatten)]
    pub one: OneArgs,
    /// Its certificate alone
    #[arg(long)]
    pub certificate_only: bool,
}
