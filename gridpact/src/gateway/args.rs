//! Arguments of the commands that give out what a ledger holds.

use clap::{Args, ValueEnum};
use ledger::archive::location::Place;
use serde::Deserialize;
use std::path::PathBuf;
use time::format_description::well_known::Rfc3339;
use time::OffsetDateTime;
use wire::hash::Hash32;
use wire::party::Id;

/// A half-open span of time.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Span {
    /// First time in the period, RFC 3339, e.g. 2026-01-01T00:00:00Z [default: the ledger's beginning]
    #[arg(long, value_parser = instant)]
    pub from: Option<i64>,
    /// First time after the period [default: the ledger's end]
    #[arg(long, value_parser = instant)]
    pub to: Option<i64>,
}

/// Seconds since 1970 of an RFC 3339 time.
fn instant(text: &str) -> Result<i64, String> {
    let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|error| error.to_string())?;
    match parsed.unix_timestamp() {
        seconds @ 0.. => Ok(seconds),
        _ => Err("it lies before 1970".to_owned()),
    }
}

fn hash(text: &str) -> Result<Hash32, String> {
    let bytes: Option<[u8; 32]> = hex_bytes(text).and_then(|bytes| bytes.try_into().ok());
    bytes.map(Hash32).ok_or_else(|| "it is no SHA-256 of 64 hexadecimal digits".to_owned())
}

fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowFormat {
    /// RFC 4180, with a header.
    Csv,
    /// One document.
    Json,
}

/// What a period is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeriodOf {
    /// Block times: when lines were booked. Totals then carry the balances before and after.
    Booking,
    /// Market intervals: when energy flowed.
    Interval,
}

/// Arguments of `gridpact ledger export`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact ledger export DIR -o all.csv
  gridpact ledger export DIR --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z --of interval \\
      --party site/h07 --format json -o h07.json

Columns stand in docs/EXPORT.md. Before anything is written, every account's lines are added up and held
against what its balance changed by; where that differs by a nano-euro, nothing is written.")]
pub struct ExportArgs {
    /// A validator's data directory, or a demo's
    pub dir: PathBuf,
    /// From when to when
    #[command(flatten)]
    pub span: Span,
    /// Of what the period is
    #[arg(long, value_enum, default_value_t = PeriodOf::Booking)]
    pub of: PeriodOf,
    /// One account, or the party that has it, as role/id [default: all]
    #[arg(long)]
    pub party: Option<String>,
    /// How rows are written
    #[arg(long, value_enum, default_value_t = RowFormat::Csv)]
    pub format: RowFormat,
    /// File to write [default: standard output]
    #[arg(short, long)]
    pub output: Option<PathBuf>,
}

/// What groups are made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GroupBy {
    /// The site's bus.
    Bus,
    /// The site's aggregator.
    Aggregator,
    /// The hour in UTC.
    Hour,
}

/// Arguments of `gridpact ledger aggregates`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact ledger aggregates DIR --by bus --k 5 -o buses.csv
  gridpact ledger aggregates DIR --by aggregator,hour --k 10 --format json

Groups of fewer than k sites are pooled, and with them as many others as it takes until the pool has k: no
published figure, nor any difference of published figures, derives from fewer. That holds within one file.
Two files about the same time, grouped differently, can be held against each other: give one reader one
grouping.")]
pub struct AggregatesArgs {
    /// A validator's data directory, or a demo's
    pub dir: PathBuf,
    /// What groups are made by, one or several
    #[arg(long, value_enum, value_delimiter = ',', required = true)]
    pub by: Vec<GroupBy>,
    /// Fewest sites behind any figure
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub k: u32,
    /// Of which market intervals
    #[command(flatten)]
    pub span: Span,
    /// How rows are written
    #[arg(long, value_enum, default_value_t = RowFormat::Csv)]
    pub format: RowFormat,
    /// File to write [default: standard output]
    #[arg(short, long)]
    pub output: Option<PathBuf>,
}

/// Which batch of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// Signed meter readings.
    Readings,
    /// Signed bids with their salts.
    Bids,
}

/// Arguments of `gridpact ledger fetch`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact ledger fetch gridpact-demo-1 --interval 2016-01-06T00:15:00Z --aggregator a1 -o readings.parquet
  gridpact ledger fetch DIR 5be1...9d --archive s3://bucket/prefix --endpoint https://minio:9000

Checks the file against the SHA-256 on the ledger, every signature in it, and every figure against what was
settled. Exits 3 where something does not hold. The file opens in DuckDB or pandas as it is.")]
pub struct FetchArgs {
    /// A validator's data directory, or a demo's
    pub dir: PathBuf,
    /// SHA-256 of the batch, as the ledger has it
    #[arg(value_parser = hash, required_unless_present = "interval")]
    pub sha256: Option<Hash32>,
    /// Start of the market interval, RFC 3339
    #[arg(long, value_parser = instant)]
    pub interval: Option<i64>,
    /// Whose batch, where several aggregators delivered
    #[arg(long)]
    pub aggregator: Option<Id>,
    /// Which batch of the interval
    #[arg(long, value_enum, default_value_t = Which::Readings)]
    pub kind: Which,
    /// The aggregator's archive: file:///folder or s3://bucket/prefix [default: beside a demo's ledgers]
    #[arg(long)]
    pub archive: Option<Place>,
    /// Address of an S3-compatible store that is not Amazon's
    #[arg(long)]
    pub endpoint: Option<String>,
    /// Region of the S3-compatible store
    #[arg(long)]
    pub region: Option<String>,
    /// File to write the batch to [default: none, it is only checked]
    #[arg(short, long)]
    pub output: Option<PathBuf>,
}
