//! What a role shows of itself in Prometheus. Registered once per process, shared by all its roles.

use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

/// Counters every role's shell keeps. The labels name the role and the participant.
#[derive(Clone, Debug)]
pub struct AgentMetrics {
    /// Turns of a role's loop. One that stops growing means a role that hangs.
    pub heartbeats: IntCounterVec,
    /// What cores noted for the operator, by event.
    pub notes: IntCounterVec,
    /// Messages that could not be handed to the link because its queue was full, by kind.
    pub sends_refused: IntCounterVec,
    /// Messages somebody never acknowledged before they expired.
    pub sends_expired: IntCounterVec,
    /// Messages between others that the timekeeper did not believe, by reason.
    pub overheard_dropped: IntCounterVec,
    /// Whether the role is connected to its broker.
    pub connected: IntGaugeVec,
    /// Whether a role may go by its clock.
    pub clock_sane: IntGaugeVec,
    /// Whether a role waits for the ledger to be told on.
    pub behind: IntGaugeVec,
    /// A site's readings that nobody has acknowledged yet.
    pub readings_waiting: IntGaugeVec,
    /// A site's readings that were dropped unacknowledged, by reason.
    pub readings_dropped: IntCounterVec,
    /// An aggregator's batches that its archive has not taken yet.
    pub batches_waiting: IntGaugeVec,
}

impl AgentMetrics {
    /// Registers the counters.
    ///
    /// # Errors
    /// Where `registry` already holds metrics of these names.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str, labels: &[&str]| -> Result<IntCounterVec, prometheus::Error> {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let gauge = |name: &str, help: &str, labels: &[&str]| -> Result<IntGaugeVec, prometheus::Error> {
            let gauge = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        Ok(Self {
            heartbeats: counter(
                "gridpact_agent_heartbeats_total",
                "Turns of a role's loop",
                &["role", "id"],
            )?,
            notes: counter(
                "gridpact_agent_notes_total",
                "What a role noted for the operator, by event",
                &["role", "event"],
            )?,
            sends_refused: counter(
                "gridpact_agent_sends_refused_total",
                "Messages the link's full queue refused, by kind",
                &["role", "kind"],
            )?,
            sends_expired: counter(
                "gridpact_agent_sends_expired_total",
                "Messages that expired before every recipient had acknowledged them",
                &["role"],
            )?,
            overheard_dropped: counter(
                "gridpact_overheard_dropped_total",
                "Messages between others that a simulation's timekeeper did not believe, by reason",
                &["reason"],
            )?,
            connected: gauge(
                "gridpact_agent_connected",
                "Whether a role is connected to its broker",
                &["role", "id"],
            )?,
            clock_sane: gauge(
                "gridpact_agent_clock_sane",
                "Whether a role may go by its clock: nothing speaks against it, and for a site somebody for it",
                &["role", "id"],
            )?,
            behind: gauge(
                "gridpact_agent_ledger_behind",
                "Whether a role has seen blocks that it can't check yet",
                &["role", "id"],
            )?,
            readings_waiting: gauge(
                "gridpact_site_readings_waiting",
                "Meter readings that nobody has acknowledged yet",
                &["id"],
            )?,
            readings_dropped: counter(
                "gridpact_site_readings_dropped_total",
                "Meter readings that were dropped unacknowledged, by reason",
                &["id", "reason"],
            )?,
            batches_waiting: gauge(
                "gridpact_archive_batches_waiting",
                "Batches that an aggregator's archive has not taken yet",
                &["id"],
            )?,
        })
    }
}
