//! The market as an aggregator sees it, by the terms it goes by: its sites, and with whom it trades for them.

use crate::price_parts::PriceParts;
use crate::roster::{self, RosterError, SiteEntry};
use crate::terms::Terms;
use market::parameters::MarketParameters;
use market::units::PicoEurPerWh;
use std::collections::{BTreeMap, HashMap};
use wire::party::{Id, PartyId, Role};

/// The market.
pub(super) struct Market {
    /// The market's figures.
    pub parameters: MarketParameters,
    /// How far from its price demand may reach.
    pub price_tolerance: PicoEurPerWh,
    /// Who clears.
    pub dso: PartyId,
    /// Who decides.
    pub validators: Vec<PartyId>,
    /// Its sites, by account.
    pub sites: BTreeMap<Id, SiteEntry>,
    /// The same sites' accounts, by party.
    pub accounts: BTreeMap<PartyId, Id>,
    /// Place of each bus in the feeder, in whose order the ledger has prices.
    pub bus_index: HashMap<String, usize>,
    /// Works out what prices are made of.
    pub price_parts: PriceParts,
}

impl Market {
    /// The market of these terms, with the sites of `aggregator`.
    ///
    /// # Errors
    /// Where they lack a DSO or say too little of a site.
    pub fn of(terms: &Terms, aggregator: &PartyId) -> Result<Self, RosterError> {
        let mut sites = roster::sites(terms)?;
        sites.retain(|_, site| site.aggregator == aggregator.id);
        Ok(Self {
            parameters: terms.parameters,
            price_tolerance: terms.price_tolerance(),
            dso: roster::only(terms, Role::Dso)?,
            validators: roster::parties(terms, Role::Validator),
            accounts: sites.values().map(|site| (site.party.clone(), site.account.clone())).collect(),
            sites,
            bus_index: terms.feeder.buses.iter().cloned().zip(0..).collect(),
            price_parts: PriceParts::new(terms)?,
        })
    }
}
