//! Where log lines go and how they look. What is logged is RUST_LOG's to choose.

use crate::cli::LogFormat;
use std::fs::File;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::EnvFilter;

/// What is logged where RUST_LOG says nothing: our own `info`, and of libraries that log every vote or
/// every client that comes and goes only what went wrong. rumqttd calls an error what any client can cause as
/// often as it likes; the gate before it says what there is to say.
const USUAL: &str = "info,arc_malachitebft_core_consensus=warn,rumqttd=off,actix_server=warn,sled=warn";

/// Where log lines go.
#[derive(Clone, Copy, Debug)]
pub enum LogTarget<'a> {
    /// Standard error.
    StandardError,
    /// A new file, so that a terminal stays free for something else.
    File(&'a Path),
}

/// Sets up logging for the rest of the process. Only the first call in a process has an effect.
///
/// # Errors
/// Where the log file can't be created.
pub fn start(target: LogTarget<'_>, format: LogFormat) -> std::io::Result<()> {
    match target {
        LogTarget::StandardError => install(std::io::stderr, std::io::stderr().is_terminal(), format),
        LogTarget::File(path) => install(Arc::new(File::create(path)?), false, format),
    }
    Ok(())
}

fn install<W>(writer: W, colours: bool, format: LogFormat)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(USUAL));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(colours);
    let installed = match format {
        LogFormat::Human => lines.try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    if let Err(reason) = installed {
        tracing::debug!(%reason, "logging is set up already");
    }
}
