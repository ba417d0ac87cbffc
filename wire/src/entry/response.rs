//! Entries of demand response: sites enrol with an operator, which asks them to take less for a while and pays for
//! what they took below their baseline.

use crate::cbor::{self, CborError};
use crate::hash::Hash32;
use crate::party::{Id, PartyId};
use market::interval::Interval;
use market::units::PicoEurPerWh;
use serde::{Deserialize, Serialize};

/// Most sites one event asks.
pub const MAX_RESPONDING: usize = 256;

/// What one asks of demand response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResponseEntry {
    /// By a site: from now on the ledger remembers what its meter counts.
    Enrol(ResponseEnrol),
    /// By a site: it leaves, and what the ledger remembers of its meter is forgotten.
    Leave(ResponseLeave),
    /// By an operator: sites shall take less.
    Call(ResponseCall),
    /// By the operator or a site that was asked: baselines are drawn and reductions paid.
    Settle(ResponseSettle),
}

/// Enrols a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseEnrol {
    /// Who may ask it: the DSO or an aggregator.
    pub operator: PartyId,
    /// The account's count of transfers and the like before this one, against replay.
    pub nonce: u64,
}

/// Ends an enrolment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseLeave {
    /// The account's count of transfers and the like before this one, against replay.
    pub nonce: u64,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseCall {
    /// First interval.
    pub first: Interval,
    /// How many intervals, one behind the other.
    pub intervals: u32,
    /// What is paid for what a site takes below its baseline.
    pub price: PicoEurPerWh,
    /// How far local time is ahead of UTC, in seconds: it says which days are weekdays.
    pub ahead_of_utc_s: i32,
    /// Accounts of the sites asked, each behind the one before.
    pub sites: Vec<Id>,
    /// Sets this event apart from others of the same terms.
    pub number: u64,
}

/// Settles an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseSettle {
    /// The event, as [`ResponseCall::name`].
    pub event: Hash32,
}

impl ResponseCall {
    /// The event's name: hash of the operator's account and what it asks.
    ///
    /// # Errors
    /// Where it has no encoding.
    pub fn name(&self, operator: &Id) -> Result<Hash32, CborError> {
        Ok(Hash32::of("gridpact response", &[operator.as_str().as_bytes(), &cbor::to_vec(self)?]))
    }
}
