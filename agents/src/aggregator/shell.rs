//! The aggregator's own shell: has bids it took and batches of readings and bids kept, and writes files of what sites
//! hold day-ahead, so that all of it outlasts a power loss.

use super::act::{AggregatorAct, AggregatorReport};
use super::archiver::{ArchiveOptions, Archiver};
use super::core::{AggregatorCore, AggregatorSettings};
use super::day_ahead::held::PositionsFile;
use super::durable::Durable;
use super::keeper::TradingFiles;
use super::kept::{Keep, Kept};
use super::seed::kept_seed;
use crate::shell::{self, Common, Connection, Performer, RoleHandle, StartError};
use market::interval::Interval;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;
use wire::party::Role;

/// What is particular to an aggregator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggregatorOptions {
    /// Milliseconds of real time after an interval's end in which meter readings are waited for.
    pub readings_grace_ms: u64,
    /// Where its batches of readings and bids go; none for a folder below its own.
    pub archive: Option<ArchiveOptions>,
}

impl Default for AggregatorOptions {
    fn default() -> Self {
        Self { readings_grace_ms: 20_000, archive: None }
    }
}

/// File of bids that were taken.
const BIDS: &str = "bids.log";
/// Messages waiting for answers, besides those for each site.
const QUEUE: usize = 256;
/// The same, for each site: a firm price, its successor and some air.
const QUEUE_PER_SITE: usize = 4;

/// Starts the aggregator that `common.signer` signs for, on the current arbiter. Batches go
/// to its archive, what sites hold to `data_dir/positions/{session's start}.cbor`, bids to `data_dir/bids.log`, readings of an
/// interval that is not delivered to `data_dir/trading/START.readings`.
///
/// # Errors
/// Where the genesis makes no market, the archive can't be opened, a file or directory can't be made, or the link can't.
pub fn start(common: &Common, options: AggregatorOptions) -> Result<RoleHandle, StartError> {
    let party = common.signer.party().clone();
    let readings_grace_ms = options.readings_grace_ms;
    let archive = options.archive.unwrap_or_else(|| ArchiveOptions::in_folder(&common.data_dir));
    let waiting = common.metrics.batches_waiting.with_label_values(&[party.id.as_str()]);
    let archiver = Archiver::open(&archive, &common.data_dir, waiting)?;
    let positions = made(common.data_dir.join("positions"))?;
    let held = read_held(&positions)?;
    let folder = made(common.data_dir.join("trading"))?;
    let trading = TradingFiles::new(folder.clone());
    let kept =
        trading.read().map_err(|source| StartError::Directory { directory: folder.clone(), source })?;
    let seed = kept_seed(&common.data_dir)?;
    let durable = Durable::open(&common.data_dir.join(BIDS), &folder, &common.metrics);
    let (durable, taken) = durable.map_err(|error| StartError::Options { reason: error.to_string() })?;
    let kept = Kept { bids: taken, ..kept };
    let archive = archive.place;
    let settings = AggregatorSettings { party, seed, readings_grace_ms, archive, held, kept };
    let core = AggregatorCore::new(common.chain.clone(), settings)?;
    let connection = Connection {
        subscriptions: vec![common.genesis.network.filter_broadcast(Role::Validator, "block")],
        queue: QUEUE + QUEUE_PER_SITE * core.site_count(),
    };
    shell::start(common, core, Keeper { archiver, positions, trading, durable }, connection)
}

/// A directory, made where it was not there.
fn made(directory: PathBuf) -> Result<PathBuf, StartError> {
    match std::fs::create_dir_all(&directory) {
        Ok(()) => Ok(directory),
        Err(source) => Err(StartError::Directory { directory, source }),
    }
}

/// What sites hold by the files that were written before. One that can't be read is told of and left: what
/// it holds can't be delivered, and the rest can.
fn read_held(directory: &Path) -> Result<Vec<PositionsFile>, StartError> {
    let at = |source| StartError::Directory { directory: directory.to_owned(), source };
    let mut held = Vec::new();
    for file in std::fs::read_dir(directory).map_err(at)? {
        let path = file.map_err(at)?.path();
        if path.extension().is_none_or(|extension| extension != "cbor") {
            continue;
        }
        match PositionsFile::decode(&std::fs::read(&path).map_err(at)?) {
            Ok(file) => held.push(file),
            Err(error) => tracing::error!(path = %path.display(), %error, "no file of positions"),
        }
    }
    Ok(held)
}

struct Keeper {
    archiver: Archiver,
    positions: PathBuf,
    trading: TradingFiles,
    durable: Durable,
}

impl Performer<AggregatorCore> for Keeper {
    fn perform(&mut self, act: AggregatorAct, reports: &mpsc::Sender<AggregatorReport>) {
        let reports = reports.clone();
        match act {
            AggregatorAct::StoreBatches { interval, batches } => {
                let kept = self.archiver.keep(batches);
                actix::spawn(async move {
                    let report = match kept.await {
                        Ok(()) => AggregatorReport::BatchesStored(interval),
                        Err(error) => {
                            AggregatorReport::BatchesNotStored { interval, reason: error.to_string() }
                        }
                    };
                    // Fails only where the aggregator has ended.
                    let _ = reports.send(report).await;
                });
            }
            AggregatorAct::StoreLate { of, batch } => {
                let kept = self.archiver.keep(vec![batch]);
                actix::spawn(async move {
                    let stored = kept.await.map_err(|error| error.to_string());
                    // Fails only where the aggregator has ended.
                    let _ = reports.send(AggregatorReport::LateStored { of, stored }).await;
                });
            }
            AggregatorAct::KeepBid { of, record } => self.durable.bid(of, record, &reports),
            AggregatorAct::RenewBids { records } => self.durable.renew_bids(records),
            AggregatorAct::KeepReading { of, interval, record } => {
                self.durable.reading(interval, of, record, &reports);
            }
            AggregatorAct::Keep { interval, what } => {
                if what == Keep::Forget {
                    self.durable.forget(interval);
                }
                if let Err(error) = self.trading.keep(interval, what) {
                    tracing::error!(%interval, %error, "what is owed would be lost with this process");
                }
            }
            AggregatorAct::StorePositions { session, bytes } => {
                let positions = self.positions.clone();
                tokio::task::spawn_blocking(move || {
                    if let Err(error) = write_durably(&positions, session, &bytes) {
                        let reason = error.to_string();
                        let report = AggregatorReport::PositionsNotStored { session, reason };
                        let _ = reports.blocking_send(report);
                    }
                });
            }
        }
    }
}

/// Under a name of its own first: a file that has its name is whole.
fn write_durably(directory: &Path, interval: Interval, bytes: &[u8]) -> std::io::Result<()> {
    let name = directory.join(format!("{}.cbor", interval.start().0));
    let unfinished = name.with_extension("cbor.part");
    let mut file = File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, &name)?;
    // The name itself lies in the directory.
    File::open(directory)?.sync_all()
}
