//! What a validator counts.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use wire::party::Id;

/// Edges of the finality histogram, in milliseconds.
const FINALITY_BUCKETS_MS: [f64; 12] =
    [5.0, 10.0, 20.0, 35.0, 50.0, 75.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0];

/// One validator's metrics; several may share a registry, told apart by a label.
#[derive(Clone)]
pub(super) struct ValidatorMetrics {
    pub height: IntGauge,
    pub beats: IntCounter,
    pub behind: IntGauge,
    pub finality_ms: Histogram,
    pub refused: IntCounterVec,
    pub events: IntCounterVec,
    pub sent: IntCounter,
    pub received: IntCounter,
}

impl ValidatorMetrics {
    pub fn register(registry: &Registry, validator: &Id) -> Result<Self, prometheus::Error> {
        let opts =
            |name: &str, help: &str| Opts::new(name, help).const_label("validator", validator.as_str());
        let name = "gridpact_ledger_finality_ms";
        let finality =
            HistogramOpts::new(name, "Milliseconds from an entry's arrival to its block's decision")
                .buckets(FINALITY_BUCKETS_MS.to_vec())
                .const_label("validator", validator.as_str());
        let metrics = Self {
            height: IntGauge::with_opts(opts("gridpact_ledger_height", "Height of the last block decided"))?,
            beats: IntCounter::with_opts(opts(
                "gridpact_ledger_heartbeats_total",
                "Turns of a validator's loop",
            ))?,
            behind: IntGauge::with_opts(opts(
                "gridpact_ledger_behind",
                "Whether others show to have decided blocks that this validator lacks",
            ))?,
            finality_ms: Histogram::with_opts(finality)?,
            refused: IntCounterVec::new(
                opts("gridpact_ledger_refused_total", "Entries refused, by reason"),
                &["reason"],
            )?,
            events: IntCounterVec::new(
                opts("gridpact_ledger_events_total", "Unusual events, by kind"),
                &["event"],
            )?,
            sent: IntCounter::with_opts(opts(
                "gridpact_ledger_consensus_sent_total",
                "Consensus messages sent: proposals, votes and what goes with them",
            ))?,
            received: IntCounter::with_opts(opts(
                "gridpact_ledger_consensus_received_total",
                "Consensus messages of other validators taken",
            ))?,
        };
        registry.register(Box::new(metrics.height.clone()))?;
        registry.register(Box::new(metrics.beats.clone()))?;
        registry.register(Box::new(metrics.behind.clone()))?;
        registry.register(Box::new(metrics.finality_ms.clone()))?;
        registry.register(Box::new(metrics.refused.clone()))?;
        registry.register(Box::new(metrics.events.clone()))?;
        registry.register(Box::new(metrics.sent.clone()))?;
        registry.register(Box::new(metrics.received.clone()))?;
        Ok(metrics)
    }
}
