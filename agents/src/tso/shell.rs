//! The TSO interface's own shell: runs wholesale auctions off the arbiter and shows awards in Prometheus.

use super::core::{TsoAct, TsoCore};
use super::question::TsoReport;
use crate::shell::Performer;
use prometheus::core::Collector;
use prometheus::{Gauge, Registry};
use tokio::sync::mpsc;

/// What the interface shows.
pub(crate) struct Gauges {
    award: Gauge,
    price: Gauge,
    day_ahead_award: Gauge,
    day_ahead_price: Gauge,
}

impl Gauges {
    /// Gauges that stand in no registry yet.
    ///
    /// # Errors
    /// Never, as far as their names are good ones.
    pub fn new() -> Result<Self, prometheus::Error> {
        Ok(Self {
            award: Gauge::new(
                "gridpact_wholesale_award_watts",
                "Import awarded to the feeder in the last wholesale auction. Unit: watts.",
            )?,
            price: Gauge::new(
                "gridpact_wholesale_price_eur_per_mwh",
                "Price at the feeder's bus in the last wholesale auction. Unit: EUR/MWh.",
            )?,
            day_ahead_award: Gauge::new(
                "gridpact_wholesale_day_ahead_award_watts",
                "Import awarded to the feeder day-ahead for the interval under way. Unit: watts.",
            )?,
            day_ahead_price: Gauge::new(
                "gridpact_wholesale_day_ahead_price_eur_per_mwh",
                "Price at the feeder's bus day-ahead for the interval under way. Unit: EUR/MWh.",
            )?,
        })
    }

    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        let all = [&self.award, &self.price, &self.day_ahead_award, &self.day_ahead_price];
        all.into_iter().map(|gauge| Box::new(gauge.clone()) as Box<dyn Collector>).collect()
    }
}

/// Does what the interface's core asks.
pub(super) struct TsoPerformer {
    gauges: Gauges,
}

impl TsoPerformer {
    /// Registers its gauges.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauges = Gauges::new()?;
        gauges.collectors().into_iter().try_for_each(|metric| registry.register(metric))?;
        Ok(Self { gauges })
    }
}

impl Performer<TsoCore> for TsoPerformer {
    fn perform(&mut self, act: TsoAct, reports: &mpsc::Sender<TsoReport>) {
        match act {
            TsoAct::Show(award) => {
                self.gauges.award.set(award.import.0 as f64 / 1e3);
                self.gauges.price.set(award.price.eur_per_mwh());
            }
            TsoAct::ShowDayAhead(award) => {
                self.gauges.day_ahead_award.set(award.import.0 as f64 / 1e3);
                self.gauges.day_ahead_price.set(award.price.eur_per_mwh());
            }
            TsoAct::Ask(question) => {
                let reports = reports.clone();
                tokio::task::spawn_blocking(move || {
                    // Fails only where the interface has ended, and then nobody asks.
                    let _ = reports.blocking_send(question.answer());
                });
            }
        }
    }
}
