//! Certificates that are not true: every figure of true ones moved by more than its tolerance, and
//! dispatches that keep every limit and cost more.

use super::case::problem;
use super::reference::carried;
use market::grid::solution::GridSolution;
use market::horizon::certificate::{check, CertificateError, Tolerance, Verdict};
use market::horizon::clear;
use market::horizon::clearing::{BoundDuals, HorizonClearing};
use market::horizon::problem::HorizonProblem;

/// What a figure is measured in, which says how far it may be off.
#[derive(Clone, Copy, Debug)]
enum Unit {
    Power,
    Energy,
    Square,
    Price,
    /// Of a voltage's multiplier: a price times kW per square of voltage, at this place.
    PerSquare(usize),
    /// Of an apparent-power limit's multiplier, of which prices see the flow's part.
    Apparent,
    Cost,
}

/// Calls `visit` with every figure of a clearing.
fn visit(clearing: &mut HorizonClearing, visit: &mut dyn FnMut(Unit, &mut f64)) {
    visit(Unit::Cost, &mut clearing.objective_eur);
    for interval in &mut clearing.intervals {
        visit(Unit::Cost, &mut interval.objective_eur_per_h);
        visit(Unit::Power, &mut interval.import_kw);
        visit(Unit::Power, &mut interval.import_kvar);
        visit(Unit::Price, &mut interval.reserve_up_price);
        visit(Unit::Price, &mut interval.reserve_down_price);
        for award in &mut interval.awards {
            visit(Unit::Power, &mut award.power_kw);
            visit(Unit::Power, &mut award.reactive_kvar);
            visit(Unit::Power, &mut award.reserve_up_kw);
            visit(Unit::Power, &mut award.reserve_down_kw);
        }
        for flow in &mut interval.flows {
            visit(Unit::Power, &mut flow.power_kw);
            visit(Unit::Power, &mut flow.reactive_kvar);
            visit(Unit::Power, &mut flow.loss_kw);
            visit(Unit::Power, &mut flow.loss_kvar);
        }
        interval.voltage_square_pu.iter_mut().for_each(|square| visit(Unit::Square, square));
        interval.prices.iter_mut().for_each(|price| visit(Unit::Price, price));
        interval.reactive_prices.iter_mut().for_each(|price| visit(Unit::Price, price));
        for (place, dual) in interval.duals.iter_mut().enumerate() {
            visit(Unit::Price, &mut dual.power_max);
            visit(Unit::Price, &mut dual.power_min);
            visit(Unit::Apparent, &mut dual.apparent);
            visit(Unit::PerSquare(place), &mut dual.voltage_min);
            visit(Unit::PerSquare(place), &mut dual.voltage_max);
        }
    }
    let bounds = |duals: &mut Vec<BoundDuals>, visit: &mut dyn FnMut(Unit, &mut f64)| {
        for dual in duals {
            visit(Unit::Price, &mut dual.min);
            visit(Unit::Price, &mut dual.max);
        }
    };
    for schedule in &mut clearing.storages {
        schedule.charge_kw.iter_mut().for_each(|power| visit(Unit::Power, power));
        schedule.discharge_kw.iter_mut().for_each(|power| visit(Unit::Power, power));
        schedule.energy_kwh.iter_mut().for_each(|energy| visit(Unit::Energy, energy));
        schedule.stored_values.iter_mut().for_each(|value| visit(Unit::Price, value));
        bounds(&mut schedule.charge_duals, visit);
        bounds(&mut schedule.discharge_duals, visit);
        bounds(&mut schedule.energy_duals, visit);
    }
    for schedule in &mut clearing.deferrables {
        schedule.power_kw.iter_mut().for_each(|power| visit(Unit::Power, power));
        visit(Unit::Price, &mut schedule.energy_value);
        bounds(&mut schedule.power_duals, visit);
    }
}

/// By how much a figure may be off.
fn allowed(unit: Unit, problem: &HorizonProblem, turnover_eur: f64) -> f64 {
    let tolerance = Tolerance::default();
    match unit {
        Unit::Power => tolerance.power_kw,
        Unit::Energy => tolerance.energy_kwh,
        Unit::Square => tolerance.square_pu,
        Unit::Price => tolerance.price,
        Unit::Apparent => 10.0 * tolerance.price,
        // So much that a price moves by its own tolerance; at the root, where it moves none, anything.
        Unit::PerSquare(0) => tolerance.price,
        Unit::PerSquare(place) => {
            tolerance.price / (2.0 * problem.network.branches[place].resistance_pu_per_kva)
        }
        Unit::Cost => tolerance.cost * turnover_eur.max(1.0),
    }
}

#[test]
fn every_figure_of_a_true_certificate_matters() {
    let mut refused = 0;
    for case in carried() {
        let problem = problem(&case);
        let clearing = clear(&problem).unwrap();
        let turnover_eur = check(&problem, &clearing, &Tolerance::default()).unwrap().turnover_eur;
        let mut figures = 0;
        visit(&mut clearing.clone(), &mut |_, _| figures += 1);
        // Odd, so that all kinds of figures and all intervals have their turn.
        let stride = 1 + 2 * (figures / 1_500);
        let factors = [1.1, -1.1, 40.0, -40.0, 1e6, f64::NAN];
        for (nth, factor) in (0..figures).step_by(stride).flat_map(|nth| factors.map(|factor| (nth, factor)))
        {
            let mut changed = clearing.clone();
            let (mut at, mut what) = (0, None);
            visit(&mut changed, &mut |unit, figure| {
                let here = at == nth;
                at += 1;
                let by = factor * 2.0 * allowed(unit, &problem, turnover_eur);
                // Where a line has no resistance its end's voltage moves no price.
                if here && !by.is_infinite() {
                    what = Some((unit, *figure));
                    *figure += by;
                }
            });
            let Some(what) = what else { continue };
            let verdict = check(&problem, &changed, &Tolerance::default());
            assert!(verdict.is_err(), "{}: figure {nth}, {what:?} by {factor}: {verdict:?}", case["id"]);
            refused += 1;
        }
    }
    assert!(refused >= 10_000, "only {refused} were tried");
}

/// Charges a storage order by `kw` less in an interval and by as much more in the one before, and
/// whatever follows from that, if its own limits allow it.
fn charge_earlier(
    problem: &HorizonProblem,
    clearing: &HorizonClearing,
    (storage, t): (usize, usize),
    kw: f64,
) -> Option<HorizonClearing> {
    let (mut moved, order) = (clearing.clone(), &problem.storages[storage]);
    let schedule = &mut moved.storages[storage];
    let stored = kw * problem.interval_hours * order.charge_efficiency;
    let fits = schedule.energy_kwh[t - 1] + stored < order.energy_max_kwh
        && schedule.charge_kw[t - 1] + kw < order.charge_max_kw
        && schedule.discharge_kw[t - 1] < 1e-6
        && schedule.charge_kw[t] >= kw;
    schedule.charge_kw[t] -= kw;
    schedule.charge_kw[t - 1] += kw;
    schedule.energy_kwh[t - 1] += stored;
    take_more(problem, &mut moved.intervals[t], order.place, -kw);
    take_more(problem, &mut moved.intervals[t - 1], order.place, kw);
    fits.then_some(moved)
}

/// Takes more at a place, with flows and voltages that follow.
fn take_more(problem: &HorizonProblem, interval: &mut GridSolution, place: usize, kw: f64) {
    let network = &problem.network;
    interval.import_kw += kw;
    let mut here = place;
    while here != 0 {
        interval.flows[here].power_kw += kw;
        here = network.parent[here];
    }
    for place in 1..network.parent.len() {
        let (branch, flow) = (&network.branches[place], &interval.flows[place]);
        let drop =
            branch.resistance_pu_per_kva * flow.power_kw + branch.reactance_pu_per_kva * flow.reactive_kvar;
        interval.voltage_square_pu[place] = interval.voltage_square_pu[network.parent[place]] - 2.0 * drop;
    }
}

/// Checks a clearing whose costs are told as they are.
fn check_with_true_costs(
    problem: &HorizonProblem,
    clearing: &mut HorizonClearing,
) -> Result<Verdict, CertificateError> {
    loop {
        match check(problem, clearing, &Tolerance::default()) {
            Err(CertificateError::Figure { what: "cost by hour", interval, expected, .. }) => {
                clearing.intervals[interval].objective_eur_per_h = expected;
            }
            Err(CertificateError::Figure { what: "cost", expected, .. }) => clearing.objective_eur = expected,
            verdict => return verdict,
        }
    }
}

#[test]
fn a_dispatch_that_keeps_every_limit_and_costs_more_is_refused() {
    let (mut dearer, mut all) = (0, 0);
    for case in carried() {
        let problem = problem(&case);
        let clearing = clear(&problem).unwrap();
        let moves = (0..problem.storages.len()).flat_map(|s| (1..problem.intervals()).map(move |t| (s, t)));
        for place in moves {
            let Some(mut moved) = charge_earlier(&problem, &clearing, place, 0.3) else { continue };
            let verdict = check_with_true_costs(&problem, &mut moved);
            all += 1;
            match verdict {
                Err(CertificateError::Gap { .. }) => dearer += 1,
                // The move passes a limit of the feeder.
                Err(_) => {}
                // Prices before and after are the same, and so is the cost.
                Ok(Verdict { gap_eur, .. }) => {
                    let more = moved.objective_eur - clearing.objective_eur;
                    assert!(more <= gap_eur + 1e-9, "{}: {place:?} costs {more} more", case["id"]);
                }
            }
        }
    }
    assert!(dearer >= 5, "only {dearer} of {all} keep every limit");
}
