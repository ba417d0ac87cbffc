//! Showing balances: in Prometheus, and what is out of balance in a file that an operator may open in a spreadsheet.

use super::balance::Balance;
use prometheus::core::Collector;
use prometheus::{GaugeVec, IntCounterVec, Opts, Registry};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// File in the DSO's folder of what was out of balance.
pub(super) const IMBALANCES: &str = "imbalances.csv";
const HEADER: &str = "interval_start_unix_s,point,measured_wh,metered_wh,losses_wh,missing_wh,bound_wh,buses";
const MILLIJOULE_PER_WH: f64 = 3_600_000.0;

pub(crate) struct Balances {
    missing: GaugeVec,
    bound: GaugeVec,
    drawn: IntCounterVec,
    path: PathBuf,
}

impl Balances {
    pub fn register(registry: &Registry, path: PathBuf) -> Result<Self, prometheus::Error> {
        let balances = Self::new(path)?;
        balances.collectors().into_iter().try_for_each(|metric| registry.register(metric))?;
        Ok(balances)
    }

    pub fn new(path: PathBuf) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| GaugeVec::new(Opts::new(name, help), &["point"]);
        Ok(Self {
            missing: gauge(
                "gridpact_feeder_missing_watt_hours",
                "Energy measured into a part of the feeder that neither its meters nor its losses account for. \
                 Unit: watt-hours.",
            )?,
            bound: gauge(
                "gridpact_feeder_missing_bound_watt_hours",
                "What of it meters as exact as they should be can leave open. Unit: watt-hours.",
            )?,
            drawn: IntCounterVec::new(
                Opts::new(
                    "gridpact_feeder_balances_total",
                    "Balances drawn behind a measured point: even, out (a meter is wrong), silent (one was missing). \
                     Unit: balances.",
                ),
                &["point", "verdict"],
            )?,
            path,
        })
    }

    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![Box::new(self.missing.clone()), Box::new(self.bound.clone()), Box::new(self.drawn.clone())]
    }

    pub fn show(&self, balance: &Balance) {
        for (point, _, section) in &balance.sections {
            let verdict = match section.is_out_of_balance() {
                None => "silent",
                Some(true) => "out",
                Some(false) => "even",
            };
            self.drawn.with_label_values(&[point.as_str(), verdict]).inc();
            self.missing
                .with_label_values(&[point.as_str()])
                .set(section.missing().0 as f64 / MILLIJOULE_PER_WH);
            self.bound.with_label_values(&[point.as_str()]).set(section.bound.0 as f64 / MILLIJOULE_PER_WH);
        }
        if let Err(error) = append(&self.path, balance) {
            tracing::error!(path = %self.path.display(), %error, "what is out of balance is not written");
        }
    }
}

fn append(path: &Path, balance: &Balance) -> io::Result<()> {
    let mut lines = String::new();
    for (point, buses, section) in balance.out_of_balance() {
        let wh = |energy: market::units::Millijoule| energy.0 as f64 / MILLIJOULE_PER_WH;
        let figures = [section.measured, section.metered, section.losses, section.missing(), section.bound];
        let figures: Vec<String> = figures.into_iter().map(|energy| format!("{:.1}", wh(energy))).collect();
        let start = balance.interval.start().0;
        lines += &format!("{start},{point},{},{}\n", figures.join(","), buses.join(" "));
    }
    if lines.is_empty() {
        return Ok(());
    }
    let new = fs::metadata(path).map_or(true, |file| file.len() == 0);
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    if new {
        writeln!(file, "{HEADER}")?;
    }
    file.write_all(lines.as_bytes())
}
