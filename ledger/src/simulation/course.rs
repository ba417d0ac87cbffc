//! What happens in a run besides faults: who comes and goes, and how much each validator keeps.

use super::fault::Fault;
use crate::store::StoreOptions;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// Of how many turns of the faults one has each course but the plain one.
const TURNS: u64 = 10;

/// What happens besides faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Course {
    /// Nothing: the same validators all the time, each of which keeps everything.
    Plain,
    /// Validators take snapshots and prune; one begins with nothing, or is away, until the others have pruned
    /// what it lacks.
    Pruning,
    /// A validator comes in, goes, or changes its key, by entries on the ledger.
    Members,
    /// Both: who comes in begins with nothing, among others that have pruned.
    Both,
}

impl Course {
    const ALL: [Course; 4] = [Course::Plain, Course::Pruning, Course::Members, Course::Both];

    /// The one that goes with a seed and a fault where none is chosen: each fault meets each in turn, the plain
    /// one most often. The control is plain.
    pub fn of_seed(seed: u64, fault: Fault) -> Self {
        match seed / Fault::WITHSTOOD.len() as u64 % TURNS {
            _ if fault == Fault::Split => Course::Plain,
            1 => Course::Pruning,
            4 => Course::Members,
            7 => Course::Both,
            _ => Course::Plain,
        }
    }

    /// Its word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Course::Plain => "plain",
            Course::Pruning => "pruning",
            Course::Members => "members",
            Course::Both => "both",
        }
    }

    /// Whether who votes changes.
    pub(super) fn changes(self) -> bool {
        matches!(self, Course::Members | Course::Both)
    }

    /// Whether validators prune.
    pub(super) fn prunes(self) -> bool {
        matches!(self, Course::Pruning | Course::Both)
    }

    /// How much each validator keeps: everything, or so little that a few blocks are worth a snapshot.
    pub(super) fn store(self) -> StoreOptions {
        match self.prunes() {
            true => StoreOptions { segment_bytes: 1, snapshot_every: 2, pruning: Some(1) },
            false => StoreOptions { segment_bytes: u64::MAX, snapshot_every: u64::MAX, pruning: None },
        }
    }

    /// Until when faults last, in milliseconds.
    pub(super) fn faults_until_ms(self) -> u64 {
        match self {
            Course::Plain => 6_000,
            _ => 9_000,
        }
    }
}

impl fmt::Display for Course {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Course {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let words = Self::ALL.map(Course::word);
        Self::ALL
            .into_iter()
            .find(|course| course.word() == text)
            .ok_or_else(|| format!("{text:?} is none of {}", words.join(", ")))
    }
}
