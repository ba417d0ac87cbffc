//! `gridpact clear --ac`: the AC power flow of a dispatch beside the model's figures, and the clearing
//! corrected by it, in the result.

use super::case::Case;
use super::problem::Posed;
use super::refusal::Refusal;
use super::result::{by_node, optimal};
use super::unmet::Unmet;
use super::{certified, Outcome};
use market::feeder::Tree;
use market::grid::ac::{correct as correct_by_flow, Correction, Ending, Pass};
use market::grid::solution::GridSolution;
use serde_json::{json, Value};

/// Adds to `result` the AC power flow of `solution`, and the corrected clearing.
///
/// # Errors
/// [`Refusal::NoFlow`] where the dispatch has no power flow; [`Refusal::Invalid`] where the case does not
/// give impedances.
pub fn correct(
    case: &Case,
    tree: &Tree,
    posed: &Posed,
    solution: GridSolution,
    mut result: Value,
) -> Result<Outcome, Refusal> {
    if !posed.impedances {
        return Err(Refusal::invalid("lines", "an AC power flow needs base and every line's r and x"));
    }
    let Correction { passes, ending } = correct_by_flow(&posed.problem, solution, certified::clear)?;
    let (first, last) = (&passes[0], &passes[passes.len() - 1]);
    result["ac"] = flow(case, tree, first);
    result["ac"]["before"] = errors(first);
    result["ac"]["after"] = errors(last);
    result["ac"]["passes"] = passes.iter().map(errors).collect();
    result["corrected"] = optimal(case, tree, posed, &last.solution);
    result["corrected"]["ac"] = flow(case, tree, last);
    let limit = match ending {
        Ending::Kept => return Ok(Outcome::Optimal(result)),
        Ending::NotKept => "AC voltages still pass their limits after the last correction".to_owned(),
        Ending::NoFlow(error) => format!("a corrected dispatch has no AC power flow: {error}"),
        Ending::Refused(error) => {
            let unmet = Unmet::of_grid(case, tree, error)?;
            result["ac"]["infeasible"] = unmet.result(case)["infeasible"].take();
            format!("with voltage limits shifted by what the model misses: {}", unmet.in_words())
        }
    };
    Ok(Outcome::Infeasible(result, limit))
}

/// The AC power flow of a pass, with the keys of the reference cases' `ac`.
fn flow(case: &Case, tree: &Tree, pass: &Pass) -> Value {
    let by_order: Vec<f64> = tree.place.iter().map(|place| pass.flow.voltage_pu[*place]).collect();
    let mut flow = errors(pass);
    flow["converged"] = json!(true);
    flow["v_pu"] = json!(by_order);
    flow["node_v_pu"] = by_node(case, tree, |place| pass.flow.voltage_pu[place]);
    flow["import_kw"] = json!(pass.flow.import_kw);
    flow["import_kvar"] = json!(pass.flow.import_kvar);
    flow
}

/// How far the model is from the AC power flow, and the latter from the limits.
fn errors(pass: &Pass) -> Value {
    let gap = &pass.gap;
    json!({
        "max_abs_v_error": gap.voltage_max_pu,
        "max_abs_v_error_shifted": gap.shifted_voltage_max_pu,
        "mean_abs_v_error": gap.voltage_mean_pu,
        "loss_kw": pass.flow.loss_kw,
        "model_loss_kw": gap.model_loss_kw,
        "loss_error_kw": gap.model_loss_kw - pass.flow.loss_kw,
        "max_line_loss_error_kw": gap.line_loss_max_kw,
        "max_flow_error_kw": gap.line_power_max_kw,
        "ac_v_below_min_by": gap.below_min_pu,
        "ac_v_above_max_by": gap.above_max_pu,
    })
}
