//! What is given out of a ledger that a demo left: batches, statements, aggregates.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Output};

fn ledger(arguments: &[&str], directory: &Path, more: &[&str]) -> Output {
    let mut command = Process::new(env!("CARGO_BIN_EXE_gridpact"));
    command.arg("ledger").args(arguments).arg(directory).args(more).output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Each account's lines add up to its total, which is what its balance changed by; all together to nothing.
fn check_statement(directory: &Path, sites: usize, intervals: usize) {
    let text = said(&ledger(&["export"], directory, &[]));
    let mut sums: BTreeMap<String, i128> = BTreeMap::new();
    let (mut totals, mut energy_lines) = (0, 0);
    for row in csv::Reader::from_reader(text.as_bytes()).deserialize::<BTreeMap<String, String>>() {
        let row = row.unwrap();
        let integer = |column: &str| row[column].parse::<i128>().unwrap();
        let amount = integer("amount_nano_eur");
        if row["record"] == "line" {
            *sums.entry(row["account"].clone()).or_default() += amount;
            energy_lines += usize::from(row["item"] == "energy");
        } else {
            totals += amount;
            assert_eq!(sums.get(&row["account"]).copied().unwrap_or_default(), amount, "{row:?}");
            let (opening, closing) =
                (integer("balance_opening_nano_eur"), integer("balance_closing_nano_eur"));
            assert_eq!(opening + amount, closing, "{row:?}");
        }
    }
    assert_eq!(totals, 0);
    assert_eq!(energy_lines, sites * intervals);
}

fn check_aggregates(directory: &Path, sites: usize) {
    let text = said(&ledger(&["aggregates"], directory, &["--by", "bus,hour", "--format", "json"]));
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rows = document["rows"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["sites"].as_u64().unwrap() >= 5), "{text}");
    assert_eq!(rows.last().unwrap()["sites"].as_u64().unwrap(), sites as u64, "{text}");
}

fn parquet_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(parquet_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn sha256(file: &Path) -> String {
    wire::hash::Hash32::plain(&fs::read(file).unwrap()).to_string()
}

/// Every batch an aggregator archived is found by its digest, checked and given out; a changed one is not.
fn check_batches(directory: &Path, intervals: usize) {
    let archive = directory.join("aggregator-a1/archive");
    let files = parquet_files(&archive);
    assert_eq!(files.len(), 2 * intervals);
    let out = directory.join("fetched.parquet");
    let write = ["-o", out.to_str().unwrap()];
    for file in [&files[0], &files[files.len() - 1]] {
        let text = said(&ledger(&["fetch"], directory, &[&[sha256(file).as_str()], &write[..]].concat()));
        assert!(text.contains("as on the ledger"), "{text}");
        assert_eq!(fs::read(file).unwrap(), fs::read(&out).unwrap());
    }
    let file = &files[files.len() - 1];
    let (digest, whole) = (sha256(file), fs::read(file).unwrap());
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    fs::write(file, changed).unwrap();
    let output = ledger(&["fetch"], directory, &[&digest]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    fs::write(file, whole).unwrap();
    let unknown = ledger(&["fetch"], directory, &[&"5a".repeat(32)]);
    assert_eq!(unknown.status.code(), Some(1));
}

/// Checks all of it on a demo's directory.
pub fn check(directory: &Path, sites: usize, intervals: usize) {
    check_statement(directory, sites, intervals);
    check_aggregates(directory, sites);
    check_batches(directory, intervals);
}
