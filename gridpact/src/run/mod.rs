//! `gridpact run`: starts the roles that configuration files name, and keeps them until told to stop.

mod brokers;
pub mod metrics_server;
pub mod observation_file;
pub mod party;
pub mod price_file;
pub mod process;
pub mod running;
pub mod start;
mod wholesale_file;

use crate::cli::RunArgs;
use running::{RunError, Running};
use start::Hooks;

/// Runs until Ctrl-C.
///
/// # Errors
/// The first file or role that can't be started.
pub async fn run(args: &RunArgs) -> Result<(), RunError> {
    let mut running = Running::new()?;
    running.start(&args.files, &Hooks::default()).await?;
    tracing::info!(roles = running.len(), "running; Ctrl-C stops");
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::warn!(%error, "Ctrl-C can't be waited for; stopping");
    }
    running.stop().await;
    Ok(())
}
