//! The market as the DSO sees it, by the terms it goes by: the grid it clears, and who is in it.

use super::answers::Buses;
use super::day_ahead::Setting;
use super::problem::Grid;
use crate::roster::{self, RosterError};
use crate::terms::Terms;
use market::clearing::PriceRange;
use market::parameters::MarketParameters;
use market::units::{MicroEurPerTonne, PicoEurPerWh};
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::party::{PartyId, Role};

/// The market.
pub(super) struct Market {
    /// The feeder, and what binds on it.
    pub grid: Arc<Grid>,
    /// The market's figures.
    pub parameters: MarketParameters,
    /// How far from its price demand may reach.
    pub price_tolerance: PicoEurPerWh,
    /// What a tonne emitted for the import costs; nothing where emissions have no price.
    pub carbon_price: MicroEurPerTonne,
    /// Who offers import.
    pub tso: PartyId,
    /// Who decides.
    pub validators: Vec<PartyId>,
    /// Aggregators with sites, in order, and their buses.
    pub aggregators: BTreeMap<PartyId, Buses>,
}

impl Market {
    /// The market of these terms, and what its day-ahead sessions go by.
    ///
    /// # Errors
    /// Where they make none.
    pub fn of(terms: &Terms) -> Result<(Self, Option<Setting>), RosterError> {
        let feeder = &terms.feeder;
        let tree = feeder.tree().map_err(RosterError::Feeder)?;
        let place: BTreeMap<&String, usize> = feeder.buses.iter().zip(0..).collect();
        let mut aggregators = BTreeMap::new();
        for (aggregator, buses) in roster::buses_by_aggregator(terms)? {
            let placed: Option<Buses> = buses
                .into_iter()
                .map(|(bus, limit)| Some((bus.clone(), (*place.get(&bus)?, limit))))
                .collect();
            let lost = || RosterError::UnknownBus { aggregator: aggregator.clone() };
            aggregators.insert(aggregator.clone(), placed.ok_or_else(lost)?);
        }
        let MarketParameters { price_min, price_max, .. } = terms.parameters;
        let range = PriceRange::new(price_min, price_max).ok_or(RosterError::PriceRange)?;
        let bounds = terms.grid.as_ref().map(|rules| rules.terms(feeder, &tree)).transpose()?;
        let grid = Arc::new(Grid { feeder: feeder.as_ref().clone(), tree, range, terms: bounds });
        let setting = Setting::of(terms, &grid)?;
        let market = Self {
            grid,
            parameters: terms.parameters,
            price_tolerance: terms.price_tolerance(),
            carbon_price: terms.carbon_price(),
            tso: roster::only(terms, Role::Tso)?,
            validators: roster::parties(terms, Role::Validator),
            aggregators,
        };
        Ok((market, setting))
    }
}
