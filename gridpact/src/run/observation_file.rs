//! A forecaster's measurements, one row an interval, as a grid operator's system may write them. Rows of
//! times to come are allowed: the forecaster does not look at them before they are over.

use super::interval_rows::{self, starting_in_market, RowsError};
use super::price_file::rfc3339;
use agents::forecaster::Observation;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Most rows a file may have: ten years of quarter-hours.
const MAX_ROWS: usize = 350_400;
const MILLIWATT_PER_KW: f64 = 1e6;
const PICO_PER_EUR_PER_MWH: f64 = 1e6;

#[derive(Deserialize, Serialize)]
struct Row {
    interval_start_utc: String,
    load_kw: Option<f64>,
    pv_fraction: Option<f64>,
    price_eur_per_mwh: Option<f64>,
}

/// Reads every measurement of a file. Gaps in time are allowed, and fields may be empty.
///
/// # Errors
/// Where a row is no measurement, or not after the one before.
pub fn read(path: &Path, interval_s: i64) -> Result<Vec<Observation>, RowsError> {
    let mut observations: Vec<Observation> = Vec::new();
    interval_rows::read(path, |row| {
        let observation = parse(&row, interval_s)?;
        if observations.last().is_some_and(|before| before.interval >= observation.interval) {
            return Err("it is not after the row before".to_owned());
        }
        if observations.len() == MAX_ROWS {
            return Err("more rows than ten years have".to_owned());
        }
        observations.push(observation);
        Ok(())
    })?;
    Ok(observations)
}

fn parse(row: &Row, interval_s: i64) -> Result<Observation, &'static str> {
    let interval = starting_in_market(&row.interval_start_utc, interval_s)?;
    let within = |value: Option<f64>, low: f64, high: f64, reason| match value {
        Some(value) if !(low..=high).contains(&value) => Err(reason),
        value => Ok(value),
    };
    let load_kw = within(row.load_kw, -1e9, 1e9, "load_kw is out of bounds")?;
    let pv_fraction = within(row.pv_fraction, 0.0, 10.0, "pv_fraction is not within 0 to 10")?;
    let price = within(row.price_eur_per_mwh, -1e6, 1e6, "price_eur_per_mwh is out of bounds")?;
    Ok(Observation {
        interval,
        load_milliwatt: load_kw.map(|kw| kw * MILLIWATT_PER_KW),
        pv_fraction,
        price_pico_per_wh: price.map(|eur| eur * PICO_PER_EUR_PER_MWH),
    })
}

/// Writes measurements in the form [`read`] reads.
///
/// # Errors
/// Where the file can't be written.
pub fn write(path: &Path, observations: &[Observation]) -> Result<(), RowsError> {
    let row = |observation: &Observation| Row {
        interval_start_utc: rfc3339(observation.interval.start()),
        load_kw: observation.load_milliwatt.map(|load| load / MILLIWATT_PER_KW),
        pv_fraction: observation.pv_fraction,
        price_eur_per_mwh: observation.price_pico_per_wh.map(|price| price / PICO_PER_EUR_PER_MWH),
    };
    interval_rows::write(path, observations.iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &str, expected: Result<usize, &str>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("observations.csv");
        let header = "interval_start_utc,load_kw,pv_fraction,price_eur_per_mwh\n";
        std::fs::write(&path, format!("{header}{rows}")).unwrap();
        match (read(&path, 900), expected) {
            (Ok(read), Ok(count)) => {
                assert_eq!(read.len(), count);
                let again = directory.path().join("again.csv");
                write(&again, &read).unwrap();
                assert_eq!(super::read(&again, 900).unwrap(), read);
            }
            (Err(error), Err(named)) => {
                let error = error.to_string();
                assert!(error.contains("observations.csv") && error.contains(named), "{error}");
            }
            (found, expected) => panic!("{found:?} where {expected:?} was expected"),
        }
    }

    #[test]
    fn what_is_no_list_of_measurements_is_refused_by_row() {
        check("1970-01-01T00:00:00Z,40.5,0.25,-3\n1970-01-01T01:15:00Z,,,\n", Ok(2));
        check("", Ok(0));
        check("1970-01-01T00:15:00Z,1,,\n1970-01-01T00:15:00Z,1,,\n", Err("row 2"));
        check("1970-01-01T00:10:00Z,1,,\n", Err("start of an interval"));
        check("1970-01-01T00:00:00Z,NaN,,\n", Err("load_kw"));
        check("1970-01-01T00:00:00Z,,-0.1,\n", Err("pv_fraction"));
        check("1970-01-01T00:00:00Z,,,1e300\n", Err("price_eur_per_mwh"));
        check("noon,,,\n", Err("RFC 3339"));
        check("1970-01-01T00:00:00Z,much,,\n", Err("line: 2"));
    }
}
