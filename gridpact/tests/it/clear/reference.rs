//! The reference cases: result, prices' parts, AC power flow and correction.

use super::{cases, judge};
use gridpact::clear::{clear_case, Outcome};
use serde_json::Value;

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn cleared(case: &Value, ac: bool) -> Value {
    match clear_case(case.to_string().as_bytes(), ac) {
        Ok(Outcome::Optimal(result) | Outcome::Infeasible(result, _)) => result,
        Err(refusal) => panic!("{}: {refusal}", case["id"]),
    }
}

#[test]
fn results_are_optimal_by_the_reference_and_by_the_judge() {
    for case in cases() {
        let (result, expected) = (cleared(&case, false), &case["expected"]);
        assert_eq!(result["status"], expected["status"], "{}", case["id"]);
        if expected["status"] == "infeasible" {
            assert!(result["infeasible"]["limit"].is_string(), "{}: {result}", case["id"]);
            continue;
        }
        let (objective, reference) =
            (number(&result["objective_eur_per_h"]), number(&expected["objective_eur_per_h"]));
        assert!(
            (objective - reference).abs() <= 1e-6 * reference.abs().max(1.0),
            "{}: {objective}",
            case["id"]
        );
        assert_eq!(judge::faults(&case, &result), Vec::<String>::new(), "{}", case["id"]);
        if expected["prices_unique"] == true {
            for (node, price) in expected["node_price"].as_object().unwrap() {
                let off = number(&result["node_price"][node]) - number(price);
                assert!(off.abs() < 2e-3, "{}: price of {node} off by {off}", case["id"]);
            }
        }
    }
}

#[test]
fn parts_add_up_to_prices() {
    for case in cases() {
        let result = cleared(&case, false);
        for key in ["node_price", "node_q_price"] {
            for (node, price) in result[key].as_object().into_iter().flatten() {
                let parts = result[format!("{key}_components")][node].as_object().unwrap();
                let sum: f64 = parts.values().map(number).sum();
                assert!((sum - number(price)).abs() < 1e-9, "{}: {key} of {node}", case["id"]);
            }
        }
    }
}

#[test]
fn ac_power_flows_are_those_of_pandapower() {
    let mut compared = 0;
    for case in cases() {
        let expected = &case["expected"]["ac"];
        let ties = case["expected"]["tied_sites"].as_object().is_some_and(|tied| !tied.is_empty());
        if !expected.is_object() || ties {
            continue;
        }
        let ac = &cleared(&case, true)["ac"];
        for (ours, theirs) in ac["v_pu"].as_array().unwrap().iter().zip(expected["v_pu"].as_array().unwrap())
        {
            assert!((number(ours) - number(theirs)).abs() < 1e-6, "{}", case["id"]);
        }
        for key in ["loss_kw", "import_kw", "max_flow_error_kw"] {
            assert!((number(&ac[key]) - number(&expected[key])).abs() < 1e-3, "{}: {key}", case["id"]);
        }
        for key in ["max_abs_v_error", "ac_v_below_min_by", "ac_v_above_max_by"] {
            assert!(
                (number(&ac["before"][key]) - number(&expected[key])).abs() < 1e-6,
                "{}: {key}",
                case["id"]
            );
        }
        compared += 1;
    }
    assert!(compared >= 8, "only {compared} cases have an AC power flow to compare with");
}

#[test]
fn corrected_clearings_keep_the_limits_they_broke() {
    let mut broken = 0;
    for case in cases() {
        let result = cleared(&case, true);
        if result["status"] == "infeasible" {
            continue;
        }
        let passed = |when: &str| {
            let errors = &result["ac"][when];
            number(&errors["ac_v_below_min_by"]).max(number(&errors["ac_v_above_max_by"]))
        };
        broken += usize::from(passed("before") > 1e-3);
        assert!(passed("after") <= 2e-5, "{}: {}", case["id"], passed("after"));
        assert_eq!(result["corrected"]["status"], "optimal");
    }
    assert!(broken >= 3, "only {broken} cases break a limit before they are corrected");
}

#[test]
fn the_33_bus_feeder_at_nominal_load_is_as_published() {
    let mut case = cases().into_iter().find(|case| case["id"] == "b13_33bus_infeasible_voltage").unwrap();
    for node in case["nodes"].as_array_mut().unwrap() {
        node["v_min_pu"] = Value::Null;
    }
    let ac = &cleared(&case, true)["ac"];
    let lowest = ac["v_pu"].as_array().unwrap().iter().map(number).fold(f64::INFINITY, f64::min);
    assert!((number(&ac["loss_kw"]) - 202.677).abs() < 5e-4, "{}", ac["loss_kw"]);
    assert!((lowest - 0.91309).abs() < 5e-6, "{lowest}");
}
