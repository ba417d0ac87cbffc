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

/// A table: severity, area, subject, what; below it what to do.
pub fn table(findings: &[Finding], quiet: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut area = None;
    for finding in findings.iter().filter(|finding| !quiet || finding.severity >= Severity::Warning) {
        if area.replace(finding.area) != Some(finding.area) {
            writeln!(out, "{}", finding.area.word())?;
        }
        writeln!(out, "  {:<8} {}  {}", finding.severity.word(), finding.subject, finding.what)?;
        if let Some(remedy) = &finding.remedy {
            writeln!(out, "  {:<8} -> {remedy}", "")?;
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
