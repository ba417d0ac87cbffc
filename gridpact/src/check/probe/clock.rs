//! The clock, and what on this machine speaks against it.

use super::configuration::Loaded;
use crate::check::facts::ClockFacts;
use crate::clock::wall_ms;
use crate::configuration::party::ClockKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;

/// Files of a folder that are looked at for their time.
const MOST_FILES: usize = 1_000;

/// What is known of the clock.
pub fn of(loaded: &[Loaded]) -> ClockFacts {
    let mut newest: Option<(i64, PathBuf)> = None;
    let mut see = |path: &Path| {
        if let Some(at) = changed(path).filter(|at| newest.as_ref().is_none_or(|(known, _)| known < at)) {
            newest = Some((at, path.to_owned()));
        }
    };
    let mut simulated = !loaded.is_empty();
    for one in loaded {
        see(&one.file);
        let Some((_, keys)) = one.party() else { continue };
        simulated &= keys.clock == ClockKind::Simulated;
        see(&keys.genesis);
        see(&keys.key);
        let entries = std::fs::read_dir(&keys.data_dir).into_iter().flatten().take(MOST_FILES);
        entries.filter_map(Result::ok).for_each(|entry| see(&entry.path()));
    }
    ClockFacts {
        now: (wall_ms() / 1_000).cast_signed(),
        built: crate::BUILT_S,
        newest,
        synchronised: synchronised(),
        simulated,
        ..ClockFacts::default()
    }
}

fn changed(path: &Path) -> Option<i64> {
    let since = std::fs::metadata(path).ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

/// What systemd says of the kernel's clock, whoever sets it; nothing where there is no systemd.
fn synchronised() -> Option<bool> {
    if Path::new(agents::clock::SYNCHRONISED).exists() {
        return Some(true);
    }
    let said = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    match String::from_utf8_lossy(&said.stdout).trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}
