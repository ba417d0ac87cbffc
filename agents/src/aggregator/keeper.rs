//! Files of what an aggregator owes: `trading/START.cbor` and `trading/START.readings` in its folder. Written before what
//! rests on them is said, so that a process may be killed at any time; synced right after, off the arbiter.

use super::kept::{Keep, KeptReading, KeptTrading};
use market::interval::Interval;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The folder.
#[derive(Debug)]
pub(super) struct TradingFiles(PathBuf);

impl TradingFiles {
    /// Those in a folder, which is there.
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Every interval kept. A file that can't be read is told of and left: what it holds can't be delivered, and the
    /// rest can.
    ///
    /// # Errors
    /// Where the folder can't be read.
    pub fn read(&self) -> io::Result<Vec<(KeptTrading, Vec<KeptReading>)>> {
        let mut kept = Vec::new();
        for file in fs::read_dir(&self.0)? {
            let path = file?.path();
            if path.extension().is_none_or(|extension| extension != "cbor") {
                continue;
            }
            match KeptTrading::decode(&fs::read(&path)?) {
                Ok(trading) => {
                    let readings = fs::read(self.readings(trading.interval)).unwrap_or_default();
                    kept.push((trading, KeptReading::read(&readings)));
                }
                Err(error) => tracing::error!(path = %path.display(), %error, "no file of what is owed"),
            }
        }
        Ok(kept)
    }

    /// Does with an interval's files what is to be done.
    ///
    /// # Errors
    /// Where it can't be.
    pub fn keep(&self, interval: Interval, what: Keep) -> io::Result<()> {
        match what {
            Keep::Trading(bytes) => {
                let path = self.trading(interval);
                let unfinished = path.with_extension("cbor.part");
                let mut file = File::create(&unfinished)?;
                file.write_all(&bytes)?;
                fs::rename(&unfinished, &path)?;
                sync(file, Some(&self.0));
            }
            Keep::Reading(frame) => {
                let path = self.readings(interval);
                let mut file = OpenOptions::new().create(true).append(true).open(path)?;
                file.write_all(&frame)?;
            }
            Keep::Forget => {
                for path in [self.trading(interval), self.readings(interval)] {
                    match fs::remove_file(path) {
                        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }

    fn trading(&self, interval: Interval) -> PathBuf {
        self.0.join(format!("{}.cbor", interval.start().0))
    }

    fn readings(&self, interval: Interval) -> PathBuf {
        self.0.join(format!("{}.readings", interval.start().0))
    }
}

/// Power loss is rarer than a kill, and a few milliseconds late is late enough for it.
fn sync(file: File, folder: Option<&Path>) {
    let folder = folder.map(Path::to_owned);
    tokio::task::spawn_blocking(move || {
        let synced =
            file.sync_all().and_then(|()| folder.map_or(Ok(()), |folder| File::open(folder)?.sync_all()));
        if let Err(error) = synced {
            tracing::error!(%error, "what is owed may not outlast a power loss");
        }
    });
}
