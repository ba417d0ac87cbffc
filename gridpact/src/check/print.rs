//! Findings for people, and as JSON.

use super::finding::{Finding, Severity};
use serde_json::json;
use std::io::{self, Write};

/// Counts of one severity.
fn count(findings: &[Finding], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity == severity).count()
}

/// The whole in a word.
fn verdict(findings: &[Finding]) -> &'static str {
    match findings.iter().map(|finding| finding.severity).max() {
        Some(Severity::Fault) => "faults",
        Some(Severity::Warning) => "warnings",
        _ => "clean",
    }
}

/// How much of what is as it should be stands in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    Wrong,
    /// Of each area a line or a few; a sum where they are many.
    Usual,
    /// Everything.
    All,
}

/// Good findings of an area that are listed one by one where nothing else is asked for.
const LISTED: usize = 6;

/// A table: severity, area, subject, what; below it what to do.
pub fn table(findings: &[Finding], detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let mut rest = findings;
    while let Some(first) = rest.first() {
        let (area, after) =
            rest.split_at(rest.iter().take_while(|finding| finding.area == first.area).count());
        rest = after;
        let good = count(area, Severity::Good);
        let sums_up = detail == Detail::Usual && good > LISTED;
        let shown = |finding: &&Finding| match finding.severity {
            Severity::Fault | Severity::Warning => true,
            Severity::Note => detail != Detail::Wrong,
            Severity::Good => detail != Detail::Wrong && !sums_up,
        };
        let mut lines = area.iter().filter(shown).peekable();
        if lines.peek().is_none() && !sums_up {
            continue;
        }
        writeln!(out, "{}", first.area.word())?;
        if sums_up {
            writeln!(out, "  {:<8} {good} are as they should be (--all lists them)", Severity::Good.word())?;
        }
        for finding in lines {
            writeln!(out, "  {:<8} {}  {}", finding.severity.word(), finding.subject, finding.what)?;
            if let Some(remedy) = &finding.remedy {
                writeln!(out, "  {:<8} -> {remedy}", "")?;
            }
        }
    }
    let (faults, warnings) = (count(findings, Severity::Fault), count(findings, Severity::Warning));
    let looked = findings.len();
    let many = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    match verdict(findings) {
        "clean" => writeln!(out, "nothing is wrong ({})", many(looked, "finding")),
        _ => writeln!(
            out,
            "{}, {}, of {}",
            many(faults, "fault"),
            many(warnings, "warning"),
            many(looked, "finding")
        ),
    }
}

/// One document.
pub fn json(findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    let document = json!({
        "verdict": verdict(findings),
        "faults": count(findings, Severity::Fault),
        "warnings": count(findings, Severity::Warning),
        "findings": findings,
    });
    writeln!(out, "{document:#}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Area;

    fn check(findings: &[Finding], detail: Detail, expected: &str) {
        let mut out = Vec::new();
        table(findings, detail, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_is_listed_with_what_to_do_and_the_rest_summed_up() {
        let good = |n: usize| Finding::good(Area::Keys, n, "is right");
        let fault = Finding::fault(Area::Keys, "a.pem", "is missing", "Copy it.");
        let few = [good(1), fault.clone()];
        let listed = "keys\n  good     1  is right\n  FAULT    a.pem  is missing\n           -> Copy it.\n\
            1 fault, 0 warnings, of 2 findings\n";
        check(&few, Detail::Usual, listed);
        let many: Vec<Finding> = (1..=7).map(good).chain([fault]).collect();
        let summed = "keys\n  good     7 are as they should be (--all lists them)\n  FAULT    a.pem  is missing\n           \
            -> Copy it.\n1 fault, 0 warnings, of 8 findings\n";
        check(&many, Detail::Usual, summed);
        let wrong = "keys\n  FAULT    a.pem  is missing\n           -> Copy it.\n1 fault, 0 warnings, of 8 findings\n";
        check(&many, Detail::Wrong, wrong);
        check(&many[..1], Detail::Wrong, "nothing is wrong (1 finding)\n");
        check(&[], Detail::Usual, "nothing is wrong (0 findings)\n");
    }
}
