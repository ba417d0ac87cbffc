//! Clearing a case in integers, with its certificate. The engine knows limits of real power only: what
//! it finds clears a case whose other limits it keeps without having to, at the same prices, since
//! those limits then cost nothing.

use super::case::Case;
use super::certified::voltages;
use super::convert::{convert, Converted};
use super::objective;
use super::refusal::Refusal;
use super::unmet::Unmet;
use market::certificate::{check, PartyDemand};
use market::clearing::{engine, Clearing, Infeasible, PriceRange};
use market::grid::problem::{GridProblem, Network, Reactive};
use market::grid::solution::{BranchFlow, GridSolution, OfferAward, PlaceDuals};
use market::units::Milliwatt;

/// How far a square of voltage, or relatively a loading, may pass its limit: what floating point
/// leaves, not a tolerance of the market's.
const ROUNDING: f64 = 1e-9;

/// Whether nothing but limits of real power bears on the outcome, unless another limit binds.
fn suits(problem: &GridProblem) -> bool {
    let objective = &problem.objective;
    let priced = [
        objective.loss_price,
        objective.voltage_deviation_price,
        objective.reserve_up_kw,
        objective.reserve_down_kw,
    ];
    priced.iter().all(|price| *price == 0.0)
}

/// Clears a case, if nothing but limits of real power bears on its outcome; none if more does. A limit of
/// real power that no dispatch meets is found in either case.
///
/// # Errors
/// [`Refusal`] where the result does not pass its certificate; in the inner result, the limit of real
/// power that no dispatch meets.
pub fn clear(
    case: &Case,
    converted: &Converted,
    problem: &GridProblem,
) -> Result<Result<Option<GridSolution>, Unmet>, Refusal> {
    if problem.network.losses.carries() {
        return Ok(Ok(None));
    }
    let cleared = run(converted);
    match cleared.as_ref().err().and_then(|limit| converted.room_for(limit)) {
        None => judge(case, converted, cleared, problem),
        Some(room) => {
            let roomier = convert(case, room)?;
            judge(case, &roomier, run(&roomier), problem)
        }
    }
}

/// What a run of the engine says of the whole case.
fn judge(
    case: &Case,
    converted: &Converted,
    cleared: Result<Clearing, Infeasible>,
    problem: &GridProblem,
) -> Result<Result<Option<GridSolution>, Unmet>, Refusal> {
    match cleared {
        Err(limit) => Ok(Err(Unmet::of_exact(&limit, converted.limit_kw(&limit)))),
        Ok(_) if !suits(problem) => Ok(Ok(None)),
        Ok(clearing) => {
            let allocations = certified(converted, &clearing)?;
            let solution = solution(case, converted, &clearing, &allocations, problem);
            Ok(Ok(kept(&problem.network, &solution).then_some(solution)))
        }
    }
}

fn run(converted: &Converted) -> Result<Clearing, Infeasible> {
    let Converted { feeder, tree, supply, book, .. } = converted;
    engine::clear(feeder, tree, supply, book, PriceRange::WIDEST)
}

/// Each site's share, once the whole has passed its certificate.
fn certified(converted: &Converted, clearing: &Clearing) -> Result<Vec<Milliwatt>, Refusal> {
    let shares = converted.book.split(clearing).unwrap_or_default();
    let mut allocations = vec![Milliwatt::ZERO; converted.curves.len()];
    for (site, share) in converted.order.iter().zip(shares) {
        allocations[*site] = share;
    }
    let party = |(site, allocation): (usize, &Milliwatt)| {
        let bus = converted.bus_of[site];
        let range = converted.curves[site].demand_at(clearing.prices[bus]);
        PartyDemand { bus, range, allocation: *allocation }
    };
    let parties: Vec<_> = allocations.iter().enumerate().map(party).collect();
    check(&converted.feeder, &converted.tree, &converted.supply, clearing, &parties)?;
    Ok(allocations)
}

/// The clearing as a solution of the whole problem, every multiplier but the lines' zero.
fn solution(
    case: &Case,
    converted: &Converted,
    clearing: &Clearing,
    allocations: &[Milliwatt],
    problem: &GridProblem,
) -> GridSolution {
    let tree = &converted.tree;
    let award = |(power, offer): (&Milliwatt, &market::grid::problem::Offer)| {
        let power_kw = converted.kw(*power);
        // As cheap as it can be: nothing here rewards any.
        let reactive_kvar = match offer.reactive {
            Reactive::Fixed { reactive_kvar } => reactive_kvar,
            Reactive::Proportional { tan_phi } => tan_phi * power_kw,
            Reactive::Range { min_kvar, max_kvar, .. } => 0f64.clamp(min_kvar, max_kvar),
        };
        OfferAward { power_kw, reactive_kvar, ..OfferAward::default() }
    };
    let awards: Vec<OfferAward> = allocations.iter().zip(&problem.offers).map(award).collect();
    let prices: Vec<f64> = tree.order.iter().map(|bus| clearing.prices[*bus].eur_per_mwh()).collect();
    let rise = |place: usize| {
        let rise = clearing.prices[tree.order[place]] - clearing.prices[tree.order[tree.parent[place]]];
        let rise = rise.eur_per_mwh();
        PlaceDuals { power_max: rise.max(0.0), power_min: (-rise).max(0.0), ..PlaceDuals::default() }
    };
    let mut flows = reactive_flows(problem, &awards);
    for (place, flow) in flows.iter_mut().enumerate().skip(1) {
        flow.power_kw = converted.kw(clearing.flows[tree.line[place]]);
    }
    let import_kvar = flows[0].reactive_kvar;
    flows[0] = BranchFlow::default();
    let mut solution = GridSolution {
        import_kw: converted.kw(clearing.import),
        import_kvar,
        voltage_square_pu: voltages(&problem.network, &flows),
        awards,
        flows,
        reactive_prices: vec![0.0; prices.len()],
        duals: (0..prices.len()).map(rise).collect(),
        prices,
        reserve_up_price: 0.0,
        reserve_down_price: 0.0,
        objective_eur_per_h: 0.0,
    };
    solution.objective_eur_per_h = objective::eur_per_h(case, &problem.network, &solution);
    solution
}

/// Reactive power into each place's line; at the root, from the transmission side.
fn reactive_flows(problem: &GridProblem, awards: &[OfferAward]) -> Vec<BranchFlow> {
    let mut flows = vec![BranchFlow::default(); problem.network.parent.len()];
    for (offer, award) in problem.offers.iter().zip(awards) {
        flows[offer.place].reactive_kvar += award.reactive_kvar;
    }
    for place in (1..flows.len()).rev() {
        flows[problem.network.parent[place]].reactive_kvar += flows[place].reactive_kvar;
    }
    flows
}

/// Whether the limits the engine does not know are kept.
fn kept(network: &Network, solution: &GridSolution) -> bool {
    (1..network.parent.len()).all(|place| {
        let (band, square) = (&network.bands[place], solution.voltage_square_pu[place]);
        let flow = &solution.flows[place];
        let most = network.branches[place].apparent_max_kva * (1.0 + ROUNDING);
        band.min_square_pu - ROUNDING <= square
            && square <= band.max_square_pu + ROUNDING
            && flow.power_kw.hypot(flow.reactive_kvar) <= most
    })
}
