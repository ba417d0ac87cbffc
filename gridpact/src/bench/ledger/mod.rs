//! The ledger as a whole: four validators as four processes of this program, with real sockets and a real
//! disk, each figure held against a limit measured in the same run.

mod commitments;
mod finality;
mod idle;
mod raw;
mod reexecution;
mod throughput;

use super::figure::Figure;
use super::BenchError;
use crate::clock::wall_ms;
use crate::cluster::submitters::Submitters;
use crate::cluster::{Cluster, ClusterError};
use std::path::PathBuf;
use tempfile::TempDir;

/// Sites that submit entries.
const SITES: usize = 250;
/// The validator that dies.
const DYING: usize = 3;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Entries of the load.
    pub entries: usize,
    /// Entries sent one after the other.
    pub single: usize,
    /// Commitments of one interval.
    pub commitments: usize,
    /// Seconds of idling.
    pub idle_s: u64,
}

impl Size {
    /// What targets are stated for, or a tenth of it.
    pub fn of(quick: bool) -> Size {
        let part = if quick { 10 } else { 1 };
        Size { entries: 40_000 / part, single: 300 / part, commitments: 100_000 / part, idle_s: 20 }
    }
}

/// Validators at work with what submits to them.
pub struct Bench {
    size: Size,
    cluster: Cluster,
    submitters: Submitters,
    runtime: tokio::runtime::Runtime,
    /// Removed when the processes are gone.
    folder: TempDir,
}

impl Bench {
    /// Starts four validators of this program.
    ///
    /// # Errors
    /// Where they don't come up.
    pub fn start(size: Size) -> Result<Bench, BenchError> {
        let folder = tempfile::tempdir().map_err(BenchError::Folder)?;
        let program = std::env::current_exe().map_err(BenchError::Folder)?;
        let cluster = Cluster::start(&program, folder.path(), SITES)?;
        let submitters = Submitters::new(&cluster.layout, wall_ms())?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ClusterError::Runtime)?;
        Ok(Bench { size, cluster, submitters, runtime, folder })
    }

    /// What a validator takes that has nothing to do.
    ///
    /// # Errors
    /// As [`BenchError`] says.
    pub fn idle(&mut self) -> Result<Vec<Figure>, BenchError> {
        idle::measure(&mut self.cluster, self.size.idle_s)
    }

    /// Final entries a second, and how fast the same chain is verified.
    ///
    /// # Errors
    /// As [`BenchError`] says.
    pub fn load(&mut self) -> Result<Vec<Figure>, BenchError> {
        let (cluster, submitters) = (&mut self.cluster, &mut self.submitters);
        let limit = raw::verified_per_second(self.size.entries)?;
        let load = self.runtime.block_on(throughput::measure(cluster, submitters, self.size.entries))?;
        let verified = reexecution::measure(&self.cluster.layout.data_dir(0), &load)?;
        Ok(vec![load.figure(limit), verified])
    }

    /// Finality of single entries, with all validators and with one dead.
    ///
    /// # Errors
    /// As [`BenchError`] says.
    pub fn finality(&mut self) -> Result<Vec<Figure>, BenchError> {
        let (size, folder) = (self.size.single, self.scratch());
        let floor = self.runtime.block_on(raw::floor(self.cluster.layout.brokers[0], &folder))?;
        let (cluster, submitters) = (&mut self.cluster, &mut self.submitters);
        let healthy = self.runtime.block_on(finality::measure(cluster, submitters, size))?;
        cluster.kill(DYING)?;
        self.runtime.block_on(finality::measure(cluster, submitters, finality::HEIGHTS_BEFORE))?;
        let one_dead = self.runtime.block_on(finality::measure(cluster, submitters, size))?;
        Ok(finality::figures(&floor, &healthy, &one_dead))
    }

    /// Commitments of one interval under one root, each with its proof.
    ///
    /// # Errors
    /// As [`BenchError`] says.
    pub fn commitments(&self) -> Result<Vec<Figure>, BenchError> {
        commitments::measure(self.size.commitments)
    }

    /// A file on the validators' own disk.
    fn scratch(&self) -> PathBuf {
        self.folder.path().join("scratch")
    }
}
