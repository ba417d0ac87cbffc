//! One session's clearing as a problem of its own, to be solved wherever there is time for it.

use super::Setting;
use crate::dso::act::DsoReport;
use market::clearing::sampled::Question;
use market::clearing::samples::Samples;
use market::day_ahead::orders::Orders;
use market::day_ahead::rounds::{DayAheadMarket, SessionCleared, SessionError, SessionOutcome, SessionParty};
use market::interval::Interval;
use market::supply::SupplyCurve;
use std::sync::Arc;

/// What comes out of one round.
#[derive(Clone, Debug)]
pub enum Solved {
    /// A further question for each interval, often with no bus asked.
    Ask(Vec<Question>),
    /// A clearing.
    Cleared(Box<SessionCleared>),
}

/// One session's clearing, to be worked out off the arbiter.
#[derive(Clone, Debug)]
pub struct Problem {
    pub(super) setting: Arc<Setting>,
    pub(super) session: Interval,
    pub(super) round: u32,
    pub(super) rounds_left: u32,
    pub(super) supplies: Vec<SupplyCurve>,
    pub(super) orders: Orders,
    /// By bus, what is known of each aggregator's demand there, by interval.
    pub(super) parties: Vec<(usize, Vec<Samples>)>,
}

impl Problem {
    /// Works it out. Pure, and the heaviest work of the DSO.
    pub fn solve(&self) -> DsoReport {
        let parties: Vec<SessionParty<'_>> =
            self.parties.iter().map(|(bus, samples)| SessionParty { bus: *bus, samples }).collect();
        let market = market(&self.setting, &self.supplies, &self.orders);
        let outcome: Result<Solved, SessionError> =
            market.clear(&parties, self.rounds_left).map(|outcome| match outcome {
                SessionOutcome::Ask(questions) => Solved::Ask(questions),
                SessionOutcome::Cleared(cleared) => Solved::Cleared(cleared),
            });
        DsoReport::SessionSolved { session: self.session, round: self.round, outcome }
    }
}

/// What is cleared, the parties apart.
pub(super) fn market<'a>(
    setting: &'a Setting,
    supplies: &'a [SupplyCurve],
    orders: &'a Orders,
) -> DayAheadMarket<'a> {
    let grid = &setting.grid;
    DayAheadMarket { terms: &setting.terms, tree: &grid.tree, supplies, range: grid.range, orders }
}
