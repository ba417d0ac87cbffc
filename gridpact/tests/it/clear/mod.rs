//! `gridpact clear` on the reference cases carried with this crate and with the market's, and on hostile
//! ones.

mod day;
mod fuzz;
mod invent;
mod judge;
mod reference;
mod relaxed;

use serde_json::Value;
use std::path::Path;

/// Every carried case of a single interval.
fn cases() -> Vec<Value> {
    let cases = read(&["tests/cases", "../market/tests/cases/feeder", "../market/tests/cases/powerflow"]);
    assert!(cases.len() >= 20, "only {} cases are carried", cases.len());
    cases
}

/// Every carried case of several intervals.
fn days() -> Vec<Value> {
    let cases = read(&["../market/tests/cases/horizon"]);
    assert!(cases.len() >= 5, "only {} cases are carried", cases.len());
    cases
}

fn read(folders: &[&str]) -> Vec<Value> {
    let mut cases = Vec::new();
    for folder in folders {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        {
            cases.push(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap());
        }
    }
    cases
}
