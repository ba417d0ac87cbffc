//! The DSO's own shell: solves off the arbiter and shows measurements in Prometheus.

use super::balance::Measured;
use super::balances::{Balances, IMBALANCES};
use super::core::{DsoAct, DsoCore, DsoReport};
use super::day_ahead::measurement::ClearedSession;
use super::measurement::{Cleared, Measurement};
use crate::shell::{self, Common, Connection, Performer, RoleHandle, StartError};
use market::balance::Accuracy;
use market::dlmp::Dlmp;
use market::feeder::Feeder;
use prometheus::{Gauge, GaugeVec, Histogram, HistogramOpts, IntGauge, Opts, Registry};
use tokio::sync::mpsc;
use wire::party::Role;

/// What is particular to a DSO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DsoOptions {
    /// Milliseconds of real time waited at each stage of an interval before it is given up.
    pub round_timeout_ms: u64,
}

impl Default for DsoOptions {
    fn default() -> Self {
        Self { round_timeout_ms: 30_000 }
    }
}

/// Messages waiting for answers, besides a few for each aggregator.
const QUEUE: usize = 256;
/// The same, for each aggregator.
const QUEUE_PER_AGGREGATOR: usize = 16;

/// Starts the DSO on the current arbiter.
///
/// # Errors
/// Where the genesis makes no market, a metric is registered already, or the link can't be made.
pub fn start(common: &Common, options: DsoOptions) -> Result<RoleHandle, StartError> {
    start_measuring(common, options, None)
}

/// The same, where the feeder is measured: what comes by this channel is held against customers' meters, and what is
/// out of balance is noted, shown, and added to `data_dir/imbalances.csv`.
///
/// # Errors
/// As [`start`].
pub fn start_measuring(
    common: &Common,
    options: DsoOptions,
    measured: Option<(Accuracy, mpsc::Receiver<Vec<Measured>>)>,
) -> Result<RoleHandle, StartError> {
    let genesis = &common.genesis;
    let mut core = DsoCore::new(common.chain.clone(), options.round_timeout_ms)?;
    let (accuracy, measured) = measured.unzip();
    if let Some(accuracy) = accuracy {
        core = core.measuring(accuracy);
    }
    let performer = DsoPerformer {
        gauges: Gauges::register(&common.registry, &genesis.feeder)?,
        balances: Balances::register(&common.registry, common.data_dir.join(IMBALANCES))?,
        measured,
    };
    let aggregators = crate::roster::parties(&common.terms(), Role::Aggregator).len();
    let connection = Connection {
        subscriptions: vec![genesis.network.filter_broadcast(Role::Validator, "block")],
        queue: QUEUE + QUEUE_PER_AGGREGATOR * aggregators,
    };
    shell::start(common, core, performer, connection)
}

struct DsoPerformer {
    gauges: Gauges,
    balances: Balances,
    /// Until the core asks for it.
    measured: Option<mpsc::Receiver<Vec<Measured>>>,
}

impl Performer<DsoCore> for DsoPerformer {
    fn perform(&mut self, act: DsoAct, reports: &mpsc::Sender<DsoReport>) {
        match act {
            DsoAct::Measure(Measurement::Cleared(cleared)) => self.gauges.show(&cleared),
            DsoAct::Measure(Measurement::Final { finality_ms }) => {
                self.gauges.finality.observe(finality_ms as f64 / 1e3);
            }
            DsoAct::Measure(Measurement::Session(cleared)) => self.gauges.show_session(&cleared),
            DsoAct::Measure(Measurement::Balance(balance)) => self.balances.show(&balance),
            DsoAct::Listen => {
                let Some(mut measured) = self.measured.take() else { return };
                let reports = reports.clone();
                actix::spawn(async move {
                    while let Some(all) = measured.recv().await {
                        if reports.send(DsoReport::Measured(all)).await.is_err() {
                            return;
                        }
                    }
                });
            }
            DsoAct::SolveSession(problem) => {
                let reports = reports.clone();
                tokio::task::spawn_blocking(move || {
                    // Fails only where the DSO has ended, and then nobody asks.
                    let _ = reports.blocking_send(problem.solve());
                });
            }
            DsoAct::Solve(problem) => {
                let reports = reports.clone();
                tokio::task::spawn_blocking(move || {
                    // Fails only where the DSO has ended, and then nobody asks.
                    let _ = reports.blocking_send(problem.solve());
                });
            }
        }
    }
}

/// What the DSO shows.
struct Gauges {
    import: Gauge,
    price: GaugeVec,
    flow: GaugeVec,
    parts: GaugeVec,
    rounds: IntGauge,
    day_ahead_rounds: IntGauge,
    day_ahead_cost: Gauge,
    clearing: Histogram,
    finality: Histogram,
}

impl Gauges {
    fn register(registry: &Registry, feeder: &Feeder) -> Result<Self, prometheus::Error> {
        let by = |name: &str, help: &str, labels: &[&str]| -> Result<GaugeVec, prometheus::Error> {
            let gauges = GaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone()))?;
            Ok(gauges)
        };
        let seconds = |name: &str, help: &str| -> Result<Histogram, prometheus::Error> {
            let buckets = vec![0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];
            let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?;
            registry.register(Box::new(histogram.clone()))?;
            Ok(histogram)
        };
        let import = Gauge::new("gridpact_import_watts", "Net import cleared at the grid supply point")?;
        registry.register(Box::new(import.clone()))?;
        let rounds = IntGauge::new("gridpact_clearing_rounds", "Rounds the last clearing took")?;
        registry.register(Box::new(rounds.clone()))?;
        let day_ahead_rounds =
            IntGauge::new("gridpact_day_ahead_rounds", "Rounds the last day-ahead session took")?;
        registry.register(Box::new(day_ahead_rounds.clone()))?;
        let day_ahead_cost = Gauge::new(
            "gridpact_day_ahead_import_eur",
            "What the last day-ahead session's import costs at the grid supply point's prices",
        )?;
        registry.register(Box::new(day_ahead_cost.clone()))?;
        let limits = by("gridpact_line_limit_watts", "A line's limit on real power", &["line", "bound"])?;
        for line in &feeder.lines {
            for (bound, limit) in [("max", line.power_max), ("min", line.power_min)] {
                if let Some(limit) = limit {
                    limits.with_label_values(&[line.id.as_str(), bound]).set(limit.0 as f64 / 1e3);
                }
            }
        }
        Ok(Self {
            import,
            price: by("gridpact_price_eur_per_mwh", "Lowest and highest local price", &["bound"])?,
            flow: by("gridpact_line_flow_watts", "Power cleared on a line", &["line"])?,
            parts: by(
                "gridpact_price_part_eur_per_mwh",
                "What a bus's price is made of: energy, loss, congestion, voltage",
                &["bus", "part"],
            )?,
            rounds,
            day_ahead_rounds,
            day_ahead_cost,
            clearing: seconds("gridpact_clearing_seconds", "From gate closure to the clearing's submission")?,
            finality: seconds("gridpact_finality_seconds", "From submission to the verified block")?,
        })
    }

    fn show_session(&self, cleared: &ClearedSession) {
        self.day_ahead_rounds.set(i64::from(cleared.rounds));
        self.day_ahead_cost.set(cleared.cost_eur);
    }

    fn show(&self, cleared: &Cleared) {
        self.import.set(cleared.import.0 as f64 / 1e3);
        self.price.with_label_values(&["min"]).set(cleared.price_min.eur_per_mwh());
        self.price.with_label_values(&["max"]).set(cleared.price_max.eur_per_mwh());
        for (bus, parts) in &cleared.parts {
            let Dlmp { energy, loss, congestion, voltage } = parts.real;
            let parts =
                [("energy", energy), ("loss", loss), ("congestion", congestion), ("voltage", voltage)];
            for (part, price) in parts {
                self.parts.with_label_values(&[bus.as_str(), part]).set(price.eur_per_mwh());
            }
        }
        self.rounds.set(i64::from(cleared.rounds));
        self.clearing.observe(cleared.took_ms as f64 / 1e3);
        for (line, flow) in &cleared.flows {
            self.flow.with_label_values(&[line.as_str()]).set(flow.0 as f64 / 1e3);
        }
    }
}
