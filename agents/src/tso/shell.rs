//! The TSO interface's own shell: runs wholesale auctions off the arbiter and shows awards in Prometheus.

use super::core::{TsoAct, TsoCore};
use super::question::TsoReport;
use crate::shell::Performer;
use prometheus::{Gauge, Registry};
use tokio::sync::mpsc;

/// What the interface shows.
pub(super) struct TsoPerformer {
    award: Gauge,
    price: Gauge,
    day_ahead_award: Gauge,
    day_ahead_price: Gauge,
}

impl TsoPerformer {
    /// Registers its gauges.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| -> Result<Gauge, prometheus::Error> {
            let gauge = Gauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        Ok(Self {
            award: gauge(
                "gridpact_wholesale_award_watts",
                "Import awarded to the feeder in the last wholesale auction",
            )?,
            price: gauge(
                "gridpact_wholesale_price_eur_per_mwh",
                "Price at the feeder's bus in the last wholesale auction",
            )?,
            day_ahead_award: gauge(
                "gridpact_wholesale_day_ahead_award_watts",
                "Import awarded to the feeder day-ahead for the interval under way",
            )?,
            day_ahead_price: gauge(
                "gridpact_wholesale_day_ahead_price_eur_per_mwh",
                "Price at the feeder's bus day-ahead for the interval under way",
            )?,
        })
    }
}

impl Performer<TsoCore> for TsoPerformer {
    fn perform(&mut self, act: TsoAct, reports: &mpsc::Sender<TsoReport>) {
        match act {
            TsoAct::Show(award) => {
                self.award.set(award.import.0 as f64 / 1e3);
                self.price.set(award.price.eur_per_mwh());
            }
            TsoAct::ShowDayAhead(award) => {
                self.day_ahead_award.set(award.import.0 as f64 / 1e3);
                self.day_ahead_price.set(award.price.eur_per_mwh());
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
