//! Voltage and apparent power, which the clearing does not know: without them a case is relaxed. An
//! optimum of the relaxed case that keeps them is an optimum of the case itself, at the same prices,
//! since those limits then cost nothing; one that does not keep them says nothing, and is refused.

use super::case::{Base, Case, Line, Reactive};
use super::refusal::Refusal;
use market::feeder::Tree;

/// How far a square of voltage may pass its limit: what floating point leaves, not a tolerance of the
/// market's.
const ROUNDING: f64 = 1e-9;

/// Reactive power of each site, in kvar, as cheap as it can be: nothing here rewards any.
pub fn reactive_kvar(case: &Case, site_kw: &[f64]) -> Vec<f64> {
    let site = |(site, kw): (&super::case::Site, &f64)| match site.q {
        Reactive::None => 0.0,
        Reactive::Fixed { q_kvar } => q_kvar,
        Reactive::Tan { tan_phi } => tan_phi * kw,
        Reactive::Range { q_min_kvar, q_max_kvar, .. } => 0f64.clamp(q_min_kvar, q_max_kvar),
    };
    case.sites.iter().zip(site_kw).map(site).collect()
}

/// Reactive power on each line in kvar, from parent to child.
pub fn line_kvar(case: &Case, tree: &Tree, bus_of: &[usize], site_kvar: &[f64]) -> Vec<f64> {
    let mut below = vec![0.0; tree.order.len()];
    for (bus, kvar) in bus_of.iter().zip(site_kvar) {
        below[tree.place[*bus]] += kvar;
    }
    let mut lines = vec![0.0; case.lines.len()];
    for place in (1..below.len()).rev() {
        lines[tree.line[place]] = below[place];
        below[tree.parent[place]] += below[place];
    }
    lines
}

/// Voltage at each node in p.u. by LinDistFlow (Baran and Wu 1989, without the loss terms):
/// `V_child = V_parent - 2 (r P + x Q)` in squares of voltage. None where impedances are not given.
pub fn voltages_pu(case: &Case, tree: &Tree, line_kw: &[f64], line_kvar: &[f64]) -> Option<Vec<f64>> {
    let base = case.base.as_ref()?;
    let mut squares = vec![case.v_root_pu.unwrap_or(1.0).powi(2); tree.order.len()];
    for place in 1..squares.len() {
        let line = tree.line[place];
        let (r_pu, x_pu) = impedance_pu(&case.lines[line], base)?;
        let drop = 2.0 * (r_pu * line_kw[line] + x_pu * line_kvar[line]) / base.s_kva;
        squares[place] = squares[tree.parent[place]] - drop;
    }
    Some(tree.place.iter().map(|place| squares[*place].max(0.0).sqrt()).collect())
}

fn impedance_pu(line: &Line, base: &Base) -> Option<(f64, f64)> {
    let ohm_pu = base.v_kv.powi(2) * 1e3 / base.s_kva;
    let pu = |pu: Option<f64>, ohm: Option<f64>| pu.or(ohm.map(|ohm| ohm / ohm_pu));
    Some((pu(line.r_pu, line.r_ohm)?, pu(line.x_pu, line.x_ohm)?))
}

/// Whether the dispatch keeps every limit the clearing did not know.
pub fn check(
    case: &Case,
    voltages_pu: Option<&[f64]>,
    line_kw: &[f64],
    line_kvar: &[f64],
) -> Result<(), Refusal> {
    for (i, line) in case.lines.iter().enumerate() {
        let loading = line_kw[i].hypot(line_kvar[i]);
        if line.s_max_kva.is_some_and(|most| loading > most * (1.0 + ROUNDING)) {
            let place = format!("lines[{i}].s_max_kva");
            return Err(Refusal::unsupported(place, "an apparent-power limit that binds"));
        }
    }
    for (i, node) in case.nodes.iter().enumerate() {
        let limited = node.v_min_pu.is_some() || node.v_max_pu.is_some();
        // The root's voltage is given, whatever limits stand beside it.
        if node.id == case.root || !limited {
            continue;
        }
        let Some(voltages) = voltages_pu else {
            let reason = "voltage limits need base and every line's r and x";
            return Err(Refusal::invalid(format!("nodes[{i}]"), reason));
        };
        let square = voltages[i].powi(2);
        let low = node.v_min_pu.is_some_and(|least| square < least.powi(2) - ROUNDING);
        let high = node.v_max_pu.is_some_and(|most| square > most.powi(2) + ROUNDING);
        if low || high {
            let key = if low { "v_min_pu" } else { "v_max_pu" };
            return Err(Refusal::unsupported(format!("nodes[{i}].{key}"), "a voltage limit that binds"));
        }
    }
    Ok(())
}
