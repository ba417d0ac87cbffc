//! Validators as processes of this program on one machine: their files in a folder, each started,
//! looked at and killed by its own process id. For what measures and torments them; nothing here
//! knows what a block means.

mod error;
pub mod follower;
pub mod layout;
pub mod process;
pub mod submitters;

pub use error::ClusterError;

use crate::demo::ports::FreePorts;
use layout::{Layout, VALIDATORS};
use process::{Limits, Node};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Longest wait for a process to be there: it reads its ledger first.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// Counts a link's connections that stood.
const CONNECTED: &str = "gridpact_links_connected_total";
/// Height of the last block a validator has decided.
const HEIGHT: &str = "gridpact_ledger_height_blocks";

/// Validators as processes, killed when this is dropped.
pub struct Cluster {
    program: PathBuf,
    /// Where everything is.
    pub layout: Layout,
    validators: Vec<Option<Node>>,
}

impl Cluster {
    /// Lays out the files in `folder`, which must be there and empty, and starts every process of
    /// `program`. Returns when all are connected.
    ///
    /// # Errors
    /// Where a file can't be written, or a process does not come up.
    pub fn start(program: &Path, folder: &Path, sites: usize) -> Result<Cluster, ClusterError> {
        let mut ports = FreePorts::new().map_err(ClusterError::Ports)?;
        let layout = Layout::write(folder, sites, &mut ports)?;
        let validators = (0..VALIDATORS).map(|_| None).collect();
        let mut cluster = Cluster { program: program.to_owned(), layout, validators };
        for index in 0..VALIDATORS {
            cluster.launch(index, Limits::default())?;
        }
        for index in 0..VALIDATORS {
            cluster.wait_connected(index)?;
        }
        Ok(cluster)
    }

    /// The validator's process, where it runs.
    pub fn validator(&self, index: usize) -> Option<&Node> {
        self.validators.get(index)?.as_ref()
    }

    /// The validators' processes that run.
    pub fn running(&self) -> impl Iterator<Item = (usize, &Node)> {
        self.validators.iter().enumerate().filter_map(|(index, node)| Some((index, node.as_ref()?)))
    }

    /// How a validator ended by itself, where it did.
    pub fn ended(&mut self, index: usize) -> Option<String> {
        self.validators[index].as_mut()?.ended()
    }

    /// The end of what a validator wrote.
    pub fn last_words(&self, index: usize) -> String {
        self.validator(index).map_or_else(String::new, Node::last_words)
    }

    /// Starts a validator that does not run; returns at once.
    ///
    /// # Errors
    /// Where the process can't be started.
    pub fn launch(&mut self, index: usize, limits: Limits) -> Result<(), ClusterError> {
        let file = &self.layout.validators[index];
        self.validators[index] = Some(Node::start(&self.program, file, &self.layout.folder, limits)?);
        Ok(())
    }

    /// Kills a validator (SIGKILL) and waits until it is gone.
    ///
    /// # Errors
    /// Where it can't be killed.
    pub fn kill(&mut self, index: usize) -> Result<(), ClusterError> {
        match self.validators[index].take() {
            Some(node) => node.kill(),
            None => Ok(()),
        }
    }

    /// Waits until a validator is connected to all validators' brokers.
    fn wait_connected(&mut self, index: usize) -> Result<(), ClusterError> {
        self.wait(&format!("validator {}'s place in the mesh", index + 1), |cluster| {
            let node = cluster.validators[index].as_mut();
            Ok(node.is_none_or(|node| node.metric(CONNECTED).is_some_and(|count| count >= VALIDATORS as f64)))
        })
    }

    /// The height a validator has decided, where it runs and says so.
    pub fn height(&self, index: usize) -> Option<u64> {
        self.validator(index)?.metric(HEIGHT).map(|height| height as u64)
    }

    fn wait(
        &mut self,
        what: &str,
        mut done: impl FnMut(&mut Self) -> Result<bool, ClusterError>,
    ) -> Result<(), ClusterError> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if done(self)? {
                return Ok(());
            }
            self.check_alive()?;
            if Instant::now() >= deadline {
                return Err(ClusterError::Late { what: what.to_owned(), limit: START_LIMIT });
            }
            std::thread::sleep(LOOK);
        }
    }

    /// An error naming the first process that ended by itself.
    ///
    /// # Errors
    /// [`ClusterError::Ended`].
    pub fn check_alive(&mut self) -> Result<(), ClusterError> {
        self.validators.iter_mut().flatten().try_for_each(Node::check_alive)
    }
}
