//! What a run depends on, and what is said of one in which everything held.

use super::bug::Bug;
use super::course::Course;
use super::fault::Fault;
use serde::Serialize;

/// Everything that a run depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// The seed.
    pub seed: u64,
    /// What goes wrong by intent.
    pub fault: Fault,
    /// What happens besides.
    pub course: Course,
    /// Which part is broken by intent, if one is.
    pub bug: Option<Bug>,
    /// Transfers to be decided.
    pub transfers: u64,
}

impl Scenario {
    /// The one that goes with a seed: every fault and every course in turn.
    pub fn of_seed(seed: u64, transfers: u64) -> Self {
        Self::with_fault(seed, Fault::of_seed(seed), transfers)
    }

    /// The one that goes with a seed under a fault.
    pub fn with_fault(seed: u64, fault: Fault, transfers: u64) -> Self {
        Self { seed, fault, course: Course::of_seed(seed, fault), bug: None, transfers }
    }
}

/// A run in which everything held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Height of the last block.
    pub height: u64,
    /// Simulated time it took, in milliseconds.
    pub after_ms: u64,
    /// Contradictions that stand on the ledger.
    pub evidence: u64,
    /// Changes of who votes, or with which key.
    pub changes: u64,
    /// Times that a validator went on from another's snapshot.
    pub installed: u64,
}
