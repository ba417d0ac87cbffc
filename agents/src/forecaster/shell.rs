//! The forecaster's own shell: looks up measurements beside the actor, and shows scores as metrics.

use super::core::{Act, ForecasterCore, Observed};
use crate::forecast::score::MeanLoss;
use crate::forecast::Quantity;
use crate::shell::{self, Common, Connection, Performer, RoleHandle, StartError};
use prometheus::core::Collector;
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
        ForecasterPerformer { observations: options.observations, losses: register(&common.registry)? };
    let connection = Connection {
        subscriptions: vec![common.genesis.network.filter_broadcast(Role::Tso, "forecast")],
        queue: QUEUE,
    };
    shell::start(common, core, performer, connection)
}

/// Scores of each quantity, in its own unit.
#[derive(Clone)]
pub(crate) struct Losses {
    price: GaugeVec,
    load: GaugeVec,
    sun: GaugeVec,
}

impl Losses {
    /// Gauges that stand in no registry yet.
    ///
    /// # Errors
    /// Never, as far as their names are good ones.
    pub fn new() -> Result<Self, prometheus::Error> {
        let of = |name: &str, what: &str, unit: &str| {
            let help = format!("Mean pinball loss of forecasts of {what}, up to a day ahead. Unit: {unit}.");
            GaugeVec::new(Opts::new(name, help), &["by"])
        };
        Ok(Self {
            price: of("gridpact_forecast_price_loss_eur_per_mwh", "the price", "EUR/MWh")?,
            load: of("gridpact_forecast_load_loss_watts", "the load", "watts")?,
            sun: of("gridpact_forecast_sun_loss_ratio", "the sun", "ratio, of nameplate")?,
        })
    }

    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        let all = [&self.price, &self.load, &self.sun];
        all.into_iter().map(|gauge| Box::new(gauge.clone()) as Box<dyn Collector>).collect()
    }

    /// Shows a score by whom; it comes in 1e-12 EUR/Wh, milliwatts, and parts of nameplate.
    fn show(&self, quantity: Quantity, by: &str, loss: f64) {
        match quantity {
            Quantity::Price => self.price.with_label_values(&[by]).set(loss / 1e6),
            Quantity::Load => self.load.with_label_values(&[by]).set(loss / 1e3),
            Quantity::Pv => self.sun.with_label_values(&[by]).set(loss),
        }
    }
}

fn register(registry: &Registry) -> Result<Losses, prometheus::Error> {
    let losses = Losses::new()?;
    losses.collectors().into_iter().try_for_each(|metric| registry.register(metric))?;
    Ok(losses)
}

struct ForecasterPerformer {
    observations: Observations,
    losses: Losses,
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
                        self.losses.show(quantity, by, mean);
                    }
                };
                set("forecaster", scores.forecaster);
                set("persistence", scores.persistence);
                set("standstill", scores.standstill);
            }
        }
    }
}
