//! What a process's own metrics say of its roles, and its disks.

use super::core::RoleStanding;
use prometheus::proto::MetricFamily;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Gauges by the party they are about, and what they say.
fn gauges(
    families: &[MetricFamily],
    name: &str,
    party: impl Fn(&BTreeMap<&str, &str>) -> Option<String>,
) -> Vec<(String, f64)> {
    let family = families.iter().find(|family| family.name() == name);
    let metrics = family.into_iter().flat_map(|family| family.get_metric());
    metrics
        .filter_map(|metric| {
            let labels = metric.get_label().iter().map(|label| (label.name(), label.value())).collect();
            Some((party(&labels)?, metric.get_gauge().get_value()))
        })
        .collect()
}

/// Of roles, by their labels.
fn by_role(labels: &BTreeMap<&str, &str>) -> Option<String> {
    Some(format!("{}/{}", labels.get("role")?, labels.get("id")?))
}

/// How often each role's heart has beaten.
pub(super) fn beats(families: &[MetricFamily]) -> Vec<(String, u64)> {
    let metrics = families.iter().flat_map(|family| family.get_metric());
    metrics
        .filter_map(|metric| {
            let labels = metric.get_label().iter().map(|label| (label.name(), label.value())).collect();
            Some((by_role(&labels)?, metric.get_counter().get_value() as u64))
        })
        .collect()
}

/// The standing of these, as far as metrics say; brokers have none.
pub(super) fn of(all: &[String], families: &[MetricFamily]) -> Vec<RoleStanding> {
    let links = gauges(families, "gridpact_link_standing", |labels| {
        labels.get("party").map(|party| (*party).to_owned())
    });
    let clocks = gauges(families, "gridpact_agent_clock_sane", by_role);
    let behind = gauges(families, "gridpact_agent_ledger_behind", by_role);
    let validators = gauges(families, "gridpact_ledger_behind", |labels| {
        labels.get("validator").map(|id| format!("validator/{id}"))
    });
    let role = |who: &String| {
        let links: Vec<f64> =
            links.iter().filter(|(party, _)| party == who).map(|(_, stands)| *stands).collect();
        let says = |gauges: &[(String, f64)]| {
            gauges.iter().find(|(party, _)| party == who).map(|(_, value)| *value != 0.0)
        };
        RoleStanding {
            who: who.clone(),
            connections: (links.len(), links.iter().filter(|stands| **stands != 0.0).count()),
            needs_most: who.starts_with("validator/"),
            clock_sane: says(&clocks),
            behind: says(&behind).or(says(&validators)) == Some(true),
        }
    };
    all.iter().map(role).collect()
}

/// Free bytes of the disks that data is kept on.
pub(super) fn disks(folders: &[PathBuf]) -> Vec<(String, u64)> {
    let free = |folder: &PathBuf| {
        let about = rustix::fs::statvfs(folder).ok()?;
        Some((folder.display().to_string(), about.f_bavail.saturating_mul(about.f_frsize)))
    };
    folders.iter().filter_map(free).collect()
}
