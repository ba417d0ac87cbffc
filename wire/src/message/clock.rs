//! Simulated time, for runs faster (or slower) than the wall clock.

use market::interval::UnixSeconds;
use serde::{Deserialize, Serialize};

/// It is now this time; nothing earlier is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// Simulated now.
    pub now: UnixSeconds,
}
