//! `gridpact ledger export`: statements of accounts as files for billing systems. The columns are those of
//! docs/EXPORT.md; a test holds the page against this file.

use super::args::{ExportArgs, PeriodOf, RowFormat};
use super::format::{decimal, eur, kwh, put, rendered, utc, utc_ms};
use super::walk::walk;
use super::GatewayError;
use ledger::statement::{Book, Line, Period, Quantity, Statement, Total};
use schemars::JsonSchema;
use serde::Serialize;
use std::io::Write;
use wire::party::Id;

/// One row: a line of an account, or an account's total.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "StatementRow")]
pub struct Row {
    /// `line` or `total`.
    pub record: &'static str,
    /// The account.
    pub account: String,
    /// Who has it, as role/id; nobody has the ledger's own accounts.
    pub party: Option<String>,
    /// For what.
    pub item: Option<&'static str>,
    /// Start of the market interval.
    pub interval_start_utc: Option<String>,
    /// Energy; import positive.
    pub energy_millijoule: Option<i64>,
    /// The same, rounded to the milliwatt-hour.
    pub energy_kwh: Option<String>,
    /// Reactive energy; absorbed positive.
    pub reactive_energy_millivar_second: Option<i64>,
    /// Price of a watt-hour, or a var-hour.
    pub price_pico_eur_per_wh: Option<i64>,
    /// The same for a MWh, or a Mvarh.
    pub price_eur_per_mwh: Option<String>,
    /// What the account received; negative where it paid.
    pub amount_nano_eur: i128,
    /// The same.
    pub amount_eur: String,
    /// Balance before the period.
    pub balance_opening_nano_eur: Option<i64>,
    /// Balance after the period.
    pub balance_closing_nano_eur: Option<i64>,
    /// Height of the block.
    pub block_height: Option<u64>,
    /// Time of the block.
    pub block_time_utc: Option<String>,
    /// The entry's place in the block, from 0.
    pub entry_index: Option<usize>,
    /// Kind of entry.
    pub entry_kind: Option<&'static str>,
    /// The entry's leaf under the block's root.
    pub entry_hash: Option<String>,
}

/// Writes the statement that was asked for.
///
/// # Errors
/// Where the ledger does not hold, or the statement does not reconcile: then nothing is written.
pub fn run(args: &ExportArgs, out: &mut dyn Write) -> Result<(), GatewayError> {
    let milliseconds = |seconds: Option<i64>| seconds.map(|seconds| seconds.unsigned_abs() * 1_000);
    let asked = Period { from_ms: milliseconds(args.span.from), to_ms: milliseconds(args.span.to) };
    let period = match args.of {
        PeriodOf::Booking => asked,
        // Every line there is reconciles first; then those of the intervals are taken out.
        PeriodOf::Interval => Period::default(),
    };
    let book = walk(
        &args.dir,
        |start| Book::new(period, start),
        |book, block, rules, state| book.take(block, rules, state),
    )?;
    let mut statement = book.close()?;
    if args.of == PeriodOf::Interval {
        statement = statement.of_intervals(&asked);
    }
    if let Some(name) = &args.party {
        let account = account(&statement, name).ok_or_else(|| GatewayError::Party { name: name.clone() })?;
        statement = statement.of_account(&account);
    }
    put(args.output.as_deref(), &file(&statement, args.format)?, out)
}

/// A statement as a file.
///
/// # Errors
/// Where rows make none.
pub fn file(statement: &Statement, format: RowFormat) -> Result<Vec<u8>, GatewayError> {
    let (lines, totals) = rows(statement);
    let document = StatementDocument { lines, totals };
    let rows = document.lines.iter().chain(&document.totals);
    rendered(format, rows, &document)
}

/// A statement as one document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StatementDocument {
    /// Lines, in order of the ledger.
    pub lines: Vec<Row>,
    /// A total for each account.
    pub totals: Vec<Row>,
}

/// The account of this name, or of the party of this name.
fn account(statement: &Statement, name: &str) -> Option<Id> {
    let of_party = statement.parties.iter().find(|(_, party)| party.to_string() == name);
    let named =
        || statement.totals.iter().map(|total| &total.account).find(|account| account.as_str() == name);
    of_party.map(|(account, _)| account).or_else(named).cloned()
}

/// A statement as rows: lines, then totals.
pub fn rows(statement: &Statement) -> (Vec<Row>, Vec<Row>) {
    let party = |account: &Id| statement.parties.get(account).map(ToString::to_string);
    let lines = statement.lines.iter().map(|line| Row { party: party(&line.account), ..of_line(line) });
    let totals = statement.totals.iter().map(|total| Row { party: party(&total.account), ..of_total(total) });
    (lines.collect(), totals.collect())
}

fn of_line(line: &Line) -> Row {
    let (energy, reactive) = match line.quantity {
        Quantity::Energy(energy) => (Some(energy.0), None),
        Quantity::Reactive(energy) => (None, Some(energy)),
        Quantity::None => (None, None),
    };
    let amount = i128::from(line.amount.0);
    Row {
        record: "line",
        account: line.account.to_string(),
        item: Some(line.item),
        interval_start_utc: line.interval.map(|interval| utc(interval.start().0)),
        energy_millijoule: energy,
        energy_kwh: energy.map(|energy| kwh(energy.into())),
        reactive_energy_millivar_second: reactive,
        price_pico_eur_per_wh: line.price.map(|price| price.0),
        price_eur_per_mwh: line.price.map(|price| decimal(price.0.into(), 6)),
        amount_nano_eur: amount,
        amount_eur: eur(amount),
        block_height: Some(line.reference.height),
        block_time_utc: Some(utc_ms(line.reference.time_ms)),
        entry_index: Some(line.reference.index),
        entry_kind: Some(line.reference.kind),
        entry_hash: Some(line.reference.entry.to_string()),
        ..Row::default()
    }
}

fn of_total(total: &Total) -> Row {
    Row {
        record: "total",
        account: total.account.to_string(),
        amount_nano_eur: total.amount,
        amount_eur: eur(total.amount),
        balance_opening_nano_eur: total.balances.map(|(opening, _)| opening.0),
        balance_closing_nano_eur: total.balances.map(|(_, closing)| closing.0),
        ..Row::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every column stands in docs/EXPORT.md, in order, and nothing else does.
    #[test]
    fn the_page_names_the_columns_there_are() {
        let page = include_str!("../../../docs/EXPORT.md");
        let named: Vec<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
            .map(|(column, _)| column)
            .collect();
        let rows = [Row { amount_eur: "a,\"b\"".to_owned(), ..Row::default() }];
        let csv = rendered(RowFormat::Csv, rows.iter(), &rows).unwrap();
        let csv = String::from_utf8(csv).unwrap();
        let (header, row) = csv.split_once("\r\n").unwrap();
        assert_eq!(header.split(',').collect::<Vec<_>>(), named);
        assert!(row.contains("\"a,\"\"b\"\"\"") && row.ends_with("\r\n"), "{row}");
    }
}
