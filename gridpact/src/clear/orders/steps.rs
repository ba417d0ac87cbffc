//! Curves on a price grid whose steps can't be served in part, and the price told below a limit.

use super::super::refusal::Refusal;
use super::price;
use market::auction::grid::{PriceGrid, MAX_STEPS};
use market::units::Milliwatt;
use serde::Deserialize;
use serde_json::{json, Value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    id: String,
    market_basis: Basis,
    #[serde(default)]
    curves: Vec<Curve>,
    #[serde(default)]
    curve: Option<Vec<f64>>,
    #[serde(default)]
    floor: Option<f64>,
    #[serde(default)]
    ceiling: Option<f64>,
    #[serde(default)]
    price_in: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Basis {
    steps: usize,
    min: f64,
    max: f64,
}

/// Watts at any price, or from corner to corner.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Curve {
    Flat(f64),
    Points(Vec<[f64; 2]>),
}

/// Clears a case: the price whose demand is nearest to zero; or, of one curve below a limit, the curve as
/// it is sent up and the price sent down.
pub fn clear(place: &str, case: Case) -> Result<Value, Refusal> {
    let basis = &case.market_basis;
    let (min, max) = (price(format!("{place}.min"), basis.min)?, price(format!("{place}.max"), basis.max)?);
    let grid = PriceGrid::new(min, max, basis.steps).map_err(|error| Refusal::invalid(place, error))?;
    match &case.curve {
        Some(curve) => below_limit(place, &case, &grid, curve),
        None => nearest(place, &case, &grid),
    }
}

fn watt(place: &str, watt: f64) -> Result<Milliwatt, Refusal> {
    Milliwatt::from_kw(watt / 1e3).ok_or_else(|| Refusal::invalid(place, "a demand is out of bounds"))
}

fn nearest(place: &str, case: &Case, grid: &PriceGrid) -> Result<Value, Refusal> {
    let steps = case.market_basis.steps.min(MAX_STEPS);
    let mut sum = vec![Milliwatt::ZERO; steps];
    let mut demands = Vec::new();
    for (i, curve) in case.curves.iter().enumerate() {
        let place = format!("{place}.curves[{i}]");
        let at = |index: usize| watt(&place, curve.at(grid.price_at(index).eur_per_mwh()));
        let demand: Vec<Milliwatt> = (0..steps).map(at).collect::<Result<_, _>>()?;
        grid.add(&mut sum, &demand, 1).map_err(|error| Refusal::invalid(&place, error))?;
        demands.push(demand);
    }
    let index = grid.nearest(&sum).map_err(|error| Refusal::invalid(place, error))?;
    let at_price: Vec<f64> = demands.iter().map(|demand| demand[index].kw() * 1e3).collect();
    Ok(json!({
        "id": case.id,
        "price": grid.price_at(index).eur_per_mwh(),
        "demand_at_price": at_price,
    }))
}

fn below_limit(place: &str, case: &Case, grid: &PriceGrid, curve: &[f64]) -> Result<Value, Refusal> {
    let limit = |key: &str, limit: Option<f64>, none: Milliwatt| match limit {
        Some(limit) => watt(&format!("{place}.{key}"), limit),
        None => Ok(none),
    };
    let floor = limit("floor", case.floor, Milliwatt(i64::MIN))?;
    let ceiling = limit("ceiling", case.ceiling, Milliwatt(i64::MAX))?;
    if floor > ceiling {
        return Err(Refusal::invalid(format!("{place}.floor"), "it lies above the ceiling"));
    }
    let invalid = |error| Refusal::invalid(format!("{place}.curve"), error);
    let demand: Vec<Milliwatt> = curve.iter().map(|w| watt(place, *w)).collect::<Result<_, _>>()?;
    grid.check(&demand).map_err(invalid)?;
    let told =
        |index| grid.within(&demand, index, floor, ceiling).map(|index| grid.price_at(index).eur_per_mwh());
    let all: Vec<f64> = (0..demand.len()).map(told).collect::<Result<_, _>>().map_err(invalid)?;
    let clipped: Vec<f64> = demand.iter().map(|power| (*power).clamp(floor, ceiling).kw() * 1e3).collect();
    let mut result = json!({ "id": case.id, "clipped_curve_sent_up": clipped, "price_out_by_price_in": all });
    if let Some(price_in) = case.price_in {
        let at = |index: &usize| (grid.price_at(*index).eur_per_mwh() - price_in).abs();
        let nearest = (0..demand.len()).min_by(|a, b| at(a).total_cmp(&at(b))).unwrap_or(0);
        result["price_out_to_device"] = json!(all[nearest]);
    }
    Ok(result)
}

impl Curve {
    /// Watts at a price: at a step's own price still its higher side, as everywhere here.
    fn at(&self, price: f64) -> f64 {
        match self {
            Curve::Flat(watt) => *watt,
            Curve::Points(points) => {
                let next = points.partition_point(|point| point[0] < price);
                match (next.checked_sub(1).and_then(|last| points.get(last)), points.get(next)) {
                    (Some([p, a]), Some([q, b])) => a + (b - a) * (price - p) / (q - p),
                    (Some([_, watt]), None) | (None, Some([_, watt])) => *watt,
                    (None, None) => 0.0,
                }
            }
        }
    }
}
