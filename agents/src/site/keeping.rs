//! The file of a site's readings, and the thread that writes it: a reading is on the disk before it is sent, once an interval,
//! and is sent until somebody answers for it, through restarts and power cuts.

use super::journal::{Journal, Kept, MAX_RECORD_BYTES};
use crate::metrics::AgentMetrics;
use ledger::store::frames::FrameError;
use ledger::store::records::RecordFile;
use std::path::Path;
use std::sync::mpsc as blocking;
use tokio::sync::oneshot;

/// Bytes beyond which the file is written anew with what still waits: some four days of quarter hours.
const LARGE: u64 = 64 << 10;

/// Records on their way to the disk, and who waits for them.
type Batch = (Vec<Kept>, oneshot::Sender<()>);

/// A handle to the thread; clones are handles to the same one.
#[derive(Clone, Debug)]
pub(super) struct Keeping {
    batches: blocking::Sender<Batch>,
}

/// The file, and what its records come to.
struct Writing {
    file: RecordFile,
    journal: Journal,
    /// Records that cost no more than a repetition where they are lost, and go with the next that does; those that the
    /// disk refused, too.
    lazy: Vec<Kept>,
    id: String,
    metrics: AgentMetrics,
}

impl Keeping {
    /// Opens a file, made where it isn't there, and starts its thread. Gives what is in it. A file that is damaged is put
    /// aside, with what could be read of it taken over.
    ///
    /// # Errors
    /// Where it can't be read or written, or there is no thread.
    pub fn open(path: &Path, id: &str, metrics: &AgentMetrics) -> Result<(Keeping, Journal), FrameError> {
        let (file, journal) = read(path)?;
        let mut writing = Writing {
            file,
            journal: journal.clone(),
            lazy: Vec::new(),
            id: id.to_owned(),
            metrics: metrics.clone(),
        };
        writing.show();
        let (batches, taken) = blocking::channel::<Batch>();
        let write = move || {
            while let Ok((records, done)) = taken.recv() {
                writing.take(records);
                // Nobody waits where the site has ended.
                let _ = done.send(());
            }
            writing.flush();
        };
        let thread = std::thread::Builder::new().name("readings".to_owned()).spawn(write);
        thread.map_err(FrameError::at("starting a thread for", path))?;
        Ok((Keeping { batches }, journal))
    }

    /// Hands records over; ready when they are where they have to be.
    pub fn keep(&self, records: Vec<Kept>) -> oneshot::Receiver<()> {
        let (done, kept) = oneshot::channel();
        // The thread ends with the handles alone.
        let _ = self.batches.send((records, done));
        kept
    }
}

/// The file, and what the records in it come to.
fn read(path: &Path) -> Result<(RecordFile, Journal), FrameError> {
    let (file, records) = RecordFile::open(path, MAX_RECORD_BYTES, |bytes| Kept::decode(bytes).ok())?;
    let mut journal = Journal::default();
    records.iter().for_each(|record| journal.take(record));
    Ok((file, journal))
}

impl Writing {
    /// Keeps records. What can't be written is kept in memory, and tried again with the next.
    fn take(&mut self, records: Vec<Kept>) {
        let lasting = records.iter().any(Kept::must_last);
        for record in records {
            self.journal.take(&record);
            if let Kept::Dropped { .. } = record {
                self.metrics.readings_dropped.with_label_values(&[self.id.as_str(), "full"]).inc();
            }
            self.lazy.push(record);
        }
        self.show();
        if lasting {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let records = std::mem::take(&mut self.lazy);
        if records.is_empty() {
            return;
        }
        let written = if self.file.bytes() < LARGE {
            self.file.append(&encoded(&records))
        } else {
            self.file.renew(&encoded(&self.journal.records()))
        };
        if let Err(error) = written {
            self.lazy = records;
            self.metrics.notes.with_label_values(&["site", "readings-unkept"]).inc();
            tracing::error!(%error, "readings can't be kept on disk, and are lost if the power goes");
        }
    }

    fn show(&self) {
        let waiting = i64::try_from(self.journal.waiting().len()).unwrap_or(i64::MAX);
        self.metrics.readings_waiting.with_label_values(&[&self.id]).set(waiting);
    }
}

/// The records' bytes; ours have an encoding.
fn encoded(records: &[Kept]) -> Vec<Vec<u8>> {
    records.iter().filter_map(|record| record.encode().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::interval::{Interval, UnixSeconds};
    use market::units::Millijoule;
    use std::fs;

    fn metrics() -> AgentMetrics {
        AgentMetrics::register(&prometheus::Registry::new()).unwrap()
    }

    fn interval(n: i64) -> Interval {
        Interval(UnixSeconds(900 * n))
    }

    fn reading(n: i64) -> Kept {
        Kept::Reading { interval: interval(n), energy: Millijoule(n) }
    }

    fn waiting(journal: &Journal) -> Vec<i64> {
        journal.waiting().iter().map(|reading| reading.energy.0).collect()
    }

    #[tokio::test]
    async fn what_was_kept_is_there_after_the_process_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("readings.log");
        let metrics = metrics();
        let (keeping, before) = Keeping::open(&path, "s1", &metrics).unwrap();
        assert_eq!(before, Journal::default());
        for n in 1..=3 {
            keeping.keep(vec![reading(n)]).await.unwrap();
        }
        // An answer is not synced by itself: lost, it costs a repetition. Here the power goes at once.
        keeping.keep(vec![Kept::Answered { interval: interval(2) }]).await.unwrap();
        let killed = folder.path().join("killed.log");
        fs::copy(&path, &killed).unwrap();
        assert_eq!(waiting(&read(&killed).unwrap().1), [1, 2, 3]);
        keeping.keep(vec![reading(4)]).await.unwrap();
        assert_eq!(waiting(&read(&path).unwrap().1), [1, 3, 4]);
        assert_eq!(metrics.readings_waiting.with_label_values(&["s1"]).get(), 3);
    }

    #[tokio::test]
    async fn a_large_file_loses_what_was_answered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("readings.log");
        let (keeping, _) = Keeping::open(&path, "s1", &metrics()).unwrap();
        let mut largest = 0;
        for n in 0..2_000 {
            let records = vec![reading(n), Kept::Answered { interval: interval(n - 1) }];
            keeping.keep(records).await.unwrap();
            largest = largest.max(fs::metadata(&path).unwrap().len());
        }
        assert!(largest < LARGE + 1_000, "{largest}");
        assert_eq!(waiting(&read(&path).unwrap().1), [1_999]);
    }
}
