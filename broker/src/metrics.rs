//! What links count. One set for all links of a process; every label set is small and fixed by the
//! configuration.

use prometheus::core::Collector;
use prometheus::{GaugeVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};
use wire::message::Body;
use wire::party::PartyId;
use wire::refusal::Refusal;

/// Label of a message dropped because the receiving role has too many undelivered ones. The sender
/// repeats it.
pub(crate) const RECEIVER_FULL: &str = "receiver-full";

/// Counters of links.
#[derive(Clone, Debug)]
pub struct LinkMetrics {
    pub(crate) dropped: IntCounterVec,
    pub(crate) sent: IntCounterVec,
    pub(crate) received: IntCounterVec,
    pub(crate) resent: IntCounter,
    pub(crate) repeated: IntCounter,
    pub(crate) acknowledged: IntCounter,
    pub(crate) refused: IntCounter,
    pub(crate) expired: IntCounter,
    pub(crate) deferred: IntCounterVec,
    pub(crate) connected: IntCounter,
    pub(crate) standing: IntGaugeVec,
    pub(crate) unkept: IntCounter,
    pub(crate) skew: GaugeVec,
}

impl LinkMetrics {
    /// Creates the counters in `registry`.
    ///
    /// # Errors
    /// Where `registry` has counters of these names already.
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
        let counter = IntCounter::new::<&str, &str>;
        let by = |name: &str, help: &str, label: &str| IntCounterVec::new(Opts::new(name, help), &[label]);
        let standing = "Whether a link's connection to a broker stands. Unit: 1 yes, 0 no.";
        let standing = Opts::new("gridpact_link_standing", standing);
        let skew =
            "How far the clock that is furthest off ours seems to be, of those heard; ahead positive. \
                    Unit: seconds.";
        let skew = Opts::new("gridpact_link_clock_skew_seconds", skew);
        let dropped = "Messages from outside that were dropped, by reason. Unit: messages.";
        let dropped = Opts::new("gridpact_messages_dropped_total", dropped);
        Ok(Self {
            dropped: IntCounterVec::new(dropped, &["reason", "connection"])?,
            sent: by(
                "gridpact_messages_sent_total",
                "Messages published for the first time. Unit: messages.",
                "kind",
            )?,
            received: by(
                "gridpact_messages_received_total",
                "Messages delivered to a role. Unit: messages.",
                "kind",
            )?,
            deferred: by(
                "gridpact_messages_deferred_total",
                "Publications put off, connection full or gone. Unit: publications.",
                "connection",
            )?,
            standing: IntGaugeVec::new(standing, &["party", "connection"])?,
            skew: GaugeVec::new(skew, &["party"])?,
            unkept: counter(
                "gridpact_answers_unkept_total",
                "Attempts to keep answers on disk that failed. Unit: attempts.",
            )?,
            resent: counter(
                "gridpact_messages_resent_total",
                "Messages published again, unanswered. Unit: publications.",
            )?,
            repeated: counter(
                "gridpact_messages_repeated_total",
                "Repetitions received, not delivered. Unit: messages.",
            )?,
            acknowledged: counter(
                "gridpact_messages_acknowledged_total",
                "Answers received that accept. Unit: answers.",
            )?,
            refused: counter(
                "gridpact_messages_refused_total",
                "Answers received that refuse. Unit: answers.",
            )?,
            expired: counter(
                "gridpact_messages_expired_total",
                "Messages that expired unanswered. Unit: messages.",
            )?,
            connected: counter(
                "gridpact_links_connected_total",
                "Connections to a broker that stood. Unit: connections.",
            )?,
        })
    }

    /// All of them.
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![
            Box::new(self.dropped.clone()),
            Box::new(self.sent.clone()),
            Box::new(self.received.clone()),
            Box::new(self.deferred.clone()),
            Box::new(self.standing.clone()),
            Box::new(self.skew.clone()),
            Box::new(self.unkept.clone()),
            Box::new(self.resent.clone()),
            Box::new(self.repeated.clone()),
            Box::new(self.acknowledged.clone()),
            Box::new(self.refused.clone()),
            Box::new(self.expired.clone()),
            Box::new(self.connected.clone()),
        ]
    }

    /// Shows a link's connection before anything happens on it: not standing, every reason for dropping a
    /// message at zero.
    pub(crate) fn prepare(&self, party: &PartyId, connection: &str) {
        self.standing.with_label_values(&[party.to_string().as_str(), connection]).set(0);
        self.skew.with_label_values(&[&party.to_string()]).set(0.0);
        self.deferred.with_label_values(&[connection]);
        for reason in Refusal::ALL.map(Refusal::word).into_iter().chain([RECEIVER_FULL]) {
            self.dropped.with_label_values(&[reason, connection]);
        }
    }

    pub(crate) fn received(&self, body: &Body) {
        self.received.with_label_values(&[body.kind()]).inc();
    }
}
