//! A TSO interface's day-ahead prices, one row an interval.

use super::interval_rows::{self, starting, RowsError};
use market::interval::UnixSeconds;
use market::units::PicoEurPerWh;
use serde::{Deserialize, Serialize};
use std::path::Path;
use time::format_description::well_known::Rfc3339;
use time::OffsetDateTime;
use wire::message::ForecastPrice;

/// Most rows a file may have: ten years of quarter-hours.
const MAX_ROWS: usize = 350_400;

#[derive(Deserialize, Serialize)]
struct Row {
    interval_start_utc: String,
    price_eur_per_mwh: f64,
}

/// Reads a file's prices and repeats their whole span `repeat` times; 0, which is over and over, gives it once.
///
/// # Errors
/// Where a row is no price, or does not follow the one before by `interval_s`.
pub fn read(path: &Path, interval_s: i64, repeat: u32) -> Result<Vec<ForecastPrice>, RowsError> {
    let mut once: Vec<ForecastPrice> = Vec::new();
    interval_rows::read(path, |row| {
        let price = parse(&row)?;
        let follows = once.last().is_none_or(|before| before.interval.later(1, interval_s) == price.interval);
        if !follows {
            return Err("it does not follow the row before by one interval".to_owned());
        }
        if once.len() == MAX_ROWS {
            return Err("more rows than ten years have".to_owned());
        }
        once.push(price);
        Ok(())
    })?;
    let span = once.len() as i64;
    let times = 0..i64::from(repeat.max(1)).min(MAX_ROWS as i64 / span.max(1));
    let moved = |time: i64| {
        once.iter().map(move |p| ForecastPrice { interval: p.interval.later(time * span, interval_s), ..*p })
    };
    Ok(times.flat_map(moved).collect())
}

fn parse(row: &Row) -> Result<ForecastPrice, &'static str> {
    let interval = starting(&row.interval_start_utc)?;
    let price = PicoEurPerWh::from_eur_per_mwh(row.price_eur_per_mwh);
    let price = price.ok_or("price_eur_per_mwh is out of bounds")?;
    Ok(ForecastPrice { interval, price })
}

/// Writes prices in the form [`read`] reads.
///
/// # Errors
/// Where the file can't be written.
pub fn write(path: &Path, prices: &[ForecastPrice]) -> Result<(), RowsError> {
    let row = |ForecastPrice { interval, price }: &ForecastPrice| Row {
        interval_start_utc: rfc3339(interval.start()),
        price_eur_per_mwh: price.eur_per_mwh(),
    };
    interval_rows::write(path, prices.iter().map(row))
}

/// An instant as people and files have it.
pub fn rfc3339(instant: UnixSeconds) -> String {
    let date = OffsetDateTime::from_unix_timestamp(instant.0).ok();
    date.and_then(|date| date.format(&Rfc3339).ok()).unwrap_or_else(|| format!("{} s", instant.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::interval::Interval;

    fn check(rows: &str, repeat: u32, expected: Result<&[(i64, f64)], &str>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("prices.csv");
        std::fs::write(&path, format!("interval_start_utc,price_eur_per_mwh\n{rows}")).unwrap();
        match (read(&path, 900, repeat), expected) {
            (Ok(prices), Ok(expected)) => {
                let found: Vec<(i64, f64)> =
                    prices.iter().map(|p| (p.interval.start().0, p.price.eur_per_mwh())).collect();
                assert_eq!(found, expected);
            }
            (Err(error), Err(named)) => {
                let error = error.to_string();
                assert!(error.contains("prices.csv") && error.contains(named), "{error}");
            }
            (found, expected) => panic!("{found:?} where {expected:?} was expected"),
        }
    }

    #[test]
    fn prices_are_read_and_repeated() {
        let two = "1970-01-01T00:00:00Z,40.5\n1970-01-01T00:15:00Z,-1\n";
        check(two, 1, Ok(&[(0, 40.5), (900, -1.0)]));
        check(two, 2, Ok(&[(0, 40.5), (900, -1.0), (1_800, 40.5), (2_700, -1.0)]));
    }

    #[test]
    fn what_is_no_gapless_list_of_prices_is_refused_by_row() {
        check("1970-01-01T00:00:00Z,1\n1970-01-01T00:30:00Z,1\n", 1, Err("row 2"));
        check("1970-01-01,1\n", 1, Err("RFC 3339"));
        check("1970-01-01T00:00:00Z,NaN\n", 1, Err("out of bounds"));
        check("1970-01-01T00:00:00Z,dear\n", 1, Err("line: 2"));
    }

    #[test]
    fn what_is_written_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("prices.csv");
        let price = |n: i64| ForecastPrice {
            interval: Interval(UnixSeconds(n * 900)),
            price: PicoEurPerWh(n * 1_234_567 - 5_000_000),
        };
        let prices: Vec<ForecastPrice> = (0..9).map(price).collect();
        write(&path, &prices).unwrap();
        assert_eq!(read(&path, 900, 1).unwrap(), prices);
    }
}
