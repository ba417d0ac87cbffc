//! What this process writes to disks, as the kernel counts it: what wears an SD card.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::IntCounter;
use std::sync::Mutex;

/// Where Linux counts a process's input and output (proc_pid_io(5)).
const ACCOUNT: &str = "/proc/self/io";
/// Bytes it caused to be sent to storage.
const WRITTEN: &str = "write_bytes: ";

/// A counter that is read when it is asked for.
pub struct Written {
    counter: IntCounter,
    /// The kernel's figure as it was last read.
    seen: Mutex<u64>,
}

impl Written {
    /// Counts from nothing: a process has written nothing before it began.
    ///
    /// # Errors
    /// Never, as far as the name below is a good one.
    pub fn new() -> Result<Self, prometheus::Error> {
        let help = "Bytes this process caused to be written to storage. Unit: bytes.";
        let counter = IntCounter::new("gridpact_disk_written_bytes_total", help)?;
        Ok(Self { counter, seen: Mutex::new(0) })
    }

    /// The figure now.
    fn look(&self) {
        let account = std::fs::read_to_string(ACCOUNT).unwrap_or_default();
        let Some(now) = written(&account) else { return };
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.counter.inc_by(now.saturating_sub(*seen));
        *seen = now.max(*seen);
    }
}

fn written(account: &str) -> Option<u64> {
    account.lines().find_map(|line| line.strip_prefix(WRITTEN))?.trim().parse().ok()
}

impl Collector for Written {
    fn desc(&self) -> Vec<&Desc> {
        self.counter.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.look();
        self.counter.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_figure_is_found() {
        let account =
            "rchar: 1\nwchar: 2\nsyscr: 3\nread_bytes: 5\nwrite_bytes: 4096\ncancelled_write_bytes: 7\n";
        assert_eq!(written(account), Some(4_096));
        assert_eq!(written("rchar: 1\n"), None);
    }

    #[test]
    fn what_is_written_is_counted_where_the_system_says_it() {
        let written = Written::new().unwrap();
        written.look();
        let before = written.counter.get();
        let folder = tempfile::tempdir_in(".").unwrap();
        let file = std::fs::File::create(folder.path().join("some")).unwrap();
        std::io::Write::write_all(&mut &file, &[7; 1 << 16]).unwrap();
        file.sync_all().unwrap();
        written.look();
        if std::path::Path::new(ACCOUNT).exists() {
            assert!(written.counter.get() >= before);
        }
    }
}
