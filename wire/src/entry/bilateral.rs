//! Entries of a bilateral contract: one site sells another energy over a span of intervals, at a price of
//! their own.

use crate::cbor::{self, CborError};
use crate::hash::Hash32;
use crate::party::Id;
use market::interval::Interval;
use market::units::{Milliwatt, PicoEurPerWh};
use serde::{Deserialize, Serialize};

/// What one asks of a bilateral contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BilateralEntry {
    /// By the seller: an offer to one buyer.
    Offer(BilateralOffer),
    /// By the buyer: it takes the offer.
    Accept(BilateralStep),
    /// By the DSO: the feeder can carry it.
    Approve(BilateralStep),
    /// By either party or the DSO: it shall end.
    Cancel(BilateralStep),
}

/// A seller's offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BilateralOffer {
    /// Account of the buyer.
    pub buyer: Id,
    /// First interval.
    pub first: Interval,
    /// How many intervals, one behind the other.
    pub intervals: u32,
    /// What the seller feeds in and the buyer takes, in every interval; more than zero.
    pub power: Milliwatt,
    /// What the buyer pays for it.
    pub price: PicoEurPerWh,
    /// Sets this offer apart from others of the same terms.
    pub number: u64,
}

/// A step of a contract that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BilateralStep {
    /// The contract, as [`BilateralOffer::name`].
    pub contract: Hash32,
}

impl BilateralOffer {
    /// The contract's name: hash of the seller's account and the offer.
    ///
    /// # Errors
    /// Where the offer has no encoding.
    pub fn name(&self, seller: &Id) -> Result<Hash32, CborError> {
        Ok(Hash32::of("gridpact bilateral", &[seller.as_str().as_bytes(), &cbor::to_vec(self)?]))
    }
}
