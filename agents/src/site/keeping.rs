//! The file of a site's readings, and the thread that writes it: a reading is on the disk before it is sent, once an interval,
//! and is sent until somebody answers for it, through restarts and power cuts. Frames are [`ledger::store::frames`]'.

use super::journal::{Journal, Kept, MAX_RECORD_BYTES};
use crate::metrics::AgentMetrics;
use ledger::store::frames::{Found, FrameError, FrameReader, FrameWriter};
use std::fs;
use std::path::{Path, PathBuf};
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

/// The file.
struct File {
    path: PathBuf,
    /// None after a write that failed: what stands in the file is unknown then, and it is written anew.
    writer: Option<FrameWriter>,
    journal: Journal,
    /// Records that cost no more than a repetition where they are lost, and go with the next that does.
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
        let (journal, end) = read(path)?;
        let mut file = File {
            path: path.to_owned(),
            writer: None,
            journal: journal.clone(),
            lazy: Vec::new(),
            id: id.to_owned(),
            metrics: metrics.clone(),
        };
        file.writer = match end {
            Some(end) => Some(FrameWriter::open(path, end, MAX_RECORD_BYTES)?),
            None => {
                let aside = path.with_extension("damaged");
                tracing::error!(path = %path.display(), aside = %aside.display(), "kept readings are damaged");
                fs::rename(path, &aside).map_err(|source| failed("putting aside", path, source))?;
                Some(file.renewed()?)
            }
        };
        file.show();
        let (batches, taken) = blocking::channel::<Batch>();
        let write = move || {
            while let Ok((records, done)) = taken.recv() {
                file.take(records);
                // Nobody waits where the site has ended.
                let _ = done.send(());
            }
            file.flush();
        };
        let thread = std::thread::Builder::new().name("readings".to_owned()).spawn(write);
        thread.map_err(|source| failed("starting a thread for", path, source))?;
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

fn failed(act: &'static str, path: &Path, source: std::io::Error) -> FrameError {
    FrameError::Io { act, path: path.to_owned(), source }
}

/// What a file's records come to, and where the last whole one ends; nowhere, where it is damaged.
fn read(path: &Path) -> Result<(Journal, Option<u64>), FrameError> {
    let mut journal = Journal::default();
    if !path.exists() {
        return Ok((journal, Some(0)));
    }
    let mut reader = FrameReader::open(path, 0, MAX_RECORD_BYTES)?;
    loop {
        match reader.next_frame() {
            Ok(Found::Frame(frame)) => match Kept::decode(&frame.payload) {
                Ok(record) => journal.take(&record),
                Err(_) => return Ok((journal, None)),
            },
            Ok(Found::End | Found::Torn { .. }) => return Ok((journal, Some(reader.offset()))),
            Err(FrameError::Damaged { .. }) => return Ok((journal, None)),
            Err(error) => return Err(error),
        }
    }
}

impl File {
    /// Keeps records. What can't be written is kept in memory, and tried again with the next.
    fn take(&mut self, records: Vec<Kept>) {
        let lasting = records.iter().any(Kept::must_last);
        for record in records {
            self.journal.take(&record);
            if let Kept::Dropped { .. } = record {
                self.metrics.readings_dropped.with_label_values(&[&self.id, "full"]).inc();
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
        if let Err(error) = self.write(&records) {
            // What stands in the file is unknown: it is written anew next time, from all there is.
            self.writer = None;
            self.lazy = records;
            self.metrics.notes.with_label_values(&["site", "readings-unkept"]).inc();
            tracing::error!(%error, "readings can't be kept on disk, and are lost if the power goes");
        }
    }

    fn write(&mut self, records: &[Kept]) -> Result<(), FrameError> {
        let Some(writer) = self.writer.as_mut().filter(|writer| writer.end() < LARGE) else {
            self.writer = None;
            self.writer = Some(self.renewed()?);
            return Ok(());
        };
        append(writer, records)?;
        writer.sync()
    }

    /// The file written anew with what still waits, and put in the old one's place.
    fn renewed(&self) -> Result<FrameWriter, FrameError> {
        let next = self.path.with_extension("next");
        let mut writer = FrameWriter::open(&next, 0, MAX_RECORD_BYTES)?;
        append(&mut writer, &self.journal.records())?;
        writer.sync()?;
        fs::rename(&next, &self.path).map_err(|source| failed("putting in place", &self.path, source))?;
        FrameWriter::open(&self.path, writer.end(), MAX_RECORD_BYTES)
    }

    fn show(&self) {
        let waiting = i64::try_from(self.journal.waiting().len()).unwrap_or(i64::MAX);
        self.metrics.readings_waiting.with_label_values(&[&self.id]).set(waiting);
    }
}

fn append(writer: &mut FrameWriter, records: &[Kept]) -> Result<(), FrameError> {
    for (number, record) in (1..).zip(records) {
        // Ours have an encoding.
        if let Ok(bytes) = record.encode() {
            writer.append(number, &bytes)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::interval::{Interval, UnixSeconds};
    use market::units::Millijoule;

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
        assert_eq!(waiting(&read(&killed).unwrap().0), [1, 2, 3]);
        keeping.keep(vec![reading(4)]).await.unwrap();
        assert_eq!(waiting(&read(&path).unwrap().0), [1, 3, 4]);
        assert_eq!(metrics.readings_waiting.with_label_values(&["s1"]).get(), 3);
    }

    #[tokio::test]
    async fn a_power_cut_at_any_byte_loses_at_most_what_was_not_synced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("readings.log");
        let metrics = metrics();
        let (keeping, _) = Keeping::open(&path, "s1", &metrics).unwrap();
        let mut ends = vec![0];
        for n in 1..=4 {
            keeping.keep(vec![reading(n)]).await.unwrap();
            ends.push(fs::metadata(&path).unwrap().len() as usize);
        }
        let whole = fs::read(&path).unwrap();
        for cut in 0..=whole.len() {
            let path = folder.path().join(format!("cut-{cut}.log"));
            fs::write(&path, &whole[..cut]).unwrap();
            let synced = ends.iter().filter(|end| **end <= cut).count() as i64 - 1;
            let (again, journal) = Keeping::open(&path, "s2", &metrics).unwrap();
            assert_eq!(waiting(&journal), (1..=synced).collect::<Vec<_>>(), "cut at {cut}");
            again.keep(vec![reading(9)]).await.unwrap();
            let after: Vec<i64> = (1..=synced).chain([9]).collect();
            assert_eq!(waiting(&read(&path).unwrap().0), after, "cut at {cut}");
        }
    }

    #[tokio::test]
    async fn a_damaged_file_is_put_aside_and_what_can_be_read_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("readings.log");
        let metrics = metrics();
        let (keeping, _) = Keeping::open(&path, "s1", &metrics).unwrap();
        for n in 1..=3 {
            keeping.keep(vec![reading(n)]).await.unwrap();
        }
        drop(keeping);
        let mut bytes = fs::read(&path).unwrap();
        let place = bytes.len() / 2;
        bytes[place] ^= 1;
        fs::write(&path, bytes).unwrap();
        let (again, journal) = Keeping::open(&path, "s2", &metrics).unwrap();
        assert_eq!(waiting(&journal), [1]);
        assert!(path.with_extension("damaged").exists());
        again.keep(vec![reading(7)]).await.unwrap();
        assert_eq!(waiting(&read(&path).unwrap().0), [1, 7]);
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
        assert_eq!(waiting(&read(&path).unwrap().0), [1_999]);
    }
}
