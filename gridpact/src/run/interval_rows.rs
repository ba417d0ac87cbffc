//! CSV files of rows that begin with an interval, as other systems write them: read row by row, and what is wrong is
//! named with its row. What a row says is each file's own.

use market::interval::{Interval, UnixSeconds};
use serde::de::DeserializeOwned;
use serde::Serialize;
use std::path::{Path, PathBuf};
use thiserror::Error;
use time::format_description::well_known::Rfc3339;
use time::OffsetDateTime;

/// Why a file holds no such rows.
#[derive(Debug, Error)]
pub enum RowsError {
    /// It can't be read or written, or is no such CSV.
    #[error("{path}: {source}")]
    Csv {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its line.
        source: csv::Error,
    },
    /// A row that does not belong there.
    #[error("{path}: row {row}: {reason}")]
    Row {
        /// The file.
        path: PathBuf,
        /// Row, the header being 0.
        row: usize,
        /// What is wrong.
        reason: String,
    },
}

/// Gives every row to `take`, in their order.
///
/// # Errors
/// Where the file is no such CSV, or at the first row that `take` refuses.
pub fn read<R: DeserializeOwned>(
    path: &Path,
    mut take: impl FnMut(R) -> Result<(), String>,
) -> Result<(), RowsError> {
    let csv = |source| RowsError::Csv { path: path.to_owned(), source };
    for (index, row) in csv::Reader::from_path(path).map_err(csv)?.deserialize::<R>().enumerate() {
        let wrong = |reason| RowsError::Row { path: path.to_owned(), row: index + 1, reason };
        take(row.map_err(csv)?).map_err(wrong)?;
    }
    Ok(())
}

/// Writes rows in the form [`read`] reads.
///
/// # Errors
/// Where the file can't be written.
pub fn write(path: &Path, rows: impl Iterator<Item = impl Serialize>) -> Result<(), RowsError> {
    let csv = |source| RowsError::Csv { path: path.to_owned(), source };
    let mut writer = csv::Writer::from_path(path).map_err(csv)?;
    for row in rows {
        writer.serialize(row).map_err(csv)?;
    }
    writer.flush().map_err(|error| csv(error.into()))
}

/// The interval that starts at this instant.
///
/// # Errors
/// Where it is no instant.
pub fn starting(instant: &str) -> Result<Interval, &'static str> {
    let instant = OffsetDateTime::parse(instant, &Rfc3339);
    let start = instant.map_err(|_| "interval_start_utc is not RFC 3339")?.unix_timestamp();
    Ok(Interval(UnixSeconds(start)))
}

/// The same, of a market whose intervals last `interval_s` seconds.
///
/// # Errors
/// Where it is none of this market's either.
pub fn starting_in_market(instant: &str, interval_s: i64) -> Result<Interval, &'static str> {
    let interval = starting(instant)?;
    if interval.start().0.rem_euclid(interval_s.max(1)) != 0 {
        return Err("interval_start_utc is not the start of an interval of this market");
    }
    Ok(interval)
}
