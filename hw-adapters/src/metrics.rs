//! What adapters show of themselves in Prometheus. Registered once per process, shared by all.

use crate::device::DeviceError;
use prometheus::core::Collector;
use prometheus::{IntCounterVec, Opts, Registry};

/// Counters every adapter keeps.
#[derive(Clone, Debug)]
pub struct DeviceMetrics {
    /// Messages and connections refused, by device and reason.
    pub refused: IntCounterVec,
    /// Readings and writings that failed, by kind of device, what was tried and how it failed. All
    /// three labels come from our code, never from a device.
    pub errors: IntCounterVec,
}

impl DeviceMetrics {
    /// Registers the counters.
    ///
    /// # Errors
    /// Where `registry` already holds metrics of these names.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self::unregistered()?;
        metrics.collectors().into_iter().try_for_each(|metric| registry.register(metric))?;
        Ok(metrics)
    }

    /// Counters that nobody reads.
    ///
    /// # Errors
    /// Never, as far as the names below are good ones.
    pub fn unregistered() -> Result<Self, prometheus::Error> {
        let counter =
            |name: &str, help: &str, labels: &[&str]| IntCounterVec::new(Opts::new(name, help), labels);
        Ok(Self {
            refused: counter(
                "gridpact_device_refused_total",
                "Messages and connections from devices that were refused, by reason. Unit: messages and connections.",
                &["device", "reason"],
            )?,
            errors: counter(
                "gridpact_device_errors_total",
                "Readings and writings of devices that failed. Unit: readings and writings.",
                &["kind", "act", "error"],
            )?,
        })
    }

    /// All of them.
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![Box::new(self.refused.clone()), Box::new(self.errors.clone())]
    }

    pub(crate) fn count_error(&self, kind: &'static str, error: &DeviceError) {
        let (act, how) = match error {
            DeviceError::Silent { act, .. } => (act, "silent"),
            DeviceError::BadAnswer { act, .. } => (act, "bad_answer"),
            DeviceError::Stale { act, .. } => (act, "stale"),
            DeviceError::Disobeyed { what, .. } => (what, "disobeyed"),
            DeviceError::Refused { act, .. } => (act, "refused"),
        };
        self.errors.with_label_values(&[kind, *act, how]).inc();
    }

    pub(crate) fn count_refused(&self, device: &str, reason: &str) {
        self.refused.with_label_values(&[device, reason]).inc();
    }
}
