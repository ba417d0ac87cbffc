//! What came of a demo: both days' figures side by side, what everyone was paid, how fast it was. For
//! people as a table, for programs as JSON.

use super::figures::Figures;
use super::observer::core::IntervalAccount;
use crate::run::price_file::rfc3339;
use market::dlmp::Dlmp;
use market::interval::Interval;
use market::units::NanoEur;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// A demo's result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Which grid, season and weekday.
    pub day: String,
    /// Intervals traded.
    pub intervals: u32,
    /// Where its files are.
    pub data_dir: PathBuf,
    /// The day the market made.
    pub coordinated: Figures,
    /// The same day with every device following its own habit.
    pub uncoordinated: Figures,
    /// What each role received (negative: paid) on the ledger, in EUR.
    pub paid_eur: BTreeMap<&'static str, f64>,
    /// Sum of all payments, in nano-euro.
    pub paid_sum_nano_eur: i64,
    /// Rounds between DSO and aggregators that a clearing took.
    pub rounds: Option<Spread>,
    /// From gate closure to setpoints written and read back, in milliseconds of real time, the pause of
    /// simulated time in between included.
    pub round_ms: Option<Spread>,
    /// From the clearing's submission to its decided block, in milliseconds of real time.
    pub finality_ms: Option<Spread>,
    /// Setpoints written and read back as written.
    pub setpoints: u64,
    /// Setpoints a device did not take.
    pub faults: usize,
    /// Every interval.
    pub accounts: Vec<IntervalReport>,
}

/// A median with its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// Half are below.
    pub median: u64,
    /// Nine tenths are below.
    pub p90: u64,
    /// The largest.
    pub max: u64,
}

/// One interval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IntervalReport {
    /// Its start, in UTC.
    pub start: String,
    /// Whether it was cleared.
    pub cleared: bool,
    /// Price at the grid supply point.
    pub import_price_eur_per_mwh: f64,
    /// Lowest local price.
    pub local_price_min_eur_per_mwh: f64,
    /// Highest local price.
    pub local_price_max_eur_per_mwh: f64,
    /// The local price furthest from the import's, by its parts.
    pub furthest_price: Option<PriceReport>,
    /// Rounds between DSO and aggregators that its clearing took.
    pub rounds: u32,
    /// Net import cleared.
    pub import_kw: f64,
    /// Reactive power that sites were committed to give or absorb, whichever.
    pub reactive_kvar: f64,
    /// Sites with a commitment.
    pub commitments: usize,
    /// Sites whose reading came in time.
    pub readings: usize,
    /// Energy committed by these.
    pub committed_kwh: f64,
    /// Energy they delivered.
    pub delivered_kwh: f64,
    /// Sum of how far each was from its commitment.
    pub deviation_kwh: f64,
    /// Milliseconds from submission to decision.
    pub finality_ms: Option<u64>,
    /// Milliseconds from gate closure to setpoints written.
    pub round_ms: Option<u64>,
}

/// A local price and what it is made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PriceReport {
    /// Where.
    pub bus: String,
    /// The price at the grid supply point.
    pub energy_eur_per_mwh: f64,
    /// Losses on the way.
    pub loss_eur_per_mwh: f64,
    /// Limits of lines on the way.
    pub congestion_eur_per_mwh: f64,
    /// Limits and deviation of voltage.
    pub voltage_eur_per_mwh: f64,
}

impl PriceReport {
    fn of((bus, parts): &(String, Dlmp)) -> Self {
        Self {
            bus: bus.clone(),
            energy_eur_per_mwh: parts.energy.eur_per_mwh(),
            loss_eur_per_mwh: parts.loss.eur_per_mwh(),
            congestion_eur_per_mwh: parts.congestion.eur_per_mwh(),
            voltage_eur_per_mwh: parts.voltage.eur_per_mwh(),
        }
    }

    fn beyond_energy(&self) -> f64 {
        (self.loss_eur_per_mwh + self.congestion_eur_per_mwh + self.voltage_eur_per_mwh).abs()
    }
}

impl fmt::Display for PriceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bus, energy_eur_per_mwh, loss_eur_per_mwh, .. } = self;
        let (congestion, voltage) = (self.congestion_eur_per_mwh, self.voltage_eur_per_mwh);
        write!(f, "{energy_eur_per_mwh:.2} energy {loss_eur_per_mwh:+.2} loss {congestion:+.2} congestion ")?;
        write!(f, "{voltage:+.2} voltage EUR/MWh at {bus}")
    }
}

impl IntervalReport {
    /// An interval as the onlooker saw it.
    pub fn of(interval: Interval, account: &IntervalAccount) -> Self {
        let [root, low, high] = account.prices.unwrap_or_default();
        Self {
            start: rfc3339(interval.start()),
            cleared: account.prices.is_some(),
            import_price_eur_per_mwh: root.eur_per_mwh(),
            local_price_min_eur_per_mwh: low.eur_per_mwh(),
            local_price_max_eur_per_mwh: high.eur_per_mwh(),
            furthest_price: account.furthest.as_ref().map(PriceReport::of),
            rounds: account.rounds,
            import_kw: account.import.kw(),
            reactive_kvar: account.reactive.kvar(),
            commitments: account.commitments,
            readings: account.readings,
            committed_kwh: account.committed.kwh(),
            delivered_kwh: account.delivered.kwh(),
            deviation_kwh: account.deviation.kwh(),
            finality_ms: account.finality_ms,
            round_ms: account.round_ms,
        }
    }
}

impl Spread {
    /// The spread of some milliseconds; none of none.
    pub fn of(values: impl Iterator<Item = u64>) -> Option<Self> {
        let mut values: Vec<u64> = values.collect();
        values.sort_unstable();
        let at = |part: usize| values.get(values.len().saturating_sub(1) * part / 10).copied();
        Some(Self { median: at(5)?, p90: at(9)?, max: at(10)? })
    }
}

/// Payments in EUR by role, and their sum.
pub fn paid(paid: &BTreeMap<&'static str, NanoEur>) -> (BTreeMap<&'static str, f64>, i64) {
    let eur = paid.iter().map(|(role, amount)| (*role, amount.eur())).collect();
    (eur, paid.values().copied().sum::<NanoEur>().0)
}

struct Row(&'static str, &'static str, fn(&Figures) -> Option<f64>);

const ROWS: [Row; 19] = [
    Row("energy cost, import x day-ahead price", "EUR", |f| Some(f.energy_cost_eur)),
    Row("imported", "kWh", |f| Some(f.import_kwh)),
    Row("exported", "kWh", |f| Some(f.export_kwh)),
    Row("lost on the way", "kWh", |f| Some(f.loss_kwh)),
    Row("peak import", "kW", |f| Some(f.peak_import_kw)),
    Row("peak export", "kW", |f| Some(f.peak_export_kw)),
    Row("worst transformer loading", "%", |f| Some(f.transformer_loading_percent)),
    Row("worst line loading", "%", |f| Some(f.line_loading_percent)),
    Row("overloaded", "minutes", |f| Some(f.minutes_overloaded as f64)),
    Row("no power flow at all", "minutes", |f| Some(f.minutes_without_power_flow as f64)),
    Row("lowest voltage", "p.u.", |f| Some(f.voltage_min_pu)),
    Row("highest voltage", "p.u.", |f| Some(f.voltage_max_pu)),
    Row("PV available", "kWh", |f| Some(f.service.pv_available_kwh)),
    Row("PV used locally, of what was available", "%", |f| f.pv_used_locally_percent),
    Row("cars' need", "kWh", |f| Some(f.service.ev_needed_kwh)),
    Row("cars charged", "kWh", |f| Some(f.service.ev_delivered_kwh)),
    Row("rooms too cold, all together", "minutes", |f| Some(f.service.minutes_too_cold as f64)),
    Row("rooms at the end, mean", "C", |f| f.service.rooms_at_end_celsius),
    Row("in batteries at the end", "kWh", |f| Some(f.service.stored_at_end_kwh)),
];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}, {} intervals", self.day, self.intervals)?;
        writeln!(f, "\n{:<42}{:>12}  {:>14}", "", "coordinated", "uncoordinated")?;
        for Row(what, unit, of) in ROWS {
            let figure = |figures| match of(figures) {
                Some(value) if unit == "p.u." => format!("{value:.3}"),
                Some(value) if unit == "minutes" => format!("{value:.0}"),
                Some(value) => format!("{value:.2}"),
                None => "-".to_owned(),
            };
            let (with, without) = (figure(&self.coordinated), figure(&self.uncoordinated));
            writeln!(f, "{what:<42}{with:>12}  {without:>14}  {unit}")?;
        }
        writeln!(f, "\nReceived on the ledger (negative: paid)")?;
        for (role, eur) in &self.paid_eur {
            writeln!(f, "{role:<42}{eur:>12.4}  EUR")?;
        }
        writeln!(f, "{:<42}{:>12.4}  EUR", "sum", self.paid_sum_nano_eur as f64 / 1e9)?;
        let furthest = self.accounts.iter().filter_map(|account| account.furthest_price.as_ref());
        let furthest = furthest.max_by(|a, b| a.beyond_energy().total_cmp(&b.beyond_energy()));
        if let Some(furthest) = furthest {
            writeln!(f, "\nlocal price furthest from the import's      {furthest}")?;
        }
        let spread = |spread: Option<Spread>| match spread {
            Some(Spread { median, p90, max }) => format!("median {median}, 90 % {p90}, most {max}"),
            None => "-".to_owned(),
        };
        let reactive = self.accounts.iter().map(|account| account.reactive_kvar).fold(0.0, f64::max);
        writeln!(f, "reactive power from inverters, at most     {reactive:.2} kvar")?;
        writeln!(f, "\nrounds between DSO and aggregators         {}", spread(self.rounds))?;
        writeln!(f, "gate closure to setpoints written          {} ms", spread(self.round_ms))?;
        writeln!(f, "submission to final block                  {} ms", spread(self.finality_ms))?;
        writeln!(
            f,
            "setpoints written and read back            {}, not taken {}",
            self.setpoints, self.faults
        )?;
        writeln!(f, "\nCheck it yourself: gridpact ledger verify {}", self.data_dir.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[u64], expected: Option<(u64, u64, u64)>) {
        let spread = Spread::of(values.iter().copied()).map(|s| (s.median, s.p90, s.max));
        assert_eq!(spread, expected);
    }

    #[test]
    fn a_spread_is_read_off_the_sorted_values() {
        check(&[], None);
        check(&[7], Some((7, 7, 7)));
        check(&[5, 1, 3], Some((3, 3, 5)));
        check(&[11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], Some((6, 10, 11)));
    }
}
