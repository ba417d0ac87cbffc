//! Demand curves on a price grid, which may be served in part.

use super::super::refusal::Refusal;
use super::price;
use market::auction::grid::{PriceGrid, MAX_STEPS};
use market::units::Milliwatt;
use serde::de::IgnoredAny;
use serde::Deserialize;
use serde_json::{json, Value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    id: String,
    curves: Vec<Curve>,
    price_steps: usize,
    min_price: f64,
    max_price: f64,
    #[serde(default, rename = "rejected")]
    _rejected: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Curve {
    /// How many parties have it.
    #[serde(default = "once")]
    count: i64,
    /// Demand in watts from a price index on, until the next.
    steps: Vec<(usize, f64)>,
}

fn once() -> i64 {
    1
}

/// Clears a case.
pub fn clear(place: &str, case: Case) -> Result<Value, Refusal> {
    let min = price(format!("{place}.min_price"), case.min_price)?;
    let max = price(format!("{place}.max_price"), case.max_price)?;
    let steps = case.price_steps;
    let grid = PriceGrid::new(min, max, steps).map_err(|error| Refusal::invalid(place, error))?;
    let mut sum = vec![Milliwatt::ZERO; steps];
    let mut refused = Vec::new();
    for (i, curve) in case.curves.iter().enumerate() {
        let place = format!("{place}.curves[{i}]");
        if curve.count < 0 {
            return Err(Refusal::invalid(place, "its count is negative"));
        }
        let added = demand(&place, curve, steps)
            .and_then(|demand| grid.add(&mut sum, &demand, curve.count).map_err(|e| e.to_string()));
        if let Err(reason) = added {
            refused.push(json!({"curve": i, "reason": reason}));
        }
    }
    let found = grid.price(&sum).map_err(|error| Refusal::invalid(place, error))?;
    let watts: Vec<f64> = sum.iter().map(|power| power.kw() * 1e3).collect();
    Ok(json!({
        "id": case.id,
        "price": found.price.eur_per_mwh(),
        "price_rounded_to_grid": grid.price_at(found.index).eur_per_mwh(),
        "aggregate": watts,
        "rejected": refused,
    }))
}

/// A run-length coded curve written out, or why it is none.
fn demand(place: &str, curve: &Curve, steps: usize) -> Result<Vec<Milliwatt>, String> {
    let mut demand = Vec::with_capacity(steps.min(MAX_STEPS));
    for (i, (first, watts)) in curve.steps.iter().enumerate() {
        let end = curve.steps.get(i + 1).map_or(steps, |next| next.0);
        if *first != demand.len() || end <= *first || end > steps {
            return Err(format!("{place}: its price indices do not rise from 0 to below {steps}"));
        }
        let power = Milliwatt::from_kw(watts / 1e3);
        demand.resize(end, power.ok_or_else(|| format!("{place}: a demand is out of bounds"))?);
    }
    Ok(demand)
}
