//! One interval's clearing as a problem of its own, to be solved wherever there is time for it: exactly
//! where lines limit real power alone, else to the tolerance of the grid's certificate.

use super::act::DsoReport;
use market::clearing::sampled::{Market, Outcome, Party, Question, RoundsError, MAX_ROUNDS};
use market::clearing::samples::Samples;
use market::clearing::{Clearing, PriceRange};
use market::feeder::{Feeder, Tree};
use market::grid::rounds::{GridCleared, GridMarket, GridOutcome, GridRoundsError};
use market::grid::rules::GridTerms;
use market::grid::volt_var::ReactiveOffer;
use market::grid::GridError;
use market::interval::Interval;
use market::supply::SupplyCurve;
use market::units::Milliwatt;
use std::sync::Arc;
use thiserror::Error;

/// The feeder with its order and the prices it may clear at, shared with whoever solves.
#[derive(Debug)]
pub struct Grid {
    /// The feeder.
    pub feeder: Feeder,
    /// Its order.
    pub tree: Tree,
    /// Prices it may clear at.
    pub range: PriceRange,
    /// What it goes by besides, in a market that knows its grid.
    pub terms: Option<GridTerms>,
}

/// What comes out of one round.
#[derive(Clone, Debug)]
pub enum Solved {
    /// A further question.
    Ask(Question),
    /// A clearing.
    Cleared(Box<Dispatch>),
}

/// A clearing; and in a market that knows its grid, the grid's figures with what each party was given.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// The clearing.
    pub clearing: Clearing,
    /// The grid's figures.
    pub grid: Option<GridCleared>,
}

/// Why an interval is not cleared.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SolveError {
    /// Exactly.
    #[error(transparent)]
    Exact(#[from] RoundsError),
    /// With the grid known.
    #[error(transparent)]
    Grid(#[from] GridRoundsError),
}

impl SolveError {
    /// A word for what happened.
    pub fn event(&self) -> &'static str {
        match self {
            SolveError::Exact(RoundsError::Infeasible(_))
            | SolveError::Grid(GridRoundsError::Unsolved(GridError::Infeasible { .. })) => "infeasible",
            SolveError::Exact(RoundsError::NotCleared { .. })
            | SolveError::Grid(GridRoundsError::NotCleared { .. } | GridRoundsError::Uncertified(_)) => {
                "too-many-rounds"
            }
            SolveError::Exact(RoundsError::Unanswered { .. } | RoundsError::TooLarge)
            | SolveError::Grid(GridRoundsError::Unanswered { .. } | GridRoundsError::ReactiveOffer { .. }) => {
                "demand-unsound"
            }
            SolveError::Grid(GridRoundsError::Price { .. }) => "out-of-bounds",
            SolveError::Grid(GridRoundsError::Unsolved(_) | GridRoundsError::Unpublished(_)) => "unsolved",
        }
    }
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
    /// Reactive power each aggregator offers at each of its buses.
    pub(super) reactive: Vec<ReactiveOffer>,
}

impl Problem {
    /// Works it out. Pure, and the only heavy work of the DSO.
    pub fn solve(&self) -> DsoReport {
        let parties: Vec<Party<'_>> =
            self.parties.iter().map(|(bus, samples)| Party { bus: *bus, samples }).collect();
        let rounds_left = MAX_ROUNDS.saturating_sub(self.round);
        let outcome = match &self.grid.terms {
            None => self.exactly(&parties, rounds_left).map_err(SolveError::from),
            Some(terms) => self.with_grid(terms, &parties, rounds_left).map_err(SolveError::from),
        };
        DsoReport::Solved { interval: self.interval, round: self.round, outcome }
    }

    fn exactly(&self, parties: &[Party<'_>], rounds_left: u32) -> Result<Solved, RoundsError> {
        Ok(match self.grid.market(&self.supply).clear(parties, rounds_left)? {
            Outcome::Ask(question) => Solved::Ask(question),
            Outcome::Cleared(clearing) => Solved::Cleared(Box::new(Dispatch { clearing, grid: None })),
        })
    }

    fn with_grid(
        &self,
        terms: &GridTerms,
        parties: &[Party<'_>],
        rounds_left: u32,
    ) -> Result<Solved, GridRoundsError> {
        let Grid { tree, range, .. } = &*self.grid;
        let market =
            GridMarket { terms, tree, supply: &self.supply, range: *range, reactive: &self.reactive };
        Ok(match market.clear(parties, rounds_left)? {
            GridOutcome::Ask(question) => Solved::Ask(question),
            GridOutcome::Cleared(cleared) => {
                let clearing = by_bus(&self.grid, &cleared);
                Solved::Cleared(Box::new(Dispatch { clearing, grid: Some(*cleared) }))
            }
        })
    }
}

/// A clearing by place as one by bus and line.
fn by_bus(grid: &Grid, cleared: &GridCleared) -> Clearing {
    let Grid { feeder, tree, .. } = grid;
    let mut allocations = vec![Milliwatt::ZERO; feeder.buses.len()];
    for demand in &cleared.demands {
        allocations[tree.order[demand.place]] += demand.allocation;
    }
    let mut flows = vec![Milliwatt::ZERO; feeder.lines.len()];
    for (line, flow) in tree.line.iter().zip(&cleared.clearing.flows).skip(1) {
        flows[*line] = flow.power;
    }
    let prices = tree.place.iter().map(|place| cleared.clearing.prices[*place]).collect();
    Clearing { import: cleared.clearing.import, prices, allocations, flows }
}
