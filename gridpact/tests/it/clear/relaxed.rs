//! Branch flow where its relaxation is not exact: cleared as others solved it, and said so.

use super::judge;
use gridpact::clear::{clear_case, Outcome};
use serde_json::Value;
use std::path::Path;

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/relaxed").join(name);
    let case: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let result = match clear_case(case.to_string().as_bytes(), false) {
        Ok(Outcome::Optimal(result)) => result,
        other => panic!("{name}: {other:?}"),
    };
    let expected = &case["expected"];
    let near = |ours: &Value, theirs: &Value, tolerance: f64| {
        assert!((number(ours) - number(theirs)).abs() <= tolerance, "{name}: {ours}, not {theirs}");
    };
    let reference = &expected["objective_eur_per_h"];
    near(&result["objective_eur_per_h"], reference, 1e-6 * number(reference).abs().max(1.0));
    near(&result["import_kw"], &expected["import_kw"], 1e-2);
    for (node, price) in expected["node_price"].as_object().unwrap() {
        near(&result["node_price"][node], price, 2e-3);
    }
    assert_eq!(judge::faults(&case, &result), Vec::<String>::new(), "{name}");
    let inexact = result["line_excess_loss_kva"].as_object().unwrap();
    assert!(inexact.values().all(|excess| number(excess) > 0.0) && !inexact.is_empty(), "{inexact:?}");
}

#[test]
fn losses_no_current_makes_are_cleared_and_named() {
    check("x01_surplus_lost.json");
    check("x02_reactive_lost.json");
    check("x03_free_losses.json");
}
