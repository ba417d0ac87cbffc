//! Files of what sites are answered for, and the thread that writes them: bids that were taken (`bids.log`), and each
//! interval's meter readings (`trading/START.readings`). Either is on the disk before it is acknowledged, and what comes
//! together is synced together, so that a thousand at once cost a few syncs.

use super::act::AggregatorReport;
use super::kept::{KeptReading, TakenBid, MAX_BID_BYTES, MAX_READING_BYTES};
use crate::metrics::AgentMetrics;
use ledger::store::frames::FrameError;
use ledger::store::records::RecordFile;
use market::interval::Interval;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc as blocking;
use std::time::Duration;
use tokio::sync::mpsc;
use wire::message::MessageRef;

/// Wait after a write that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Most that is written in one go; more is synced in the next.
const MOST_TOGETHER: usize = 4_096;

type Reports = mpsc::Sender<AggregatorReport>;

/// What is to be written, and what then is to be told.
#[derive(Debug)]
enum Job {
    /// One more bid.
    Bid(Vec<u8>),
    /// These bids in the place of all before.
    RenewBids(Vec<Vec<u8>>),
    /// One more reading of an interval; none where it was taken before.
    Reading(Interval, Option<Vec<u8>>),
    /// An interval's readings are needed no more.
    Forget(Interval),
}

/// A job, and who sent what it keeps: it hears when it is kept.
type Asked = (Job, Option<(MessageRef, Reports)>);

/// A handle to the thread, which ends with it.
#[derive(Debug)]
pub(super) struct Durable {
    jobs: blocking::Sender<Asked>,
}

impl Durable {
    /// Opens the file of bids, made where it isn't there, and starts the thread; readings lie in `trading`. Gives the bids kept.
    ///
    /// # Errors
    /// Where the file can't be read or written, or there is no thread.
    pub fn open(
        bids: &Path,
        trading: &Path,
        metrics: &AgentMetrics,
    ) -> Result<(Durable, Vec<TakenBid>), FrameError> {
        let (file, taken) = RecordFile::open(bids, MAX_BID_BYTES, |bytes| TakenBid::decode(bytes).ok())?;
        let files = Files { bids: file, trading: trading.to_owned(), readings: BTreeMap::new() };
        let (jobs, asked) = blocking::channel();
        let metrics = metrics.clone();
        let thread = std::thread::Builder::new().name("answered-for".to_owned());
        let thread = thread.spawn(move || write_all(files, &asked, &metrics));
        thread.map_err(FrameError::at("starting a thread for", bids))?;
        Ok((Durable { jobs }, taken))
    }

    /// Keeps a bid; [`AggregatorReport::Kept`] comes when it is.
    pub fn bid(&self, of: MessageRef, record: Vec<u8>, reports: &Reports) {
        self.ask(Job::Bid(record), Some((of, reports.clone())));
    }

    /// Keeps these bids in the place of all before.
    pub fn renew_bids(&self, records: Vec<Vec<u8>>) {
        self.ask(Job::RenewBids(records), None);
    }

    /// Keeps a reading; [`AggregatorReport::Kept`] comes when it is. Without a record it comes when all before are.
    pub fn reading(&self, interval: Interval, of: MessageRef, record: Option<Vec<u8>>, reports: &Reports) {
        self.ask(Job::Reading(interval, record), Some((of, reports.clone())));
    }

    /// Takes an interval's file of readings away.
    pub fn forget(&self, interval: Interval) {
        self.ask(Job::Forget(interval), None);
    }

    fn ask(&self, job: Job, told: Option<(MessageRef, Reports)>) {
        // The thread ends with us alone.
        let _ = self.jobs.send((job, told));
    }
}

/// The readings kept of an interval, in their order; one that was said twice may be there twice.
///
/// # Errors
/// Where its file can't be read or written.
pub(super) fn readings(trading: &Path, interval: Interval) -> Result<Vec<KeptReading>, FrameError> {
    Ok(open_readings(trading, interval)?.1)
}

fn open_readings(trading: &Path, interval: Interval) -> Result<(RecordFile, Vec<KeptReading>), FrameError> {
    RecordFile::open(&path(trading, interval), MAX_READING_BYTES, |bytes| KeptReading::decode(bytes).ok())
}

fn path(trading: &Path, interval: Interval) -> PathBuf {
    trading.join(format!("{}.readings", interval.start().0))
}

/// The files, as their thread has them.
struct Files {
    bids: RecordFile,
    trading: PathBuf,
    /// Those that were written to.
    readings: BTreeMap<Interval, RecordFile>,
}

impl Files {
    fn append_readings(&mut self, interval: Interval, records: &[Vec<u8>]) -> Result<(), FrameError> {
        let mut file = match self.readings.remove(&interval) {
            Some(file) => file,
            None => open_readings(&self.trading, interval)?.0,
        };
        let appended = file.append(records);
        self.readings.insert(interval, file);
        appended
    }

    fn forget(&mut self, interval: Interval) {
        self.readings.remove(&interval);
        let path = path(&self.trading, interval);
        if let Err(error) = fs::remove_file(&path).or_else(unless_there_is_none) {
            tracing::error!(path = %path.display(), %error, "a file of readings that nobody needs is left");
        }
    }
}

fn unless_there_is_none(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound {
        Ok(())
    } else {
        Err(error)
    }
}

/// What is written in one go.
#[derive(Default)]
struct Batch {
    /// In the place of all bids before.
    renewed: Option<Vec<Vec<u8>>>,
    bids: Vec<Vec<u8>>,
    readings: BTreeMap<Interval, Vec<Vec<u8>>>,
    forgotten: BTreeSet<Interval>,
    of: Vec<MessageRef>,
    reports: Option<Reports>,
}

impl Batch {
    fn add(&mut self, (job, told): Asked) {
        if let Some((of, reports)) = told {
            self.of.push(of);
            self.reports = Some(reports);
        }
        match job {
            Job::Bid(record) => self.bids.push(record),
            // The bids before are among these, as far as they count.
            Job::RenewBids(records) => {
                self.renewed = Some(records);
                self.bids.clear();
            }
            Job::Reading(_, None) => {}
            Job::Reading(interval, Some(record)) => self.readings.entry(interval).or_default().push(record),
            Job::Forget(interval) => {
                self.readings.remove(&interval);
                self.forgotten.insert(interval);
            }
        }
    }

    /// Writes and syncs whatever there is, and after an error what is left of it the next time.
    fn write(&mut self, files: &mut Files) -> Result<(), FrameError> {
        if let Some(renewed) = &self.renewed {
            files.bids.renew(renewed)?;
            self.renewed = None;
        }
        files.bids.append(&self.bids)?;
        self.bids.clear();
        while let Some(readings) = self.readings.first_entry() {
            files.append_readings(*readings.key(), readings.get())?;
            readings.remove();
        }
        std::mem::take(&mut self.forgotten).into_iter().for_each(|interval| files.forget(interval));
        Ok(())
    }
}

/// Writes what comes until nobody sends any more. What fails is tried again: nobody is told of it before.
fn write_all(mut files: Files, jobs: &blocking::Receiver<Asked>, metrics: &AgentMetrics) {
    while let Ok(first) = jobs.recv() {
        let mut batch = Batch::default();
        batch.add(first);
        jobs.try_iter().take(MOST_TOGETHER).for_each(|job| batch.add(job));
        while let Err(error) = batch.write(&mut files) {
            metrics.notes.with_label_values(&["aggregator", "unkept"]).inc();
            tracing::error!(%error, "bids or readings can't be kept on disk, and wait for their acknowledgement");
            std::thread::sleep(AFTER_FAILURE);
            loop {
                match jobs.try_recv() {
                    Ok(job) => batch.add(job),
                    Err(blocking::TryRecvError::Empty) => break,
                    Err(blocking::TryRecvError::Disconnected) => return,
                }
            }
        }
        let Some(reports) = batch.reports else { continue };
        if reports.blocking_send(AggregatorReport::Kept(batch.of)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregator::bids::BidBook;
    use crate::scene;
    use market::curve::{Breakpoint, FlexCurve};
    use market::interval::UnixSeconds;
    use market::units::{Millijoule, Millivar, Milliwatt, PicoEurPerWh};
    use std::fs::OpenOptions;
    use std::io::Write;
    use wire::entry::SignedEnvelope;
    use wire::message::Bid;

    fn id(sequence: u64) -> MessageRef {
        MessageRef { sender: scene::site_entry("h1", 1_000).party, boot: 1, sequence }
    }

    fn taken(sequence: u64) -> TakenBid {
        let site = scene::site_entry("h1", 1_000);
        let interval = Interval(UnixSeconds(900));
        let corner = Breakpoint { price: PicoEurPerWh(0), power: Milliwatt(sequence as i64) };
        let curve = FlexCurve::new(vec![corner]).unwrap();
        let bid = Bid { interval, curve, forward: true, reading: None, reactive_range: Millivar::ZERO };
        let raw = SignedEnvelope { topic: sequence.to_string(), bytes: vec![1; 300].into() };
        let mut book = BidBook::default();
        let now = UnixSeconds(300);
        let bid = book.take(&scene::parameters(), now, &site, &bid, (&id(sequence), &raw)).unwrap();
        TakenBid { account: site.account, bid }
    }

    fn record(sequence: u64) -> Vec<u8> {
        taken(sequence).encode().unwrap()
    }

    fn reading(joules: i64) -> KeptReading {
        let raw = SignedEnvelope { topic: joules.to_string(), bytes: vec![1; 300].into() };
        KeptReading { account: "h1".parse().unwrap(), energy: Millijoule(1_000 * joules), raw }
    }

    fn interval(n: i64) -> Interval {
        Interval(UnixSeconds(900 * n))
    }

    /// A folder, and in it the file of bids.
    struct Kept {
        folder: tempfile::TempDir,
        metrics: AgentMetrics,
        tell: Reports,
        reports: mpsc::Receiver<AggregatorReport>,
    }

    impl Kept {
        fn new() -> Self {
            let metrics = AgentMetrics::register(&prometheus::Registry::new()).unwrap();
            let (tell, reports) = mpsc::channel(64);
            Self { folder: tempfile::tempdir().unwrap(), metrics, tell, reports }
        }

        fn bids(&self) -> PathBuf {
            self.folder.path().join("bids.log")
        }

        /// As at a start.
        fn open(&self) -> (Durable, Vec<TakenBid>) {
            Durable::open(&self.bids(), self.folder.path(), &self.metrics).unwrap()
        }

        fn readings(&self, n: i64) -> Vec<KeptReading> {
            readings(self.folder.path(), interval(n)).unwrap()
        }

        fn take(&self, durable: &Durable, sequences: std::ops::RangeInclusive<u64>) {
            for sequence in sequences {
                durable.bid(id(sequence), record(sequence), &self.tell);
            }
        }

        /// Waits until all of these are kept.
        async fn kept(&mut self, sequences: std::ops::RangeInclusive<u64>) {
            let mut expected: Vec<MessageRef> = sequences.map(id).collect();
            while !expected.is_empty() {
                let Some(AggregatorReport::Kept(of)) = self.reports.recv().await else { panic!() };
                assert_eq!(expected[..of.len()], of, "in the order they came");
                expected.drain(..of.len());
            }
        }
    }

    #[tokio::test]
    async fn what_is_reported_is_there_after_the_process_is_killed() {
        let mut kept = Kept::new();
        let (durable, before) = kept.open();
        assert_eq!(before, []);
        kept.take(&durable, 1..=500);
        kept.kept(1..=500).await;
        for joules in 1..=500 {
            let record = reading(joules).encode().unwrap();
            durable.reading(interval(joules % 2), id(500 + joules as u64), Some(record), &kept.tell);
        }
        kept.kept(501..=1_000).await;
        // Killed in the middle of the next writes.
        let mut killed = Kept::new();
        for file in fs::read_dir(kept.folder.path()).unwrap() {
            let file = file.unwrap();
            let copy = killed.folder.path().join(file.file_name());
            fs::copy(file.path(), &copy).unwrap();
            OpenOptions::new().append(true).open(&copy).unwrap().write_all(&[0, 0, 1]).unwrap();
        }
        let (again, bids) = killed.open();
        assert_eq!(bids, (1..=500).map(taken).collect::<Vec<_>>());
        let even: Vec<KeptReading> = (1..=250).map(|half| reading(2 * half)).collect();
        assert_eq!(killed.readings(0), even);
        killed.take(&again, 501..=501);
        let record = reading(7).encode().unwrap();
        again.reading(interval(0), id(502), Some(record), &killed.tell);
        killed.kept(501..=502).await;
        assert_eq!(killed.open().1.len(), 501);
        assert_eq!(killed.readings(0), [even, vec![reading(7)]].concat());
    }

    #[tokio::test]
    async fn renewed_it_holds_the_bids_that_count_and_those_that_came_since() {
        let mut kept = Kept::new();
        let (durable, _) = kept.open();
        kept.take(&durable, 1..=9);
        durable.renew_bids(vec![record(8), record(9)]);
        kept.take(&durable, 10..=10);
        kept.kept(1..=10).await;
        assert_eq!(kept.open().1, [8, 9, 10].map(taken));
    }

    #[tokio::test]
    async fn a_reading_said_again_is_answered_and_not_kept_again_and_forgotten_ones_are_gone() {
        let mut kept = Kept::new();
        let (durable, _) = kept.open();
        durable.reading(interval(1), id(1), Some(reading(5).encode().unwrap()), &kept.tell);
        durable.reading(interval(1), id(2), None, &kept.tell);
        kept.kept(1..=2).await;
        assert_eq!(kept.readings(1), [reading(5)]);
        durable.forget(interval(1));
        durable.forget(interval(2));
        kept.take(&durable, 3..=3);
        kept.kept(3..=3).await;
        assert!(!path(kept.folder.path(), interval(1)).exists());
    }

    #[tokio::test]
    async fn what_the_disk_refuses_is_not_reported_until_it_takes_it() {
        let mut kept = Kept::new();
        let (durable, _) = kept.open();
        // The name that a renewed file is written under is taken by a folder.
        let obstacle = kept.bids().with_extension("next");
        fs::create_dir(&obstacle).unwrap();
        durable.renew_bids(Vec::new());
        let unkept = kept.metrics.notes.with_label_values(&["aggregator", "unkept"]);
        while unkept.get() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        kept.take(&durable, 1..=1);
        durable.reading(interval(1), id(2), Some(reading(5).encode().unwrap()), &kept.tell);
        assert!(kept.reports.try_recv().is_err());
        fs::remove_dir(&obstacle).unwrap();
        kept.kept(1..=2).await;
        assert_eq!((kept.open().1, kept.readings(1)), (vec![taken(1)], vec![reading(5)]));
    }
}
