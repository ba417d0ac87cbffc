//! A week of profiles: columns of fractions by name, as SimBench's CSV files have them.

use super::day::INTERVALS_PER_DAY;
use std::collections::HashMap;
use thiserror::Error;

/// Rows of one week.
const ROWS: usize = 7 * INTERVALS_PER_DAY;

/// A week's profiles, by column name; every column has one value a quarter of an hour.
#[derive(Clone, Debug, PartialEq)]
pub struct Profiles {
    columns: HashMap<String, Vec<f64>>,
}

/// A file that is no week of profiles.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// Not CSV with as many fields in every row.
    #[error("row {row}: {source}")]
    Csv {
        /// Row, the header being 0.
        row: usize,
        /// What the reader says.
        source: csv::Error,
    },
    /// A field that is no finite number.
    #[error("row {row}, column {column:?}: {text:?} is not a finite number")]
    Number {
        /// Row, the header being 0.
        row: usize,
        /// Column name.
        column: String,
        /// The field, cut to 40 characters.
        text: String,
    },
    /// More or fewer rows than a week has.
    #[error("{rows} rows where a week of quarter-hours has {ROWS}")]
    Rows {
        /// Rows there are.
        rows: usize,
    },
    /// A profile some load names and the file doesn't have.
    #[error("there is no column {column:?}")]
    Missing {
        /// Its name.
        column: String,
    },
}

impl Profiles {
    /// Reads a week from CSV with a header row and the time in the first column.
    ///
    /// # Errors
    /// As the enum says.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().map_err(|source| ProfileError::Csv { row: 0, source })?.clone();
        let mut values: Vec<Vec<f64>> = vec![Vec::with_capacity(ROWS); header.len()];
        for (row, record) in reader.records().enumerate() {
            let record = record.map_err(|source| ProfileError::Csv { row: row + 1, source })?;
            for (column, field) in record.iter().enumerate().skip(1) {
                let number = field.parse().ok().filter(|value: &f64| value.is_finite());
                values[column].push(number.ok_or_else(|| ProfileError::Number {
                    row: row + 1,
                    column: header[column].to_owned(),
                    text: field.chars().take(40).collect(),
                })?);
            }
        }
        let rows = values.get(1).map_or(0, Vec::len);
        if rows != ROWS {
            return Err(ProfileError::Rows { rows });
        }
        Ok(Self { columns: header.iter().map(str::to_owned).zip(values).skip(1).collect() })
    }

    /// The whole week of one column.
    ///
    /// # Errors
    /// Where there is no such column.
    pub fn week(&self, column: &str) -> Result<&[f64], ProfileError> {
        self.columns
            .get(column)
            .map(Vec::as_slice)
            .ok_or_else(|| ProfileError::Missing { column: column.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn week(first: &str) -> String {
        let rows = (1..ROWS).map(|_| "t,0.5\n".to_owned());
        std::iter::once(format!("time,A\nt,{first}\n")).chain(rows).collect()
    }

    fn check_refused(text: &str, named: &str) {
        let error = Profiles::parse(text).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }

    #[test]
    fn a_week_is_read_by_column() {
        let profiles = Profiles::parse(&week("0.25")).unwrap();
        assert_eq!(profiles.week("A").unwrap()[..2], [0.25, 0.5]);
        assert!(profiles.week("B").is_err());
    }

    #[test]
    fn what_is_no_week_of_numbers_is_refused_by_place() {
        check_refused(&week("NaN"), "row 1, column \"A\"");
        check_refused(&week("x"), "\"x\" is not a finite number");
        check_refused("time,A\nt,1\n", "1 rows");
        check_refused("time,A\nt,1,2\n", "row 1");
    }
}
