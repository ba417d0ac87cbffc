//! Clearing with the whole grid: solved in floating point, rounded to the integers that would be
//! published, and shown only once these have passed their certificate.
//!
//! As in [`super::convert`], a small feeder is cleared enlarged by a power of ten, so that milliwatts
//! and the certificate's tolerance of a watt lie as far below its powers as below a large one's. That
//! changes no price and no voltage.

use super::refusal::Refusal;
use market::grid::certificate::{GridClearing, PartyDemand, Tolerances};
use market::grid::error::{GridError, Limit};
use market::grid::problem::{GridProblem, Losses, Network, Reactive};
use market::grid::rounding::{certified, Published};
use market::grid::solution::{BranchFlow, GridSolution, OfferAward, PlaceDuals};

/// Powers of all offers together, in kW, up to which a feeder is enlarged.
const SMALL_KW: f64 = 1e3;

/// No figure is enlarged beyond this.
const MOST_KW: f64 = 1e8;

/// Clears, and gives the published figures.
///
/// # Errors
/// [`Refusal::NotCleared`] with why there is no clearing; [`Refusal::Unpublished`] where what was found
/// does not pass its certificate.
pub fn clear(problem: &GridProblem) -> Result<GridSolution, Refusal> {
    let by = enlargement(problem);
    let enlarged = enlarge(problem.clone(), by);
    let solution = market::grid::clear(&enlarged).map_err(|error| Refusal::NotCleared(reduced(error, by)))?;
    let published = certified(&enlarged, &solution, Tolerances::default())?;
    let shown = shown(&enlarged.network, &published, solution.objective_eur_per_h);
    Ok(reduce(shown, by))
}

/// The power of ten a problem is cleared enlarged by.
fn enlargement(problem: &GridProblem) -> f64 {
    let offer = |offer: &market::grid::problem::Offer| {
        let width: f64 = offer.pieces.iter().map(|piece| piece.width_kw).sum();
        offer.power_min_kw.abs().max((offer.power_min_kw + width).abs())
    };
    let total: f64 = problem.offers.iter().map(offer).sum();
    let supply: f64 = problem.supply.pieces.iter().map(|piece| piece.width_kw).sum();
    let largest =
        problem.network.branches.iter().flat_map(|branch| {
            [branch.power_min_kw, branch.power_max_kw, branch.apparent_max_kva].map(f64::abs)
        });
    let finite = largest.filter(|limit| limit.is_finite());
    let largest = finite.fold(supply.max(problem.supply.import_min_kw.abs()), f64::max);
    let mut by = 1.0;
    while total > 0.0 && total * by * 10.0 <= SMALL_KW && largest * by * 10.0 <= MOST_KW {
        by *= 10.0;
    }
    by
}

/// Multiplies every power by `by`; the sum of all costs is multiplied too, prices stay.
fn enlarge(mut problem: GridProblem, by: f64) -> GridProblem {
    for branch in &mut problem.network.branches {
        branch.resistance_pu_per_kva /= by;
        branch.reactance_pu_per_kva /= by;
        branch.power_min_kw *= by;
        branch.power_max_kw *= by;
        branch.apparent_max_kva *= by;
    }
    for offer in &mut problem.offers {
        offer.power_min_kw *= by;
        offer.pieces.iter_mut().for_each(|piece| piece.width_kw *= by);
        match &mut offer.reactive {
            Reactive::Fixed { reactive_kvar } => *reactive_kvar *= by,
            Reactive::Proportional { .. } => {}
            Reactive::Range { min_kvar, max_kvar, cost_eur_per_mvar2_h } => {
                *min_kvar *= by;
                *max_kvar *= by;
                *cost_eur_per_mvar2_h /= by;
            }
        }
        for reserve in [&mut offer.reserve_up, &mut offer.reserve_down].into_iter().flatten() {
            reserve.max_kw *= by;
        }
    }
    problem.supply.import_min_kw *= by;
    problem.supply.pieces.iter_mut().for_each(|piece| piece.width_kw *= by);
    problem.objective.voltage_deviation_price *= by;
    problem.objective.reserve_up_kw *= by;
    problem.objective.reserve_down_kw *= by;
    problem
}

/// The limit in the problem's own figures.
fn reduced(error: GridError, by: f64) -> GridError {
    match error {
        GridError::Infeasible { limit, place, needed, allowed }
            if !matches!(limit, Limit::VoltageMin | Limit::VoltageMax) =>
        {
            GridError::Infeasible { limit, place, needed: needed / by, allowed: allowed / by }
        }
        other => other,
    }
}

fn reduce(mut solution: GridSolution, by: f64) -> GridSolution {
    solution.import_kw /= by;
    solution.import_kvar /= by;
    for award in &mut solution.awards {
        award.power_kw /= by;
        award.reactive_kvar /= by;
        award.reserve_up_kw /= by;
        award.reserve_down_kw /= by;
    }
    for flow in &mut solution.flows {
        flow.power_kw /= by;
        flow.reactive_kvar /= by;
        flow.loss_kw /= by;
        flow.loss_kvar /= by;
    }
    for duals in &mut solution.duals {
        duals.voltage_min /= by;
        duals.voltage_max /= by;
    }
    solution.objective_eur_per_h /= by;
    solution
}

/// Published integers as figures in kW and EUR/MWh.
fn shown(network: &Network, published: &Published, objective_eur_per_h: f64) -> GridSolution {
    let GridClearing { import, import_reactive, prices, reactive_prices, multipliers, .. } =
        &published.clearing;
    let award = |party: &PartyDemand| OfferAward {
        power_kw: party.allocation.kw(),
        reactive_kvar: party.reactive_allocation.kvar(),
        reserve_up_kw: party.reserve_up.map_or(0.0, |standby| standby.award.kw()),
        reserve_down_kw: party.reserve_down.map_or(0.0, |standby| standby.award.kw()),
    };
    let duals = |place: &market::grid::certificate::Multipliers| {
        let congestion = place.congestion.eur_per_mwh();
        // From nano-euros an hour to EUR/MWh times kW.
        let voltage = place.voltage.0 as f64 / 1e6;
        PlaceDuals {
            power_max: congestion.max(0.0),
            power_min: (-congestion).max(0.0),
            apparent: place.apparent.eur_per_mwh(),
            voltage_min: voltage.max(0.0),
            voltage_max: (-voltage).max(0.0),
        }
    };
    let flows = flows(network, published);
    GridSolution {
        import_kw: import.kw(),
        import_kvar: import_reactive.kvar(),
        awards: published.parties.iter().map(award).collect(),
        voltage_square_pu: voltages(network, &flows),
        flows,
        prices: prices.iter().map(|price| price.eur_per_mwh()).collect(),
        reactive_prices: reactive_prices.iter().map(|price| price.eur_per_mwh()).collect(),
        duals: multipliers.iter().map(duals).collect(),
        reserve_up_price: published.clearing.reserve_up_price.eur_per_mwh(),
        reserve_down_price: published.clearing.reserve_down_price.eur_per_mwh(),
        objective_eur_per_h,
    }
}

/// Published flows; what a line loses is what of its flow does not arrive.
fn flows(network: &Network, published: &Published) -> Vec<BranchFlow> {
    let arriving = |flow: &market::grid::certificate::LineFlow| BranchFlow {
        power_kw: flow.power.kw(),
        reactive_kvar: flow.reactive.kvar(),
        ..BranchFlow::default()
    };
    let mut flows: Vec<BranchFlow> = published.clearing.flows.iter().map(arriving).collect();
    if network.losses == Losses::Neglected {
        return flows;
    }
    for flow in &mut flows {
        (flow.loss_kw, flow.loss_kvar) = (flow.power_kw, flow.reactive_kvar);
    }
    for party in &published.parties {
        flows[party.place].loss_kw -= party.allocation.kw();
        flows[party.place].loss_kvar -= party.reactive_allocation.kvar();
    }
    for place in 1..flows.len() {
        let sent = flows[place];
        let parent = &mut flows[network.parent[place]];
        parent.loss_kw -= sent.power_kw;
        parent.loss_kvar -= sent.reactive_kvar;
    }
    flows[0] = BranchFlow::default();
    flows
}

/// Squared voltages that follow from flows; losses of `r l` and `x l` lift a child's by `|z|^2 l`.
pub fn voltages(network: &Network, flows: &[BranchFlow]) -> Vec<f64> {
    let mut squares = vec![network.root_voltage_square_pu; flows.len()];
    for place in 1..flows.len() {
        let (branch, flow) = (&network.branches[place], &flows[place]);
        let (r, x) = (branch.resistance_pu_per_kva, branch.reactance_pu_per_kva);
        let sending = branch.ratio_square * squares[network.parent[place]];
        let drop = 2.0 * (r * flow.power_kw + x * flow.reactive_kvar);
        squares[place] = sending - drop + r * flow.loss_kw + x * flow.loss_kvar;
    }
    squares
}
