//! `gridpact run`: starts the roles that configuration files name, and keeps them until told to stop.

mod brokers;
pub mod disk;
mod doors;
pub mod health;
pub mod interval_rows;
pub mod machine_metrics;
pub mod measured_file;
pub mod metrics_server;
pub mod notify;
pub mod observation_file;
pub mod party;
pub mod price_file;
pub mod process;
pub mod running;
pub mod start;
mod wholesale_file;

use crate::cli::RunArgs;
use crate::stop;
use running::{RunError, Running};
use start::Hooks;

/// Runs until Ctrl-C or SIGTERM, until standard input ends where that is asked for, or until a validator stops by
/// itself: whoever looks after the process must see that.
///
/// # Errors
/// The first file or role that can't be started, or the validator that stopped.
pub async fn run(args: &RunArgs) -> Result<(), RunError> {
    let mut running = Running::new()?;
    running.start(&args.files, &Hooks::default()).await?;
    running.health.started();
    let stopping = stop::asked().map_err(RunError::Signal)?;
    tracing::info!(roles = running.len(), "running; Ctrl-C stops");
    let stopped = tokio::select! {
        () = stopping => Ok(()),
        () = input_ended(), if args.until_stdin_ends => Ok(()),
        failure = running.failure() => Err(failure),
    };
    if let Some(manager) = notify::Notifier::from_environment() {
        manager.tell("STOPPING=1");
    }
    running.stop().await;
    stopped
}

/// Waits for the end of standard input. Reading it blocks, so a thread of its own does.
async fn input_ended() {
    let (ended, end) = tokio::sync::oneshot::channel();
    let read = move || {
        // Whatever ends reading ends the input; nobody waits only where we stop anyway.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = ended.send(());
    };
    match std::thread::Builder::new().name("stdin".to_owned()).spawn(read) {
        Ok(_) => {
            let _ = end.await;
        }
        Err(error) => tracing::warn!(%error, "standard input can't be waited for; stopping"),
    }
}
