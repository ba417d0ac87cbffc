//! Entries of reserve: a system operator asks for it, sites offer, the cheapest are awarded at one price, and some of
//! it is called when it is needed.

use crate::cbor::{self, CborError};
use crate::hash::Hash32;
use crate::party::Id;
use market::interval::Interval;
use market::units::{Milliwatt, PicoEurPerWh};
use serde::{Deserialize, Serialize};

/// Most offers in answer to one tender.
pub const MAX_RESERVE_OFFERS: usize = 256;

/// What one asks of reserve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReserveEntry {
    /// By the DSO or the TSO interface: so much is wanted.
    Tender(ReserveTender),
    /// By a site: so much can be had.
    Offer(ReserveOffer),
    /// By who asked: what of each offer is taken, and at which price.
    Award(ReserveAward),
    /// By who asked: in this interval a part of it is needed.
    Activate(ReserveActivate),
}

/// Which way reserve goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// More fed in, or less taken.
    Up,
    /// Less fed in, or more taken.
    Down,
}

/// A tender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReserveTender {
    /// Which way.
    pub direction: Direction,
    /// First interval.
    pub first: Interval,
    /// How many intervals, one behind the other.
    pub intervals: u32,
    /// How much, in every interval.
    pub power: Milliwatt,
    /// The most that is paid for holding a watt ready for an hour.
    pub price_max: PicoEurPerWh,
    /// What is paid for energy that is called and delivered, in place of the market's price.
    pub activation_price: PicoEurPerWh,
    /// What a site pays for energy that is called and not delivered.
    pub penalty_price: PicoEurPerWh,
    /// Sets this tender apart from others of the same terms.
    pub number: u64,
}

/// A site's answer to a tender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReserveOffer {
    /// The tender, as [`ReserveTender::name`].
    pub tender: Hash32,
    /// How much.
    pub power: Milliwatt,
    /// What it wants at least for holding a watt ready for an hour.
    pub price: PicoEurPerWh,
}

/// What of each offer is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReserveAward {
    /// The tender.
    pub tender: Hash32,
    /// What every watt taken is paid for being held ready for an hour.
    pub price: PicoEurPerWh,
    /// Of each offer, in the order in which they were made.
    pub powers: Vec<Milliwatt>,
}

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReserveActivate {
    /// The tender.
    pub tender: Hash32,
    /// When.
    pub interval: Interval,
    /// How much of everyone's award, in thousandths.
    pub permille: u32,
}

impl ReserveTender {
    /// The tender's name: hash of the buyer's account and what it asks for.
    ///
    /// # Errors
    /// Where it has no encoding.
    pub fn name(&self, buyer: &Id) -> Result<Hash32, CborError> {
        Ok(Hash32::of("gridpact reserve", &[buyer.as_str().as_bytes(), &cbor::to_vec(self)?]))
    }
}
