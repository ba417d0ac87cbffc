//! The forecaster's own shell: looks up measurements beside the actor, and shows scores as metrics.

use super::core::{Act, ForecasterCore, Observed};
use crate::forecast::score::MeanLoss;
use crate::shell::{self, Common, Connection, Performer, RoleHandle, StartError};
use prometheus::{GaugeVec, Opts, Registry};
use std::fmt;
use std::sync::Arc;
use tokio::sync::mpsc;
use wire::message::MAX_FORECAST;
use wire::party::Role;

/// Messages waiting to be taken: a day-ahead forecast an interval.
const QUEUE: usize = 64;

/// Where measurements come from. Called off the actor's thread, so it may read a file.
#[derive(Clone)]
pub struct Observations(pub Arc<dyn Fn() -> Observed + Send + Sync>);

impl fmt::Debug for Observations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observations")
    }
}

/// What is particular to a forecaster.
#[derive(Clone, Debug)]
pub struct ForecasterOptions {
    /// Where measurements come from.
    pub observations: Observations,
    /// Intervals forecast.
    pub horizon: usize,
}

/// Starts the forecaster on the current arbiter.
///
/// # Errors
/// Where the horizon is none or too long, metrics can't be registered, or the link can't be made.
pub fn start(common: &Common, options: ForecasterOptions) -> Result<RoleHandle, StartError> {
    if !(1..=MAX_FORECAST).contains(&options.horizon) {
        let reason = format!("horizon is {}, not within 1 to {MAX_FORECAST}", options.horizon);
        return Err(StartError::Options { reason });
    }
    let core = ForecasterCore::new(common.terms().parameters, options.horizon);
    let performer =
        ForecasterPerformer { observations: options.observations, loss: register(&common.registry)? };
    let connection = Connection {
        subscriptions: vec![common.genesis.network.filter_broadcast(Role::Tso, "forecast")],
        queue: QUEUE,
    };
    shell::start(common, core, performer, connection)
}

/// Scores, in no registry yet.
pub(crate) fn loss_gauges() -> Result<GaugeVec, prometheus::Error> {
    let help = "Mean pinball loss of forecasts up to a day ahead. Unit: of the quantity, milliwatts for load, parts of \
                nameplate for sun, 1e-12 EUR/Wh for price.";
    GaugeVec::new(Opts::new("gridpact_forecast_pinball_loss", help), &["quantity", "by"])
}

fn register(registry: &Registry) -> Result<GaugeVec, prometheus::Error> {
    let loss = loss_gauges()?;
    registry.register(Box::new(loss.clone()))?;
    Ok(loss)
}

struct ForecasterPerformer {
    observations: Observations,
    loss: GaugeVec,
}

impl Performer<ForecasterCore> for ForecasterPerformer {
    fn perform(&mut self, act: Act, reports: &mpsc::Sender<Observed>) {
        match act {
            Act::Observe => {
                let (observations, reports) = (self.observations.clone(), reports.clone());
                tokio::spawn(async move {
                    let read = tokio::task::spawn_blocking(move || (observations.0)()).await;
                    let observed = read.unwrap_or_else(|_| Err("reading measurements was broken off".into()));
                    // Fails only where the forecaster has ended, and then nobody asks.
                    let _ = reports.send(observed).await;
                });
            }
            Act::Show(quantity, scores) => {
                let set = |by: &str, loss: MeanLoss| {
                    if let Some(mean) = loss.mean() {
                        self.loss.with_label_values(&[quantity.word(), by]).set(mean);
                    }
                };
                set("forecaster", scores.forecaster);
                set("persistence", scores.persistence);
                set("standstill", scores.standstill);
            }
        }
    }
}
