//! `gridpact clear --orders`: buy and sell orders, or demand curves on a price grid, as the cases of
//! a file. Each case has `bids` or `curves`.

use super::refusal::Refusal;
use market::auction::grid::{PriceGrid, MAX_STEPS};
use market::auction::orders::{clear, Order, Side};
use market::units::{Milliwatt, PicoEurPerWh};
use serde::de::IgnoredAny;
use serde::Deserialize;
use serde_json::{json, Value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, rename = "convention")]
    _convention: IgnoredAny,
    cases: Vec<Case>,
}

/// Keys beside those used only describe the case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    #[serde(default)]
    bids: Option<Vec<Bid>>,
    #[serde(default)]
    pricecap: Option<f64>,
    #[serde(default)]
    curves: Option<Vec<Curve>>,
    #[serde(default, rename = "rejected")]
    _rejected: IgnoredAny,
    #[serde(default)]
    price_steps: Option<usize>,
    #[serde(default)]
    min_price: Option<f64>,
    #[serde(default)]
    max_price: Option<f64>,
    #[serde(default, rename = "source")]
    _source: IgnoredAny,
    #[serde(default, rename = "note")]
    _note: IgnoredAny,
    #[serde(default, rename = "label")]
    _label: IgnoredAny,
    #[serde(default, rename = "expected")]
    _expected: IgnoredAny,
    #[serde(default, rename = "derived")]
    _derived: IgnoredAny,
    #[serde(default, rename = "checked")]
    _checked: IgnoredAny,
    #[serde(default, rename = "tolerance")]
    _tolerance: IgnoredAny,
    #[serde(default, rename = "quantity_is_max_volume")]
    _quantity_is_max_volume: IgnoredAny,
    #[serde(default, rename = "price_in_competitive_interval")]
    _price_in_competitive_interval: IgnoredAny,
    #[serde(default, rename = "interval_is_a_point")]
    _interval_is_a_point: IgnoredAny,
    #[serde(default, rename = "n_valid_bids")]
    _n_valid_bids: IgnoredAny,
    #[serde(default, rename = "n_rejected_bids")]
    _n_rejected_bids: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bid {
    side: BidSide,
    price: f64,
    qty: f64,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum BidSide {
    Buy,
    Sell,
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

/// Clears every case of a file, given as JSON.
///
/// # Errors
/// [`Refusal`] where it is not a file of orders; the message names the place.
pub fn clear_orders(bytes: &[u8]) -> Result<Value, Refusal> {
    let file: File = serde_json::from_slice(bytes)?;
    let results = file.cases.iter().enumerate().map(|(i, case)| clear_one(&format!("cases[{i}]"), case));
    Ok(json!({ "results": results.collect::<Result<Vec<_>, _>>()? }))
}

fn clear_one(place: &str, case: &Case) -> Result<Value, Refusal> {
    match (&case.bids, &case.curves) {
        (Some(bids), None) => clear_bids(place, case, bids),
        (None, Some(curves)) => clear_curves(place, case, curves),
        _ => Err(Refusal::invalid(place, "it needs either bids or curves")),
    }
}

fn price(place: String, eur_per_mwh: f64) -> Result<PicoEurPerWh, Refusal> {
    let price = PicoEurPerWh::from_eur_per_mwh(eur_per_mwh);
    price.ok_or_else(|| Refusal::invalid(place, "the price is out of bounds"))
}

fn clear_bids(place: &str, case: &Case, bids: &[Bid]) -> Result<Value, Refusal> {
    let order = |(i, bid): (usize, &Bid)| {
        let place = format!("{place}.bids[{i}]");
        let side = match bid.side {
            BidSide::Buy => Side::Buy,
            BidSide::Sell => Side::Sell,
        };
        let quantity = Milliwatt::from_kw(bid.qty);
        let quantity = quantity.ok_or_else(|| Refusal::invalid(&place, "the quantity is out of bounds"))?;
        Ok(Order { side, price: price(place, bid.price)?, quantity })
    };
    let orders: Vec<Order> = bids.iter().enumerate().map(order).collect::<Result<_, Refusal>>()?;
    let cap = case.pricecap.map(|cap| price(format!("{place}.pricecap"), cap)).transpose()?;
    let auction = clear(&orders, cap).map_err(|error| Refusal::invalid(place, error))?;
    let fills: Vec<f64> = auction.fills.iter().map(|fill| fill.kw()).collect();
    Ok(json!({
        "id": case.id,
        "price": auction.price.eur_per_mwh(),
        "quantity": auction.quantity.kw(),
        "fills": fills,
    }))
}

fn clear_curves(place: &str, case: &Case, curves: &[Curve]) -> Result<Value, Refusal> {
    let needed = |key: &str| Refusal::invalid(format!("{place}.{key}"), "it is missing");
    let steps = case.price_steps.ok_or_else(|| needed("price_steps"))?;
    let min = price(format!("{place}.min_price"), case.min_price.ok_or_else(|| needed("min_price"))?)?;
    let max = price(format!("{place}.max_price"), case.max_price.ok_or_else(|| needed("max_price"))?)?;
    let grid = PriceGrid::new(min, max, steps).map_err(|error| Refusal::invalid(place, error))?;
    let mut sum = vec![Milliwatt::ZERO; steps];
    let mut refused = Vec::new();
    for (i, curve) in curves.iter().enumerate() {
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
