//! Open files: every client and every connection of a broker is one, and systems often allow a program 1,024.

use super::super::BenchError;
use std::process::Command;

/// Set for the program that was started with more.
const RAISED: &str = "BENCH_FILES_RAISED";

/// Starts this program again with room for so many open files, where it has less: how that one ended. None where this one has
/// enough, or knows no way to more.
///
/// # Errors
/// Where it can't be started.
pub fn again_with(files: usize) -> Result<Option<i32>, BenchError> {
    let enough = allowed().is_none_or(|allowed| allowed >= files);
    if enough || std::env::var_os(RAISED).is_some() {
        return Ok(None);
    }
    let program = std::env::current_exe().map_err(BenchError::Folder)?;
    // As many as wanted, or as many as there may be.
    let script = format!("ulimit -n {files} 2>/dev/null || ulimit -n \"$(ulimit -Hn)\"; exec \"$0\" \"$@\"");
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).arg(program).args(std::env::args_os().skip(1)).env(RAISED, "1");
    let ended = shell.status().map_err(BenchError::Folder)?;
    Ok(Some(ended.code().unwrap_or(1)))
}

/// Files this program may have open, where the system says it.
pub fn allowed() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}
