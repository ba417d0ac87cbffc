//! A week of hourly day-ahead prices, and a day of it by quarter-hour.

use super::day::{Day, INTERVALS_PER_DAY, INTERVAL_S};
use market::interval::{Interval, UnixSeconds};
use market::units::PicoEurPerWh;
use serde::Deserialize;
use thiserror::Error;
use time::format_description::well_known::Rfc3339;
use time::OffsetDateTime;

const HOUR_S: i64 = 3_600;
const HOURS_PER_DAY: usize = 24;

/// Prices of consecutive hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceWeek {
    start: UnixSeconds,
    hours: Vec<PicoEurPerWh>,
}

/// A file that is no week of prices.
#[derive(Debug, Error)]
pub enum PriceError {
    /// Not the CSV expected.
    #[error("row {row}: {source}")]
    Csv {
        /// Row, the header being 0.
        row: usize,
        /// What the reader says.
        source: csv::Error,
    },
    /// A timestamp that isn't one, or doesn't follow the one before by an hour.
    #[error("row {row}: {text:?} is not the next hour in RFC 3339")]
    Time {
        /// Row, the header being 0.
        row: usize,
        /// The field.
        text: String,
    },
    /// A price out of the market's bounds.
    #[error("row {row}: {price} EUR/MWh is not a price")]
    Price {
        /// Row, the header being 0.
        row: usize,
        /// What stands there.
        price: f64,
    },
    /// Fewer hours than a week has.
    #[error("{hours} hours where a week has 168")]
    Short {
        /// Hours there are.
        hours: usize,
    },
}

#[derive(Deserialize)]
struct Row {
    interval_start_utc: String,
    price_eur_per_mwh: f64,
}

impl PriceWeek {
    /// Reads a week from CSV: `interval_start_utc` in RFC 3339, `price_eur_per_mwh`.
    ///
    /// # Errors
    /// As the enum says.
    pub fn parse(text: &str) -> Result<Self, PriceError> {
        let mut week = Self { start: UnixSeconds(0), hours: Vec::new() };
        for (index, row) in csv::Reader::from_reader(text.as_bytes()).deserialize().enumerate() {
            week.push(index + 1, row.map_err(|source| PriceError::Csv { row: index + 1, source })?)?;
        }
        if week.hours.len() < 7 * HOURS_PER_DAY {
            return Err(PriceError::Short { hours: week.hours.len() });
        }
        Ok(week)
    }

    fn push(&mut self, row: usize, read: Row) -> Result<(), PriceError> {
        let Row { interval_start_utc: text, price_eur_per_mwh: price } = read;
        let instant = OffsetDateTime::parse(&text, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp);
        if self.hours.is_empty() {
            self.start = UnixSeconds(instant.unwrap_or(0));
        }
        if instant != Some(self.start.0 + self.hours.len() as i64 * HOUR_S) {
            return Err(PriceError::Time { row, text });
        }
        let ticks = PicoEurPerWh::from_eur_per_mwh(price).ok_or(PriceError::Price { row, price })?;
        self.hours.push(ticks);
        Ok(())
    }

    /// The local midnight at which `day` begins, and its prices, one an interval.
    pub fn day(&self, day: Day) -> (Interval, Vec<PicoEurPerWh>) {
        let first = day.index() * HOURS_PER_DAY;
        let per_hour = (HOUR_S / INTERVAL_S) as usize;
        let prices = (0..INTERVALS_PER_DAY).map(|i| self.hours[first + i / per_hour]).collect();
        (Interval(self.start.plus(first as i64 * HOUR_S)), prices)
    }
}

#[cfg(test)]
mod tests {
    use super::super::dataset::{DataFile, Dataset};
    use super::super::day::{Season, Weekday};
    use super::*;

    #[test]
    fn a_day_begins_at_local_midnight_and_repeats_each_hour_four_times() {
        let text = Dataset::Embedded.text(DataFile::Prices(Season::Winter)).unwrap();
        let week = PriceWeek::parse(&text).unwrap();
        let (start, prices) = week.day(Day { season: Season::Winter, weekday: Weekday::Wednesday });
        // 2024-01-09T23:00:00Z, that is 2024-01-10 00:00 in Germany.
        assert_eq!(start.start(), UnixSeconds(1_704_841_200));
        // SMARD.de: 89.29 in that hour, 86.76 in the next.
        let eur: Vec<f64> = prices.iter().take(5).map(|price| price.eur_per_mwh()).collect();
        assert_eq!(eur, [89.29, 89.29, 89.29, 89.29, 86.76]);
        assert_eq!(prices.len(), INTERVALS_PER_DAY);
    }

    #[test]
    fn a_gap_in_time_is_refused_by_row() {
        let text = "interval_start_utc,price_eur_per_mwh\n2024-01-07T23:00:00Z,1\n2024-01-08T01:00:00Z,1\n";
        assert!(matches!(PriceWeek::parse(text), Err(PriceError::Time { row: 2, .. })));
    }
}
