//! `gridpact check`: all that is wrong on a machine, before a start and while it runs, each with what to do. Probes look
//! and judge nothing; the judge sees nothing but what they found.

pub mod args;
pub mod facts;
pub mod finding;
pub mod judge;
mod print;
mod probe;

use args::CheckArgs;
use facts::Limits;
use finding::Severity;
use std::io::{self, Write};
use std::process::ExitCode;

/// It works, and something should be seen to.
const EXIT_WARNINGS: u8 = 9;
/// Something does not work.
const EXIT_FAULTS: u8 = 10;

/// Looks, judges and prints; what came of it as an exit code.
///
/// # Errors
/// Where there is no runtime to look with, or it can't be printed.
pub fn run(args: &CheckArgs, out: &mut dyn Write) -> io::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let facts = runtime.block_on(probe::look(args));
    // A device that hangs must not hold up the end.
    runtime.shutdown_background();
    let limits = Limits { expiry_soon_s: args.expiry_days * 86_400, ..Limits::default() };
    let findings = judge::judge(&facts, &limits);
    match args.json {
        true => print::json(&findings, out)?,
        false => print::table(&findings, args.detail(), out)?,
    }
    Ok(match findings.iter().map(|finding| finding.severity).max() {
        Some(Severity::Fault) => ExitCode::from(EXIT_FAULTS),
        Some(Severity::Warning) => ExitCode::from(EXIT_WARNINGS),
        _ => ExitCode::SUCCESS,
    })
}
