//! Orders in, results or refusals out.

use super::clear_orders;
use serde_json::{json, Value};

#[test]
fn orders_of_every_form_are_cleared() {
    let orders = json!({"cases": [
        {"id": "pay-as-bid", "bids": [
            {"id": 1, "side": "buy", "who": "B", "price": 3, "qty": 20},
            {"id": 2, "side": "sell", "who": "A", "price": 1, "qty": 30}]},
        {"id": "indivisible", "market_basis": {"steps": 100, "min": 0, "max": 1},
            "curves": [{"flat": -200}, {"points": [[0.01, 2000], [0.01, 0]]}]},
        {"id": "clip", "market_basis": {"steps": 3, "min": 0, "max": 10}, "curve": [2, 1, -4],
            "floor": 0, "ceiling": 1, "price_in": 10.0},
        {"id": "border", "lines": [{"from": "a", "to": "b", "limit": 500}], "orders": [
            {"side": "buy", "node": "a", "price": 3000, "qty": 1000},
            {"side": "buy", "node": "b", "price": 3000, "qty": 200},
            {"side": "sell", "node": "a", "price": 100, "qty": 1000},
            {"side": "sell", "node": "b", "price": 50, "qty": 1000}]},
    ]});
    let results = clear_orders(orders.to_string().as_bytes()).unwrap();
    let results = &results["results"];
    assert_eq!(results[0]["trades"], json!([{"bid": 1, "offer": 2, "qty": 20.0, "price": 3.0}]));
    assert_eq!(results[1]["demand_at_price"], json!([-200.0, 0.0]));
    assert_eq!(results[2]["clipped_curve_sent_up"], json!([1.0, 1.0, 0.0]));
    assert_eq!(results[2]["price_out_to_device"], json!(5.0));
    let price = |bus: &str| results[3]["lmp"][bus].as_f64().unwrap();
    assert!((price("a") - 100.0).abs() < 2e-3 && (price("b") - 50.0).abs() < 2e-3, "{}", results[3]);
}

#[test]
fn orders_and_curves_are_cleared_and_others_refused() {
    let orders = json!({"cases": [
        {"id": "o", "pricecap": 100, "bids": [
            {"side": "buy", "price": 30, "qty": 5}, {"side": "sell", "price": 20, "qty": 5}]},
        {"id": "c", "price_steps": 3, "min_price": 0, "max_price": 10, "curves": [
            {"count": 2, "steps": [[0, 10], [1, -10]]}, {"steps": [[0, 1], [1, 2]]}]},
    ]});
    let results = clear_orders(orders.to_string().as_bytes()).unwrap();
    assert_eq!(
        results["results"][0],
        json!({"id": "o", "price": 25.0, "quantity": 5.0, "fills": [5.0, 5.0]})
    );
    let curves = &results["results"][1];
    assert_eq!((&curves["price"], &curves["price_rounded_to_grid"]), (&json!(2.5), &json!(5.0)));
    assert_eq!(curves["aggregate"], json!([20.0, -20.0, -20.0]));
    assert_eq!(curves["rejected"][0]["curve"], json!(1));

    let check = |case: Value, expected: &str| {
        let refusal = clear_orders(json!({ "cases": [case] }).to_string().as_bytes()).unwrap_err();
        assert!(refusal.to_string().contains(expected), "{refusal}");
    };
    check(json!({"id": "x"}), "cases[0]: it needs either bids or curves");
    check(
        json!({"id": "x", "bids": [{"side": "buy", "price": 1, "qty": 1, "who": "A"},
            {"side": "buy", "price": 1, "qty": 1}]}),
        "cases[0].bids[1].who: it is missing",
    );
    check(
        json!({"id": "x", "bids": [{"side": "buy", "price": 1, "qty": 1, "how": 1}]}),
        "unknown field `how`",
    );
    check(
        json!({"id": "x", "bids": [{"side": "buy", "price": 1, "qty": 1e300}]}),
        "cases[0].bids[0]: the quantity",
    );
    check(json!({"id": "x", "curves": []}), "missing field `price_steps`");
}
