//! `gridpact ledger aggregates`: sums over at least k sites, for third parties.

use super::args::{AggregatesArgs, GroupBy, RowFormat};
use super::format::{eur, kwh, put, rendered, utc};
use super::walk::walk;
use super::GatewayError;
use ledger::aggregates::{contributions, publish, Contribution, Group, GroupName, Key, Published};
use ledger::query::{Hour, K_ANONYMOUS};
use market::interval::UnixSeconds;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::Write;

/// One row: a group, the rest, or everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "AggregatesRow")]
pub struct Row {
    /// `group`, `rest` (groups of too few sites, together) or `total`.
    pub record: &'static str,
    /// The group's bus, where groups are made by bus.
    pub bus: Option<String>,
    /// The group's aggregator, where groups are made by aggregator.
    pub aggregator: Option<String>,
    /// Start of the group's hour, where groups are made by hour.
    pub hour_start_utc: Option<String>,
    /// Sites in it.
    pub sites: usize,
    /// Intervals of sites in it.
    pub settlements: usize,
    /// Net energy; import positive.
    pub energy_millijoule: i128,
    /// The same, rounded to the milliwatt-hour.
    pub energy_kwh: String,
    /// Net energy committed to.
    pub committed_millijoule: i128,
    /// What sites received; negative where they paid.
    pub received_nano_eur: i128,
    /// The same.
    pub received_eur: String,
}

/// Writes the aggregates that were asked for.
///
/// # Errors
/// Where the ledger does not hold, or the file can't be written.
pub fn run(args: &AggregatesArgs, out: &mut dyn Write) -> Result<(), GatewayError> {
    let span = (args.span.from.map(UnixSeconds), args.span.to.map(UnixSeconds));
    let of_ledger = walk(
        &args.dir,
        |_| Vec::<Contribution>::new(),
        |found, block, rules, _| {
            found.extend(contributions(block, rules, span));
            true
        },
    )?;
    let by: BTreeSet<Key> = args.by.iter().copied().map(key).collect();
    let published = publish(&of_ledger, &by, args.k as usize);
    let rows = rows(&published);
    let document = serde_json::json!({ "k": args.k, "groups_pooled": published.pooled, "rows": rows });
    let bytes = rendered(args.format, rows.iter(), &document)?;
    put(args.output.as_deref(), &bytes, out)
}

/// Publications hour by hour as one document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HoursDocument {
    /// Fewest sites behind any figure.
    pub k: usize,
    /// Of each hour its groups by bus, the rest and the total, as far as each has k sites.
    pub rows: Vec<Row>,
}

/// Publications hour by hour as a file.
///
/// # Errors
/// Where rows make none.
pub fn hourly(hours: &[Hour], format: RowFormat) -> Result<Vec<u8>, GatewayError> {
    let of_hour = |hour: &Hour| {
        let start = utc(hour.start.0);
        rows(&hour.published)
            .into_iter()
            .map(move |row| Row { hour_start_utc: Some(start.clone()), ..row })
            .collect::<Vec<_>>()
    };
    let document = HoursDocument { k: K_ANONYMOUS, rows: hours.iter().flat_map(of_hour).collect() };
    rendered(format, document.rows.iter(), &document)
}

fn key(by: GroupBy) -> Key {
    match by {
        GroupBy::Bus => Key::Bus,
        GroupBy::Aggregator => Key::Aggregator,
        GroupBy::Hour => Key::Hour,
    }
}

fn rows(published: &Published) -> Vec<Row> {
    let groups = published.groups.iter().map(|(name, group)| row("group", name, group));
    let nameless = GroupName::default();
    let rest = published.rest.iter().map(|group| row("rest", &nameless, group));
    let total = published.total.iter().map(|group| row("total", &nameless, group));
    groups.chain(rest).chain(total).collect()
}

fn row(record: &'static str, name: &GroupName, group: &Group) -> Row {
    Row {
        record,
        bus: name.bus.clone(),
        aggregator: name.aggregator.as_ref().map(ToString::to_string),
        hour_start_utc: name.hour.map(|hour| utc(hour.0)),
        sites: group.sites,
        settlements: group.settlements,
        energy_millijoule: group.energy_millijoule,
        energy_kwh: kwh(group.energy_millijoule),
        committed_millijoule: group.committed_millijoule,
        received_nano_eur: group.received_nano_eur,
        received_eur: eur(group.received_nano_eur),
    }
}
