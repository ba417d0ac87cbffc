//! From a solver's figures to the published ones: prices to ticks, power to milliwatts, multipliers
//! to their units, so that the [certificate] can be checked by anyone.
//!
//! Only what the solver decided is rounded: prices, multipliers, and what each offer was given.
//! Flows and the import are summed up again from what was given, to the milliwatt. A multiplier is
//! dropped where its limit does not bind: an interior-point method leaves a trace of each.

mod flows;

use super::certificate::{self, congestion_may_stand, kvar, kw, reactive_range, state, Expected, State};
use super::certificate::{Answer, CertificateError, GridClearing, LineFlow, Multipliers, PartyDemand};
use super::certificate::{Terms, Tolerances};
use super::problem::{GridProblem, Network, Supply};
use super::solution::{GridSolution, OfferAward};
use crate::curve::{Breakpoint, CurveError};
use crate::supply::SupplyCurve;
use crate::units::{Millivar, Milliwatt, NanoEurPerHourPu, PicoEurPerWh};
use flows::flows;
use thiserror::Error;

/// A clearing in integers with all that its certificate rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The clearing.
    pub clearing: GridClearing,
    /// What each offer answered and was given, in the problem's order.
    pub parties: Vec<PartyDemand>,
    /// The supply in ticks and milliwatts.
    pub supply: SupplyCurve,
}

/// Why a solution cannot be published.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum RoundingError {
    /// The solution has not one figure for each offer and place.
    #[error("the solution is not one of this problem")]
    Shape,
    /// A figure is no number or beyond the market's bounds.
    #[error("{what} {index} cannot be published: it is no number or out of bounds")]
    OutOfBounds {
        /// Which figure.
        what: &'static str,
        /// The place or offer concerned.
        index: usize,
    },
    /// The supply is no curve in ticks and milliwatts.
    #[error("the supply cannot be published: {0}")]
    Supply(#[from] CurveError),
    /// The solution loses more on a line than its current makes: more losses are worth having there,
    /// and no dispatch of a real line was found.
    #[error("line to place {place}: {claimed} are lost on it, and its current makes {made}")]
    LossesWelcome {
        /// The place it feeds.
        place: usize,
        /// What the solution loses.
        claimed: Milliwatt,
        /// What its current makes.
        made: Milliwatt,
    },
    /// The rounded clearing is refused: the solution was not accurate enough, or not optimal.
    #[error("the certificate does not hold: {0}")]
    Certificate(#[from] CertificateError),
}

/// Publishes a solution and checks its certificate.
///
/// # Errors
/// [`RoundingError::Certificate`] where the figures can be published and are refused; the others
/// where they can't.
pub fn certified(
    problem: &GridProblem,
    solution: &GridSolution,
    tolerances: Tolerances,
) -> Result<Published, RoundingError> {
    let published = publish(problem, solution, tolerances)?;
    let (network, objective, supply) = (&problem.network, &problem.objective, &published.supply);
    let terms = Terms { network, supply, objective, tolerances };
    certificate::check(&terms, &published.clearing, &published.parties)?;
    Ok(published)
}

/// Rounds a solution.
///
/// # Errors
/// Where figures are no numbers, leave the market's bounds or do not fit the problem.
pub fn publish(
    problem: &GridProblem,
    solution: &GridSolution,
    tolerances: Tolerances,
) -> Result<Published, RoundingError> {
    let places = problem.network.parent.len();
    let by_place = [
        problem.network.branches.len(),
        problem.network.bands.len(),
        solution.prices.len(),
        solution.reactive_prices.len(),
        solution.flows.len(),
        solution.duals.len(),
        solution.voltage_square_pu.len(),
    ];
    let tree = (1..places).all(|place| problem.network.parent[place] < place);
    let stands = problem.offers.iter().all(|offer| offer.place < places);
    if places == 0 || !tree || !stands || by_place.into_iter().any(|count| count != places) {
        return Err(RoundingError::Shape);
    }
    if solution.awards.len() != problem.offers.len() {
        return Err(RoundingError::Shape);
    }
    let mut clearing = prices(problem, solution, &tolerances)?;
    let parties = parties(problem, solution, &clearing, &tolerances)?;
    let mut taken = vec![LineFlow::default(); places];
    for party in &parties {
        taken[party.place].power += party.allocation;
        taken[party.place].reactive += party.reactive_allocation;
    }
    let (import, lost) = flows(&problem.network, solution, &taken, &tolerances, &mut clearing.flows)?;
    (clearing.import, clearing.import_reactive) = (import.power, import.reactive);
    let state = state(&problem.network, &clearing.flows, &lost, &tolerances);
    clearing.multipliers =
        multipliers(&problem.network, solution, (&clearing.flows, &state.squares), &tolerances)?;
    let supply = published_supply(&problem.supply)?;
    let (network, objective) = (&problem.network, &problem.objective);
    explain(&Terms { network, supply: &supply, objective, tolerances }, &state, &mut clearing)?;
    Ok(Published { clearing, parties, supply })
}

/// Lets the limit of real power explain what is left of a price's step where that limit binds. Its
/// multiplier appears nowhere else, so that it takes up what rounding and the solver leave.
fn explain(terms: &Terms<'_>, state: &State, clearing: &mut GridClearing) -> Result<(), RoundingError> {
    let mut congestion: Vec<PicoEurPerWh> = clearing.multipliers.iter().map(|m| m.congestion).collect();
    certificate::walk(terms, clearing, state, |place, expected| {
        let left = (clearing.prices[place].eur_per_mwh() - expected.price) * 1e6;
        let worth = congestion[place].0.saturating_add(left.round() as i64);
        let branch = &terms.network.branches[place];
        let binds = congestion[place] != PicoEurPerWh::ZERO;
        if !binds || !congestion_may_stand(branch, clearing.flows[place], worth, &terms.tolerances) {
            return Ok(expected);
        }
        congestion[place] = PicoEurPerWh(worth);
        Ok(Expected { price: clearing.prices[place].eur_per_mwh(), ..expected })
    })?;
    clearing.multipliers.iter_mut().zip(congestion).for_each(|(m, worth)| m.congestion = worth);
    Ok(())
}

fn ticks(figures: &[f64], what: &'static str) -> Result<Vec<PicoEurPerWh>, RoundingError> {
    let tick = |(index, figure): (usize, &f64)| {
        PicoEurPerWh::from_eur_per_mwh(*figure).ok_or(RoundingError::OutOfBounds { what, index })
    };
    figures.iter().enumerate().map(tick).collect()
}

/// Prices alone; reserve has one only where no more stands ready than must.
fn prices(
    problem: &GridProblem,
    solution: &GridSolution,
    tolerances: &Tolerances,
) -> Result<GridClearing, RoundingError> {
    let places = solution.prices.len();
    let reserve = |price: f64, award: fn(&OfferAward) -> f64, required_kw: f64| {
        let given: f64 = solution.awards.iter().map(award).sum();
        let scarce = required_kw > 0.0 && given <= required_kw + tolerances.power_kw(required_kw);
        let out = RoundingError::OutOfBounds { what: "the price of reserve", index: 0 };
        PicoEurPerWh::from_eur_per_mwh(if scarce { price } else { 0.0 }).ok_or(out)
    };
    let o = &problem.objective;
    let mut reactive_prices = ticks(&solution.reactive_prices, "the reactive price at place")?;
    reactive_prices[0] = PicoEurPerWh::ZERO;
    Ok(GridClearing {
        import: Milliwatt::ZERO,
        import_reactive: Millivar::ZERO,
        prices: ticks(&solution.prices, "the price at place")?,
        reactive_prices,
        flows: vec![LineFlow::default(); places],
        multipliers: vec![Multipliers::default(); places],
        reserve_up_price: reserve(solution.reserve_up_price, |a| a.reserve_up_kw, o.reserve_up_kw)?,
        reserve_down_price: reserve(solution.reserve_down_price, |a| a.reserve_down_kw, o.reserve_down_kw)?,
    })
}

/// Places in an order in which every subtree is a stretch: a parent, then each child with all below.
fn depth_first(parent: &[usize]) -> Vec<usize> {
    let mut size = vec![1usize; parent.len()];
    for place in (1..parent.len()).rev() {
        size[parent[place]] += size[place];
    }
    let (mut position, mut next) = (vec![0; parent.len()], vec![1; parent.len()]);
    for place in 1..parent.len() {
        position[place] = next[parent[place]];
        next[parent[place]] += size[place];
        next[place] = position[place] + 1;
    }
    position
}

/// What each offer answers and was given. What rounding one offer leaves is carried to the next in
/// depth-first order, so that sums below every line are off by a milliwatt and not by one for each
/// offer.
fn parties(
    problem: &GridProblem,
    solution: &GridSolution,
    clearing: &GridClearing,
    tolerances: &Tolerances,
) -> Result<Vec<PartyDemand>, RoundingError> {
    let answers = problem.offers.iter().enumerate().map(|(index, offer)| {
        let answer = Answer {
            price: clearing.prices[offer.place],
            reactive_price: clearing.reactive_prices[offer.place],
            reserve_up_price: clearing.reserve_up_price,
            reserve_down_price: clearing.reserve_down_price,
        };
        let out = RoundingError::OutOfBounds { what: "a figure of offer", index };
        answer.of(offer, tolerances).ok_or(out)
    });
    let mut parties = answers.collect::<Result<Vec<_>, _>>()?;
    let position = depth_first(&problem.network.parent);
    let mut order: Vec<usize> = (0..parties.len()).collect();
    order.sort_by_key(|offer| position[parties[*offer].place]);
    let (mut carried, mut carried_reactive) = (0.0, 0.0);
    for offer in order {
        let (party, award) = (&mut parties[offer], &solution.awards[offer]);
        let out = RoundingError::OutOfBounds { what: "what was given to offer", index: offer };
        let wanted = award.power_kw + carried;
        let given = Milliwatt::from_kw(wanted).ok_or_else(|| out.clone())?;
        party.allocation = given.max(party.range.low).min(party.range.high);
        carried = wanted - kw(party.allocation);
        let price = clearing.reactive_prices[party.place];
        let (low, high) = reactive_range(&party.reactive, party.allocation, price, tolerances);
        let wanted = award.reactive_kvar + carried_reactive;
        let given = Millivar::from_kvar(wanted).ok_or_else(|| out.clone())?;
        party.reactive_allocation = given.max(low).min(high);
        carried_reactive = wanted - kvar(party.reactive_allocation);
        keep_ready(party, award, tolerances).ok_or(out)?;
    }
    Ok(parties)
}

fn keep_ready(party: &mut PartyDemand, award: &OfferAward, tolerances: &Tolerances) -> Option<()> {
    if let Some(standby) = &mut party.reserve_up {
        let range = standby.range(standby.answered, party.allocation - standby.end, tolerances);
        standby.award = Milliwatt::from_kw(award.reserve_up_kw)?.max(range.low).min(range.high);
    }
    if let Some(standby) = &mut party.reserve_down {
        let range = standby.range(standby.answered, standby.end - party.allocation, tolerances);
        standby.award = Milliwatt::from_kw(award.reserve_down_kw)?.max(range.low).min(range.high);
    }
    Some(())
}

fn multipliers(
    network: &Network,
    solution: &GridSolution,
    (flows, squares): (&[LineFlow], &[f64]),
    tolerances: &Tolerances,
) -> Result<Vec<Multipliers>, RoundingError> {
    let mut multipliers = vec![Multipliers::default(); flows.len()];
    for (place, flow) in flows.iter().enumerate().skip(1) {
        let (branch, duals) = (&network.branches[place], &solution.duals[place]);
        let out = || RoundingError::OutOfBounds { what: "a multiplier at place", index: place };
        let tick = |price: f64| PicoEurPerWh::from_eur_per_mwh(price).ok_or_else(out);
        let congestion = tick(duals.power_max - duals.power_min)?;
        if congestion_may_stand(branch, *flow, congestion.0, tolerances) {
            multipliers[place].congestion = congestion;
        }
        let apparent = tick(duals.apparent)?;
        if certificate::apparent_may_stand(branch, *flow, apparent.0, tolerances) {
            multipliers[place].apparent = apparent;
        }
        let voltage = ((duals.voltage_min - duals.voltage_max) * 1e6).round();
        let bounded = voltage.abs() < i64::MAX as f64;
        let voltage = bounded.then_some(voltage as i64).ok_or_else(out)?;
        if certificate::voltage_may_stand(&network.bands[place], squares[place], voltage, tolerances) {
            multipliers[place].voltage = NanoEurPerHourPu(voltage);
        }
    }
    Ok(multipliers)
}

/// A supply in ticks and milliwatts.
///
/// # Errors
/// Where it is no curve: figures out of bounds, out of order, or too many.
pub fn published_supply(supply: &Supply) -> Result<SupplyCurve, CurveError> {
    let corner = |index: usize, price: f64, import_kw: f64| {
        let price = PicoEurPerWh::from_eur_per_mwh(price);
        let power = Milliwatt::from_kw(import_kw);
        match (price, power) {
            (Some(price), Some(power)) => Ok(Breakpoint { price, power }),
            _ => Err(CurveError::OutOfBounds { index }),
        }
    };
    let mut import_kw = supply.import_min_kw;
    let mut corners = Vec::with_capacity(2 * supply.pieces.len() + 1);
    if supply.pieces.is_empty() {
        corners.push(corner(0, 0.0, import_kw)?);
    }
    for (index, piece) in supply.pieces.iter().enumerate() {
        corners.push(corner(index, piece.price_low, import_kw)?);
        import_kw += piece.width_kw;
        corners.push(corner(index, piece.price_high, import_kw)?);
    }
    corners.dedup();
    SupplyCurve::new(corners)
}
