//! The rules of the house that a compiler does not keep: who may use whom, what deciding code may not
//! touch, and files that say what they are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which of our crates each of our crates may use (ARCHITECTURE.md).
const ARROWS: [(&str, &[&str]); 8] = [
    ("market", &[]),
    ("wire", &["market"]),
    ("broker", &["wire"]),
    ("ledger", &["wire", "market", "broker"]),
    ("hw-adapters", &["market"]),
    ("sim-devices", &["market"]),
    ("agents", &["market", "wire", "broker", "ledger", "hw-adapters"]),
    ("gridpact", &["market", "wire", "broker", "ledger", "hw-adapters", "sim-devices", "agents"]),
];

/// What deciding code may not name.
const IMPURE: [&str; 9] = [
    "tokio",
    "actix",
    "rumqttc",
    "SystemTime",
    "Instant::now",
    "std::net",
    "std::fs",
    "std::thread",
    "getrandom",
];

/// Half of all source files are shorter, in lines.
const MEDIAN_LINES: usize = 150;
/// Nine of ten are.
const NINE_TENTHS_LINES: usize = 400;
/// Every one is.
const MOST_LINES: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Rust file of a crate's source, with its text.
fn sources(name: &str) -> Vec<(PathBuf, String)> {
    let mut waiting = vec![root().join(name).join("src")];
    let mut found = Vec::new();
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "{name} has no source");
    found
}

/// A file's code up to its tests, without comments.
fn code(text: &str) -> String {
    let until_tests = text.split("#[cfg(test)]").next().unwrap_or_default();
    until_tests.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn dependencies(name: &str) -> Vec<String> {
    let manifest = fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let table = manifest["dependencies"].as_table().unwrap();
    table.keys().cloned().collect()
}

#[test]
fn arrows_between_crates_go_down_only() {
    let names: Vec<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    for (name, may_use) in ARROWS {
        let ours: Vec<String> =
            dependencies(name).into_iter().filter(|used| names.contains(&used.as_str())).collect();
        let wrong: Vec<&String> = ours.iter().filter(|used| !may_use.contains(&used.as_str())).collect();
        assert!(wrong.is_empty(), "{name} may not use {wrong:?}");
    }
}

#[test]
fn every_member_of_the_workspace_is_on_the_map() {
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap();
    let on_map: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    for member in members {
        assert!(on_map.contains_key(member.as_str().unwrap()), "{member} is not on the map");
    }
    assert_eq!(members.len(), ARROWS.len());
}

#[test]
fn deciding_code_touches_no_clock_socket_file_or_runtime() {
    let mut checked = 0;
    for (name, _) in ARROWS {
        for (path, text) in sources(name) {
            let pure_crate = ["market", "wire"].contains(&name);
            if !pure_crate && path.file_name().is_none_or(|file| file != "core.rs") {
                continue;
            }
            checked += 1;
            let code = code(&text);
            for word in IMPURE {
                assert!(!code.contains(word), "{} names {word}", path.display());
            }
        }
    }
    assert!(checked > 20, "only {checked} files are held pure");
}

#[test]
fn the_purity_check_sees_code_and_not_comments_or_tests() {
    assert!(code("use std::net::TcpStream;").contains("std::net"));
    assert!(!code("// never std::net\nfn a() {}\n#[cfg(test)]\nuse std::net;").contains("std::net"));
}

#[test]
fn every_file_says_what_it_is_and_most_are_short() {
    let mut lengths = Vec::new();
    for (name, _) in ARROWS {
        for (path, text) in sources(name) {
            assert!(text.starts_with("//!"), "{} does not say what it is", path.display());
            let lines = text.lines().count();
            assert!(lines <= MOST_LINES, "{} has {lines} lines", path.display());
            lengths.push(lines);
        }
    }
    lengths.sort_unstable();
    assert!(lengths[lengths.len() / 2] <= MEDIAN_LINES, "half the files have more lines");
    assert!(lengths[lengths.len() * 9 / 10] <= NINE_TENTHS_LINES, "a tenth of the files have more lines");
}

#[test]
fn every_defence_is_shown_by_a_test_that_is_there() {
    let page = fs::read_to_string(root().join("docs/DEFENCES.md")).unwrap();
    let rows: Vec<&str> = page.lines().filter(|line| line.contains(".rs` `")).collect();
    assert!(rows.len() > 20, "{rows:?}");
    for row in rows {
        let shown = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        let words: Vec<&str> = shown.split('`').filter(|word| !word.trim().is_empty()).collect();
        let [file, test] = words[..] else { panic!("a file and a test are wanted: {row}") };
        let text = fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let at = text.find(&format!("fn {test}(")).unwrap_or_else(|| panic!("{file} has no {test}"));
        assert!(text[..at].lines().rev().take(3).any(|line| line.contains("test]")), "{test} is no test");
    }
}
