//! What a site knows of itself, from the terms.

use crate::price_parts::PriceParts;
use crate::roster::RosterError;
use crate::terms::Terms;
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
    /// Place of its bus in the feeder's tree.
    pub tree_place: usize,
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
    /// [`RosterError::IncompleteSite`] naming what they don't say of it, or a feeder that is no tree.
    pub fn of(terms: &Terms, site: &PartyId) -> Result<Self, RosterError> {
        let missing = |what| RosterError::IncompleteSite { site: site.clone(), what };
        let own = terms.participants.iter().find(|p| p.party == *site).ok_or_else(|| missing("entry"))?;
        let bus = own.bus.clone().ok_or_else(|| missing("bus"))?;
        let place = |bus: &String| terms.feeder.buses.iter().position(|name| name == bus);
        let tree = terms.feeder.tree().map_err(RosterError::Feeder)?;
        let bus_place = place(&bus).ok_or_else(|| missing("bus on the feeder"))?;
        let aggregator = own.aggregator.clone().ok_or_else(|| missing("aggregator"))?;
        Ok(Self {
            site: site.clone(),
            account: own.account.clone(),
            aggregator: PartyId::new(Role::Aggregator, aggregator),
            bus_place,
            tree_place: tree.place.get(bus_place).copied().unwrap_or_default(),
            root_place: place(&terms.feeder.root).ok_or_else(|| missing("grid supply point"))?,
            bus,
            price_tolerance: terms.price_tolerance(),
            clears_reactive: terms.clears_reactive(),
            price_parts: PriceParts::new(terms)?,
            connection: own.connection_milliwatt.map(Milliwatt).ok_or_else(|| missing("connection limit"))?,
        })
    }
}
