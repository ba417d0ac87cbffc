//! Reference cases of 24 intervals, solved by others: cost and prices against theirs, and the
//! certificate of each. The copies carried with the project, and all of them where they stand beside it.

use super::case::{problem, tree};
use market::horizon::certificate::{self, Tolerance};
use market::horizon::clear;
use serde_json::Value;
use std::path::Path;

/// The cases of several intervals of a folder.
pub fn cases(folder: &Path) -> Vec<Value> {
    let read = |entry: std::io::Result<std::fs::DirEntry>| -> Option<Value> {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "json") {
            return None;
        }
        let case: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        case["intervals"].is_number().then_some(case)
    };
    std::fs::read_dir(folder).unwrap().filter_map(read).collect()
}

/// The cases carried with the project.
pub fn carried() -> Vec<Value> {
    let cases = cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/horizon"));
    assert_eq!(cases.len(), 5, "cases were lost");
    cases
}

fn check(case: &Value) {
    let (id, expected) = (&case["id"], &case["expected"]);
    let problem = problem(case);
    let clearing = clear(&problem).unwrap();
    let verdict = certificate::check(&problem, &clearing, &Tolerance::default()).unwrap();
    assert!(verdict.gap_eur <= 1e-9 * verdict.turnover_eur, "{id}: {verdict:?}");
    // The reference counts what is imported from nothing on, the problem from the least import on.
    let below = |supply: &Value| -> f64 {
        let points = supply.as_array().unwrap().iter();
        let points: Vec<[f64; 2]> =
            points.map(|p| [p[0].as_f64().unwrap(), p[1].as_f64().unwrap()]).collect();
        let area = |pair: &[[f64; 2]]| {
            let ([price, from], [end, to]) = (pair[0], pair[1]);
            let used = (0f64.clamp(from, to) - from).max(0.0);
            let last = if to > from { price + (end - price) * used / (to - from) } else { price };
            used * (price + last) / 2e3
        };
        points.windows(2).map(area).sum()
    };
    let from_nothing: f64 = case["tso"]["curves"].as_array().unwrap().iter().map(below).sum();
    let objective = clearing.objective_eur - from_nothing * problem.interval_hours;
    let reference = expected["objective_eur"].as_f64().unwrap();
    assert!((objective - reference).abs() <= 1e-6 * reference.abs().max(1.0), "{id}: {objective}");
    let tree = tree(case);
    for (node, place) in case["nodes"].as_array().unwrap().iter().zip(&tree.place) {
        let name = node["id"].as_str().unwrap();
        if expected["node_price_agrees"][name] != Value::Bool(true) {
            continue;
        }
        for (t, interval) in clearing.intervals.iter().enumerate() {
            let (found, price) = (interval.prices[*place], expected["node_price"][name][t].as_f64().unwrap());
            assert!((found - price).abs() <= 1e-3, "{id}: {name} at {t} costs {found}, not {price}");
        }
    }
}

#[test]
fn carried_cases_clear_as_others_solved_them() {
    carried().iter().for_each(check);
}

#[test]
fn shared_cases_clear_as_others_solved_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cases/feeder");
    if !folder.is_dir() {
        println!("not run: {} is not there", folder.display());
        return;
    }
    let cases = cases(&folder);
    assert!(cases.len() >= 3, "only {} cases found", cases.len());
    cases.iter().for_each(check);
    println!("{} cases from {}", cases.len(), folder.display());
}
