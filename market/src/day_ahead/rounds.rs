//! Clearing of a session in rounds with parties who keep their curves: the DSO and its aggregators, as
//! [`crate::grid::rounds`] for one interval, but all intervals and orders together.
//!
//! Between two answers demand is taken to fall evenly, and [`crate::horizon`] solves the whole session on
//! that. Where a party's demand is not known closely enough at the prices that follow, it is asked in narrow
//! windows around them. What was assumed proves nothing: a session is cleared when its certificate
//! holds on what was surely answered.

use super::certificate::{self, DayAheadCertificateError};
use super::clearing::{DayAheadClearing, IntervalPrices};
use super::orders::Orders;
use super::question::{self, Windows};
use super::schedule;
use super::terms::DayAheadTerms;
use crate::clearing::sampled::{Party, Question};
use crate::clearing::samples::Samples;
use crate::clearing::PriceRange;
use crate::feeder::Tree;
use crate::grid::certificate::Multipliers;
use crate::grid::dlmp::{self, PlaceParts};
use crate::grid::keepers;
use crate::grid::problem::{GridProblem, Offer, Reactive};
use crate::grid::rounding::{publish, RoundingError};
use crate::grid::rounds::{GridMarket, GridRoundsError};
use crate::grid::rules::PlacedDemand;
use crate::grid::solution::{GridSolution, OfferAward};
use crate::horizon;
use crate::horizon::clearing::HorizonClearing;
use crate::horizon::error::HorizonError;
use crate::horizon::problem::{HorizonProblem, OfferCurve, ProfiledOffer};
use crate::supply::SupplyCurve;
use crate::units::PicoEurPerWh;
use thiserror::Error;

/// What is cleared, the parties apart.
#[derive(Clone, Copy, Debug)]
pub struct DayAheadMarket<'a> {
    /// Feeder and rules.
    pub terms: &'a DayAheadTerms,
    /// The feeder's order.
    pub tree: &'a Tree,
    /// What the import costs in each interval.
    pub supplies: &'a [SupplyCurve],
    /// Prices that may be asked about.
    pub range: PriceRange,
    /// What the market itself schedules.
    pub orders: &'a Orders,
}

/// One party: an aggregator's sites at a bus, orders apart.
#[derive(Clone, Copy, Debug)]
pub struct SessionParty<'a> {
    /// Index of its bus in [`crate::feeder::Feeder::buses`].
    pub bus: usize,
    /// What it has answered, by interval.
    pub samples: &'a [Samples],
}

/// How far the rounds have come.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionOutcome {
    /// Done.
    Cleared(Box<SessionCleared>),
    /// Ask this in each interval; nobody in many.
    Ask(Vec<Question>),
}

/// A session whose certificate holds on what was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionCleared {
    /// Its figures.
    pub clearing: DayAheadClearing,
    /// By interval, what each party's curves were given, and what its answers surely allow it, in the
    /// order of the parties.
    pub demands: Vec<Vec<PlacedDemand>>,
    /// By interval, what each place's prices are made of.
    pub parts: Vec<Vec<PlaceParts>>,
}

/// Why rounds can't go on.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SessionError {
    /// The solver's reason.
    #[error(transparent)]
    Unsolved(#[from] HorizonError),
    /// What was solved for an interval can't be published.
    #[error("interval {interval}: {source}")]
    Unpublished {
        /// Counted from the session's first.
        interval: usize,
        /// The reason.
        #[source]
        source: RoundingError,
    },
    /// A party stands at no bus, or has not answered an interval at the ends of the price range.
    #[error("interval {interval}: {source}")]
    Unanswered {
        /// Counted from the session's first.
        interval: usize,
        /// Whose answer.
        #[source]
        source: GridRoundsError,
    },
    /// A party has not answered every interval.
    #[error("party {party} has answered {count} intervals of {expected}")]
    Intervals {
        /// Its place in the list.
        party: usize,
        /// Intervals answered.
        count: usize,
        /// Intervals there are.
        expected: usize,
    },
    /// Every answer is as close as asked for, and the certificate does not hold.
    #[error("after the last round: {0}")]
    Uncertified(#[from] DayAheadCertificateError),
    /// What clears it has a price outside the market's bounds.
    #[error("interval {interval}: the price at place {place} would be {price}, outside the market's bounds")]
    Price {
        /// Counted from the session's first.
        interval: usize,
        /// Where.
        place: usize,
        /// Its price.
        price: PicoEurPerWh,
    },
    /// No rounds are left, and demand is not known closely enough at the prices.
    #[error("not cleared in the rounds there are: demand is not known closely enough {demands} times")]
    NotCleared {
        /// How many pairs of party and interval.
        demands: usize,
    },
}

impl DayAheadMarket<'_> {
    /// The first question, to every bus in every interval.
    pub fn first_question(&self) -> Vec<Question> {
        let buses = self.tree.place.len();
        let room = question::room(buses * self.supplies.len());
        let first = |supply| question::first(supply, self.range, buses, room);
        self.supplies.iter().map(first).collect()
    }

    /// Clears from what the parties have answered, or says what to ask next, `rounds_left` questions
    /// being left.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn clear(
        &self,
        parties: &[SessionParty<'_>],
        rounds_left: u32,
    ) -> Result<SessionOutcome, SessionError> {
        let (problems, solved) = self.solved(parties)?;
        let (cleared, unknown) = self.published(parties, problems, solved)?;
        if unknown > 0 && rounds_left == 0 {
            return Err(SessionError::NotCleared { demands: unknown });
        }
        if unknown == 0 {
            let SessionCleared { clearing, demands, .. } = &cleared;
            match certificate::check(self.terms, self.supplies, self.orders, clearing, demands) {
                Ok(()) => {
                    self.check_bounds(clearing)?;
                    return Ok(SessionOutcome::Cleared(Box::new(cleared)));
                }
                Err(error) if rounds_left == 0 => return Err(error.into()),
                Err(_) => {}
            }
        }
        Ok(SessionOutcome::Ask(self.questions(parties, &cleared.clearing)))
    }

    /// Each interval's problem and what solves all of them: with keepers where prices would leave the market's
    /// bounds without.
    fn solved(
        &self,
        parties: &[SessionParty<'_>],
    ) -> Result<(Vec<GridProblem>, HorizonClearing), SessionError> {
        let mut problems = self.problems(parties)?;
        let solved = horizon::clear(&self.horizon(&problems))?;
        if solved.intervals.iter().all(|interval| keepers::within(self.range, &interval.prices)) {
            return Ok((problems, solved));
        }
        let keepers = keepers::keepers(self.range, self.tree.place.len());
        problems.iter_mut().for_each(|problem| problem.offers.extend(keepers.clone()));
        let solved = horizon::clear(&self.horizon(&problems))?;
        Ok((problems, solved))
    }

    fn check_bounds(&self, clearing: &DayAheadClearing) -> Result<(), SessionError> {
        for (interval, published) in clearing.intervals.iter().enumerate() {
            if let Some((place, price)) = keepers::beyond(self.range, &published.prices) {
                return Err(SessionError::Price { interval, place, price });
            }
        }
        Ok(())
    }

    fn market(&self, interval: usize) -> GridMarket<'_> {
        let (terms, tree, range) = (self.terms.grid(), self.tree, self.range);
        GridMarket { terms, tree, supply: &self.supplies[interval], range, reactive: &[] }
    }

    /// Each interval's problem, of curves alone.
    fn problems(&self, parties: &[SessionParty<'_>]) -> Result<Vec<GridProblem>, SessionError> {
        let expected = self.supplies.len();
        if let Some(party) = parties.iter().position(|party| party.samples.len() != expected) {
            return Err(SessionError::Intervals { party, count: parties[party].samples.len(), expected });
        }
        let problem = |interval| {
            let problem = self.market(interval).problem(&at(parties, interval));
            problem.map_err(|source| SessionError::Unanswered { interval, source })
        };
        (0..expected).map(problem).collect()
    }

    /// All intervals' problems as one, with the orders.
    fn horizon(&self, problems: &[GridProblem]) -> HorizonProblem {
        let curve =
            |offer: &Offer| OfferCurve { power_min_kw: offer.power_min_kw, pieces: offer.pieces.clone() };
        // Parties stand first in each interval, in one order; what is planned for follows, the same in all.
        let offers = problems.first().map_or(&[][..], |first| &first.offers).iter().enumerate();
        let offers = offers.map(|(index, Offer { place, reactive, .. })| ProfiledOffer {
            place: *place,
            reactive: *reactive,
            curves: problems.iter().map(|problem| curve(&problem.offers[index])).collect(),
        });
        HorizonProblem {
            network: self.terms.grid().network.clone(),
            interval_hours: self.terms.interval_s() as f64 / 3_600.0,
            supplies: problems.iter().map(|problem| problem.supply.clone()).collect(),
            offers: offers.collect(),
            storages: self.orders.storages.iter().map(schedule::storage_order).collect(),
            deferrables: self.orders.deferrables.iter().map(schedule::deferrable_order).collect(),
            loss_price: 0.0,
        }
    }

    /// What was solved in integers, and how often a party's demand is not known closely enough.
    fn published(
        &self,
        parties: &[SessionParty<'_>],
        problems: Vec<GridProblem>,
        solved: HorizonClearing,
    ) -> Result<(SessionCleared, usize), SessionError> {
        let storages = self.orders.storages.iter().zip(&solved.storages);
        let deferrables = self.orders.deferrables.iter().zip(&solved.deferrables);
        let mut clearing = DayAheadClearing {
            intervals: Vec::with_capacity(problems.len()),
            storages: storages.map(|(o, s)| schedule::storage_powers(&o.order, s)).collect(),
            deferrables: deferrables.map(|(o, s)| schedule::deferrable_powers(&o.order, s)).collect(),
        };
        let (mut demands, mut parts, mut unknown) = (Vec::new(), Vec::new(), 0);
        for (interval, (mut problem, mut solution)) in problems.into_iter().zip(solved.intervals).enumerate()
        {
            add_orders(
                &mut problem,
                &mut solution,
                &certificate::taken_by_orders(self.orders, &clearing, interval),
            );
            let published = publish(&problem, &solution, self.terms.grid().tolerances);
            let mut published = published.map_err(|source| SessionError::Unpublished { interval, source })?;
            let tolerance = self.terms.grid().tolerances.price;
            keepers::settle(self.range, tolerance, &mut published.clearing.prices);
            let market = self.market(interval);
            let given = at(parties, interval)
                .iter()
                .zip(&published.parties)
                .map(|(party, solved)| {
                    let place = solved.place;
                    let range = market.surely(party.samples, published.clearing.prices[place]);
                    // What was solved may be a milliwatt off where a party's own demand is rounded.
                    let allocation = solved.allocation.max(range.low).min(range.high);
                    PlacedDemand { place, range, allocation }
                })
                .collect::<Vec<_>>();
            unknown += given.iter().filter(|demand| demand.range.low > demand.range.high).count();
            demands.push(given);
            parts.push(dlmp::parts(&problem, &solution));
            clearing.intervals.push(IntervalPrices {
                prices: published.clearing.prices,
                reactive_prices: published.clearing.reactive_prices,
                binding: binding(&published.clearing.multipliers),
            });
        }
        self.settle(&mut clearing);
        Ok((SessionCleared { clearing, demands, parts }, unknown))
    }

    /// Chooses what energy is worth in every order, at the prices as published.
    fn settle(&self, clearing: &mut DayAheadClearing) {
        let DayAheadClearing { intervals, storages, deferrables } = clearing;
        let at =
            |place: usize| -> Vec<_> { intervals.iter().map(|published| published.prices[place]).collect() };
        for (order, award) in self.orders.storages.iter().zip(storages) {
            schedule::settle_storage(self.terms, &order.order, award, &at(order.place));
        }
        for (order, award) in self.orders.deferrables.iter().zip(deferrables) {
            schedule::settle_deferrable(self.terms, &order.order, award, &at(order.place));
        }
    }

    /// Around each bus's price in each interval, where any party's demand there is not level.
    fn questions(&self, parties: &[SessionParty<'_>], clearing: &DayAheadClearing) -> Vec<Question> {
        let buses = self.tree.place.len();
        let mut open = Vec::new();
        for (interval, published) in clearing.intervals.iter().enumerate() {
            let market = self.market(interval);
            for bus in 0..buses {
                let here = parties.iter().filter(|party| party.bus == bus);
                let here = here.map(|party| &party.samples[interval]);
                let price = published.prices[self.tree.place[bus]];
                open.extend(market.edges(here, price).map(|edges| (interval, bus, edges, price)));
            }
        }
        let room = question::room(open.len());
        let tolerance = self.terms.grid().tolerances.price.0;
        let mut windows: Vec<Windows> = clearing.intervals.iter().map(|_| Windows::default()).collect();
        let mut of_bus = vec![vec![Vec::new(); buses]; clearing.intervals.len()];
        for (interval, bus, edges, price) in open {
            let asked = question::around_price(edges, price.0, tolerance, room);
            of_bus[interval][bus].extend(asked.into_iter().map(|ticks| windows[interval].number(ticks)));
        }
        windows.into_iter().zip(of_bus).map(|(windows, of_bus)| windows.asked(of_bus)).collect()
    }
}

/// The parties' answers of one interval.
fn at<'a>(parties: &[SessionParty<'a>], interval: usize) -> Vec<Party<'a>> {
    parties.iter().map(|party| Party { bus: party.bus, samples: &party.samples[interval] }).collect()
}

/// Adds what orders take to an interval's problem and solution, as demand of which nothing is open.
fn add_orders(problem: &mut GridProblem, solution: &mut GridSolution, taken: &[PlacedDemand]) {
    for PlacedDemand { place, allocation, .. } in taken {
        let power_kw = allocation.kw();
        problem.offers.push(Offer {
            place: *place,
            power_min_kw: power_kw,
            pieces: Vec::new(),
            reactive: Reactive::Fixed { reactive_kvar: 0.0 },
            reserve_up: None,
            reserve_down: None,
        });
        solution.awards.push(OfferAward { power_kw, ..OfferAward::default() });
    }
}

/// The multipliers that are worth anything, with their places.
fn binding(multipliers: &[Multipliers]) -> Vec<(u32, Multipliers)> {
    let worth = (0..).zip(multipliers).filter(|(_, worth)| **worth != Multipliers::default());
    worth.map(|(place, worth)| (place, *worth)).collect()
}

#[cfg(test)]
mod tests;
