//! Market intervals: half-open `[start, end)` in UTC seconds. Time enters as data, never from a clock.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixSeconds(pub i64);

impl UnixSeconds {
    /// This instant moved by `seconds`, which may be negative.
    pub fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}

/// One market interval: its start; its length is a market parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Interval(pub UnixSeconds);

impl Interval {
    /// The interval of `length_s` seconds that contains `now`.
    pub fn containing(now: UnixSeconds, length_s: i64) -> Self {
        Self(now.plus(-now.0.rem_euclid(length_s)))
    }
    /// Its first second.
    pub fn start(self) -> UnixSeconds {
        self.0
    }
    /// The first second after it.
    pub fn end(self, length_s: i64) -> UnixSeconds {
        self.0.plus(length_s)
    }
    /// The interval `count` lengths later (earlier where negative).
    pub fn later(self, count: i64, length_s: i64) -> Self {
        Self(self.0.plus(count * length_s))
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interval starting at {} s", self.0 .0)
    }
}
