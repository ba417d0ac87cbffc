//! `docs/CONTRACTS.md` says of each contract what the code says: every word it refuses by, and no other; and only
//! kinds of entries that there are.

use ledger::rights::EntryKind;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each section of the page with the files whose refusals it lists.
const SECTIONS: [(&str, &[&str]); 9] = [
    ("What every entry can be refused for", &["state/receipt.rs"]),
    ("Market interval", &["contracts/clearing.rs", "contracts/delivery.rs"]),
    ("Day-ahead session", &["contracts/day_ahead.rs"]),
    ("Transfer", &["contracts/transfer.rs"]),
    ("Tokens for money", &["contracts/issuance.rs"]),
    ("Spans of intervals", &["contracts/span.rs"]),
    ("Bilateral contract", &["contracts/bilateral/refusal.rs"]),
    ("Reserve", &["contracts/reserve/refusal.rs"]),
    ("Demand response", &["contracts/response/refusal.rs"]),
];

fn read(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn page() -> String {
    read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/CONTRACTS.md"))
}

fn source(file: &str) -> String {
    read(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file))
}

/// The words in quotation marks in a function of a file.
fn words(file: &str, function: &str) -> BTreeSet<String> {
    let text = source(file);
    let (_, behind) =
        text.split_once(&format!("fn {function}(")).unwrap_or_else(|| panic!("{file}: no {function}"));
    // A method ends with its brace at four spaces, a function with one at none.
    let indent = text[..text.len() - behind.len()]
        .lines()
        .last()
        .map_or(0, |line| line.len() - line.trim_start().len());
    let end = format!("\n{}}}\n", " ".repeat(indent));
    let body = behind.split(&end).next().unwrap_or_default();
    let quoted = body.split('"').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

/// The words in the first column of a section's tables whose head starts with `head`.
fn listed(page: &str, section: &str, head: &str) -> BTreeSet<String> {
    let (_, behind) =
        page.split_once(&format!("\n## {section}\n")).unwrap_or_else(|| panic!("no section {section}"));
    let body = behind.split("\n## ").next().unwrap_or_default();
    let mut within = false;
    let mut found = BTreeSet::new();
    for line in body.lines() {
        match line.strip_prefix("| ") {
            None => within = false,
            Some(row) if row.starts_with(head) => within = true,
            Some(row) if within => found.extend(row.split('`').nth(1).map(str::to_owned)),
            Some(_) => {}
        }
    }
    found
}

#[test]
fn the_page_lists_each_word_that_the_code_refuses_by() {
    let page = page();
    for (section, files) in SECTIONS {
        let code: BTreeSet<String> = files.iter().flat_map(|file| words(file, "reason")).collect();
        assert!(!code.is_empty(), "{section}");
        assert_eq!(listed(&page, section, "word"), code, "{section}");
    }
}

#[test]
fn the_page_s_entries_are_those_there_are() {
    let page = page();
    let kinds: BTreeSet<String> = EntryKind::ALL.iter().map(|kind| kind.word().to_owned()).collect();
    let on_page: BTreeSet<String> =
        SECTIONS.iter().flat_map(|(section, _)| listed(&page, section, "entry")).collect();
    assert!(on_page.is_subset(&kinds), "{:?}", on_page.difference(&kinds).collect::<Vec<_>>());
    assert_eq!(on_page.len(), 19);
}
