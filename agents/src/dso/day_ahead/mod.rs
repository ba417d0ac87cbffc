//! The DSO's part in the day-ahead market, beside its part in real time.

mod answers;
mod award;
pub(super) mod core;
mod entry;
pub mod measurement;
pub mod problem;
mod question;
mod session;

use super::problem::Grid;
use crate::roster::RosterError;
use crate::terms::Terms;
use market::day_ahead::rules::DayAheadRules;
use market::day_ahead::terms::DayAheadTerms;
use market::interval::{Interval, UnixSeconds};
use market::parameters::MarketParameters;
use market::units::{MicroEurPerTonne, Milliwatt};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One aggregator's buses by place in the feeder's buses, with the limits of the connections there together.
pub type Buses = BTreeMap<u32, Milliwatt>;

/// What sessions go by, shared with whoever solves them.
#[derive(Debug)]
pub struct Setting {
    /// The feeder with its order and the prices it may clear at.
    pub grid: Arc<Grid>,
    /// What binds in a session.
    pub terms: DayAheadTerms,
    /// When sessions are.
    pub rules: DayAheadRules,
    /// The market's figures.
    pub parameters: MarketParameters,
    /// What a tonne emitted for the import costs.
    pub carbon_price: MicroEurPerTonne,
}

impl Setting {
    /// What sessions go by in a market of these terms; none where it has none.
    ///
    /// # Errors
    /// Where planned reactive power leaves a line no room.
    pub(super) fn of(market: &Terms, grid: &Arc<Grid>) -> Result<Option<Self>, RosterError> {
        let (Some(rules), Some(terms)) = (market.day_ahead, &grid.terms) else { return Ok(None) };
        let parameters = market.parameters;
        let terms = DayAheadTerms::new(terms, parameters.interval_s)?;
        let carbon_price = market.carbon_price();
        Ok(Some(Self { grid: grid.clone(), terms, rules, parameters, carbon_price }))
    }

    /// How many intervals a session has.
    fn intervals(&self) -> usize {
        self.rules.intervals as usize
    }

    /// The session that begins next.
    fn next_session(&self, now: UnixSeconds) -> Interval {
        let here = self.rules.session_of(&self.parameters, self.parameters.interval_at(now));
        self.rules.next(&self.parameters, here)
    }
}
