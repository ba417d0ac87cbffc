//! A clearing of several intervals as the result the schema's page describes: what a single interval has
//! as a figure is a list here, and storages and deferrables are added.

use super::horizon::Day;
use super::objective;
use super::result;
use super::unmet::Unmet as Single;
use market::grid::error::Limit;
use market::horizon::certificate::Verdict;
use market::horizon::clearing::HorizonClearing;
use market::horizon::error::Unmet;
use serde_json::{json, Map, Value};

/// Keys whose value is one thing in each interval, whatever is in it.
const WHOLE: [&str; 3] = ["binding", "multipliers", "reserve_kw"];

/// Keys that are not listed by interval.
const ONCE: [&str; 2] = ["id", "status"];

/// The result of a clearing that passed its certificate.
pub fn optimal(day: &mut Day, clearing: &HorizonClearing, verdict: &Verdict) -> Value {
    let hours = day.problem.interval_hours;
    let mut objective_eur = 0.0;
    let mut singles = Vec::with_capacity(clearing.intervals.len());
    for (interval, solution) in clearing.intervals.iter().enumerate() {
        day.at(interval);
        objective_eur += hours * objective::eur_per_h(&day.case, &day.problem.network, solution);
        singles.push(result::optimal(&day.case, &day.tree, &day.posed[interval], solution));
    }
    for (order, schedule) in day.problem.storages.iter().zip(&clearing.storages) {
        let moved: f64 = schedule.charge_kw.iter().chain(&schedule.discharge_kw).sum();
        objective_eur += hours * order.wear_eur_per_mwh * moved / 1e3;
    }
    let mut result = listed(singles, true);
    result["id"] = json!(day.case.id);
    result["status"] = json!("optimal");
    result["objective_eur"] = json!(objective_eur);
    let storages = day.case.storages.iter().zip(&day.problem.storages).zip(&clearing.storages);
    let storage = storages.map(|((named, order), schedule)| {
        let mut energy_kwh = vec![order.energy_start_kwh];
        energy_kwh.extend(&schedule.energy_kwh);
        let figures = json!({
            "charge_kw": schedule.charge_kw,
            "discharge_kw": schedule.discharge_kw,
            "energy_kwh": energy_kwh,
            "stored_value_eur_per_mwh": schedule.stored_values,
        });
        (named.id.clone(), figures)
    });
    result["storage"] = Value::Object(storage.collect());
    let deferrables = || day.case.deferrables.iter().zip(&clearing.deferrables);
    let powers = deferrables().map(|(named, schedule)| (named.id.clone(), json!(schedule.power_kw)));
    result["deferrable_kw"] = Value::Object(powers.collect());
    let values = deferrables().map(|(named, schedule)| (named.id.clone(), json!(schedule.energy_value)));
    result["deferrable_value_eur_per_mwh"] = Value::Object(values.collect());
    result["certificate"] = json!({"gap_eur": verdict.gap_eur, "turnover_eur": verdict.turnover_eur});
    result
}

/// Turns a list of alike values inside out, down to their figures; [`ONCE`] and [`WHOLE`] are keys of the
/// outermost.
fn listed(values: Vec<Value>, outermost: bool) -> Value {
    let Some(Value::Object(first)) = values.first() else { return Value::Array(values) };
    let keys: Vec<String> = first.keys().cloned().collect();
    let mut all = Map::new();
    for key in keys {
        if outermost && ONCE.contains(&key.as_str()) {
            continue;
        }
        let at_key = values.iter().map(|value| value[&key].clone()).collect();
        let whole = outermost && WHOLE.contains(&key.as_str());
        let list = if whole { Value::Array(at_key) } else { listed(at_key, false) };
        all.insert(key, list);
    }
    Value::Object(all)
}

/// The result of a case that no dispatch meets, and in words the limit that can't be met.
pub fn infeasible(day: &Day, unmet: Unmet) -> (Value, String) {
    let network = &day.problem.network;
    let single = |interval: usize, limit: Limit, place: usize, figures: (f64, f64)| {
        let unmet = Single::of_place(&day.case, &day.tree, limit, place, figures);
        let mut result = unmet.result(&day.case);
        result["infeasible"]["interval"] = json!(interval);
        (result, format!("interval {interval}: {}", unmet.in_words()))
    };
    let above = |allowed: f64, excess: f64| (allowed + excess, allowed);
    let below = |allowed: f64, excess: f64| (allowed - excess, allowed);
    match unmet {
        Unmet::PowerMax { place, interval, excess_kw } => {
            let figures = above(network.branches[place].power_max_kw, excess_kw);
            single(interval, Limit::PowerMax, place, figures)
        }
        Unmet::PowerMin { place, interval, excess_kw } => {
            let figures = below(network.branches[place].power_min_kw, excess_kw);
            single(interval, Limit::PowerMin, place, figures)
        }
        Unmet::Apparent { place, interval, excess_kva } => {
            let figures = above(network.branches[place].apparent_max_kva, excess_kva);
            single(interval, Limit::Apparent, place, figures)
        }
        Unmet::VoltageMin { place, interval, excess_square_pu } => {
            let figures = below(network.bands[place].min_square_pu, excess_square_pu);
            single(interval, Limit::VoltageMin, place, figures)
        }
        Unmet::VoltageMax { place, interval, excess_square_pu } => {
            let figures = above(network.bands[place].max_square_pu, excess_square_pu);
            single(interval, Limit::VoltageMax, place, figures)
        }
        Unmet::SupplyMax { interval, excess_kw } => {
            let supply = &day.problem.supplies[interval];
            let most: f64 = supply.pieces.iter().map(|piece| piece.width_kw).sum();
            single(interval, Limit::ImportMax, 0, above(supply.import_min_kw + most, excess_kw))
        }
        Unmet::SupplyMin { interval, excess_kw } => {
            let least = day.problem.supplies[interval].import_min_kw;
            single(interval, Limit::ImportMin, 0, below(least, excess_kw))
        }
        Unmet::StorageEnergy { storage, interval, reachable_kwh, needed_kwh } => {
            let name = &day.case.storages[storage].id;
            let named = json!({
                "limit": "energy of a storage", "storage": name, "interval": interval,
                "reachable_kwh": reachable_kwh, "needed_kwh": needed_kwh,
            });
            let words = format!(
                "storage {name:?}: {reachable_kwh} kWh can be reached by the end of interval {interval}, \
                 and its limit is {needed_kwh} kWh"
            );
            (of_order(day, named), words)
        }
        Unmet::DeferrableEnergy { order, deliverable_kwh, needed_kwh } => {
            let name = &day.case.deferrables[order].id;
            let named = json!({
                "limit": "energy of a deferrable", "deferrable": name,
                "deliverable_kwh": deliverable_kwh, "needed_kwh": needed_kwh,
            });
            let words = format!(
                "deferrable {name:?}: its window delivers {deliverable_kwh} kWh at most, \
                 and it needs {needed_kwh} kWh"
            );
            (of_order(day, named), words)
        }
    }
}

fn of_order(day: &Day, named: Value) -> Value {
    json!({"id": day.case.id, "status": "infeasible", "infeasible": named})
}
