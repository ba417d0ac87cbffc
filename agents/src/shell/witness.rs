//! What speaks for and against this machine's clock, gathered for [`Sanity`]: others' messages, what the system says, and
//! the times of the files that the role wrote before.

use crate::clock::{Evidence, Sanity, SYNCHRONISED};
use broker::skew::Clocks;
use market::interval::UnixSeconds;
use std::path::Path;
use std::time::UNIX_EPOCH;
use tokio::sync::watch;

/// Files looked at for their time.
const MOST_FILES: usize = 1_000;

/// Gathers evidence, and tells when the judgement by it changes.
pub(super) struct Witness {
    floor: UnixSeconds,
    others: watch::Receiver<Clocks>,
    judged: Option<Sanity>,
}

impl Witness {
    /// `floor` is a time that has been.
    pub fn new(floor: UnixSeconds, others: watch::Receiver<Clocks>) -> Self {
        Self { floor, others, judged: None }
    }

    /// What is known now.
    pub fn evidence(&self) -> Evidence {
        let others = *self.others.borrow();
        // Where others bear the clock out, the system is not asked four times a second.
        let synchronised = others.agree == 0 && Path::new(SYNCHRONISED).exists();
        Evidence { floor: self.floor, synchronised, others }
    }

    /// Whether the judgement is another than before.
    pub fn changes_to(&mut self, sanity: Sanity) -> bool {
        self.judged.replace(sanity) != Some(sanity)
    }
}

/// A time that has been: that of `earliest`, or of the last file written in a folder. Nothing has to be written for it.
pub(super) fn floor(earliest: UnixSeconds, folder: &Path) -> UnixSeconds {
    let written = |entry: std::fs::DirEntry| {
        let at = entry.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(at.as_secs()).ok()
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).take(MOST_FILES);
    UnixSeconds(entries.filter_map(written).fold(earliest.0, i64::max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    #[test]
    fn the_last_file_written_is_a_time_that_has_been() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(floor(UnixSeconds(7), &folder.path().join("nowhere")), UnixSeconds(7));
        let file = std::fs::File::create(folder.path().join("answers.log")).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_900_000_000)).unwrap();
        assert_eq!(floor(UnixSeconds(7), folder.path()), UnixSeconds(1_900_000_000));
        assert_eq!(floor(UnixSeconds(1_900_000_001), folder.path()), UnixSeconds(1_900_000_001));
    }

    #[test]
    fn a_change_is_told_once() {
        let mut witness = Witness::new(UnixSeconds(0), watch::channel(Clocks::default()).1);
        assert!(witness.changes_to(Sanity::Unconfirmed));
        assert!(!witness.changes_to(Sanity::Unconfirmed));
        assert!(witness.changes_to(Sanity::Sane));
    }
}
