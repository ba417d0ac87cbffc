//! The file of a link's answers, and the thread that writes it: an answer is on the disk before it is given, and what is given
//! together is written together, so that a link syncs its disk forty times a second at most.
//!
//! A message that was answered is known after a restart, and gets the same answer: it can't be played again. One that was not is
//! taken when its sender repeats it, or it would be lost with the process that had it in hand.

use super::driver::When;
use super::wall_clock_ms;
use crate::kept::{self, Record};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc as blocking;
use std::time::Duration;
use tokio::sync::mpsc;

/// Time from one write to the next.
const BETWEEN: Duration = Duration::from_millis(25);
/// Wait after a write that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Bytes beyond which a file is written anew without what has expired.
const LARGE: u64 = 1 << 20;

/// A record's frame behind when it expires, in milliseconds since 1970; none of what has no encoding, which ours always have.
type Frame = (u64, Vec<u8>);

fn frame(record: &Record) -> Option<Frame> {
    Some((record.expires_ms, record.frame().ok()?))
}

/// Answers on their way to the disk.
pub(super) struct Keeping {
    batches: blocking::Sender<Vec<Frame>>,
    written: mpsc::UnboundedReceiver<()>,
    /// With the thread.
    writing: Vec<(Record, When)>,
    /// After that.
    waiting: Vec<(Record, When)>,
}

impl Keeping {
    /// Opens a file, made where it isn't there, and starts its thread. Gives what is in it and has not expired.
    ///
    /// # Errors
    /// Where it can't be read or written, or there is no thread.
    pub fn open(path: &Path, failed: prometheus::IntCounter) -> io::Result<(Keeping, Vec<Record>)> {
        let (file, records) = Answers::open(path)?;
        let (batches, taken) = blocking::channel();
        let (tell, written) = mpsc::unbounded_channel();
        let thread = std::thread::Builder::new().name("answers".to_owned());
        thread.spawn(move || file.write_all(&taken, &tell, &failed))?;
        Ok((Keeping { batches, written, writing: Vec::new(), waiting: Vec::new() }, records))
    }

    /// Keeps an answer, to be given when it comes back from [`Keeping::written`].
    pub fn keep(&mut self, record: Record, when: When) {
        self.waiting.push((record, when));
        self.hand_over();
    }

    /// Waits for the answers that may be given now; for ever where none are on their way.
    pub async fn written(&mut self) -> Vec<(Record, When)> {
        if self.writing.is_empty() || self.written.recv().await.is_none() {
            return std::future::pending().await;
        }
        let given = std::mem::take(&mut self.writing);
        self.hand_over();
        given
    }

    fn hand_over(&mut self) {
        if !self.writing.is_empty() || self.waiting.is_empty() {
            return;
        }
        self.writing = std::mem::take(&mut self.waiting);
        let frames = self.writing.iter().filter_map(|(record, _)| frame(record)).collect();
        // The thread ends with us alone.
        let _ = self.batches.send(frames);
    }
}

/// The file.
struct Answers {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// Whether an attempt that failed may have left something half-written behind them.
    torn: bool,
    /// Those in it that may not have expired.
    live: Vec<Frame>,
}

impl Answers {
    fn open(path: &Path) -> io::Result<(Answers, Vec<Record>)> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let (mut records, whole) = kept::read(&bytes);
        if !whole {
            tracing::warn!(path = %path.display(), "the last answers of this file were cut off");
        }
        let now_ms = wall_clock_ms();
        records.retain(|record| record.expires_ms > now_ms);
        let live = records.iter().filter_map(frame).collect();
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let mut answers = Answers { path: path.to_owned(), file, bytes: 0, torn: false, live };
        answers.renew()?;
        Ok((answers, records))
    }

    /// Writes what comes until nobody sends any more. What fails is tried again: nobody is told of it before.
    fn write_all(
        mut self,
        batches: &blocking::Receiver<Vec<Frame>>,
        tell: &mpsc::UnboundedSender<()>,
        failed: &prometheus::IntCounter,
    ) {
        while let Ok(frames) = batches.recv() {
            while let Err(error) = self.append(&frames) {
                failed.inc();
                tracing::error!(path = %self.path.display(), %error, "answers can't be kept, and wait");
                if tell.is_closed() {
                    return;
                }
                std::thread::sleep(AFTER_FAILURE);
            }
            if tell.send(()).is_err() {
                return;
            }
            std::thread::sleep(BETWEEN);
        }
    }

    fn append(&mut self, frames: &[Frame]) -> io::Result<()> {
        let bytes = together(frames);
        if std::mem::replace(&mut self.torn, true) {
            self.file.set_len(self.bytes)?;
        }
        self.file.write_all(&bytes)?;
        self.file.sync_data()?;
        self.torn = false;
        self.bytes += bytes.len() as u64;
        self.live.extend_from_slice(frames);
        if self.bytes > LARGE {
            let now_ms = wall_clock_ms();
            self.live.retain(|(expires_ms, _)| *expires_ms > now_ms);
            let live: u64 = self.live.iter().map(|(_, frame)| frame.len() as u64).sum();
            // Half of it at least is gone, so that this is seldom.
            if 2 * live < self.bytes {
                self.renew()?;
            }
        }
        Ok(())
    }

    /// Writes the file anew with what has not expired, and puts it in the old one's place.
    fn renew(&mut self) -> io::Result<()> {
        let next = self.path.with_extension("next");
        let bytes = together(&self.live);
        let mut file = File::create(&next)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&next, &self.path)?;
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        self.file = OpenOptions::new().append(true).open(&self.path)?;
        self.bytes = bytes.len() as u64;
        Ok(())
    }
}

fn together(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(|(_, frame)| frame.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::message::{MessageRef, Verdict};
    use wire::Interval;

    fn record(sequence: u64, expires_ms: u64) -> Record {
        let of = MessageRef { sender: "site/s1".parse().unwrap(), boot: 7, sequence };
        Record { of, epoch: 0, interval: Interval::default(), expires_ms, verdict: Verdict::Accepted }
    }

    #[tokio::test]
    async fn what_is_given_is_there_after_a_restart_unless_it_has_expired() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers.log");
        let failed = prometheus::IntCounter::new("failed", "failed").unwrap();
        let later = wall_clock_ms() + 600_000;
        let (mut keeping, before) = Keeping::open(&path, failed.clone()).unwrap();
        assert_eq!(before, []);
        let mut given = 0;
        for (sequence, expires_ms) in [(1, later), (2, 5), (3, later)] {
            keeping.keep(record(sequence, expires_ms), When::Now);
        }
        while given < 3 {
            given += keeping.written().await.len();
        }
        drop(keeping);
        // A process that was killed while it wrote.
        OpenOptions::new().append(true).open(&path).unwrap().write_all(&[0, 0, 0, 90, 1]).unwrap();
        let (_, after) = Keeping::open(&path, failed.clone()).unwrap();
        assert_eq!(after, [record(1, later), record(3, later)]);
        assert_eq!(failed.get(), 0);
    }

    #[test]
    fn a_large_file_loses_what_has_expired() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers.log");
        let (mut file, _) = Answers::open(&path).unwrap();
        let frames: Vec<Frame> = (0..20_000).filter_map(|n| frame(&record(n, 5))).collect();
        file.append(&frames).unwrap();
        assert_eq!((fs::metadata(&path).unwrap().len(), file.bytes), (0, 0));
        file.append(&[frame(&record(1, u64::MAX >> 1)).unwrap()]).unwrap();
        assert!(fs::metadata(&path).unwrap().len() > 0);
    }
}
