//! What the state keeps of DSOs that cleared one interval twice.

use super::records::Record;
use crate::double_clearing::Statement;
use market::interval::Interval;
use serde::{Deserialize, Serialize};
use wire::hash::Hash32;

/// Double clearings of one DSO recorded within the intervals kept. More prove nothing more.
pub const MAX_DOUBLE_CLEARINGS: usize = 16;

/// A double clearing that was proven, as long as its interval is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoubleClearingRecord {
    /// What was signed twice.
    pub statement: Statement,
    /// Hashes of the two envelopes, as leaves of blocks have them.
    pub envelopes: [Hash32; 2],
}

/// What is remembered for good of a DSO that cleared an interval twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoubleClearer {
    /// How often, as far as recorded.
    pub times: u64,
    /// The first interval, by its time.
    pub first: Interval,
    /// The last.
    pub last: Interval,
}

impl Record for DoubleClearingRecord {
    const DOMAIN: &'static str = "gridpact double clearing";
}

impl Record for DoubleClearer {
    const DOMAIN: &'static str = "gridpact double clearer";
}
