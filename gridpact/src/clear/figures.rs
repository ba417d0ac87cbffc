//! Figures that make no sense, refused before anything is computed.

use super::case::{Case, Line, Reactive, SCHEMA};
use super::refusal::Refusal;
use market::grid::taps::MOST_POSITIONS;

/// Refuses other schemas and models.
pub fn check_schema(case: &Case) -> Result<(), Refusal> {
    if case.schema != SCHEMA {
        let reason = format!("{:?} is not {SCHEMA:?}", clip(&case.schema));
        return Err(Refusal::invalid("schema", reason));
    }
    if !["lindistflow", "branchflow_socp"].contains(&case.model.as_str()) {
        return Err(Refusal::invalid("model", format!("{:?} is no known model", clip(&case.model))));
    }
    Ok(())
}

/// Checks the figures that the market's own types do not: those of voltage, reactive power, reserve
/// and policy.
pub fn check_figures(case: &Case) -> Result<(), Refusal> {
    let positive = |place: &str, figure: Option<f64>| match figure {
        Some(figure) if !(figure > 0.0 && figure < 1e12) => {
            Err(Refusal::invalid(place, format!("{figure} is not more than 0 and less than 1e12")))
        }
        _ => Ok(()),
    };
    positive("interval_h", case.interval_h)?;
    if case.v_root_pu.is_some_and(|voltage| !(0.1..=10.0).contains(&voltage)) {
        return Err(Refusal::invalid("v_root_pu", "it is not from 0.1 to 10"));
    }
    positive("base.s_kva", case.base.as_ref().map(|base| base.s_kva))?;
    positive("base.v_kv", case.base.as_ref().map(|base| base.v_kv))?;
    for (i, node) in case.nodes.iter().enumerate() {
        positive(&format!("nodes[{i}].v_min_pu"), node.v_min_pu.filter(|v| *v != 0.0))?;
        positive(&format!("nodes[{i}].v_max_pu"), node.v_max_pu)?;
        if matches!((node.v_min_pu, node.v_max_pu), (Some(least), Some(most)) if least > most) {
            return Err(Refusal::invalid(format!("nodes[{i}]"), "v_min_pu lies above v_max_pu"));
        }
    }
    check_policy(case)?;
    for (i, line) in case.lines.iter().enumerate() {
        positive(&format!("lines[{i}].tap_ratio"), line.tap_ratio)?;
        check_taps(i, line)?;
        let figures =
            [("r_ohm", line.r_ohm), ("x_ohm", line.x_ohm), ("r_pu", line.r_pu), ("x_pu", line.x_pu)];
        for (key, figure) in figures.into_iter().chain([("s_max_kva", line.s_max_kva)]) {
            if figure.is_some_and(|figure| !(0.0..1e12).contains(&figure)) {
                let place = format!("lines[{i}].{key}");
                return Err(Refusal::invalid(place, "not from 0 to less than 1e12"));
            }
        }
    }
    for (i, site) in case.sites.iter().enumerate() {
        check_reactive(i, &site.q)?;
        for (key, reserve) in [("reserve_up", site.reserve_up), ("reserve_down", site.reserve_down)] {
            let Some(reserve) = reserve else { continue };
            not_negative(&format!("sites[{i}].{key}.max_kw"), Some(reserve.max_kw))?;
            not_negative(&format!("sites[{i}].{key}.price"), Some(reserve.price))?;
        }
    }
    Ok(())
}

fn check_taps(i: usize, line: &Line) -> Result<(), Refusal> {
    let Some(taps) = &line.taps else { return Ok(()) };
    let wrong = |reason: String| Err(Refusal::invalid(format!("lines[{i}].taps"), reason));
    if line.tap_ratio.is_some() {
        return wrong("the line has a fixed tap_ratio as well".to_owned());
    }
    if !(1..=MOST_POSITIONS).contains(&taps.positions) {
        return wrong(format!("positions must be from 1 to {MOST_POSITIONS}"));
    }
    let sound = |ratio: f64| (0.1..=10.0).contains(&ratio);
    if !sound(taps.ratio_min) || !sound(taps.ratio_max) || taps.ratio_min > taps.ratio_max {
        return wrong("ratios must be from 0.1 to 10, and ratio_min at most ratio_max".to_owned());
    }
    Ok(())
}

fn check_policy(case: &Case) -> Result<(), Refusal> {
    let policy = &case.policy;
    not_negative("policy.loss_price", policy.loss_price)?;
    not_negative("policy.reserve_up_kw", policy.reserve_up_kw)?;
    not_negative("policy.reserve_down_kw", policy.reserve_down_kw)?;
    not_negative("policy.voltage_deviation_price", policy.voltage_deviation_price)
}

fn not_negative(place: &str, figure: Option<f64>) -> Result<(), Refusal> {
    match figure {
        Some(figure) if !(0.0..=1e9).contains(&figure) => {
            Err(Refusal::invalid(place, format!("{figure} is not from 0 to 1e9")))
        }
        _ => Ok(()),
    }
}

fn check_reactive(site: usize, q: &Reactive) -> Result<(), Refusal> {
    let bounded = |key: &str, figure: f64| {
        let place = format!("sites[{site}].q.{key}");
        let fits = figure.abs() < 1e12;
        fits.then_some(()).ok_or_else(|| Refusal::invalid(place, "its magnitude is not below 1e12"))
    };
    match q {
        Reactive::None => Ok(()),
        Reactive::Fixed { q_kvar } => bounded("q_kvar", *q_kvar),
        Reactive::Tan { tan_phi } => bounded("tan_phi", *tan_phi),
        Reactive::Range { q_min_kvar, q_max_kvar, cost_eur_per_mvarh2 } => {
            bounded("q_min_kvar", *q_min_kvar)?;
            bounded("q_max_kvar", *q_max_kvar)?;
            bounded("cost_eur_per_mvarh2", *cost_eur_per_mvarh2)?;
            let place = format!("sites[{site}].q");
            if q_min_kvar > q_max_kvar {
                return Err(Refusal::invalid(place, "q_min_kvar lies above q_max_kvar"));
            }
            if *cost_eur_per_mvarh2 < 0.0 {
                return Err(Refusal::invalid(place, "cost_eur_per_mvarh2 is negative"));
            }
            Ok(())
        }
    }
}

/// The beginning of a text from outside, for a message.
pub fn clip(text: &str) -> String {
    text.chars().take(60).collect()
}
