//! What the DSO shows in Prometheus. Feeders can have a million lines: of more than [`MOST_SHOWN`] those are shown that
//! are loaded most, and of as many buses those whose prices lie furthest from the grid supply point's.

use super::day_ahead::measurement::ClearedSession;
use super::measurement::{Cleared, Metered};
use market::dlmp::{BusDlmp, Dlmp};
use market::feeder::Feeder;
use market::units::Milliwatt;
use prometheus::core::Collector;
use prometheus::{Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntGauge, Opts, Registry};

/// Most lines shown, and most buses.
pub const MOST_SHOWN: usize = 500;
/// Edges of both histograms, in seconds.
const BUCKETS_S: [f64; 11] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];

/// What the DSO shows.
pub(crate) struct Gauges {
    import: Gauge,
    price: GaugeVec,
    flow: GaugeVec,
    line_loading: GaugeVec,
    transformer: Gauge,
    metered: Gauge,
    metered_transformer: Gauge,
    parts: GaugeVec,
    rounds: IntGauge,
    binding: IntGauge,
    cleared: IntCounter,
    day_ahead_rounds: IntGauge,
    day_ahead_cost: Gauge,
    clearing: Histogram,
    finality: Histogram,
    limits: GaugeVec,
}

impl Gauges {
    /// Gauges that stand in no registry yet.
    ///
    /// # Errors
    /// Never, as far as their names are good ones.
    pub fn new() -> Result<Self, prometheus::Error> {
        let by = |name: &str, help: &str, labels: &[&str]| GaugeVec::new(Opts::new(name, help), labels);
        let seconds = |name: &str, help: &str| {
            Histogram::with_opts(HistogramOpts::new(name, help).buckets(BUCKETS_S.to_vec()))
        };
        Ok(Self {
            import: Gauge::new(
                "gridpact_import_watts",
                "Net import cleared at the grid supply point. Unit: watts.",
            )?,
            price: by(
                "gridpact_price_eur_per_mwh",
                "Lowest and highest local price of the last clearing. Unit: EUR/MWh.",
                &["bound"],
            )?,
            flow: by(
                "gridpact_line_flow_watts",
                "Power cleared on a line, away from the grid supply point. Unit: watts.",
                &["line"],
            )?,
            line_loading: by(
                "gridpact_line_loading_ratio",
                "Power cleared on a line, of its limit in that direction. Unit: ratio, 1 at the limit.",
                &["line"],
            )?,
            transformer: Gauge::new(
                "gridpact_transformer_loading_ratio",
                "Import or export cleared, of the limit at the grid supply point. Unit: ratio, 1 at the limit.",
            )?,
            metered: Gauge::new(
                "gridpact_metered_import_watts",
                "Mean power all sites' meters counted in the last interval that was delivered. Unit: watts.",
            )?,
            metered_transformer: Gauge::new(
                "gridpact_transformer_metered_loading_ratio",
                "The same, of the limit at the grid supply point. Unit: ratio, 1 at the limit.",
            )?,
            parts: by(
                "gridpact_price_part_eur_per_mwh",
                "What a bus's price is made of: energy, loss, congestion, voltage. Unit: EUR/MWh.",
                &["bus", "part"],
            )?,
            rounds: IntGauge::new(
                "gridpact_clearing_rounds",
                "Rounds between DSO and aggregators the last clearing took. Unit: rounds.",
            )?,
            binding: IntGauge::new(
                "gridpact_clearing_binding_limits",
                "Limits of the feeder that bind in the last clearing. Unit: limits.",
            )?,
            cleared: IntCounter::new(
                "gridpact_clearings_total",
                "Intervals cleared and put before the validators. Unit: clearings.",
            )?,
            day_ahead_rounds: IntGauge::new(
                "gridpact_day_ahead_rounds",
                "Rounds the last day-ahead session took. Unit: rounds.",
            )?,
            day_ahead_cost: Gauge::new(
                "gridpact_day_ahead_import_eur",
                "What the last day-ahead session's import costs at the grid supply point's prices. Unit: EUR.",
            )?,
            clearing: seconds(
                "gridpact_clearing_seconds",
                "From gate closure to the clearing's submission. Unit: seconds.",
            )?,
            finality: seconds(
                "gridpact_finality_seconds",
                "From a clearing's submission to its verified block. Unit: seconds.",
            )?,
            limits: by(
                "gridpact_line_limit_watts",
                "A line's limit on real power. Unit: watts.",
                &["line", "bound"],
            )?,
        })
    }

    /// Gauges in this registry, with the feeder's limits shown.
    ///
    /// # Errors
    /// Where metrics of these names stand there already.
    pub fn register(registry: &Registry, feeder: &Feeder) -> Result<Self, prometheus::Error> {
        let gauges = Self::new()?;
        gauges.collectors().into_iter().try_for_each(|metric| registry.register(metric))?;
        for line in feeder.lines.iter().take(MOST_SHOWN) {
            for (bound, limit) in [("max", line.power_max), ("min", line.power_min)] {
                if let Some(limit) = limit {
                    gauges.limits.with_label_values(&[line.id.as_str(), bound]).set(watts(limit));
                }
            }
        }
        Ok(gauges)
    }

    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![
            Box::new(self.import.clone()),
            Box::new(self.price.clone()),
            Box::new(self.flow.clone()),
            Box::new(self.line_loading.clone()),
            Box::new(self.transformer.clone()),
            Box::new(self.metered.clone()),
            Box::new(self.metered_transformer.clone()),
            Box::new(self.parts.clone()),
            Box::new(self.rounds.clone()),
            Box::new(self.binding.clone()),
            Box::new(self.cleared.clone()),
            Box::new(self.day_ahead_rounds.clone()),
            Box::new(self.day_ahead_cost.clone()),
            Box::new(self.clearing.clone()),
            Box::new(self.finality.clone()),
            Box::new(self.limits.clone()),
        ]
    }

    pub fn show_session(&self, cleared: &ClearedSession) {
        self.day_ahead_rounds.set(i64::from(cleared.rounds));
        self.day_ahead_cost.set(cleared.cost_eur);
    }

    pub fn show_final(&self, finality_ms: u64) {
        self.finality.observe(finality_ms as f64 / 1e3);
    }

    pub fn show_metered(&self, metered: &Metered) {
        self.metered.set(watts(metered.import));
        if let Some(loading) = metered.transformer {
            self.metered_transformer.set(loading);
        }
    }

    pub fn show(&self, cleared: &Cleared) {
        self.import.set(watts(cleared.import));
        if let Some(loading) = cleared.transformer {
            self.transformer.set(loading);
        }
        self.price.with_label_values(&["min"]).set(cleared.price_min.eur_per_mwh());
        self.price.with_label_values(&["max"]).set(cleared.price_max.eur_per_mwh());
        self.show_parts(cleared.parts.iter().collect());
        self.rounds.set(i64::from(cleared.rounds));
        self.binding.set(i64::try_from(cleared.binding).unwrap_or(i64::MAX));
        self.cleared.inc();
        self.clearing.observe(cleared.took_ms as f64 / 1e3);
        let mut lines: Vec<_> = cleared.lines.iter().collect();
        if lines.len() > MOST_SHOWN {
            let loading = |line: &super::measurement::LineFlow| line.loading.unwrap_or_default();
            lines.sort_by(|a, b| loading(b).total_cmp(&loading(a)));
            lines.truncate(MOST_SHOWN);
            // Others are loaded most this time.
            self.flow.reset();
            self.line_loading.reset();
        }
        for line in lines {
            self.flow.with_label_values(&[line.id.as_str()]).set(watts(line.flow));
            if let Some(loading) = line.loading {
                self.line_loading.with_label_values(&[line.id.as_str()]).set(loading);
            }
        }
    }

    fn show_parts(&self, mut buses: Vec<&(String, BusDlmp)>) {
        if buses.len() > MOST_SHOWN {
            buses.sort_by_key(|(_, parts)| std::cmp::Reverse(parts.real.beyond_energy()));
            buses.truncate(MOST_SHOWN);
            self.parts.reset();
        }
        for (bus, parts) in buses {
            let Dlmp { energy, loss, congestion, voltage } = parts.real;
            let parts =
                [("energy", energy), ("loss", loss), ("congestion", congestion), ("voltage", voltage)];
            for (part, price) in parts {
                self.parts.with_label_values(&[bus.as_str(), part]).set(price.eur_per_mwh());
            }
        }
    }
}

fn watts(power: Milliwatt) -> f64 {
    power.0 as f64 / 1e3
}
