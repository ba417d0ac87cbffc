//! Time from sending one entry until a block with it comes back, one entry at a time.

use super::super::figure::{Figure, Target};
use super::super::stopwatch::milliseconds;
use super::super::BenchError;
use super::raw::Floor;
use crate::clock::wall_ms;
use crate::cluster::follower::{name, Follower, Publisher};
use crate::cluster::submitters::Submitters;
use crate::cluster::{Cluster, ClusterError};
use std::time::{Duration, Instant};

/// Entries decided after a validator died, before its death counts as known.
pub const HEIGHTS_BEFORE: usize = 10;
/// Wait between two entries: nothing of the last one is left then.
const PAUSE: Duration = Duration::from_millis(30);
/// Longest wait for one entry: a dead proposer's time-outs and to spare.
const LIMIT: Duration = Duration::from_secs(30);

/// Times of single entries.
pub struct Times {
    median: Duration,
    p99: Duration,
    count: usize,
}

/// The quantile `part` of 0 to 1 of these times; nothing of none.
pub fn quantile(times: &mut [Duration], part: f64) -> Duration {
    times.sort_unstable();
    let place = ((times.len() as f64 * part) as usize).min(times.len().saturating_sub(1));
    times.get(place).copied().unwrap_or_default()
}

/// Sends so many entries, each when the one before is final.
///
/// # Errors
/// Where one does not become final in time.
pub async fn measure(
    cluster: &mut Cluster,
    submitters: &mut Submitters,
    count: usize,
) -> Result<Times, BenchError> {
    let alive: Vec<usize> = cluster.running().map(|(index, _)| index).collect();
    let boot = wall_ms();
    let mut follower = Follower::connect(&cluster.layout, &alive, boot).await?;
    let publisher = Publisher::connect(&cluster.layout, &alive, &format!("bench-single-{boot}"));
    let mut times = Vec::with_capacity(count);
    for (turn, entry) in submitters.sign(count, boot)?.into_iter().enumerate() {
        tokio::time::sleep(PAUSE).await;
        let (start, wanted) = (Instant::now(), name(&entry));
        publisher.publish(turn, &entry);
        loop {
            match follower.next(LIMIT).await {
                Some(seen) if seen.entries.contains(&wanted) => {
                    times.push(seen.at - start);
                    break;
                }
                Some(_) => {}
                None => {
                    cluster.check_alive()?;
                    let what = "an entry's block".to_owned();
                    return Err(ClusterError::Late { what, limit: LIMIT }.into());
                }
            }
        }
    }
    let (median, p99) = (quantile(&mut times, 0.5), quantile(&mut times, 0.99));
    Ok(Times { median, p99, count })
}

/// Healthy finality against its floor, and with one validator dead against healthy.
pub fn figures(floor: &Floor, healthy: &Times, one_dead: &Times) -> Vec<Figure> {
    let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64();
    let against = |what: &str, now: Duration, before: Duration| Figure {
        name: format!("finality with one of four dead, after {HEIGHTS_BEFORE} heights: {what}"),
        measured: ratio(now, before),
        unit: "x healthy",
        target: Target::AtMost(1.5),
        detail: format!(
            "{:.2} ms, {:.2} ms with all; {} entries",
            milliseconds(now),
            milliseconds(before),
            one_dead.count
        ),
    };
    vec![
        Figure {
            name: "finality at light load: median".to_owned(),
            measured: ratio(healthy.median, floor.finality()),
            unit: "x the raw hops and writes",
            target: Target::AtMost(3.0),
            detail: format!(
                "{:.2} ms, p99 {:.2} ms, {} entries; a hop {:.2} ms, an fdatasync {:.2} ms",
                milliseconds(healthy.median),
                milliseconds(healthy.p99),
                healthy.count,
                milliseconds(floor.hop),
                milliseconds(floor.sync)
            ),
        },
        against("median", one_dead.median, healthy.median),
        against("p99", one_dead.p99, healthy.p99),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let mut times: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(quantile(&mut times, 0.5), Duration::from_millis(51));
        assert_eq!(quantile(&mut times, 0.99), Duration::from_millis(100));
        assert_eq!(quantile(&mut [], 0.5), Duration::ZERO);
    }
}
