//! A site controller as a household runs it: how soon it is in the market, how much memory it takes, and what it writes.
//!
//! It trades by mutual TLS with a market in another process, in intervals of ten seconds, with its files on a real disk.
//! What is written in an interval is what a day has 96 times.

use super::super::figure::{Figure, Target};
use super::super::BenchError;
use super::devices::Devices;
use super::market::{Market, INTERVAL_S};
use super::SiteArgs;
use crate::cluster::process::Node;
use std::io;
use std::time::{Duration, Instant};
use time::OffsetDateTime;

/// Intervals of a day where one takes 15 minutes.
const INTERVALS_A_DAY: f64 = 96.0;
/// How often the site is looked at while it starts.
const LOOK: Duration = Duration::from_millis(5);
/// Longest wait for the market, for the site to be in it, and for the first firm price.
const PATIENCE: Duration = Duration::from_secs(120);
/// What the site logs of each firm price.
const FIRM: &str = "event=\"firm\"";

/// What a process and its log have written at some time.
struct Written {
    firm: usize,
    disk_bytes: f64,
    log_bytes: f64,
}

/// Runs a site for so many intervals, and says what it took.
///
/// # Errors
/// Where a process can't be started, or no price becomes firm.
pub(super) fn measure(args: &SiteArgs, intervals: u32) -> Result<Vec<Figure>, BenchError> {
    let folder = tempfile::Builder::new().prefix("gridpact-bench-").tempdir_in(&args.folder);
    let folder = folder.map_err(BenchError::Folder)?;
    let devices = Devices::start(3)?;
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let market = Market::write(folder.path(), &devices.addresses, now)?;
    let mut others = market.start()?;
    wait(&mut others, "the market", |node| node.metric("gridpact_agent_connected") == Some(3.0))?;
    let begun = Instant::now();
    let mut site = market.start_site()?;
    wait(&mut site, "the site", |node| node.metric("gridpact_agent_connected") == Some(1.0))?;
    let in_market = begun.elapsed();
    wait(&mut site, "a firm price", |_| firm(&market.site_log()) > 0)?;
    let before = Written::so_far(&site, &market)?;
    let last = before.firm + intervals as usize;
    let patience = Duration::from_secs(u64::from(intervals) * INTERVAL_S.unsigned_abs()) + PATIENCE;
    wait_for(&mut site, "firm prices", patience, |_| firm(&market.site_log()) >= last)?;
    let after = Written::so_far(&site, &market)?;
    others.check_alive()?;
    Ok(figures(&site, args, in_market, (&before, &after)))
}

fn figures(
    site: &Node,
    args: &SiteArgs,
    in_market: Duration,
    (before, after): (&Written, &Written),
) -> Vec<Figure> {
    let measured = (after.firm - before.firm) as f64;
    let a_day = |bytes: f64| bytes / measured * INTERVALS_A_DAY / 1e6;
    let figure = |name: &str, measured, unit, most, detail: String| Figure {
        name: name.to_owned(),
        measured,
        unit,
        target: Target::AtMost(most),
        detail,
    };
    let disk = after.disk_bytes - before.disk_bytes;
    let log = after.log_bytes - before.log_bytes;
    vec![
        figure(
            "site controller, from its start until it is in the market",
            in_market.as_secs_f64() * 1e3,
            "ms",
            2_000.0,
            "devices opened, certificate shown, connected to the broker".to_owned(),
        ),
        figure(
            "site controller, resident memory",
            site.resident_mb().unwrap_or(f64::NAN),
            "MB",
            40.0,
            format!("after {} intervals, the program's own pages included", after.firm),
        ),
        figure(
            "site controller, written a day",
            a_day(disk),
            "MB",
            20.0,
            format!(
                "{disk:.0} bytes handed to the disk under {} in {measured:.0} intervals (write_bytes of \
                 /proc/PID/io), times {INTERVALS_A_DAY} intervals of 15 minutes; the file system's own journal \
                 comes on top",
                args.folder.display()
            ),
        ),
        figure(
            "site controller, log lines a day",
            a_day(log),
            "MB",
            5.0,
            format!("{log:.0} bytes on standard error in the same intervals; the journal's to keep or not"),
        ),
    ]
}

impl Written {
    fn so_far(site: &Node, market: &Market) -> Result<Written, BenchError> {
        let log = market.site_log();
        let path = format!("/proc/{}/io", site.id());
        let text = std::fs::read_to_string(path).map_err(BenchError::Site)?;
        let disk_bytes = write_bytes(&text)
            .ok_or_else(|| BenchError::Site(io::Error::other("the system counts no written bytes")))?;
        Ok(Written { firm: firm(&log), disk_bytes, log_bytes: log.len() as f64 })
    }
}

fn firm(log: &str) -> usize {
    log.matches(FIRM).count()
}

/// `write_bytes` of proc_pid_io(5): what the process caused to be sent to the storage layer.
fn write_bytes(io: &str) -> Option<f64> {
    io.lines().find_map(|line| line.strip_prefix("write_bytes: "))?.trim().parse().ok()
}

fn wait(node: &mut Node, what: &'static str, there: impl Fn(&Node) -> bool) -> Result<(), BenchError> {
    wait_for(node, what, PATIENCE, there)
}

fn wait_for(
    node: &mut Node,
    what: &'static str,
    patience: Duration,
    there: impl Fn(&Node) -> bool,
) -> Result<(), BenchError> {
    let deadline = Instant::now() + patience;
    while !there(node) {
        node.check_alive()?;
        if Instant::now() > deadline {
            let said = node.last_words();
            return Err(BenchError::Site(io::Error::other(format!("{what} did not come: {said}"))));
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_off_the_systems_account() {
        let check = |io: &str, expected| assert_eq!(write_bytes(io), expected, "{io}");
        check(
            "rchar: 1\nwchar: 2\nread_bytes: 0\nwrite_bytes: 4096\ncancelled_write_bytes: 7\n",
            Some(4096.0),
        );
        check("wchar: 2\n", None);
    }

    #[test]
    fn firm_prices_are_counted_in_the_log() {
        let line = "2026-11-28T15:00:00Z  INFO agents::shell: 1 kW at 3 party=site/s1 event=\"firm\"\n";
        assert_eq!(firm(&line.repeat(3)), 3);
        assert_eq!(firm("event=\"no-firm-price\""), 0);
    }
}
