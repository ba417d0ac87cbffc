//! What `gridpact clear` prints and refuses, on the reference cases carried with the market crate.

use super::{clear_case, Outcome};
use serde_json::{json, Value};
use std::path::{Path, PathBuf};

fn cases(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../market/tests/cases").join(folder)
}

fn read(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(cases("feeder").join(name)).unwrap()).unwrap()
}

fn outcome(case: &Value) -> Result<Outcome, String> {
    clear_case(case.to_string().as_bytes(), false).map_err(|refusal| refusal.to_string())
}

/// The case of two nodes in a chain, changed at one place.
fn changed(pointer: &str, value: Value) -> Value {
    let mut case = read("s03_line_binding.json");
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match case.pointer_mut(parent).unwrap() {
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
        other => other[key] = value,
    }
    case
}

#[test]
fn results_have_the_reference_objective_and_every_key() {
    let mut seen = 0;
    for entry in std::fs::read_dir(cases("feeder")).unwrap() {
        let case: Value = serde_json::from_slice(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
        let expected = &case["expected"];
        match outcome(&case).unwrap() {
            Outcome::Optimal(result) => {
                let reference = expected["objective_eur_per_h"].as_f64().unwrap();
                let objective = result["objective_eur_per_h"].as_f64().unwrap();
                let tolerance = 1e-6 * reference.abs().max(1.0);
                assert!((objective - reference).abs() <= tolerance, "{}: {objective}", case["id"]);
                for (key, of) in [("node_price", "nodes"), ("site_p_kw", "sites"), ("line_p_kw", "lines")] {
                    let count = result[key].as_object().unwrap().len();
                    assert_eq!(count, case[of].as_array().unwrap().len(), "{}: {key}", case["id"]);
                }
            }
            Outcome::Infeasible(result, _) => {
                assert_eq!(
                    (&expected["status"], &result["status"]),
                    (&json!("infeasible"), &json!("infeasible"))
                );
            }
        }
        seen += 1;
    }
    assert_eq!(seen, 13);
}

#[test]
fn a_price_is_the_sum_of_its_components() {
    let Ok(Outcome::Optimal(result)) = outcome(&read("s03_line_binding.json")) else { panic!("not optimal") };
    let components = &result["node_price_components"]["n2"];
    assert_eq!(components["energy"], result["node_price"]["n0"]);
    assert_eq!(components["congestion"], json!(100.90909));
    assert_eq!(components["voltage"], json!(0.0));
}

#[test]
fn an_infeasible_case_names_the_limit() {
    let Ok(Outcome::Infeasible(result, words)) = outcome(&read("s08_infeasible_capacity.json")) else {
        panic!("not infeasible")
    };
    assert_eq!(
        result["infeasible"],
        json!({"limit": "p_max_kw", "line": "ln1", "needed_kw": 6.0, "allowed_kw": 5.0})
    );
    assert_eq!(words, "line \"ln1\": at least 6 kW must flow, and p_max_kw is 5");
}

#[test]
fn what_is_no_case_is_refused_by_place() {
    let check = |pointer: &str, value: Value, expected: &str| {
        let refusal = outcome(&changed(pointer, value)).unwrap_err();
        assert_eq!(refusal, format!("not a valid case: {expected}"), "{pointer}");
    };
    check("/schema", json!("market-case/2"), "schema: \"market-case/2\" is not \"market-case/1\"");
    check("/model", json!("dc"), "model: \"dc\" is no known model");
    check("/root", json!("n9"), "lines: the root \"n9\" is not among the buses");
    check("/interval_h", json!(0), "interval_h: 0 is not more than 0 and less than 1e12");
    check("/nodes/1/id", json!("n0"), "lines: the name \"n0\" occurs twice");
    check(
        "/lines/1/to",
        json!("n1"),
        "lines: line \"ln2\" is a second feed of bus \"n1\": the feeder is not radial",
    );
    check("/lines/1/p_min_kw", json!(4), "lines[1]: p_min_kw lies above p_max_kw");
    check("/lines/1/r_pu", json!(-1), "lines[1].r_pu: not from 0 to less than 1e12");
    check("/sites/1/id", json!("a"), "sites[1].id: \"a\" is sites[0] already");
    check("/sites/1/node", json!("x"), "sites[1].node: there is no node \"x\"");
    check("/sites/0/curve", json!([]), "sites[0].curve: it has no point");
    check("/sites/0/curve", json!([[0, 1], [1, 2]]), "sites[0].curve: power increases with price");
    check("/sites/0/curve", json!([[1, 1], [0, 0]]), "sites[0].curve: a price decreases");
    check("/sites/0/curve", json!([[1e300, 1]]), "sites[0].curve[0]: its price is out of bounds");
    check(
        "/sites/0/curve",
        json!([[0, 1e300]]),
        "sites, lines, tso: powers reach 1e300 kW, beyond the 1e9 kW the market accepts",
    );
    check("/tso/curve", json!([[1, 1], [2, 0]]), "tso.curve: price or import decreases");
    check("/policy/carbon_price", json!(1e7), "policy.carbon_price: its magnitude is beyond 1e6");
}

#[test]
fn what_is_no_json_of_the_schema_is_refused_by_line_and_column() {
    let check = |text: &str, expected: &str| {
        let refusal = clear_case(text.as_bytes(), false).unwrap_err().to_string();
        assert!(refusal.starts_with(&format!("not a valid case: {expected}")), "{refusal}");
        assert!(refusal.contains(" at line 1 column "), "{refusal}");
    };
    let case = read("s03_line_binding.json").to_string();
    check("", "EOF while parsing");
    check(&case.replace("200.0", "NaN"), "expected value");
    check(&case.replace("200.0", "1e999"), "number out of range");
    check(&case.replace("\"policy\"", "\"polcy\""), "unknown field `polcy`");
    check(&case.replacen('{', "{\"root\":\"n0\",", 1), "duplicate field `root`");
    check(&case.replace("\"none\"", "\"some\""), "unknown variant `some`");
}

#[test]
fn limits_that_do_not_bind_change_nothing() {
    let free = outcome(&read("s03_line_binding.json")).unwrap();
    assert_eq!(outcome(&changed("/nodes/2/v_min_pu", json!(0.95))).unwrap(), free);
    assert_eq!(outcome(&changed("/lines/0/s_max_kva", json!(10))).unwrap(), free);
}

#[test]
fn figures_that_meet_a_limit_before_rounding_are_feasible() {
    let mut case = changed("/lines/0/p_max_kw", json!(40.0 / 3.0));
    case["lines"][1]["p_max_kw"] = Value::Null;
    for site in 0..2 {
        case["sites"][site]["curve"] = json!([[0, 20.0 / 3.0]]);
    }
    assert!(matches!(outcome(&case), Ok(Outcome::Optimal(_))));
}

#[test]
fn a_small_feeder_has_the_prices_of_a_large_one() {
    let mut small = read("s03_line_binding.json");
    let scale = |value: &mut Value| *value = json!(value.as_f64().unwrap() * 1e-6);
    for (list, index) in [("sites", 0), ("sites", 1)] {
        let curve = small[list][index]["curve"].as_array_mut().unwrap();
        curve.iter_mut().for_each(|corner| scale(&mut corner[1]));
    }
    small["tso"]["curve"].as_array_mut().unwrap().iter_mut().for_each(|corner| scale(&mut corner[1]));
    scale(&mut small["lines"][1]["p_max_kw"]);
    scale(&mut small["lines"][1]["p_min_kw"]);
    let Ok(Outcome::Optimal(result)) = outcome(&small) else { panic!("not optimal") };
    let check = |node: &str, expected: f64| {
        let price = result["node_price"][node].as_f64().unwrap();
        assert!((price - expected).abs() < 1e-4, "{node}: {price}");
    };
    check("n0", 39.090909);
    check("n2", 140.0);
}

#[test]
fn on_load_taps_stand_where_the_clearing_is_cheapest() {
    let case = include_bytes!("../../tests/cases/v01_lower_voltage.json");
    let case: Value = serde_json::from_slice(case).unwrap();
    let cleared = |key: &str, value: Value| {
        let mut case = case.clone();
        case["lines"][0][key] = value;
        match outcome(&case).unwrap() {
            Outcome::Optimal(result) => Some(result),
            Outcome::Infeasible(..) => None,
        }
    };
    let objective = |result: &Value| result["objective_eur_per_h"].as_f64().unwrap();
    let mut tapped = cleared("taps", json!({"ratio_min": 0.95, "ratio_max": 1.05, "positions": 5})).unwrap();
    let line = case["lines"][0]["id"].as_str().unwrap();
    let ratio = tapped["tap_ratio"][line].as_f64().unwrap();
    tapped.as_object_mut().unwrap().remove("tap_ratio");
    let mut fixed = [0.95, 0.975, 1.0, 1.025, 1.05]
        .map(|fixed| (fixed, cleared("tap_ratio", json!(fixed))))
        .into_iter()
        .filter_map(|(fixed, result)| Some((fixed, result?)));
    let middle = fixed.clone().find(|(fixed, _)| *fixed == 1.0).unwrap().1;
    assert!(objective(&tapped) < objective(&middle) - 1e-3, "{ratio}: {tapped}");
    assert!(fixed.clone().all(|(_, result)| objective(&tapped) <= objective(&result) + 1e-6));
    let same = fixed.find(|(fixed, _)| (fixed - ratio).abs() < 1e-9).unwrap().1;
    assert_eq!(objective(&tapped), objective(&same));
    assert_eq!(tapped["site_p_kw"], same["site_p_kw"]);
}

#[test]
fn taps_that_make_no_sense_are_refused() {
    let check = |taps: Value, expected: &str| {
        let refusal = outcome(&changed("/lines/0/taps", taps)).unwrap_err();
        assert_eq!(refusal, format!("not a valid case: lines[0].taps: {expected}"));
    };
    let taps = |least: f64, most: f64, positions: usize| json!({"ratio_min": least, "ratio_max": most, "positions": positions});
    let ratios = "ratios must be from 0.1 to 10, and ratio_min at most ratio_max";
    check(taps(1.1, 0.9, 3), ratios);
    check(taps(0.0, 1.1, 3), ratios);
    check(taps(0.9, 1.1, 0), "positions must be from 1 to 99");
    check(taps(0.9, 1.1, 100), "positions must be from 1 to 99");
}
