//! The file of bids that were taken, `bids.log`, and the thread that writes it: a bid is on the disk before it is
//! acknowledged, and those that come together are synced together, so that a thousand at once cost a few syncs.

use super::act::AggregatorReport;
use super::kept::{TakenBid, MAX_BID_BYTES};
use crate::metrics::AgentMetrics;
use ledger::store::frames::FrameError;
use ledger::store::records::RecordFile;
use std::path::Path;
use std::sync::mpsc as blocking;
use std::time::Duration;
use tokio::sync::mpsc;
use wire::message::MessageRef;

/// Wait after a write that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Most that is written in one go; more is synced in the next.
const MOST_TOGETHER: usize = 4_096;

type Reports = mpsc::Sender<AggregatorReport>;

/// What is to be written.
enum Job {
    /// One more bid; who sent it hears when it is kept.
    Take(MessageRef, Vec<u8>, Reports),
    /// These bids in the place of all before.
    Renew(Vec<Vec<u8>>),
}

/// A handle to the thread, which ends with it.
#[derive(Debug)]
pub(super) struct BidFile {
    jobs: blocking::Sender<Job>,
}

impl BidFile {
    /// Opens a file, made where it isn't there, and starts its thread. Gives the bids in it. A file that is damaged is put
    /// aside, with what could be read of it taken over.
    ///
    /// # Errors
    /// Where it can't be read or written, or there is no thread.
    pub fn open(path: &Path, metrics: &AgentMetrics) -> Result<(BidFile, Vec<TakenBid>), FrameError> {
        let (file, bids) = RecordFile::open(path, MAX_BID_BYTES, decode)?;
        let (jobs, taken) = blocking::channel();
        let metrics = metrics.clone();
        let thread = std::thread::Builder::new().name("bids".to_owned());
        let thread = thread.spawn(move || write_all(file, &taken, &metrics));
        thread.map_err(|source| {
            let path = path.to_owned();
            FrameError::Io { act: "starting a thread for", path, source }
        })?;
        Ok((BidFile { jobs }, bids))
    }

    /// Keeps a bid; [`AggregatorReport::BidsKept`] comes when it is.
    pub fn take(&self, of: MessageRef, record: Vec<u8>, reports: &Reports) {
        // The thread ends with us alone.
        let _ = self.jobs.send(Job::Take(of, record, reports.clone()));
    }

    /// Keeps these bids in the place of all before.
    pub fn renew(&self, records: Vec<Vec<u8>>) {
        let _ = self.jobs.send(Job::Renew(records));
    }
}

fn decode(record: &[u8]) -> Option<TakenBid> {
    TakenBid::decode(record).ok()
}

/// What is written in one go.
#[derive(Default)]
struct Batch {
    /// In the place of all before.
    renewed: Option<Vec<Vec<u8>>>,
    records: Vec<Vec<u8>>,
    of: Vec<MessageRef>,
    reports: Option<Reports>,
}

impl Batch {
    fn add(&mut self, job: Job) {
        match job {
            Job::Take(of, record, reports) => {
                self.records.push(record);
                self.of.push(of);
                self.reports = Some(reports);
            }
            // The bids before are among these, as far as they count.
            Job::Renew(records) => {
                self.renewed = Some(records);
                self.records.clear();
            }
        }
    }

    /// Writes and syncs whatever there is.
    fn write(&mut self, file: &mut RecordFile) -> Result<(), FrameError> {
        if let Some(renewed) = &self.renewed {
            file.renew(renewed)?;
            self.renewed = None;
        }
        file.append(&self.records)
    }
}

/// Writes what comes until nobody sends any more. What fails is tried again: nobody is told of it before.
fn write_all(mut file: RecordFile, jobs: &blocking::Receiver<Job>, metrics: &AgentMetrics) {
    while let Ok(first) = jobs.recv() {
        let mut batch = Batch::default();
        batch.add(first);
        jobs.try_iter().take(MOST_TOGETHER).for_each(|job| batch.add(job));
        while let Err(error) = batch.write(&mut file) {
            metrics.notes.with_label_values(&["aggregator", "bids-unkept"]).inc();
            tracing::error!(%error, "bids can't be kept on disk, and wait for their acknowledgement");
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
        if reports.blocking_send(AggregatorReport::BidsKept(batch.of)).is_err() {
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
    use market::interval::{Interval, UnixSeconds};
    use market::units::{Millivar, Milliwatt, PicoEurPerWh};
    use std::fs::{self, OpenOptions};
    use std::io::Write;
    use wire::entry::SignedEnvelope;
    use wire::message::Bid;

    fn metrics() -> AgentMetrics {
        AgentMetrics::register(&prometheus::Registry::new()).unwrap()
    }

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

    /// What a process that starts now finds.
    fn found(path: &Path) -> Vec<TakenBid> {
        RecordFile::open(path, MAX_BID_BYTES, decode).unwrap().1
    }

    /// Waits until all of these are kept.
    async fn kept(reports: &mut mpsc::Receiver<AggregatorReport>, sequences: std::ops::RangeInclusive<u64>) {
        let mut expected: Vec<MessageRef> = sequences.map(id).collect();
        while !expected.is_empty() {
            let Some(AggregatorReport::BidsKept(of)) = reports.recv().await else { panic!() };
            assert_eq!(expected[..of.len()], of, "in the order they came");
            expected.drain(..of.len());
        }
    }

    #[tokio::test]
    async fn a_bid_that_is_reported_is_there_after_the_process_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bids.log");
        let (tell, mut reports) = mpsc::channel(64);
        let (file, before) = BidFile::open(&path, &metrics()).unwrap();
        assert_eq!(before, []);
        for sequence in 1..=500 {
            file.take(id(sequence), record(sequence), &tell);
        }
        kept(&mut reports, 1..=500).await;
        // Killed in the middle of the next write.
        let killed = folder.path().join("killed.log");
        fs::copy(&path, &killed).unwrap();
        OpenOptions::new().append(true).open(&killed).unwrap().write_all(&[0, 0, 1]).unwrap();
        let (again, bids) = BidFile::open(&killed, &metrics()).unwrap();
        assert_eq!(bids, (1..=500).map(taken).collect::<Vec<_>>());
        again.take(id(501), record(501), &tell);
        kept(&mut reports, 501..=501).await;
        assert_eq!(found(&killed).len(), 501);
    }

    #[tokio::test]
    async fn renewed_it_holds_what_counts_and_what_came_since() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bids.log");
        let (tell, mut reports) = mpsc::channel(64);
        let (file, _) = BidFile::open(&path, &metrics()).unwrap();
        for sequence in 1..=9 {
            file.take(id(sequence), record(sequence), &tell);
        }
        file.renew(vec![record(8), record(9)]);
        file.take(id(10), record(10), &tell);
        kept(&mut reports, 1..=10).await;
        assert_eq!(found(&path), [8, 9, 10].map(taken));
    }

    #[tokio::test]
    async fn what_the_disk_refuses_is_not_reported_until_it_takes_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bids.log");
        let (tell, mut reports) = mpsc::channel(64);
        let metrics = metrics();
        let (file, _) = BidFile::open(&path, &metrics).unwrap();
        // The name that a renewed file is written under is taken by a folder.
        let obstacle = path.with_extension("next");
        fs::create_dir(&obstacle).unwrap();
        file.renew(Vec::new());
        let unkept = metrics.notes.with_label_values(&["aggregator", "bids-unkept"]);
        while unkept.get() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        file.take(id(1), record(1), &tell);
        assert!(reports.try_recv().is_err());
        fs::remove_dir(&obstacle).unwrap();
        kept(&mut reports, 1..=1).await;
        assert_eq!(found(&path), [taken(1)]);
    }
}
