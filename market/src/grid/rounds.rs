//! Clearing that knows the grid in rounds with parties who keep their curves: the DSO and its
//! aggregators, as [`crate::clearing::sampled`], but solved by [`super::solve`] on what is known.
//!
//! Between two answers demand is taken to fall evenly. At the prices that follow, each party's demand
//! is either known as closely as the certificate asks (so that what was solved stands, wherever its
//! price tolerance reaches), or it is asked for in narrow windows around its price. Each round divides
//! these by some two hundred, so three or four rounds are usual. What was assumed proves nothing: a
//! clearing is one when its certificate holds on what was answered.

use super::certificate::{CertificateError, GridClearing};
use super::error::GridError;
use super::keepers;
use super::problem::{GridProblem, Offer, Piece, Reactive, Supply};
use super::rounding::{publish, RoundingError};
use super::rules::{GridTerms, PlacedDemand};
use super::solution::GridSolution;
use super::volt_var::{self, PlacedReactive, ReactiveOffer};
use crate::clearing::sampled::{Party, Question, Window, MAX_QUESTION};
use crate::clearing::samples::Samples;
use crate::clearing::PriceRange;
use crate::feeder::Tree;
use crate::share::Demand;
use crate::supply::SupplyCurve;
use crate::units::{Millivar, Milliwatt, PicoEurPerWh};
use thiserror::Error;

/// Most parts a window around a price is divided into; the windows beside it into a quarter of it.
const PARTS: i64 = 256;

/// What is cleared, the parties apart.
#[derive(Clone, Copy, Debug)]
pub struct GridMarket<'a> {
    /// Feeder and rules.
    pub terms: &'a GridTerms,
    /// The feeder's order.
    pub tree: &'a Tree,
    /// What the import costs.
    pub supply: &'a SupplyCurve,
    /// Prices that may be asked about.
    pub range: PriceRange,
    /// Reactive power on offer, where the terms clear it.
    pub reactive: &'a [ReactiveOffer],
}

/// How far the rounds have come.
#[derive(Clone, Debug, PartialEq)]
pub enum GridOutcome {
    /// Done.
    Cleared(Box<GridCleared>),
    /// Ask this.
    Ask(Question),
}

/// A clearing whose certificate holds on what was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct GridCleared {
    /// Its figures.
    pub clearing: GridClearing,
    /// What each party was given, and what its answers surely allow it, in the order of the parties.
    pub demands: Vec<PlacedDemand>,
    /// Reactive power given, in the order of the offers.
    pub reactive: Vec<PlacedReactive>,
}

/// Why rounds can't go on.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum GridRoundsError {
    /// The solver's reason.
    #[error(transparent)]
    Unsolved(#[from] GridError),
    /// What was solved can't be published.
    #[error(transparent)]
    Unpublished(#[from] RoundingError),
    /// Reactive power is offered at no bus, in no range, or in a market that does not clear it.
    #[error("offer {offer} of reactive power stands at no bus, has no range, or is none to be cleared")]
    ReactiveOffer {
        /// Its place in the list.
        offer: usize,
    },
    /// A party stands at no bus, or has not answered at the ends of the price range.
    #[error("party {party} has not answered at both ends of the price range, or stands at no bus")]
    Unanswered {
        /// Its place in the list.
        party: usize,
    },
    /// Every answer is as close as asked for, and the certificate does not hold.
    #[error("after the last round: {0}")]
    Uncertified(#[from] CertificateError),
    /// What clears it has a price outside the market's bounds.
    #[error("the price at place {place} would be {price}, outside the market's bounds")]
    Price {
        /// Where.
        place: usize,
        /// Its price.
        price: PicoEurPerWh,
    },
    /// No rounds are left, and demand is not known closely enough at the prices.
    #[error("not cleared in the rounds there are: {parties} parties' demand is not known closely enough")]
    NotCleared {
        /// How many.
        parties: usize,
    },
}

impl GridMarket<'_> {
    /// Clears from what the parties have answered, or says what to ask next, `rounds_left` questions
    /// being left.
    ///
    /// # Errors
    /// [`GridRoundsError`].
    pub fn clear(&self, parties: &[Party<'_>], rounds_left: u32) -> Result<GridOutcome, GridRoundsError> {
        let (problem, solution) = self.solved(parties)?;
        let published = publish(&problem, &solution, self.terms.tolerances)?;
        let mut clearing = published.clearing;
        keepers::settle(self.range, self.terms.tolerances.price, &mut clearing.prices);
        let mut demands = Vec::with_capacity(parties.len());
        let mut unknown = 0;
        for (party, solved) in parties.iter().zip(&published.parties) {
            let place = solved.place;
            let range = self.surely(party.samples, clearing.prices[place]);
            unknown += usize::from(range.low > range.high);
            // What was solved may be a milliwatt off where a party's own demand is rounded.
            let allocation = solved.allocation.max(range.low).min(range.high);
            demands.push(PlacedDemand { place, range, allocation });
        }
        self.sum_up(&demands, &mut clearing);
        let given = published.parties.iter().skip(parties.len()).zip(self.reactive);
        let reactive: Vec<PlacedReactive> = given
            .map(|(solved, offer)| PlacedReactive {
                place: solved.place,
                range: offer.range,
                allocation: solved.reactive_allocation,
            })
            .collect();
        if unknown > 0 && rounds_left == 0 {
            return Err(GridRoundsError::NotCleared { parties: unknown });
        }
        if unknown == 0 {
            match self.terms.check_with_reactive(self.supply, &clearing, &demands, &reactive) {
                Ok(()) => {
                    if let Some((place, price)) = keepers::beyond(self.range, &clearing.prices) {
                        return Err(GridRoundsError::Price { place, price });
                    }
                    return Ok(GridOutcome::Cleared(Box::new(GridCleared { clearing, demands, reactive })));
                }
                Err(error) if rounds_left == 0 => return Err(error.into()),
                Err(_) => {}
            }
        }
        Ok(GridOutcome::Ask(self.question(parties, &clearing)))
    }

    /// The problem as it was solved: with keepers where prices would leave the market's bounds without.
    fn solved(&self, parties: &[Party<'_>]) -> Result<(GridProblem, GridSolution), GridRoundsError> {
        let mut problem = self.problem(parties)?;
        let solution = super::clear(&problem)?;
        if keepers::within(self.range, &solution.prices) {
            return Ok((problem, solution));
        }
        problem.offers.extend(keepers::keepers(self.range, solution.prices.len()));
        let solution = super::clear(&problem)?;
        Ok((problem, solution))
    }

    /// Flows of real power and the import from what was given. A sum that leaves 64 bits saturates, and the
    /// certificate refuses it.
    fn sum_up(&self, demands: &[PlacedDemand], clearing: &mut GridClearing) {
        let parent = &self.terms.network.parent;
        let mut below = vec![Milliwatt::ZERO; parent.len()];
        let add = |sum: &mut Milliwatt, power: Milliwatt| sum.0 = sum.0.saturating_add(power.0);
        for demand in demands {
            add(&mut below[demand.place], demand.allocation);
        }
        for place in (1..parent.len()).rev() {
            clearing.flows[place].power = below[place];
            let power = below[place];
            add(&mut below[parent[place]], power);
        }
        clearing.import = below[0];
    }

    /// What a party is sure to ask for from the tolerance above a price to as much below: the answers
    /// within that stretch, or level ones around it. Reversed where its answers say too little.
    pub(crate) fn surely(&self, samples: &Samples, price: PicoEurPerWh) -> Demand {
        let tolerance = self.terms.tolerances.price;
        let known = samples.known();
        let below = known.partition_point(|sample| sample.tick <= price + tolerance);
        let above = known.partition_point(|sample| sample.tick < price - tolerance);
        let at = |place: usize| known.get(place.min(known.len().saturating_sub(1)));
        let power = |place: usize| at(place).map_or(Milliwatt::ZERO, |sample| sample.power);
        Demand { low: power(below.saturating_sub(1)), high: power(above) }
    }

    pub(crate) fn problem(&self, parties: &[Party<'_>]) -> Result<GridProblem, GridRoundsError> {
        let (first, last) = (self.range.min().0, self.range.max().0 + 1);
        let mut offers = Vec::with_capacity(parties.len() + self.terms.reactive.len());
        for (party, Party { bus, samples }) in parties.iter().enumerate() {
            let place = self.tree.place.get(*bus).copied();
            let place = place.filter(|_| samples.span(first, last));
            let place = place.ok_or(GridRoundsError::Unanswered { party })?;
            offers.push(offer(place, samples));
        }
        for (number, ReactiveOffer { bus, range }) in self.reactive.iter().enumerate() {
            let place = self.tree.place.get(*bus).filter(|_| *range > Millivar::ZERO);
            let offered = place.zip(self.terms.reactive_full_price);
            let (place, full) = offered.ok_or(GridRoundsError::ReactiveOffer { offer: number })?;
            offers.push(volt_var::offer(*place, full, *range));
        }
        let planned = self.terms.reactive.iter().enumerate();
        offers.extend(planned.filter(|(_, reactive)| reactive.0 != 0).map(|(place, reactive)| Offer {
            place,
            power_min_kw: 0.0,
            pieces: Vec::new(),
            reactive: Reactive::Fixed { reactive_kvar: reactive.kvar() },
            reserve_up: None,
            reserve_down: None,
        }));
        Ok(GridProblem {
            network: self.terms.network.clone(),
            offers,
            supply: supply(self.supply),
            objective: self.terms.objective,
        })
    }

    /// For each bus whose demand may differ around its price, the window between the answers around it
    /// and the one on either side.
    fn question(&self, parties: &[Party<'_>], clearing: &GridClearing) -> Question {
        let buses = self.tree.place.len();
        let mut windows = Vec::new();
        let mut of_bus = vec![Vec::new(); buses];
        let parts = PARTS.min((MAX_QUESTION / buses.max(1) / 4) as i64).max(4);
        for (bus, asked) in of_bus.iter_mut().enumerate() {
            let here = parties.iter().filter(|party| party.bus == bus).map(|party| party.samples);
            let price = clearing.prices[self.tree.place[bus]];
            let Some(edges) = self.edges(here, price) else { continue };
            for (pair, share) in edges.windows(2).zip([4, 1, 4]) {
                if pair[0] < pair[1] {
                    asked.push(windows.len());
                    windows.push(self.window((pair[0], pair[1]), price.0, parts / share));
                }
            }
        }
        Question { windows, of_bus }
    }

    /// The two answers below a price and the two above it that lie nearest, of any of a bus's parties;
    /// none where all of them are level.
    pub(crate) fn edges<'a>(
        &self,
        here: impl Iterator<Item = &'a Samples>,
        price: PicoEurPerWh,
    ) -> Option<[i64; 4]> {
        let (first, last) = (self.range.min().0, self.range.max().0 + 1);
        let (mut edges, mut level) = ([first, first, last, last], true);
        for samples in here {
            let known = samples.known();
            let next = known.partition_point(|sample| sample.tick <= price);
            let tick = |place: usize| known.get(place).map_or(last, |sample| sample.tick.0);
            let power = |place: usize| known.get(place.min(known.len() - 1)).map(|sample| sample.power);
            let (below, below_that) = (next.saturating_sub(1), next.saturating_sub(2));
            level &= known.is_empty() || power(below_that) == power(next + 1);
            edges[0] = edges[0].max(tick(below_that));
            edges[1] = edges[1].max(tick(below));
            edges[2] = edges[2].min(tick(next));
            edges[3] = edges[3].min(tick(next + 1));
        }
        edges[0] = edges[0].min(edges[1]);
        edges[3] = edges[3].max(edges[2]);
        (!level).then_some(edges)
    }

    fn window(&self, (from, to): (i64, i64), price: i64, parts: i64) -> Window {
        let tolerance = self.terms.tolerances.price.0;
        let width = (to - from) as i128;
        let parts = (parts.max(1) as i128).min(width);
        let mut ticks: Vec<i64> = (0..=parts).map(|k| from + (width * k / parts) as i64).collect();
        ticks.extend([price - tolerance, price, price + 1, price + tolerance]);
        let steps =
            (0..i64::BITS - 2).map(|power| 1i64 << power).take_while(|step| i128::from(*step) < width);
        ticks.extend(steps.flat_map(|step| [price - step, price + step]));
        ticks.retain(|tick| (from..=to).contains(tick));
        ticks.sort_unstable();
        ticks.dedup();
        let ticks = ticks.into_iter().map(PicoEurPerWh).collect();
        Window { from: PicoEurPerWh(from), to: PicoEurPerWh(to), ticks }
    }
}

/// A party's demand as far as its answers tell, falling evenly between them.
fn offer(place: usize, samples: &Samples) -> Offer {
    let known = samples.known();
    let mut pieces = Vec::new();
    for pair in known.windows(2).rev() {
        let width = pair[0].power - pair[1].power;
        if width > Milliwatt::ZERO {
            let (price_low, price_high) = (pair[0].tick.eur_per_mwh(), pair[1].tick.eur_per_mwh());
            pieces.push(Piece { width_kw: width.kw(), price_high, price_low });
        }
    }
    Offer {
        place,
        power_min_kw: known.last().map_or(0.0, |sample| sample.power.kw()),
        pieces,
        reactive: Reactive::Fixed { reactive_kvar: 0.0 },
        reserve_up: None,
        reserve_down: None,
    }
}

/// The supply as the problem has it.
fn supply(curve: &SupplyCurve) -> Supply {
    let points = curve.mirrored().points();
    let mut pieces = Vec::new();
    for pair in points.windows(2) {
        let width = pair[0].power - pair[1].power;
        if width > Milliwatt::ZERO {
            let (price_low, price_high) = (pair[0].price.eur_per_mwh(), pair[1].price.eur_per_mwh());
            pieces.push(Piece { width_kw: width.kw(), price_high, price_low });
        }
    }
    Supply { import_min_kw: curve.import_min().kw(), pieces }
}

#[cfg(test)]
mod tests;
