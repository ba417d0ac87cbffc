//! The DSO's own shell: solves off the arbiter and shows measurements in Prometheus.

use super::act::{DsoAct, DsoReport};
use super::balance::Measured;
use super::balances::{Balances, IMBALANCES};
use super::core::DsoCore;
use super::gauges::Gauges;
use super::measurement::Measurement;
use crate::shell::{self, Common, Connection, Performer, RoleHandle, StartError};
use market::balance::Accuracy;
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
                self.gauges.show_final(finality_ms);
            }
            DsoAct::Measure(Measurement::Metered(metered)) => self.gauges.show_metered(&metered),
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
