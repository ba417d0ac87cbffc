//! What a decided clearing's prices are made of, bus by bus. Everyone works it out from the same entry by the
//! same arithmetic, so that what one is told another can check.

use crate::roster::RosterError;
use crate::terms::Terms;
use market::dlmp::BusDlmp;
use market::grid::rules::GridTerms;
use wire::entry::ClearingEntry;

/// The feeder and its rules, as far as parts of prices follow from them.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceParts {
    /// Place in the feeder's order of each bus.
    place: Vec<usize>,
    /// Place of the grid supply point among the buses.
    root: usize,
    terms: Option<GridTerms>,
}

impl PriceParts {
    /// Of a market by its terms.
    ///
    /// # Errors
    /// Where its feeder is no tree, or its grid rules don't fit it.
    pub fn new(market: &Terms) -> Result<Self, RosterError> {
        let tree = market.feeder.tree().map_err(RosterError::Feeder)?;
        let terms = market.grid.as_ref().map(|rules| rules.terms(&market.feeder, &tree)).transpose()?;
        Ok(Self { root: tree.order[0], place: tree.place, terms })
    }

    /// The parts of every bus's prices, in the order of the feeder's buses. None where the clearing is none
    /// of this market, or a part is beyond what the market counts in.
    pub fn of(&self, clearing: &ClearingEntry) -> Option<Vec<BusDlmp>> {
        let Some(terms) = &self.terms else {
            let root = *clearing.prices.get(self.root)?;
            return clearing.prices.iter().map(|price| BusDlmp::congested(root, *price)).collect();
        };
        let by_place = terms.dlmps(clearing.grid.as_deref()?)?;
        self.place.iter().map(|place| by_place.get(*place).copied()).collect()
    }
}
