//! A clearing as the result the schema's page describes.

use super::case::Case;
use super::convert::Converted;
use super::objective;
use super::refusal::Refusal;
use super::relaxed;
use market::clearing::{Clearing, Infeasible};
use market::units::Milliwatt;
use serde_json::{json, Map, Value};

/// The result of a clearing that passed its certificate; refused where a limit that the clearing does
/// not know is not kept.
pub fn optimal(
    case: &Case,
    converted: &Converted,
    clearing: &Clearing,
    allocations: &[Milliwatt],
) -> Result<Value, Refusal> {
    let tree = &converted.tree;
    let site_kw: Vec<f64> = allocations.iter().map(|power| converted.kw(*power)).collect();
    let line_kw: Vec<f64> = clearing.flows.iter().map(|power| converted.kw(*power)).collect();
    let site_kvar = relaxed::reactive_kvar(case, &site_kw);
    let line_kvar = relaxed::line_kvar(case, tree, &converted.bus_of, &site_kvar);
    let voltages = relaxed::voltages_pu(case, tree, &line_kw, &line_kvar);
    relaxed::check(case, voltages.as_deref(), &line_kw, &line_kvar)?;

    let import_kw = converted.kw(clearing.import);
    let prices: Vec<f64> = clearing.prices.iter().map(|price| price.eur_per_mwh()).collect();
    let energy = clearing.prices[tree.order[0]];
    let component = |price: &market::units::PicoEurPerWh| {
        let congestion = (*price - energy).eur_per_mwh();
        json!({"energy": energy.eur_per_mwh(), "loss": 0.0, "congestion": congestion, "voltage": 0.0})
    };
    let nodes = || case.nodes.iter().map(|node| &node.id);
    let sites = || case.sites.iter().map(|site| &site.id);
    let lines = || case.lines.iter().map(|line| &line.id);
    let mut result = json!({
        "id": case.id,
        "status": "optimal",
        "objective_eur_per_h": objective::eur_per_h(case, import_kw, &site_kw, &site_kvar),
        "import_kw": import_kw,
        "node_price": by_name(nodes(), &prices),
        "node_q_price": by_name(nodes(), &vec![0.0; prices.len()]),
        "node_price_components": by_name(nodes(), &clearing.prices.iter().map(component).collect::<Vec<_>>()),
        "site_p_kw": by_name(sites(), &site_kw),
        "site_q_kvar": by_name(sites(), &site_kvar),
        "reserve_kw": {},
        "line_p_kw": by_name(lines(), &line_kw),
        "line_q_kvar": by_name(lines(), &line_kvar),
    });
    if let Some(voltages) = voltages {
        result["node_v_pu"] = by_name(nodes(), &voltages);
    }
    Ok(result)
}

/// The result of a case that no dispatch meets: which limit, and by how much.
pub fn infeasible(case: &Case, converted: &Converted, infeasible: &Infeasible) -> Value {
    let (needed_kw, allowed_kw) = converted.limit_kw(infeasible);
    let (limit, line) = match infeasible {
        Infeasible::LineMax { line, .. } => ("p_max_kw", Some(line)),
        Infeasible::LineMin { line, .. } => ("p_min_kw", Some(line)),
        Infeasible::SupplyMax { .. } => ("most import of the TSO curve", None),
        Infeasible::SupplyMin { .. } => ("least import of the TSO curve", None),
    };
    json!({
        "id": case.id,
        "status": "infeasible",
        "infeasible": {"limit": limit, "line": line, "needed_kw": needed_kw, "allowed_kw": allowed_kw},
    })
}

fn by_name<'a, T: Into<Value> + Clone>(names: impl Iterator<Item = &'a String>, figures: &[T]) -> Value {
    Value::Object(names.cloned().zip(figures.iter().cloned().map(Into::into)).collect::<Map<_, _>>())
}
