//! One interval's clearing as a problem of its own, to be solved wherever there is time for it.

use super::core::DsoReport;
use market::clearing::sampled::clear_sampled;
use market::clearing::samples::Samples;
use market::feeder::{Feeder, Tree};
use market::interval::Interval;
use market::supply::SupplyCurve;
use std::sync::Arc;

/// The feeder with its order, shared with whoever solves.
#[derive(Debug)]
pub struct Grid {
    /// The feeder.
    pub feeder: Feeder,
    /// Its order.
    pub tree: Tree,
}

/// One interval's clearing, to be worked out off the arbiter.
#[derive(Clone, Debug)]
pub struct Problem {
    pub(super) grid: Arc<Grid>,
    pub(super) interval: Interval,
    pub(super) round: u32,
    pub(super) supply: SupplyCurve,
    pub(super) samples: Samples,
}

impl Problem {
    /// Works it out. Pure, and the only heavy work of the DSO.
    pub fn solve(&self) -> DsoReport {
        let outcome = clear_sampled(&self.grid.feeder, &self.grid.tree, &self.supply, &self.samples);
        DsoReport::Solved { interval: self.interval, round: self.round, outcome }
    }
}
