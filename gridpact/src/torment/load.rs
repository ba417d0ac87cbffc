//! The load on tormented validators: entries keep going out, are sent again until they come back decided,
//! and what came back is kept with its height.

use super::TormentError;
use crate::clock::wall_ms;
use crate::cluster::follower::{name, Follower, Name, Publisher, Seen};
use crate::cluster::layout::{Layout, VALIDATORS};
use crate::cluster::submitters::Submitters;
use crate::cluster::{Cluster, ClusterError};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};
use wire::entry::SignedEnvelope;

/// Time between two entries.
const PAUSE: Duration = Duration::from_millis(8);
/// Most entries out: beyond, only those are sent again.
const MOST_OUT: usize = 200;
/// An entry that is out for so long is sent again: whoever was killed has forgotten it.
const AGAIN_AFTER: Duration = Duration::from_millis(1_500);
/// What has been sent again several times in so long on level validators would be decided, were it not already.
const UNTOLD_AFTER: Duration = Duration::from_secs(6);
/// Time between two looks at the validators' heights.
const LOOK: Duration = Duration::from_millis(100);

/// Entries on their way, and those decided.
pub struct Load {
    submitters: Submitters,
    publisher: Publisher,
    follower: Follower,
    /// By order of making, with the time of the last sending.
    out: BTreeMap<usize, (SignedEnvelope, Instant)>,
    places: HashMap<Name, usize>,
    made: usize,
    /// Whose broker is next.
    turn: usize,
    decided: HashMap<Name, u64>,
    height: u64,
    fork: Option<u64>,
}

impl Load {
    /// Connects to the validators' brokers.
    ///
    /// # Errors
    /// Where there is no connection.
    pub async fn start(layout: &Layout) -> Result<Load, TormentError> {
        let boot = wall_ms();
        let everyone: Vec<usize> = (0..VALIDATORS).collect();
        Ok(Load {
            submitters: Submitters::new(layout, boot)?,
            publisher: Publisher::connect(layout, &everyone, &format!("torment-{boot}")),
            follower: Follower::connect(layout, &everyone, boot).await?,
            out: BTreeMap::new(),
            places: HashMap::new(),
            made: 0,
            turn: 0,
            decided: HashMap::new(),
            height: 0,
            fork: None,
        })
    }

    /// Highest block seen decided.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// Entries seen decided.
    pub fn decided(&self) -> usize {
        self.decided.len()
    }

    /// Submits for so long.
    pub async fn submit_for(&mut self, duration: Duration) {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            // Signing our own transfers does not fail; if it did, none would go out and `quiet` say so.
            if self.out.len() < MOST_OUT {
                let _ = self.submit_one();
            }
            self.send_again();
            self.listen(PAUSE).await;
        }
    }

    fn submit_one(&mut self) -> Result<(), ClusterError> {
        for entry in self.submitters.sign(1, wall_ms())? {
            self.publisher.publish(self.turn, &entry);
            self.turn += 1;
            self.places.insert(name(&entry), self.made);
            self.out.insert(self.made, (entry, Instant::now()));
            self.made += 1;
        }
        Ok(())
    }

    fn send_again(&mut self) {
        let now = Instant::now();
        for (entry, sent) in self.out.values_mut() {
            if now - *sent > AGAIN_AFTER {
                self.publisher.publish(self.turn, entry);
                self.turn += 1;
                *sent = now;
            }
        }
    }

    /// Takes the blocks that come within `limit`.
    async fn listen(&mut self, limit: Duration) {
        let end = Instant::now() + limit;
        while let Some(seen) = self.follower.next(end.saturating_duration_since(Instant::now())).await {
            self.take(seen);
        }
    }

    fn take(&mut self, seen: Seen) {
        self.height = self.height.max(seen.height);
        if seen.differs {
            self.fork = Some(seen.height);
        }
        for name in seen.entries {
            if let Some(place) = self.places.remove(&name) {
                self.out.remove(&place);
            }
            self.decided.insert(name, seen.height);
        }
    }

    /// Submits one entry more and waits until everything that is out is decided and all validators, every one of
    /// which must run, are level.
    ///
    /// # Errors
    /// Where that does not come in time, a process ended by itself, or two blocks of one height were seen.
    pub async fn quiet(&mut self, cluster: &mut Cluster, limit: Duration) -> Result<(), TormentError> {
        let deadline = Instant::now() + limit;
        let (mut level, mut since) = (None, Instant::now());
        self.submit_one()?;
        loop {
            self.send_again();
            self.listen(LOOK).await;
            if let Some(height) = self.fork {
                return Err(TormentError::Fork { height });
            }
            cluster.check_alive()?;
            let now = level_height(cluster);
            if now != level {
                (level, since) = (now, Instant::now());
            }
            if self.is_done(level, since) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let heights: Vec<_> = (0..VALIDATORS).map(|index| cluster.height(index)).collect();
                let (out, height) = (self.out.len(), self.height);
                let what = format!("level validators ({out} entries out, height {height} seen, {heights:?})");
                return Err(ClusterError::Late { what, limit }.into());
            }
        }
    }

    /// Whether all is decided on validators that have been level since then. A block whose validators all died
    /// before they told of it is never told of: what is out may stand there.
    fn is_done(&mut self, level: Option<u64>, since: Instant) -> bool {
        let Some(height) = level else { return false };
        let untold = self.follower.blocks() < height && since.elapsed() > UNTOLD_AFTER;
        if untold {
            self.height = height;
            self.out.clear();
            self.places.clear();
        }
        self.out.is_empty() && height == self.height
    }

    /// Every entry seen decided, with its height.
    ///
    /// # Errors
    /// Where two blocks of one height were seen.
    pub fn into_decided(self) -> Result<HashMap<Name, u64>, TormentError> {
        match self.fork {
            Some(height) => Err(TormentError::Fork { height }),
            None => Ok(self.decided),
        }
    }
}

/// The height of all validators, where they have the same.
fn level_height(cluster: &Cluster) -> Option<u64> {
    let first = cluster.height(0)?;
    (1..VALIDATORS).all(|index| cluster.height(index) == Some(first)).then_some(first)
}
