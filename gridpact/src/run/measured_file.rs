//! What a DSO measures on its feeder, as a file that its own systems write: one row an interval and point. It is read
//! again when it changes, and what is new in it goes on.

use super::interval_rows::{self, starting_in_market, RowsError};
use agents::dso::balance::{Measured, HEAD};
use market::feeder::Feeder;
use market::units::Millijoule;
use serde::Deserialize;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;

/// Most rows a file may have: a year of quarter hours at twenty points.
const MAX_ROWS: usize = 700_800;
/// Real time between two looks at the file.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The latest rows that are sent on: what deliveries may still come for.
const SENT: usize = 10_000;

#[derive(Deserialize)]
struct Row {
    interval_start_utc: String,
    point: String,
    energy_wh: f64,
}

/// Every measurement of a file.
///
/// # Errors
/// Where a row is none of this feeder's, or of no interval of `interval_s` seconds.
pub fn read(path: &Path, interval_s: i64, feeder: &Feeder) -> Result<Vec<Measured>, RowsError> {
    let mut measured = Vec::new();
    interval_rows::read(path, |row| {
        if measured.len() == MAX_ROWS {
            return Err(format!("more than {MAX_ROWS} rows"));
        }
        measured.push(parse(row, interval_s, feeder)?);
        Ok(())
    })?;
    Ok(measured)
}

fn parse(row: Row, interval_s: i64, feeder: &Feeder) -> Result<Measured, String> {
    let Row { interval_start_utc, point, energy_wh } = row;
    let interval = starting_in_market(&interval_start_utc, interval_s)?;
    if point != HEAD && feeder.lines.iter().all(|line| line.id != point) {
        return Err(format!("point {point:?} is neither {HEAD:?} nor a line of the feeder"));
    }
    let energy = Millijoule::from_wh(energy_wh).ok_or_else(|| "energy_wh is out of bounds".to_owned())?;
    Ok(Measured { interval, point, energy })
}

/// What comes to stand in a file, as it does. Ends when nobody listens.
pub fn follow(path: PathBuf, interval_s: i64, feeder: Feeder) -> mpsc::Receiver<Vec<Measured>> {
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move {
        let mut seen: Option<(u64, Option<SystemTime>)> = None;
        let mut known = HashSet::new();
        while !sender.is_closed() {
            let now = tokio::fs::metadata(&path).await.ok().map(|file| (file.len(), file.modified().ok()));
            if now.is_some() && now != seen {
                seen = now;
                let (path, feeder) = (path.clone(), feeder.clone());
                let read = tokio::task::spawn_blocking(move || read(&path, interval_s, &feeder)).await;
                match read {
                    Ok(Ok(mut all)) => {
                        let latest = all.split_off(all.len().saturating_sub(SENT));
                        let key = |of: &Measured| (of.interval, of.point.clone(), of.energy);
                        let new: Vec<Measured> =
                            latest.iter().filter(|of| !known.contains(&key(of))).cloned().collect();
                        known = latest.iter().map(key).collect();
                        if !new.is_empty() && sender.send(new).await.is_err() {
                            return;
                        }
                    }
                    Ok(Err(error)) => tracing::warn!(%error, "what is measured can't be read"),
                    Err(error) => tracing::warn!(%error, "what is measured was not read"),
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::interval::{Interval, UnixSeconds};

    fn feeder() -> Feeder {
        let (buses, lines) = (vec!["b0".to_owned()], Vec::new());
        Feeder { voltage_millivolt: 400_000, root: "b0".to_owned(), buses, lines }
    }

    fn check(rows: &str, expected: Result<usize, &str>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("measured.csv");
        std::fs::write(&path, format!("interval_start_utc,point,energy_wh\n{rows}")).unwrap();
        match (read(&path, 900, &feeder()), expected) {
            (Ok(read), Ok(count)) => assert_eq!(read.len(), count),
            (Err(error), Err(named)) => assert!(error.to_string().contains(named), "{error}"),
            (found, expected) => panic!("{found:?} where {expected:?} was expected"),
        }
    }

    #[test]
    fn what_is_no_measurement_of_the_feeder_is_refused_by_row() {
        check("1970-01-01T00:15:00Z,head,1500.5\n1970-01-01T00:30:00Z,head,-3\n", Ok(2));
        check("", Ok(0));
        check("1970-01-01T00:10:00Z,head,1\n", Err("start of an interval"));
        check("1970-01-01T00:15:00Z,tail,1\n", Err("row 1: point \"tail\""));
        check("1970-01-01T00:15:00Z,head,NaN\n", Err("energy_wh"));
        check("noon,head,1\n", Err("RFC 3339"));
        check("1970-01-01T00:15:00Z,head,much\n", Err("line: 2"));
    }

    #[tokio::test]
    async fn what_is_added_goes_on_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("measured.csv");
        let header = "interval_start_utc,point,energy_wh\n1970-01-01T00:15:00Z,head,1\n";
        std::fs::write(&path, header).unwrap();
        let mut rows = follow(path.clone(), 900, feeder());
        assert_eq!(rows.recv().await.unwrap().len(), 1);
        std::fs::write(&path, format!("{header}1970-01-01T00:30:00Z,head,2\n")).unwrap();
        let added = rows.recv().await.unwrap();
        assert_eq!(added.len(), 1);
        assert_eq!(added[0].interval, Interval(UnixSeconds(1_800)));
    }
}
