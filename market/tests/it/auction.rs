//! Order and curve cases of other systems: the largest volume, at a price that supports it; sums of
//! curves, and the grid price they cross zero at.

use market::auction::grid::PriceGrid;
use market::auction::orders::{clear, Order, Side};
use market::units::{Milliwatt, PicoEurPerWh};
use serde_json::Value;
use std::path::Path;

const ORDERS: [&str; 4] =
    ["gridlabd_static", "gridlabd_sequences", "assume_pay_as_clear", "gsy_pay_as_clear"];
const CURVES: [&str; 2] = ["powermatcher_small", "powermatcher_1000"];

fn price(eur_per_mwh: &Value) -> PicoEurPerWh {
    PicoEurPerWh::from_eur_per_mwh(eur_per_mwh.as_f64().unwrap()).unwrap()
}

fn cases(folder: &Path, name: &str) -> Vec<Value> {
    let bytes = std::fs::read(folder.join(name).with_extension("json")).unwrap();
    let file: Value = serde_json::from_slice(&bytes).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn check_orders(case: &Value) {
    let id = &case["id"];
    let order = |bid: &Value| Order {
        side: if bid["side"] == "buy" { Side::Buy } else { Side::Sell },
        price: price(&bid["price"]),
        quantity: Milliwatt::from_kw(bid["qty"].as_f64().unwrap()).unwrap(),
    };
    let orders: Vec<Order> = case["bids"].as_array().unwrap().iter().map(order).collect();
    let cap = case["pricecap"].is_number().then(|| price(&case["pricecap"]));
    let auction = clear(&orders, cap).unwrap();
    let derived = &case["derived"];
    let volume = Milliwatt::from_kw(derived["max_volume"].as_f64().unwrap()).unwrap();
    assert_eq!(auction.quantity, volume, "{id}");
    let (low, high) = (price(&derived["price_lo"]), price(&derived["price_hi"]));
    assert!(low <= auction.price && auction.price <= high, "{id}: {} not in {low}..{high}", auction.price);
    let traded: Milliwatt = auction.fills.iter().copied().sum();
    assert_eq!(traded, volume + volume, "{id}: bought and sold");
    if case["interval_is_a_point"] == true && case["expected"]["type"] != "null" {
        assert_eq!(auction.price, price(&case["expected"]["price"]), "{id}");
    }
}

/// A run-length coded curve written out; short or long where its indices make it so.
fn demand(steps: &Value, length: usize) -> Vec<Milliwatt> {
    let steps = steps.as_array().unwrap();
    let first = |i: usize| steps[i][0].as_u64().unwrap() as usize;
    let mut demand = Vec::new();
    for i in 0..steps.len() {
        let end = if i + 1 < steps.len() { first(i + 1) } else { length.max(first(i) + 1) };
        demand.resize(end, Milliwatt(steps[i][1].as_i64().unwrap() * 1_000));
    }
    demand
}

fn check_curves(case: &Value) {
    let id = &case["id"];
    let steps = case["price_steps"].as_u64().unwrap() as usize;
    let grid = PriceGrid::new(price(&case["min_price"]), price(&case["max_price"]), steps).unwrap();
    let mut sum = vec![Milliwatt::ZERO; steps];
    for curve in case["curves"].as_array().unwrap() {
        grid.add(&mut sum, &demand(&curve["steps"], steps), curve["count"].as_i64().unwrap()).unwrap();
    }
    for curve in case["rejected"].as_array().unwrap() {
        // Written out, a curve of too few prices ends at its last index; what else is wrong shows at
        // any length.
        let whole = demand(&curve["steps"], steps);
        let short = demand(&curve["steps"], 0);
        assert!(grid.check(&whole).and_then(|()| grid.check(&short)).is_err(), "{id}: {curve}");
    }
    let found = grid.price(&sum).unwrap();
    assert_eq!(grid.price_at(found.index), price(&case["expected"]["price_rounded_to_grid"]), "{id}");
    let aggregate = demand(&case["expected"]["aggregate_steps"], steps);
    assert_eq!(sum, aggregate, "{id}");
}

fn check_folder(folder: &Path) -> usize {
    let orders: Vec<Value> = ORDERS.iter().flat_map(|name| cases(folder, name)).collect();
    let curves: Vec<Value> = CURVES.iter().flat_map(|name| cases(folder, name)).collect();
    orders.iter().for_each(check_orders);
    curves.iter().for_each(check_curves);
    orders.len() + curves.len()
}

#[test]
fn carried_cases_clear_as_their_systems_do() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/clearing");
    assert_eq!(check_folder(&folder), 52);
}

#[test]
fn shared_cases_clear_as_their_systems_do() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cases/clearing");
    if !folder.is_dir() {
        println!("not run: {} is not there", folder.display());
        return;
    }
    println!("{} cases from {}", check_folder(&folder), folder.display());
}
