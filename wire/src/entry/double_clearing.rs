//! The entry, and the message, that proves that a DSO cleared one interval twice.

use super::SignedEnvelope;
use serde::{Deserialize, Serialize};

/// Two things a DSO signed where it may sign one: clearings of one interval, of one day-ahead session, or awards to
/// one aggregator for one of these, that differ. It proves itself, whoever hands it in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoubleClearingEntry {
    /// One, as the DSO signed it: the lesser by its bytes.
    pub first: SignedEnvelope,
    /// The other.
    pub second: SignedEnvelope,
}

impl DoubleClearingEntry {
    /// Of these two, in their order.
    pub fn of(one: SignedEnvelope, other: SignedEnvelope) -> Self {
        match one.bytes <= other.bytes {
            true => Self { first: one, second: other },
            false => Self { first: other, second: one },
        }
    }
}
