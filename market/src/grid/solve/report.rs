//! A point of the iteration as a solution, in the problem's units.
//!
//! Flows and voltages are added up again from what the offers were given, so that they fit the
//! awards to the last bit of arithmetic; prices and multipliers are the iteration's.

use super::model::{Cover, Model, Party};
use super::point::Point;
use crate::grid::error::Limit;
use crate::grid::problem::{GridProblem, Objective, Piece, Reactive};
use crate::grid::solution::{BranchFlow, GridSolution, OfferAward, PlaceDuals};

/// What the point comes to.
pub(super) fn solution(problem: &GridProblem, point: &Point) -> GridSolution {
    let model = point.model;
    let unit = model.price_unit;
    let mut awards = vec![OfferAward::default(); problem.offers.len()];
    for party in &model.parties {
        awards[party.offer] = award(problem, point, party);
    }
    let mut flows = vec![BranchFlow::default(); model.parent.len()];
    for (offer, award) in problem.offers.iter().zip(&awards) {
        flows[offer.place].power_kw += award.power_kw;
        flows[offer.place].reactive_kvar += award.reactive_kvar;
    }
    for place in (1..flows.len()).rev() {
        let parent = model.parent[place];
        let flow = sent(point, place, flows[place]);
        flows[place] = flow;
        flows[parent].power_kw += flow.power_kw;
        flows[parent].reactive_kvar += flow.reactive_kvar;
    }
    let import = std::mem::take(&mut flows[0]);
    let mut voltage_square_pu = vec![problem.network.root_voltage_square_pu; flows.len()];
    for place in 1..flows.len() {
        let (branch, flow) = (&problem.network.branches[place], &flows[place]);
        let (r, x) = (branch.resistance_pu_per_kva, branch.reactance_pu_per_kva);
        // Losses of `r l` lift the voltage at the end by `(r^2 + x^2) l`.
        let fall = r * (2.0 * flow.power_kw - flow.loss_kw) + x * (2.0 * flow.reactive_kvar - flow.loss_kvar);
        voltage_square_pu[place] = branch.ratio_square * voltage_square_pu[model.parent[place]] - fall;
    }
    let mut solution = GridSolution {
        import_kw: import.power_kw,
        import_kvar: import.reactive_kvar,
        awards,
        flows,
        voltage_square_pu,
        prices: point.nodes.iter().map(|node| node.price[0] * unit).collect(),
        reactive_prices: point.nodes.iter().map(|node| node.price[1] * unit).collect(),
        duals: (0..model.parent.len()).map(|place| duals(point, place)).collect(),
        reserve_up_price: point.required[0].map_or(0.0, |required| required.dual * unit),
        reserve_down_price: point.required[1].map_or(0.0, |required| required.dual * unit),
        objective_eur_per_h: 0.0,
    };
    solution.objective_eur_per_h = objective(problem, &solution);
    solution
}

/// What a line sends for what it delivers.
fn sent(point: &Point, place: usize, delivered: BranchFlow) -> BranchFlow {
    let current = point.nodes[place].current * point.model.power_unit;
    let [r, x] = point.model.lines[place].impedance;
    let (loss_kw, loss_kvar) = (r * current, x * current);
    BranchFlow {
        power_kw: delivered.power_kw + loss_kw,
        reactive_kvar: delivered.reactive_kvar + loss_kvar,
        loss_kw,
        loss_kvar,
    }
}

fn award(problem: &GridProblem, point: &Point, party: &Party) -> OfferAward {
    let offer = &problem.offers[party.offer];
    let ready = |cover: Option<Cover>| cover.map_or(0.0, |cover| point.choices[cover.stretch].taken);
    let taken = |index: usize| {
        let choice = &point.choices[index];
        // The smaller of the two is the exact one.
        let width = point.model.stretches[index].width;
        if choice.taken < choice.left {
            choice.taken
        } else {
            width - choice.left
        }
    };
    let unit = point.model.power_unit;
    let power_kw = offer.power_min_kw + party.real.clone().map(taken).sum::<f64>() * unit;
    let reactive_kvar = match offer.reactive {
        Reactive::Fixed { reactive_kvar } => reactive_kvar,
        Reactive::Proportional { tan_phi } => tan_phi * power_kw,
        Reactive::Range { min_kvar, .. } => min_kvar + party.vars.map_or(0.0, taken) * unit,
    };
    OfferAward {
        power_kw,
        reactive_kvar,
        reserve_up_kw: ready(party.reserve[0]) * unit,
        reserve_down_kw: ready(party.reserve[1]) * unit,
    }
}

fn duals(point: &Point, place: usize) -> PlaceDuals {
    let model: &Model = point.model;
    let mut duals = PlaceDuals::default();
    for index in model.first_bound[place]..model.first_bound[place + 1] {
        let dual = point.pairs[index].dual * model.price_unit;
        match model.bounds[index].limit {
            Limit::PowerMax => duals.power_max = dual,
            Limit::PowerMin => duals.power_min = dual,
            Limit::VoltageMax => duals.voltage_max = dual * model.power_unit,
            Limit::VoltageMin => duals.voltage_min = dual * model.power_unit,
            _ => duals.apparent = dual,
        }
    }
    duals
}

/// Value of the first `power_kw` of pieces, the price falling or rising from `start` to `end` of each.
fn worth(pieces: &[Piece], power_kw: f64, ends: impl Fn(&Piece) -> (f64, f64)) -> f64 {
    let mut left = power_kw;
    let mut worth = 0.0;
    for piece in pieces {
        let (start, end) = ends(piece);
        let part = left.clamp(0.0, piece.width_kw);
        worth += part * (start + (end - start) * part / piece.width_kw / 2.0);
        left -= part;
    }
    worth
}

/// The minimised cost in EUR/h. The supply's counts from no import, an offer's value from
/// `power_min_kw`.
pub(super) fn objective(problem: &GridProblem, solution: &GridSolution) -> f64 {
    let supply = &problem.supply;
    let supplied =
        |import: f64| worth(&supply.pieces, import - supply.import_min_kw, |p| (p.price_low, p.price_high));
    let mut cost = supplied(solution.import_kw) - supplied(0.0);
    for (offer, award) in problem.offers.iter().zip(&solution.awards) {
        cost -= worth(&offer.pieces, award.power_kw - offer.power_min_kw, |p| (p.price_high, p.price_low));
        if let Reactive::Range { cost_eur_per_mvar2_h, .. } = offer.reactive {
            cost += cost_eur_per_mvar2_h * award.reactive_kvar * award.reactive_kvar / 1e3;
        }
    }
    let Objective { loss_price, voltage_deviation_price, .. } = problem.objective;
    let places = 1..solution.flows.len();
    let lost = |place: usize| {
        let flow = &solution.flows[place];
        let square = flow.power_kw * flow.power_kw + flow.reactive_kvar * flow.reactive_kvar;
        problem.network.branches[place].resistance_pu_per_kva * square
    };
    cost += loss_price * places.clone().map(lost).sum::<f64>();
    let deviation = places.map(|place| (solution.voltage_square_pu[place] - 1.0).powi(2)).sum::<f64>();
    for (offer, award) in problem.offers.iter().zip(&solution.awards) {
        cost += offer.reserve_up.map_or(0.0, |reserve| reserve.price * award.reserve_up_kw);
        cost += offer.reserve_down.map_or(0.0, |reserve| reserve.price * award.reserve_down_kw);
    }
    cost / 1e3 + voltage_deviation_price * deviation
}
