//! What a market goes by at one time, as its roles need to know it: the feeder, which never changes, and what the ledger's
//! governance and registry may change. And when a role turns to other terms: on a boundary of an interval.

use ledger::contracts::rules::Rules;
use ledger::genesis::Genesis;
use market::day_ahead::rules::DayAheadRules;
use market::feeder::Feeder;
use market::grid::certificate::Tolerances;
use market::grid::rules::GridRules;
use market::interval::Interval;
use market::parameters::MarketParameters;
use market::units::{MicroEurPerTonne, PicoEurPerWh};
use std::sync::Arc;
use wire::party::Participant;

/// What a market goes by.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// The feeder.
    pub feeder: Arc<Feeder>,
    /// The market's figures.
    pub parameters: MarketParameters,
    /// What a market that knows its grid goes by besides.
    pub grid: Option<GridRules>,
    /// When day-ahead sessions are, where there are any.
    pub day_ahead: Option<DayAheadRules>,
    /// Everyone who takes part.
    pub participants: Vec<Participant>,
}

impl Terms {
    /// Those of a ledger's rules.
    pub fn of(rules: &Rules) -> Self {
        Self {
            feeder: rules.feeder.clone(),
            parameters: rules.parameters,
            grid: rules.governed.grid.clone(),
            day_ahead: rules.governed.day_ahead,
            participants: rules.participants().collect(),
        }
    }

    /// How far from its price a party's answer may reach. Nothing where clearings are exact.
    pub fn price_tolerance(&self) -> PicoEurPerWh {
        self.grid.as_ref().map_or(PicoEurPerWh::ZERO, |_| Tolerances::default().price)
    }

    /// Whether reactive power on offer is cleared, and not only planned for.
    pub fn clears_reactive(&self) -> bool {
        self.grid.as_ref().is_some_and(|rules| rules.reactive_full_price.is_some())
    }

    /// What a tonne emitted for the import costs; nothing where emissions have no price.
    pub fn carbon_price(&self) -> MicroEurPerTonne {
        self.grid.as_ref().and_then(|rules| rules.carbon_price).unwrap_or_default()
    }
}

impl From<&Genesis> for Terms {
    fn from(genesis: &Genesis) -> Self {
        Self {
            feeder: Arc::new(genesis.feeder.clone()),
            parameters: genesis.parameters,
            grid: genesis.grid.clone(),
            day_ahead: genesis.day_ahead,
            participants: genesis.participants.clone(),
        }
    }
}

/// What a role has heard of and goes by from the next boundary of an interval on, so that all roles trade an interval by
/// the same.
#[derive(Clone, Debug)]
pub struct Turn<T> {
    here: Option<Interval>,
    /// With the interval in which it was heard of; none before the first.
    coming: Option<(T, Option<Interval>)>,
}

impl<T> Default for Turn<T> {
    fn default() -> Self {
        Self { here: None, coming: None }
    }
}

impl<T> Turn<T> {
    /// Hears of something; what was heard of before and not turned to is not turned to any more.
    pub fn hear(&mut self, coming: T) {
        self.coming = Some((coming, self.here));
    }

    /// The interval that market time has come to.
    pub fn enter(&mut self, here: Interval) {
        self.here = Some(here);
    }

    /// What is to be turned to by now, once.
    pub fn take(&mut self) -> Option<T> {
        let here = self.here;
        self.coming.take_if(|(_, since)| *since < here).map(|(coming, _)| coming)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::interval::UnixSeconds;

    #[test]
    fn what_is_heard_of_is_turned_to_at_the_next_boundary() {
        let mut turn = Turn::default();
        let mut check = |heard: Option<u64>, here: i64, expected: Option<u64>| {
            heard.into_iter().for_each(|coming| turn.hear(coming));
            turn.enter(Interval(UnixSeconds(here)));
            assert_eq!(turn.take(), expected, "at {here}");
        };
        check(Some(1), 0, Some(1));
        check(None, 900, None);
        check(Some(2), 900, None);
        check(Some(3), 900, None);
        check(None, 1_800, Some(3));
        check(None, 2_700, None);
    }
}
