//! What a gate counts. Labels are a listener's name and one word of few; nothing a client says becomes one.

use prometheus::core::Collector;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Counters of all gates of a process.
#[derive(Clone, Debug)]
pub struct GateMetrics {
    clients: IntGaugeVec,
    connections: IntCounterVec,
    refused: IntCounterVec,
    ended: IntCounterVec,
    received: IntCounterVec,
    delivered: IntCounterVec,
    denied: IntCounterVec,
}

impl GateMetrics {
    /// Creates the counters in `registry`.
    ///
    /// # Errors
    /// Where `registry` has counters of these names already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self::unregistered()?;
        metrics.collectors().into_iter().try_for_each(|metric| registry.register(metric))?;
        Ok(metrics)
    }

    /// All of them.
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        let counters =
            [&self.connections, &self.refused, &self.ended, &self.received, &self.delivered, &self.denied];
        let counters = counters.map(|counter| Box::new(counter.clone()) as Box<dyn Collector>);
        std::iter::once(Box::new(self.clients.clone()) as Box<dyn Collector>).chain(counters).collect()
    }

    /// Counters that nobody reads.
    ///
    /// # Errors
    /// Never, as far as the names below are good ones.
    pub fn unregistered() -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            IntCounterVec::new(Opts::new(format!("gridpact_gate_{name}_total"), help), labels)
        };
        let listener = &["listener"];
        let reasons = &["listener", "reason"];
        let clients =
            Opts::new("gridpact_gate_clients", "Clients connected to the embedded broker. Unit: clients.");
        Ok(Self {
            clients: IntGaugeVec::new(clients, listener)?,
            connections: counter(
                "connections",
                "Connections accepted from the network. Unit: connections.",
                listener,
            )?,
            refused: counter(
                "refused",
                "Connections that never became a client's, by reason. Unit: connections.",
                reasons,
            )?,
            ended: counter(
                "ended",
                "Clients' connections that ended, by reason. Unit: connections.",
                reasons,
            )?,
            received: counter("messages_received", "Messages clients published. Unit: messages.", listener)?,
            delivered: counter(
                "messages_delivered",
                "Messages written to clients. Unit: messages.",
                listener,
            )?,
            denied: counter(
                "denied",
                "Topics a client had no right to, by act. Unit: requests.",
                &["listener", "act"],
            )?,
        })
    }

    /// The counters of one listener.
    pub(crate) fn of(&self, listener: &str) -> ListenerMetrics {
        let of = |counters: &IntCounterVec| counters.with_label_values(&[listener]);
        let denied = |act| self.denied.with_label_values(&[listener, act]);
        ListenerMetrics {
            clients: self.clients.with_label_values(&[listener]),
            connections: of(&self.connections),
            received: of(&self.received),
            delivered: of(&self.delivered),
            denied_publish: denied("publish"),
            denied_subscribe: denied("subscribe"),
            refused: self.refused.clone(),
            ended: self.ended.clone(),
            listener: listener.to_owned(),
        }
    }
}

/// The counters of one listener.
#[derive(Clone, Debug)]
pub(crate) struct ListenerMetrics {
    pub clients: IntGauge,
    pub connections: IntCounter,
    pub received: IntCounter,
    pub delivered: IntCounter,
    pub denied_publish: IntCounter,
    pub denied_subscribe: IntCounter,
    refused: IntCounterVec,
    ended: IntCounterVec,
    listener: String,
}

impl ListenerMetrics {
    /// One connection was turned away.
    pub fn refused(&self, reason: &str) {
        self.refused.with_label_values(&[self.listener.as_str(), reason]).inc();
    }

    /// One client left.
    pub fn ended(&self, reason: &str) {
        self.ended.with_label_values(&[self.listener.as_str(), reason]).inc();
    }
}
