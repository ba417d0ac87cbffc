//! From the interior point's scaled figures to a clearing in the problem's own units. What follows from
//! other figures is computed from them: energies from powers, flows and import from what is taken,
//! prices from multipliers, and bounds' multipliers from prices.

use super::clearing::{BoundDuals, DeferrableSchedule, HorizonClearing, StorageSchedule};
use super::deferrable::DeferrableBlock;
use super::limits::{state, LimitKind};
use super::losses;
use super::model::{Model, Taken};
use super::prices::{prices, PlacePrices};
use super::problem::{DeferrableOrder, HorizonProblem, OfferCurve, StorageOrder};
use super::storage::StorageBlock;
use super::worth;
use crate::grid::problem::Reactive;
use crate::grid::solution::{GridSolution, OfferAward, PlaceDuals};

/// Splits a reduced cost into the multipliers of a least and a most.
fn bound_duals(reduced_cost: f64) -> BoundDuals {
    BoundDuals { min: reduced_cost.max(0.0), max: (-reduced_cost).max(0.0) }
}

/// The clearing at the model's present point.
pub fn clearing(model: &Model) -> HorizonClearing {
    let problem = model.problem;
    let offers: Vec<Vec<OfferAward>> = (0..problem.offers.len()).map(|offer| awards(model, offer)).collect();
    let duals = place_duals(model);
    let at_point = model.taken(&model.boxes.value);
    let prices: Vec<PlacePrices> = duals
        .iter()
        .zip(&model.equations)
        .enumerate()
        .map(|(interval, (duals, balance))| {
            let flows = model.state(&at_point, interval).flows;
            prices(
                (&problem.network, problem.loss_price),
                balance.multiplier * model.scale.price,
                duals,
                &flows,
            )
        })
        .collect();
    let at = |place: usize| -> Vec<f64> { prices.iter().map(|prices| prices.real[place]).collect() };
    let storages = problem.storages.iter().zip(&model.storages);
    let storages: Vec<_> =
        storages.map(|(order, block)| storage(model, order, block, &at(order.place))).collect();
    let deferrables = problem.deferrables.iter().zip(&model.deferrables);
    let deferrables: Vec<_> =
        deferrables.map(|(order, block)| deferrable(model, order, block, &at(order.place))).collect();
    let taken = taken(problem, &offers, &storages, &deferrables);
    let intervals: Vec<GridSolution> = duals
        .into_iter()
        .zip(prices)
        .enumerate()
        .map(|(t, (duals, prices))| interval(problem, (t, &taken), &offers, duals, prices))
        .collect();
    let objective_eur = objective_eur(problem, &intervals, &storages);
    HorizonClearing { intervals, storages, deferrables, objective_eur }
}

/// The whole horizon's cost, wear included.
pub fn objective_eur(
    problem: &HorizonProblem,
    intervals: &[GridSolution],
    storages: &[StorageSchedule],
) -> f64 {
    let hours = problem.interval_hours;
    let mut eur: f64 = intervals.iter().map(|interval| hours * interval.objective_eur_per_h).sum();
    for (order, schedule) in problem.storages.iter().zip(storages) {
        let moved: f64 = schedule.charge_kw.iter().zip(&schedule.discharge_kw).map(|(c, d)| c + d).sum();
        eur += hours * order.wear_eur_per_mwh * moved / 1e3;
    }
    eur
}

fn awards(model: &Model, offer: usize) -> Vec<OfferAward> {
    let (stated, power) = (&model.problem.offers[offer], model.scale.power);
    let award = |(curve, first): (&OfferCurve, &usize)| {
        let used = |i: usize, width_kw: f64| (model.boxes.value[first + i] * power).clamp(0.0, width_kw);
        let pieces = curve.pieces.iter().enumerate();
        let power_kw = curve.power_min_kw + pieces.map(|(i, piece)| used(i, piece.width_kw)).sum::<f64>();
        let reactive_kvar = match stated.reactive {
            Reactive::Fixed { reactive_kvar } => reactive_kvar,
            Reactive::Proportional { tan_phi } => tan_phi * power_kw,
            Reactive::Range { min_kvar, max_kvar, .. } => {
                min_kvar + used(curve.pieces.len(), max_kvar - min_kvar)
            }
        };
        OfferAward { power_kw, reactive_kvar, ..OfferAward::default() }
    };
    stated.curves.iter().zip(&model.firsts.offers[offer]).map(award).collect()
}

/// Multipliers by interval and place.
fn place_duals(model: &Model) -> Vec<Vec<PlaceDuals>> {
    let mut duals = vec![vec![PlaceDuals::default(); model.places()]; model.intervals()];
    for equation in &model.equations {
        let Some(limit) = model.limits[equation.pattern] else { continue };
        let unit = model.patterns[equation.pattern].unit;
        let multiplier = equation.multiplier.max(0.0) * model.scale.price / unit;
        let at = &mut duals[equation.interval][limit.place];
        match limit.kind {
            LimitKind::PowerMax => at.power_max = multiplier,
            LimitKind::PowerMin => at.power_min = multiplier,
            LimitKind::VoltageMin => at.voltage_min = multiplier,
            LimitKind::VoltageMax => at.voltage_max = multiplier,
            LimitKind::Apparent => at.apparent = multiplier,
        }
    }
    duals
}

fn storage(model: &Model, order: &StorageOrder, block: &StorageBlock, prices: &[f64]) -> StorageSchedule {
    let [charge, discharge, _] = block.columns(&model.boxes.value);
    let bounded = |values: &[f64], most: f64| -> Vec<f64> {
        values.iter().map(|value| (value * model.scale.power).clamp(0.0, most)).collect()
    };
    let mut charge_kw = bounded(charge, order.charge_max_kw);
    let mut discharge_kw = bounded(discharge, order.discharge_max_kw);
    if order.charge_efficiency * order.discharge_efficiency == 1.0 {
        // Without losses only the difference matters, and what goes in and out at once only wears.
        for (charge, discharge) in charge_kw.iter_mut().zip(&mut discharge_kw) {
            let both = charge.min(*discharge);
            (*charge, *discharge) = (*charge - both, *discharge - both);
        }
    }
    let mut schedule = StorageSchedule {
        charge_kw,
        discharge_kw,
        stored_values: block.values.iter().map(|value| value * model.scale.price).collect(),
        ..StorageSchedule::default()
    };
    let mut energy = order.energy_start_kwh;
    for (t, price) in prices.iter().enumerate() {
        let (charge, discharge) = (schedule.charge_kw[t], schedule.discharge_kw[t]);
        energy += model.problem.interval_hours
            * (order.charge_efficiency * charge - discharge / order.discharge_efficiency);
        let value = schedule.stored_values[t];
        let later = schedule.stored_values.get(t + 1).copied().unwrap_or(0.0);
        let wear = order.wear_eur_per_mwh;
        schedule.energy_kwh.push(energy);
        schedule.charge_duals.push(bound_duals(wear + price - order.charge_efficiency * value));
        schedule.discharge_duals.push(bound_duals(wear + value / order.discharge_efficiency - price));
        schedule.energy_duals.push(bound_duals(value - later));
    }
    schedule
}

fn deferrable(
    model: &Model,
    order: &DeferrableOrder,
    block: &DeferrableBlock,
    prices: &[f64],
) -> DeferrableSchedule {
    let window = &prices[order.start..order.end];
    let fixed_kw = order.fixed_kw(model.problem.interval_hours);
    let energy_value = match fixed_kw {
        None => block.value * model.scale.price,
        // Any value supports what can't be otherwise as long as it lies beyond all prices.
        Some(0.0) => window.iter().copied().reduce(f64::min).unwrap_or(0.0),
        Some(_) => window.iter().copied().reduce(f64::max).unwrap_or(0.0),
    };
    let mut power_kw = vec![0.0; prices.len()];
    let mut power_duals = vec![BoundDuals::default(); prices.len()];
    for (i, value) in block.column(&model.boxes.value).iter().enumerate() {
        let t = order.start + i;
        power_kw[t] = fixed_kw.unwrap_or((value * model.scale.power).clamp(0.0, order.power_max_kw));
        power_duals[t] = bound_duals(prices[t] - energy_value);
    }
    DeferrableSchedule { power_kw, energy_value, power_duals }
}

/// What is taken, by place and interval, in kW and kvar.
pub fn taken(
    problem: &HorizonProblem,
    offers: &[Vec<OfferAward>],
    storages: &[StorageSchedule],
    deferrables: &[DeferrableSchedule],
) -> Taken {
    let intervals = problem.intervals();
    let mut taken = Taken::nothing(problem.network.parent.len() * intervals);
    for (offer, awards) in problem.offers.iter().zip(offers) {
        for (t, award) in awards.iter().enumerate() {
            taken.real[offer.place * intervals + t] += award.power_kw;
            taken.reactive[offer.place * intervals + t] += award.reactive_kvar;
        }
    }
    for (order, schedule) in problem.storages.iter().zip(storages) {
        for (t, (charge, discharge)) in schedule.charge_kw.iter().zip(&schedule.discharge_kw).enumerate() {
            taken.real[order.place * intervals + t] += charge - discharge;
        }
    }
    for (order, schedule) in problem.deferrables.iter().zip(deferrables) {
        for (t, power) in schedule.power_kw.iter().enumerate() {
            taken.real[order.place * intervals + t] += power;
        }
    }
    taken
}

fn interval(
    problem: &HorizonProblem,
    (t, taken): (usize, &Taken),
    offers: &[Vec<OfferAward>],
    duals: Vec<PlaceDuals>,
    prices: PlacePrices,
) -> GridSolution {
    let intervals = problem.intervals();
    let here = |all: &[f64]| -> Vec<f64> { all.iter().skip(t).step_by(intervals).copied().collect() };
    let state = state(&problem.network, &here(&taken.real), &here(&taken.reactive));
    let mut flows = state.flows;
    let all = std::mem::take(&mut flows[0]);
    let supply = &problem.supplies[t];
    let mut milli = worth::cost(&supply.pieces, all.power_kw - supply.import_min_kw)
        + losses::cost(&problem.network, problem.loss_price, &flows);
    for (offer, awards) in problem.offers.iter().zip(offers) {
        let curve = &offer.curves[t];
        milli -= worth::value(&curve.pieces, awards[t].power_kw - curve.power_min_kw);
        if let Reactive::Range { cost_eur_per_mvar2_h, .. } = offer.reactive {
            milli += cost_eur_per_mvar2_h * awards[t].reactive_kvar * awards[t].reactive_kvar / 1e3;
        }
    }
    GridSolution {
        import_kw: all.power_kw,
        import_kvar: all.reactive_kvar,
        awards: offers.iter().map(|awards| awards[t]).collect(),
        flows,
        voltage_square_pu: state.voltage_square_pu,
        prices: prices.real,
        reactive_prices: prices.reactive,
        duals,
        reserve_up_price: 0.0,
        reserve_down_price: 0.0,
        objective_eur_per_h: milli / 1e3,
    }
}
