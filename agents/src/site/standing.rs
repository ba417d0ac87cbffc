//! What a site knows of itself, from the genesis.

use crate::price_parts::PriceParts;
use crate::roster::RosterError;
use ledger::genesis::Genesis;
use market::units::{Milliwatt, PicoEurPerWh};
use wire::party::{Id, PartyId, Role};

/// A site's place in the market.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Who it is.
    pub site: PartyId,
    /// Its account.
    pub account: Id,
    /// Who bids for it.
    pub aggregator: PartyId,
    /// Name of its bus.
    pub bus: String,
    /// Place of its bus among the feeder's buses.
    pub bus_place: usize,
    /// Place of the grid supply point's bus among them.
    pub root_place: usize,
    /// How far from its price demand may reach.
    pub price_tolerance: PicoEurPerWh,
    /// Whether reactive power on offer is cleared.
    pub clears_reactive: bool,
    /// Works out what prices are made of.
    pub price_parts: PriceParts,
    /// Most power at its connection, either way.
    pub connection: Milliwatt,
}

impl Standing {
    /// The standing of `site`.
    ///
    /// # Errors
    /// [`RosterError::IncompleteSite`] naming what the genesis doesn't say of it.
    pub fn of(genesis: &Genesis, site: &PartyId) -> Result<Self, RosterError> {
        let missing = |what| RosterError::IncompleteSite { site: site.clone(), what };
        let own = genesis.participants.iter().find(|p| p.party == *site).ok_or_else(|| missing("entry"))?;
        let bus = own.bus.clone().ok_or_else(|| missing("bus"))?;
        let place = |bus: &String| genesis.feeder.buses.iter().position(|name| name == bus);
        let aggregator = own.aggregator.clone().ok_or_else(|| missing("aggregator"))?;
        Ok(Self {
            site: site.clone(),
            account: own.account.clone(),
            aggregator: PartyId::new(Role::Aggregator, aggregator),
            bus_place: place(&bus).ok_or_else(|| missing("bus on the feeder"))?,
            root_place: place(&genesis.feeder.root).ok_or_else(|| missing("grid supply point"))?,
            bus,
            price_tolerance: genesis.price_tolerance(),
            clears_reactive: genesis.clears_reactive(),
            price_parts: PriceParts::new(genesis)?,
            connection: own.connection_milliwatt.map(Milliwatt).ok_or_else(|| missing("connection limit"))?,
        })
    }
}
