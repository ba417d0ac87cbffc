//! What the state keeps of money that came in and went out.

use super::records::Record;
use market::units::NanoEur;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use wire::hash::Hash32;
use wire::party::Id;

/// Booking days whose references are kept. What was booked earlier backs nothing any more, so that no
/// reference is used twice however little is kept.
pub const KEPT_REFERENCE_DAYS: i64 = 100;
/// Most references of one booking day.
pub const MAX_REFERENCES_PER_DAY: usize = 2_048;
/// Most requests of one account that wait to be paid out.
pub const MAX_REDEMPTIONS_PER_ACCOUNT: usize = 16;

/// References of one booking day that back tokens minted or burned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferencesRecord {
    /// Each with its gateway's name under one hash.
    pub used: BTreeSet<Hash32>,
}

impl Record for ReferencesRecord {
    const DOMAIN: &'static str = "gridpact references";
}

/// A request to be paid out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedemptionRecord {
    /// The gateway asked.
    pub gateway: Id,
    /// How much; it waits in the account of redemptions.
    pub amount: NanoEur,
}

impl Record for RedemptionRecord {
    const DOMAIN: &'static str = "gridpact redemption";
}
