//! What site controllers show in Prometheus: one set for all sites of a process. These are a household's own figures,
//! served by its own process; whoever scrapes many households leaves the powers out (docs/adr/0032).

use super::figure::Figure;
use super::plan::Allocation;
use prometheus::core::Collector;
use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec, Opts};

/// What sites show.
#[derive(Clone, Debug)]
pub struct SiteMetrics {
    intervals: IntCounterVec,
    missed: IntCounterVec,
    missing: IntGaugeVec,
    committed: GaugeVec,
    price: GaugeVec,
    metered: GaugeVec,
    disobeying: IntGaugeVec,
}

impl SiteMetrics {
    /// Metrics that stand in no registry yet.
    ///
    /// # Errors
    /// Never, as far as their names are good ones.
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| IntCounterVec::new(Opts::new(name, help), &["id"]);
        let gauge = |name: &str, help: &str| GaugeVec::new(Opts::new(name, help), &["id"]);
        Ok(Self {
            intervals: counter(
                "gridpact_site_intervals_total",
                "Intervals that have begun since the site controller's start. Unit: intervals.",
            )?,
            missed: counter(
                "gridpact_site_firm_price_missed_total",
                "Intervals that began without a firm price. Unit: intervals.",
            )?,
            missing: IntGaugeVec::new(
                Opts::new(
                    "gridpact_site_firm_price_missing",
                    "Whether the interval under way has no firm price yet. Unit: 1 yes, 0 no.",
                ),
                &["id"],
            )?,
            committed: gauge(
                "gridpact_site_committed_watts",
                "What the site is committed to in this interval; import positive. Unit: watts.",
            )?,
            price: gauge(
                "gridpact_site_price_eur_per_mwh",
                "The firm price at the site's bus in this interval. Unit: EUR/MWh.",
            )?,
            metered: gauge(
                "gridpact_site_metered_watts",
                "What the site's meter showed last; import positive. Unit: watts.",
            )?,
            disobeying: IntGaugeVec::new(
                Opts::new(
                    "gridpact_site_device_disobeying",
                    "Whether a device is left out of bids since it does not do what it takes. Unit: 1 yes, 0 no.",
                ),
                &["id", "device"],
            )?,
        })
    }

    pub(crate) fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![
            Box::new(self.intervals.clone()),
            Box::new(self.missed.clone()),
            Box::new(self.missing.clone()),
            Box::new(self.committed.clone()),
            Box::new(self.price.clone()),
            Box::new(self.metered.clone()),
            Box::new(self.disobeying.clone()),
        ]
    }

    /// Shows a site before anything happens: counters at zero, every device obeying.
    pub(super) fn prepare<'a>(&self, id: &str, devices: impl Iterator<Item = &'a str>) {
        self.intervals.with_label_values(&[id]);
        self.missed.with_label_values(&[id]);
        self.missing.with_label_values(&[id]).set(0);
        for device in devices {
            self.disobeying.with_label_values(&[id, device]).set(0);
        }
    }

    fn show_allocation(&self, id: &str, allocation: &Allocation) {
        self.missing.with_label_values(&[id]).set(0);
        self.committed.with_label_values(&[id]).set(allocation.power.0 as f64 / 1e3);
        self.price.with_label_values(&[id]).set(allocation.price.eur_per_mwh());
    }

    /// Shows what the site found.
    pub(super) fn show(&self, id: &str, figure: &Figure) {
        match figure {
            Figure::Firm(allocation) => {
                self.intervals.with_label_values(&[id]).inc();
                self.show_allocation(id, allocation);
            }
            Figure::NoFirm => {
                self.intervals.with_label_values(&[id]).inc();
                self.missed.with_label_values(&[id]).inc();
                self.missing.with_label_values(&[id]).set(1);
            }
            Figure::Late(allocation) => self.show_allocation(id, allocation),
            Figure::Metered(power) => self.metered.with_label_values(&[id]).set(power.0 as f64 / 1e3),
            Figure::Obeys { device, obeys } => {
                self.disobeying.with_label_values(&[id, device]).set(i64::from(!obeys));
            }
        }
    }
}
