//! What a validator counts. Every help text ends with the unit; docs/METRICS.md is made of it.

use prometheus::core::Collector;
use prometheus::{GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use std::collections::BTreeSet;
use wire::party::Id;

/// Edges of the finality histogram, in seconds.
const FINALITY_BUCKETS_S: [f64; 13] =
    [0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0];

/// Every metric of a validator, for the page that describes them.
///
/// # Errors
/// Never, as far as their names are good ones.
pub fn catalogue() -> Result<Vec<Box<dyn Collector>>, prometheus::Error> {
    let any: Id = "v".parse().map_err(|error| prometheus::Error::Msg(format!("{error}")))?;
    Ok(ValidatorMetrics::new(&any)?.collectors())
}

/// Label of the validator that was heard.
const PEER: &str = "peer";

/// One validator's metrics; several may share a registry, told apart by a label.
#[derive(Clone)]
pub(crate) struct ValidatorMetrics {
    pub height: IntGauge,
    pub beats: IntCounter,
    pub behind: IntGauge,
    pub finality: Histogram,
    pub waiting: IntGauge,
    pub refused: IntCounterVec,
    pub events: IntCounterVec,
    pub sent: IntCounter,
    pub received: IntCounter,
    pub heard: GaugeVec,
}

impl ValidatorMetrics {
    pub fn register(registry: &Registry, validator: &Id) -> Result<Self, prometheus::Error> {
        let metrics = Self::new(validator)?;
        metrics.collectors().into_iter().try_for_each(|metric| registry.register(metric))?;
        Ok(metrics)
    }

    pub fn new(validator: &Id) -> Result<Self, prometheus::Error> {
        let opts =
            |name: &str, help: &str| Opts::new(name, help).const_label("validator", validator.as_str());
        let finality = HistogramOpts::new(
            "gridpact_ledger_finality_seconds",
            "From an entry's arrival to its block's decision. Unit: seconds.",
        )
        .buckets(FINALITY_BUCKETS_S.to_vec())
        .const_label("validator", validator.as_str());
        Ok(Self {
            height: IntGauge::with_opts(opts(
                "gridpact_ledger_height_blocks",
                "Height of the last block decided. Unit: blocks.",
            ))?,
            beats: IntCounter::with_opts(opts(
                "gridpact_ledger_heartbeats_total",
                "Turns of a validator's loop. Unit: turns.",
            ))?,
            behind: IntGauge::with_opts(opts(
                "gridpact_ledger_behind",
                "Whether others show to have decided blocks that this validator lacks. Unit: none, 0 or 1.",
            ))?,
            finality: Histogram::with_opts(finality)?,
            waiting: IntGauge::with_opts(opts(
                "gridpact_ledger_waiting_entries",
                "Entries that are in no block yet. Unit: entries.",
            ))?,
            refused: IntCounterVec::new(
                opts("gridpact_ledger_refused_total", "Entries refused, by reason. Unit: entries."),
                &["reason"],
            )?,
            events: IntCounterVec::new(
                opts("gridpact_ledger_events_total", "Unusual events, by kind. Unit: events."),
                &["event"],
            )?,
            sent: IntCounter::with_opts(opts(
                "gridpact_ledger_consensus_sent_total",
                "Consensus messages sent: proposals, votes and what goes with them. Unit: messages.",
            ))?,
            received: IntCounter::with_opts(opts(
                "gridpact_ledger_consensus_received_total",
                "Consensus messages of other validators taken. Unit: messages.",
            ))?,
            heard: GaugeVec::new(
                opts(
                    "gridpact_ledger_validator_last_heard_timestamp_seconds",
                    "When a validator of the registry was last heard, or this one's start. Unit: seconds since 1970.",
                ),
                &[PEER],
            )?,
        })
    }

    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![
            Box::new(self.height.clone()),
            Box::new(self.beats.clone()),
            Box::new(self.behind.clone()),
            Box::new(self.finality.clone()),
            Box::new(self.waiting.clone()),
            Box::new(self.refused.clone()),
            Box::new(self.events.clone()),
            Box::new(self.sent.clone()),
            Box::new(self.received.clone()),
            Box::new(self.heard.clone()),
        ]
    }

    /// Shows these validators and no others: who was never heard counts from now on.
    pub fn expect<'a>(&self, peers: impl Iterator<Item = &'a str>, wall_ms: u64) {
        let peers: BTreeSet<&str> = peers.collect();
        for family in self.heard.collect() {
            let labels = family.get_metric().iter().flat_map(|metric| metric.get_label());
            for gone in labels.filter(|label| label.name() == PEER && !peers.contains(label.value())) {
                // It was there a moment ago.
                let _ = self.heard.remove_label_values(&[gone.value()]);
            }
        }
        for peer in peers {
            let at = self.heard.with_label_values(&[peer]);
            if at.get() == 0.0 {
                at.set(wall_ms as f64 / 1e3);
            }
        }
    }

    /// A validator was heard at this wall-clock time.
    pub fn heard(&self, peer: &str, wall_ms: u64) {
        self.heard.with_label_values(&[peer]).set(wall_ms as f64 / 1e3);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_are_shown_that_are_validators_now() {
        let metrics = ValidatorMetrics::new(&"v1".parse().unwrap()).unwrap();
        let check = |expected: &[(&str, f64)]| {
            let families = metrics.heard.collect();
            let shown: BTreeSet<String> = families[0]
                .get_metric()
                .iter()
                .map(|metric| {
                    let peer = metric.get_label().iter().find(|label| label.name() == PEER).unwrap();
                    format!("{} {}", peer.value(), metric.get_gauge().get_value())
                })
                .collect();
            let expected = expected.iter().map(|(peer, at)| format!("{peer} {at}")).collect();
            assert_eq!(shown, expected);
        };
        metrics.expect(["v2", "v3"].into_iter(), 1_000);
        check(&[("v2", 1.0), ("v3", 1.0)]);
        metrics.heard("v3", 2_500);
        metrics.expect(["v3", "v4"].into_iter(), 4_000);
        check(&[("v3", 2.5), ("v4", 4.0)]);
    }
}
