//! What a role shows of itself in Prometheus. Registered once per process, shared by all its roles. Every help text ends
//! with the unit; docs/METRICS.md is made of it.

use crate::dso::balances::Balances;
use crate::dso::gauges::Gauges as DsoGauges;
use crate::forecaster::Losses;
use crate::site::metrics::SiteMetrics;
use crate::tso::Gauges as TsoGauges;
use prometheus::core::Collector;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};
use std::path::PathBuf;

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
    /// What sites show besides.
    pub sites: SiteMetrics,
}

impl AgentMetrics {
    /// Registers the counters.
    ///
    /// # Errors
    /// Where `registry` already holds metrics of these names.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self::new()?;
        metrics.of_every_role().into_iter().try_for_each(|metric| registry.register(metric))?;
        metrics.sites.collectors().into_iter().try_for_each(|metric| registry.register(metric))?;
        Ok(metrics)
    }

    fn new() -> Result<Self, prometheus::Error> {
        let counter =
            |name: &str, help: &str, labels: &[&str]| IntCounterVec::new(Opts::new(name, help), labels);
        let gauge = |name: &str, help: &str, labels: &[&str]| IntGaugeVec::new(Opts::new(name, help), labels);
        Ok(Self {
            heartbeats: counter(
                "gridpact_agent_heartbeats_total",
                "Turns of a role's loop; one that stops growing hangs. Unit: turns.",
                &["role", "id"],
            )?,
            notes: counter(
                "gridpact_agent_notes_total",
                "What a role noted for the operator, by event. Unit: notes.",
                &["role", "event"],
            )?,
            sends_refused: counter(
                "gridpact_agent_sends_refused_total",
                "Messages the link's full queue refused, by kind. Unit: messages.",
                &["role", "kind"],
            )?,
            sends_expired: counter(
                "gridpact_agent_sends_expired_total",
                "Messages that expired before every recipient had acknowledged them. Unit: messages.",
                &["role"],
            )?,
            overheard_dropped: counter(
                "gridpact_overheard_dropped_total",
                "Messages between others that a simulation's timekeeper did not believe. Unit: messages.",
                &["reason"],
            )?,
            connected: gauge(
                "gridpact_agent_connected",
                "Whether a role is connected to its broker. Unit: 1 yes, 0 no.",
                &["role", "id"],
            )?,
            clock_sane: gauge(
                "gridpact_agent_clock_sane",
                "Whether a role may go by its clock: nothing speaks against it, and for a site somebody for it. Unit: 1 yes, 0 no.",
                &["role", "id"],
            )?,
            behind: gauge(
                "gridpact_agent_ledger_behind",
                "Whether a role has seen blocks that it can't check yet. Unit: 1 yes, 0 no.",
                &["role", "id"],
            )?,
            readings_waiting: gauge(
                "gridpact_site_readings_waiting",
                "Meter readings that nobody has acknowledged yet. Unit: readings.",
                &["id"],
            )?,
            readings_dropped: counter(
                "gridpact_site_readings_dropped_total",
                "Meter readings that were dropped unacknowledged, by reason. Unit: readings.",
                &["id", "reason"],
            )?,
            batches_waiting: gauge(
                "gridpact_archive_waiting_batches",
                "Batches that an aggregator's archive has not taken yet. Unit: batches.",
                &["id"],
            )?,
            sites: SiteMetrics::new()?,
        })
    }

    fn of_every_role(&self) -> Vec<Box<dyn Collector>> {
        vec![
            Box::new(self.heartbeats.clone()),
            Box::new(self.notes.clone()),
            Box::new(self.sends_refused.clone()),
            Box::new(self.sends_expired.clone()),
            Box::new(self.overheard_dropped.clone()),
            Box::new(self.connected.clone()),
            Box::new(self.clock_sane.clone()),
            Box::new(self.behind.clone()),
            Box::new(self.readings_waiting.clone()),
            Box::new(self.readings_dropped.clone()),
            Box::new(self.batches_waiting.clone()),
        ]
    }
}

/// Metrics with the word for who shows them.
pub type Shown = (&'static str, Vec<Box<dyn Collector>>);

/// Every metric of every role, for the page that describes them.
///
/// # Errors
/// Never, as far as their names are good ones.
pub fn catalogue() -> Result<Vec<Shown>, prometheus::Error> {
    let agents = AgentMetrics::new()?;
    Ok(vec![
        ("Every role but validators", agents.of_every_role()),
        ("Site controllers", agents.sites.collectors()),
        ("The DSO", DsoGauges::new()?.collectors()),
        ("The DSO, where its feeder is measured", Balances::new(PathBuf::new())?.collectors()),
        ("The TSO interface", TsoGauges::new()?.collectors()),
        ("Forecasters", Losses::new()?.collectors()),
    ])
}
