//! One interval of a certificate: what flows, at what voltage and at what prices, and what supply and
//! offers forgo.

use super::{product, CertificateError, Sums, Tolerance, Whose};
use crate::grid::problem::{Piece, Reactive};
use crate::grid::solution::{BranchFlow, GridSolution, PlaceDuals};
use crate::horizon::clearing::HorizonClearing;
use crate::horizon::limits::{apparent_max_kva, state, State};
use crate::horizon::losses;
use crate::horizon::prices::prices;
use crate::horizon::problem::{HorizonProblem, OfferCurve, ProfiledOffer};
use crate::horizon::worth::{cost, forgone_by_party, forgone_by_supply, value};

/// From EUR/MWh times kW to EUR/h.
const MILLI: f64 = 1e3;

/// Checks an interval and adds what it turns over, costs and forgoes.
pub fn check(
    problem: &HorizonProblem,
    clearing: &HorizonClearing,
    interval: usize,
    tolerance: &Tolerance,
    sums: &mut Sums,
) -> Result<(), CertificateError> {
    let solution = &clearing.intervals[interval];
    check_flows(problem, clearing, interval, tolerance)?;
    check_prices(problem, solution, interval, tolerance)?;
    let (mut gap, mut turnover, mut cost) = supply(problem, solution, interval, tolerance)?;
    for (index, stated) in problem.offers.iter().enumerate() {
        let whose = Whose { index, interval };
        let (forgone, worth, reactive_cost) = offer(stated, solution, whose, tolerance)?;
        gap += forgone;
        turnover += if worth < 0.0 { -worth } else { worth } + reactive_cost;
        cost += reactive_cost - worth;
    }
    let lost = losses::cost(&problem.network, problem.loss_price, &solution.flows);
    (turnover, cost) = (turnover + lost, cost + lost);
    gap += check_limits(problem, solution, interval, tolerance)?;
    let per_hour = |milli: f64| milli / MILLI;
    let hours = problem.interval_hours;
    let turned = per_hour(turnover);
    let allowed = tolerance.cost * if turned > 1.0 { turned } else { 1.0 };
    let whole = Whose { index: 0, interval };
    whole.equal("cost by hour", solution.objective_eur_per_h, per_hour(cost), allowed)?;
    sums.gap += hours * per_hour(gap);
    sums.turnover += hours * turned;
    sums.cost += hours * per_hour(cost);
    Ok(())
}

/// Flows and voltages as what is taken makes them.
fn check_flows(
    problem: &HorizonProblem,
    clearing: &HorizonClearing,
    interval: usize,
    tolerance: &Tolerance,
) -> Result<(), CertificateError> {
    let solution = &clearing.intervals[interval];
    let places = problem.network.parent.len();
    let (mut real, mut reactive) = (vec![0.0; places], vec![0.0; places]);
    for (offer, award) in problem.offers.iter().zip(&solution.awards) {
        real[offer.place] += award.power_kw;
        reactive[offer.place] += award.reactive_kvar;
    }
    for (order, schedule) in problem.storages.iter().zip(&clearing.storages) {
        real[order.place] += schedule.charge_kw[interval] - schedule.discharge_kw[interval];
    }
    for (order, schedule) in problem.deferrables.iter().zip(&clearing.deferrables) {
        real[order.place] += schedule.power_kw[interval];
    }
    let State { flows, voltage_square_pu } = state(&problem.network, &real, &reactive);
    let root = Whose { index: 0, interval };
    root.equal("import", solution.import_kw, flows[0].power_kw, tolerance.power_kw)?;
    root.equal("reactive import", solution.import_kvar, flows[0].reactive_kvar, tolerance.power_kw)?;
    root.equal("price of reserve up", solution.reserve_up_price, 0.0, tolerance.price)?;
    root.equal("price of reserve down", solution.reserve_down_price, 0.0, tolerance.price)?;
    for (place, flow) in flows.iter().enumerate() {
        let whose = Whose { index: place, interval };
        let given = &solution.flows[place];
        // The root is fed by no line.
        let flow = if place == 0 { BranchFlow::default() } else { *flow };
        whose.equal("flow", given.power_kw, flow.power_kw, tolerance.power_kw)?;
        whose.equal("reactive flow", given.reactive_kvar, flow.reactive_kvar, tolerance.power_kw)?;
        whose.equal("loss", given.loss_kw, 0.0, tolerance.power_kw)?;
        whose.equal("reactive loss", given.loss_kvar, 0.0, tolerance.power_kw)?;
        let square = solution.voltage_square_pu[place];
        whose.equal("squared voltage", square, voltage_square_pu[place], tolerance.square_pu)?;
    }
    Ok(())
}

/// Prices as the limits' multipliers make them.
fn check_prices(
    problem: &HorizonProblem,
    solution: &GridSolution,
    interval: usize,
    tolerance: &Tolerance,
) -> Result<(), CertificateError> {
    for (index, dual) in solution.duals.iter().enumerate() {
        let whose = Whose { index, interval };
        let PlaceDuals { power_max, power_min, apparent, voltage_min, voltage_max } = *dual;
        whose.multiplier("multiplier of most power", power_max)?;
        whose.multiplier("multiplier of least power", power_min)?;
        whose.multiplier("multiplier of least voltage", voltage_min)?;
        whose.multiplier("multiplier of most voltage", voltage_max)?;
        whose.multiplier("multiplier of apparent power", apparent)?;
        let none = (power_max, power_min, apparent, voltage_min, voltage_max) == (0.0, 0.0, 0.0, 0.0, 0.0);
        if index == 0 && !none {
            whose.wrong("multiplier of the root, which has no limit", 1.0, 0.0)?;
        }
    }
    let made =
        prices((&problem.network, problem.loss_price), solution.prices[0], &solution.duals, &solution.flows);
    for index in 0..made.real.len() {
        let whose = Whose { index, interval };
        whose.equal("price", solution.prices[index], made.real[index], tolerance.price)?;
        let reactive = solution.reactive_prices[index];
        whose.equal("reactive price", reactive, made.reactive[index], tolerance.price)?;
    }
    Ok(())
}

/// What supply forgoes, turns over and costs, in EUR/MWh times kW.
fn supply(
    problem: &HorizonProblem,
    solution: &GridSolution,
    interval: usize,
    tolerance: &Tolerance,
) -> Result<(f64, f64, f64), CertificateError> {
    let supply = &problem.supplies[interval];
    let beyond = solution.import_kw - supply.import_min_kw;
    let most = length(&supply.pieces);
    Whose { index: 0, interval }.within(
        "import beyond the least",
        beyond,
        (0.0, most),
        tolerance.power_kw,
    )?;
    let cost = cost(&supply.pieces, beyond);
    let forgone = forgone_by_supply(&supply.pieces, beyond, solution.prices[0]);
    Ok((forgone, if cost < 0.0 { -cost } else { cost }, cost))
}

fn length(pieces: &[Piece]) -> f64 {
    pieces.iter().map(|piece| piece.width_kw).sum()
}

/// What an offer forgoes and is worth, and what its reactive power costs, in EUR/MWh times kW.
fn offer(
    offer: &ProfiledOffer,
    solution: &GridSolution,
    whose: Whose,
    tolerance: &Tolerance,
) -> Result<(f64, f64, f64), CertificateError> {
    let award = &solution.awards[whose.index];
    let OfferCurve { power_min_kw, pieces } = &offer.curves[whose.interval];
    let beyond = award.power_kw - power_min_kw;
    whose.within("power beyond the least", beyond, (0.0, length(pieces)), tolerance.power_kw)?;
    whose.equal("reserve up", award.reserve_up_kw, 0.0, tolerance.power_kw)?;
    whose.equal("reserve down", award.reserve_down_kw, 0.0, tolerance.power_kw)?;
    let (mut price, reactive_price) = (solution.prices[offer.place], solution.reactive_prices[offer.place]);
    let (mut reactive_forgone, mut reactive_cost) = (0.0, 0.0);
    match offer.reactive {
        Reactive::Fixed { reactive_kvar } => {
            whose.equal("reactive power", award.reactive_kvar, reactive_kvar, tolerance.power_kw)?;
        }
        Reactive::Proportional { tan_phi } => {
            let expected = tan_phi * award.power_kw;
            whose.equal("reactive power", award.reactive_kvar, expected, tolerance.power_kw)?;
            price += tan_phi * reactive_price;
        }
        Reactive::Range { min_kvar, max_kvar, cost_eur_per_mvar2_h } => {
            let kvar = award.reactive_kvar;
            whose.within("reactive power", kvar, (min_kvar, max_kvar), tolerance.power_kw)?;
            reactive_cost = cost_eur_per_mvar2_h * kvar * kvar / MILLI;
            reactive_forgone =
                range_forgone((min_kvar, max_kvar), kvar, 2.0 * cost_eur_per_mvar2_h / MILLI, reactive_price);
        }
    }
    let forgone = forgone_by_party(pieces, beyond, price);
    Ok((forgone + reactive_forgone, value(pieces, beyond), reactive_cost))
}

/// Cost of reactive power at a price, own cost rising by `rise` from kvar to kvar, less that of the best.
fn range_forgone((least, most): (f64, f64), kvar: f64, rise: f64, price: f64) -> f64 {
    let unbounded_above = price < 0.0 && -price >= rise * most;
    let unbounded_below = price > 0.0 && -price <= rise * least;
    let best = if unbounded_above {
        most
    } else if unbounded_below {
        least
    } else if rise > 0.0 {
        let best = -price / rise;
        if best < least {
            least
        } else if best > most {
            most
        } else {
            best
        }
    } else {
        kvar
    };
    let forgone = (kvar - best) * (price + rise * (kvar + best) / 2.0);
    if forgone > 0.0 {
        forgone
    } else {
        0.0
    }
}

/// Whether limits of lines and voltages are kept; what their multipliers amount to where they do not
/// bind, in EUR/MWh times kW.
fn check_limits(
    problem: &HorizonProblem,
    solution: &GridSolution,
    interval: usize,
    tolerance: &Tolerance,
) -> Result<f64, CertificateError> {
    let mut gap = 0.0;
    for index in 1..problem.network.parent.len() {
        let whose = Whose { index, interval };
        let (branch, band) = (&problem.network.branches[index], &problem.network.bands[index]);
        let (flow, square) = (solution.flows[index].power_kw, solution.voltage_square_pu[index]);
        let reactive = solution.flows[index].reactive_kvar;
        let (kva, apparent_square) = (apparent_max_kva(branch), flow * flow + reactive * reactive);
        let most = kva + tolerance.power_kw;
        whose.within("squared apparent power", apparent_square, (0.0, most * most), 0.0)?;
        let power = (branch.power_min_kw, branch.power_max_kw);
        whose.within("flow", flow, power, tolerance.power_kw)?;
        let voltage = (band.min_square_pu, band.max_square_pu);
        whose.within("squared voltage", square, voltage, tolerance.square_pu)?;
        let duals = &solution.duals[index];
        // The limit is `(P^2 + Q^2 - S^2) / 2 S <= 0`, convex, with the slope that prices have.
        gap += product((kva - apparent_square / kva) / 2.0, duals.apparent);
        gap += product(flow - power.0, duals.power_min) + product(power.1 - flow, duals.power_max);
        gap +=
            product(square - voltage.0, duals.voltage_min) + product(voltage.1 - square, duals.voltage_max);
    }
    Ok(gap)
}
