//! Files of what an aggregator owes: `trading/START.asked` and `trading/START.cbor` in its folder; readings are
//! [`super::durable`]'s. Written before what rests on them is said, so that a process may be killed at any time; synced right after, off the arbiter.

use super::durable::readings;
use super::kept::{read_questions, Keep, Kept, KeptTrading};
use market::interval::{Interval, UnixSeconds};
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
    pub fn read(&self) -> io::Result<Kept> {
        let mut kept = Kept::default();
        for file in fs::read_dir(&self.0)? {
            let path = file?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("cbor") => match KeptTrading::decode(&fs::read(&path)?) {
                    Ok(trading) => {
                        let readings = readings(&self.0, trading.interval).map_err(io::Error::other)?;
                        kept.trading.push((trading, readings));
                    }
                    Err(error) => tracing::error!(path = %path.display(), %error, "no file of what is owed"),
                },
                Some("asked") => {
                    let start = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
                    let questions = read_questions(&fs::read(&path)?);
                    kept.asked.extend(start.map(|start| (Interval(UnixSeconds(start)), questions)));
                }
                _ => {}
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
            Keep::Question(frame) => {
                let file = OpenOptions::new().create(true).append(true).open(self.asked(interval));
                file?.write_all(&frame)?;
            }
            Keep::Forget => {
                for path in [self.asked(interval), self.trading(interval)] {
                    match fs::remove_file(path) {
                        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }

    fn asked(&self, interval: Interval) -> PathBuf {
        self.0.join(format!("{}.asked", interval.start().0))
    }

    fn trading(&self, interval: Interval) -> PathBuf {
        self.0.join(format!("{}.cbor", interval.start().0))
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
