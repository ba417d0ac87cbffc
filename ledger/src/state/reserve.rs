//! What the state keeps of reserve.

use super::records::Record;
use market::interval::Interval;
use market::merit::Offer;
use market::units::{Milliwatt, PicoEurPerWh};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wire::entry::{Direction, ReserveTender};
use wire::party::Id;

/// Most tenders kept.
pub const MAX_TENDERS: usize = 64;

/// A tender with what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReserveRecord {
    /// Account that asks and pays.
    pub buyer: Id,
    /// What it asked for.
    pub terms: ReserveTender,
    /// The interval after the last one.
    pub end: Interval,
    /// Offers, in the order in which they were made.
    pub offers: Vec<OfferRecord>,
    /// What every watt taken is paid for being held ready for an hour; none before the award.
    pub price: Option<PicoEurPerWh>,
    /// What was called, by interval, in thousandths of everyone's award.
    pub activations: BTreeMap<Interval, u32>,
}

/// One site's offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfferRecord {
    /// The site's account.
    pub account: Id,
    /// How much.
    pub power: Milliwatt,
    /// What it wants at least.
    pub price: PicoEurPerWh,
    /// What of it was taken; nothing before the award.
    pub taken: Milliwatt,
}

impl Record for ReserveRecord {
    const DOMAIN: &'static str = "gridpact reserve record";
}

impl ReserveRecord {
    /// Whether it is about an interval.
    pub fn covers(&self, interval: Interval) -> bool {
        (self.terms.first..self.end).contains(&interval)
    }

    /// Whether it holds the same direction at the same time as another.
    pub fn competes(&self, direction: Direction, first: Interval, end: Interval) -> bool {
        self.terms.direction == direction && self.terms.first < end && first < self.end
    }

    /// Its offers as the order of merit sees them.
    pub fn merits(&self) -> Vec<Offer> {
        self.offers.iter().map(|offer| Offer { power: offer.power, price: offer.price }).collect()
    }
}
