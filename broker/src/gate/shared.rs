//! What all clients of a gate share: kept messages, and how many filters and topics the router has been told
//! of, which it never forgets. Pure.

use super::limits::Limits;
use super::retained::Retained;
use std::collections::hash_map::RandomState;
use std::collections::HashSet;
use std::hash::BuildHasher;

/// What sessions consult and change when a packet comes.
#[derive(Debug)]
pub struct Shared {
    /// Bounds.
    pub limits: Limits,
    /// Messages kept for later subscribers.
    pub retained: Retained,
    /// Filters the router has a log for.
    pub filters: Seen,
    /// Topics the router knows.
    pub topics: Seen,
}

impl Shared {
    /// Nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            retained: Retained::new(limits.retained, limits.retained_bytes),
            filters: Seen::new(limits.filters),
            topics: Seen::new(limits.topics),
        }
    }
}

/// A bounded number of different texts. It keeps a hash of each: two of one hash count as one.
#[derive(Debug)]
pub struct Seen {
    hashes: HashSet<u64>,
    hasher: RandomState,
    most: usize,
}

impl Seen {
    fn new(most: usize) -> Self {
        Self { hashes: HashSet::new(), hasher: RandomState::new(), most }
    }

    /// Whether it has been seen, or may be as one more.
    pub fn admit(&mut self, text: &str) -> bool {
        let hash = self.hasher.hash_one(text);
        self.hashes.contains(&hash) || (self.hashes.len() < self.most && self.hashes.insert(hash))
    }
}
