//! How those who keep no state learn of what they missed: what is governed, and blocks.

use crate::hash::Hash32;
use market::interval::Interval;
use serde::{Deserialize, Serialize};

/// Anyone to the validators: tell me what is governed, if it is not this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryQuestion {
    /// Hash of what the asker knows to be governed.
    pub known: Hash32,
}

/// Who trades to the validators: send me the block in which this was decided. A validator that has it answers with a
/// `block` for the asker alone; one that has none says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockQuestion {
    /// The interval it is about; a session's first.
    pub interval: Interval,
    /// What was decided of it.
    pub decided: Decision,
}

/// What is decided of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Its clearing.
    Clearing,
    /// The clearing of the day-ahead session that begins with it.
    DayAhead,
    /// The asker's own delivery.
    Delivery,
}
