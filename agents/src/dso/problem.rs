//! One interval's clearing as a problem of its own, to be solved wherever there is time for it.

use super::core::DsoReport;
use market::clearing::sampled::{Market, Party, Question, MAX_ROUNDS};
use market::clearing::samples::Samples;
use market::clearing::PriceRange;
use market::feeder::{Feeder, Tree};
use market::interval::Interval;
use market::supply::SupplyCurve;
use std::sync::Arc;

/// The feeder with its order and the prices it may clear at, shared with whoever solves.
#[derive(Debug)]
pub struct Grid {
    /// The feeder.
    pub feeder: Feeder,
    /// Its order.
    pub tree: Tree,
    /// Prices it may clear at.
    pub range: PriceRange,
}

impl Grid {
    /// The first question to everyone.
    pub fn first_question(&self, supply: &SupplyCurve) -> Question {
        self.market(supply).first_question()
    }

    fn market<'a>(&'a self, supply: &'a SupplyCurve) -> Market<'a> {
        Market { feeder: &self.feeder, tree: &self.tree, supply, range: self.range }
    }
}

/// One interval's clearing, to be worked out off the arbiter.
#[derive(Clone, Debug)]
pub struct Problem {
    pub(super) grid: Arc<Grid>,
    pub(super) interval: Interval,
    pub(super) round: u32,
    pub(super) supply: SupplyCurve,
    /// By bus, what is known of each aggregator's demand there.
    pub(super) parties: Vec<(usize, Samples)>,
}

impl Problem {
    /// Works it out. Pure, and the only heavy work of the DSO.
    pub fn solve(&self) -> DsoReport {
        let parties: Vec<Party<'_>> =
            self.parties.iter().map(|(bus, samples)| Party { bus: *bus, samples }).collect();
        let rounds_left = MAX_ROUNDS.saturating_sub(self.round);
        let outcome = self.grid.market(&self.supply).clear(&parties, rounds_left);
        DsoReport::Solved { interval: self.interval, round: self.round, outcome }
    }
}
