//! What `gridpact clear` prints and refuses of cases of several intervals, on the reference cases carried
//! with the market crate.

use super::{clear_case, Outcome};
use serde_json::{json, Value};
use std::path::Path;

fn read(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../market/tests/cases/horizon");
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

fn outcome(case: &Value) -> Result<Outcome, String> {
    clear_case(case.to_string().as_bytes(), false).map_err(|refusal| refusal.to_string())
}

/// The case of electric vehicles, changed at one place.
fn changed(pointer: &str, value: Value) -> Value {
    let mut case = read("m04_ev_deadlines.json");
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match case.pointer_mut(parent).unwrap() {
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
        other => other[key] = value,
    }
    case
}

#[test]
fn results_have_the_reference_objective_and_a_list_by_key() {
    for name in [
        "m01_battery_arbitrage.json",
        "m03_33bus_storage_voltage.json",
        "m04_ev_deadlines.json",
        "k24_kva_limits.json",
        "l24_losses.json",
    ] {
        let case = read(name);
        let Ok(Outcome::Optimal(result)) = outcome(&case) else { panic!("{name}: not optimal") };
        let reference = case["expected"]["objective_eur"].as_f64().unwrap();
        let objective = result["objective_eur"].as_f64().unwrap();
        assert!((objective - reference).abs() <= 1e-6 * reference.abs().max(1.0), "{name}: {objective}");
        let long = |list: &Value, expected: usize| assert_eq!(list.as_array().unwrap().len(), expected);
        long(&result["import_kw"], 24);
        for (key, of) in [("node_price", "nodes"), ("site_p_kw", "sites"), ("line_p_kw", "lines")] {
            let by_name = result[key].as_object().unwrap();
            assert_eq!(by_name.len(), case[of].as_array().unwrap().len(), "{name}: {key}");
            by_name.values().for_each(|list| long(list, 24));
        }
        for storage in case["storages"].as_array().unwrap() {
            let shown = &result["storage"][storage["id"].as_str().unwrap()];
            long(&shown["charge_kw"], 24);
            long(&shown["energy_kwh"], 25);
            assert_eq!(shown["energy_kwh"][0], storage["e0_kwh"]);
        }
        for order in case["deferrables"].as_array().unwrap() {
            long(&result["deferrable_kw"][order["id"].as_str().unwrap()], 24);
        }
    }
}

#[test]
fn an_infeasible_case_names_the_limit_and_when() {
    let check = |case: Value, expected: Value, start: &str| {
        let Ok(Outcome::Infeasible(result, words)) = outcome(&case) else { panic!("not infeasible") };
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&result["infeasible"][key], value, "{result}");
        }
        assert!(words.starts_with(start), "{words}");
    };
    check(
        changed("/deferrables/1/p_max_kw", json!(1.0)),
        json!({"limit": "energy of a deferrable", "deferrable": "ev0_1", "needed_kwh": 8.79}),
        "deferrable \"ev0_1\": its window delivers 6 kWh at most",
    );
    check(
        changed("/lines/2/p_max_kw", json!(3.0)),
        json!({"limit": "p_max_kw", "line": "lm1", "allowed_kw": 3.0}),
        "interval ",
    );
    check(
        changed("/lines/2/s_max_kva", json!(3.0)),
        json!({"limit": "s_max_kva", "line": "lm1", "allowed_kva": 3.0}),
        "interval ",
    );
    let mut storage = read("m01_battery_arbitrage.json");
    storage["storages"][0]["p_ch_max_kw"] = json!(0.0);
    storage["storages"][0]["e_end_min_kwh"] = json!(15.0);
    check(
        storage,
        json!({"limit": "energy of a storage", "storage": "bat", "interval": 23, "needed_kwh": 15.0}),
        "storage \"bat\": 10 kWh can be reached",
    );
}

#[test]
fn what_is_no_case_of_several_intervals_is_refused_by_place() {
    let check = |pointer: &str, value: Value, expected: &str| {
        let refusal = outcome(&changed(pointer, value)).unwrap_err();
        assert!(refusal.contains(expected), "{pointer}: {refusal}");
    };
    check("/intervals", json!(0), "intervals: 0 is not from 1 to");
    check("/intervals", json!(23), "tso.curves: 24 figures for 23 intervals");
    check("/intervals", json!(1e9 as u64), "intervals: 1000000000 is not from 1 to");
    check("/sites/0/profile", json!([1.0]), "sites[0].profile: 1 figures for 24 intervals");
    check("/sites/0/profile/3", json!(-1.0), "sites[0].profile[3]: not from 0 to 1e9");
    check("/deferrables/0/node", json!("x"), "deferrables[0].node: there is no node \"x\"");
    check("/deferrables/0/t_end", json!(25), "deferrable order 0: end is 25");
    check("/deferrables/0/energy_kwh", json!(-1), "deferrable order 0: energy_kwh is -1");
    check("/tso/curve", json!([[0, 0]]), "tso: it has both curve and curves");
    check("/tso/curves/5", json!([[1, 1], [2, 0]]), "tso.curve: price or import decreases");
    check("/policy/voltage_deviation_price", json!(5), "not supported: policy.voltage_deviation_price");
    check("/model", json!("branchflow_socp"), "not supported: model");
}
