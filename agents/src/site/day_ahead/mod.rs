//! The site's part in the day-ahead market: what it offers for a session, and what it checks before it believes
//! what came of it.

pub mod desk;
pub mod firm;
pub mod offer;

use crate::roster::RosterError;
use crate::terms::Terms;
use market::day_ahead::rules::DayAheadRules;
use market::day_ahead::terms::DayAheadTerms;

/// What a day-ahead market goes by, as a site needs to know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// When sessions are.
    pub rules: DayAheadRules,
    /// What binds in them, and how far figures may be off.
    pub terms: DayAheadTerms,
}

impl Setting {
    /// That of these terms; none where they have no day-ahead market.
    ///
    /// # Errors
    /// Where the feeder or the grid rules make no market.
    pub fn of(market: &Terms) -> Result<Option<Self>, RosterError> {
        let (Some(rules), Some(grid)) = (market.day_ahead, &market.grid) else { return Ok(None) };
        let grid = grid.terms(&market.feeder, &market.feeder.tree()?)?;
        Ok(Some(Self { rules, terms: DayAheadTerms::new(&grid, market.parameters.interval_s)? }))
    }
}
