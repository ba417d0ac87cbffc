//! `gridpact forecast`: replays the forecaster on what was measured and says how good it is, held
//! against persistence.

use crate::neighbourhood::dataset::Dataset;
use crate::neighbourhood::day::{Day, Season, Weekday, INTERVAL_S};
use crate::neighbourhood::measured::measured;
use crate::neighbourhood::simbench::Grid;
use crate::neighbourhood::NeighbourhoodError;
use crate::run::interval_rows::RowsError;
use crate::run::observation_file;
use agents::forecast::history::History;
use agents::forecast::score::{replay, Scores};
use agents::forecast::Quantity;
use agents::forecaster::Observation;
use clap::Args;
use serde::Serialize;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use thiserror::Error;

const DAY_S: i64 = 86_400;
/// Days from which a forecaster learns before it is scored.
const DAYS_LEARNT: usize = 3;
/// Intervals a file's rows may be of, in seconds.
const INTERVAL_RANGE_S: std::ops::RangeInclusive<i64> = 60..=3_600;

/// Arguments of `gridpact forecast`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact forecast                     two weeks of a real grid, price, load and sun
  gridpact forecast --json              the same as JSON
  gridpact forecast measured.csv        measurements of your own

From the fourth day on, once an hour, the day to come is forecast from what came before alone, and scored
when it has come: mean pinball loss of the 10, 50 and 90 % quantiles, in EUR/MWh, kW and parts of the
nameplate. `persistence` expects every interval to be as it was a day before, `standstill` as it was just
before the forecast. `skill` is the part of the better one's loss that is spared.

A file has the columns interval_start_utc, load_kw, pv_fraction, price_eur_per_mwh; fields may be empty.")]
pub struct ForecastArgs {
    /// Measurements to score on [default: the weeks built in]
    pub file: Option<PathBuf>,
    /// Seconds of one row's interval
    #[arg(long, default_value_t = INTERVAL_S)]
    pub interval_s: i64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Why nothing was scored.
#[derive(Debug, Error)]
pub enum ForecastError {
    /// The file can't be read.
    #[error(transparent)]
    File(#[from] RowsError),
    /// The weeks built in can't be.
    #[error(transparent)]
    Neighbourhood(#[from] NeighbourhoodError),
    /// Intervals that make no day.
    #[error("--interval-s: {interval_s} s are not within 60 to 3600 or don't divide a day")]
    Interval {
        /// Seconds asked for.
        interval_s: i64,
    },
    /// The table can't be printed.
    #[error("printing: {0}")]
    Print(#[from] io::Error),
    /// The scores have no JSON.
    #[error("writing scores as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// One series' scores.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scored {
    /// Where the series is from.
    pub series: String,
    /// What it is of.
    pub quantity: &'static str,
    /// Mean pinball loss of the forecaster.
    pub forecaster: f64,
    /// That of expecting the day before again.
    pub persistence: f64,
    /// That of expecting no change.
    pub standstill: f64,
    /// Part of the better one's loss that the forecaster spares.
    pub skill: f64,
}

impl fmt::Display for Scored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { series, quantity, forecaster, persistence, standstill, skill } = self;
        let skill = skill * 100.0;
        write!(
            f,
            "{series:16} {quantity:8} {forecaster:10.4} {persistence:11.4} {standstill:10.4} {skill:6.1} %"
        )
    }
}

/// Scores and prints.
///
/// # Errors
/// Where there is nothing to read, or nothing can be printed.
pub fn run(args: &ForecastArgs, out: &mut dyn Write) -> Result<(), ForecastError> {
    let scored = match &args.file {
        Some(file) => {
            let interval_s = args.interval_s;
            if !INTERVAL_RANGE_S.contains(&interval_s) || DAY_S % interval_s != 0 {
                return Err(ForecastError::Interval { interval_s });
            }
            let name = file.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into());
            score(&name, &observation_file::read(file, interval_s)?, interval_s)
        }
        None => built_in()?,
    };
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&scored)?)?;
        return Ok(());
    }
    writeln!(out, "series           quantity forecaster persistence standstill    skill")?;
    for line in scored {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Both weeks of a rural grid.
///
/// # Errors
/// Where the data built in can't be read.
pub fn built_in() -> Result<Vec<Scored>, ForecastError> {
    let mut scored = Vec::new();
    for season in [Season::Winter, Season::Summer] {
        // A week from Monday to Sunday.
        let day = Day { season, weekday: Weekday::Sunday };
        let rows = measured(Grid::Rural1, day, &Dataset::Embedded, 1)?;
        scored.extend(score(&format!("{} {}", Grid::Rural1.word(), season.word()), &rows, INTERVAL_S));
    }
    Ok(scored)
}

/// Scores every quantity of which there is enough.
pub fn score(series: &str, rows: &[Observation], interval_s: i64) -> Vec<Scored> {
    let per_day = usize::try_from(DAY_S / interval_s.max(1)).unwrap_or(1);
    let scored = |quantity: Quantity| {
        let (unit, of): (f64, fn(&Observation) -> Option<f64>) = match quantity {
            Quantity::Price => (1e6, |row| row.price_pico_per_wh),
            Quantity::Load => (1e6, |row| row.load_milliwatt),
            Quantity::Pv => (1.0, |row| row.pv_fraction),
        };
        let mut history = History::new(per_day);
        for row in rows {
            if let Some(value) = of(row) {
                history.push(row.interval.start().0.div_euclid(interval_s), value / unit);
            }
        }
        let scores: Scores = replay(quantity, history.values(), per_day, DAYS_LEARNT * per_day);
        Some(Scored {
            series: series.to_owned(),
            quantity: quantity.word(),
            forecaster: scores.forecaster.mean()?,
            persistence: scores.persistence.mean()?,
            standstill: scores.standstill.mean()?,
            skill: scores.skill()?,
        })
    };
    Quantity::ALL.into_iter().filter_map(scored).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Least skill demanded: what was measured, less a fifth of it.
    fn demanded(quantity: &str) -> f64 {
        match quantity {
            "price" | "load" => 0.24,
            _ => 0.18,
        }
    }

    #[test]
    fn on_real_weeks_the_forecaster_beats_persistence() {
        let scored = built_in().unwrap();
        assert_eq!(scored.len(), 6);
        for line in scored {
            assert!(line.skill >= demanded(line.quantity), "{line}");
        }
    }

    #[test]
    fn a_file_is_scored_and_a_missing_one_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("week.csv");
        let day = Day { season: Season::Summer, weekday: Weekday::Sunday };
        let rows = measured(Grid::Rural1, day, &Dataset::Embedded, 1).unwrap();
        observation_file::write(&file, &rows).unwrap();
        let args = ForecastArgs { file: Some(file), interval_s: INTERVAL_S, json: true };
        let mut text = Vec::new();
        run(&args, &mut text).unwrap();
        let read: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(read.as_array().unwrap().len(), 3);
        assert_eq!(read[0]["series"], "week");
        let missing = ForecastArgs { file: Some("/nowhere/week.csv".into()), ..args.clone() };
        assert!(run(&missing, &mut text).unwrap_err().to_string().contains("/nowhere/week.csv"));
        let odd = ForecastArgs { interval_s: 7_000, ..args };
        assert!(matches!(run(&odd, &mut text), Err(ForecastError::Interval { .. })));
    }
}
