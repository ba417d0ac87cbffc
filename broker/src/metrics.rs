//! What links count. One set for all links of a process; every label set is small and fixed by the
//! configuration.

use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};
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
    pub(crate) skew: IntGaugeVec,
}

impl LinkMetrics {
    /// Creates the counters in `registry`.
    ///
    /// # Errors
    /// Where `registry` has counters of these names already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let by_label = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let standing = Opts::new("gridpact_link_standing", "Whether a link's connection to a broker stands");
        let standing = IntGaugeVec::new(standing, &["party", "connection"])?;
        registry.register(Box::new(standing.clone()))?;
        let skew = ("gridpact_link_clock_skew_ms", "The furthest that another party's clock seems off ours");
        let skew = IntGaugeVec::new(Opts::new(skew.0, skew.1), &["party"])?;
        registry.register(Box::new(skew.clone()))?;
        let dropped = ("gridpact_messages_dropped_total", "Messages from outside that were dropped");
        let deferred = ("gridpact_messages_deferred_total", "Publications put off, connection full or gone");
        Ok(Self {
            dropped: by_label(dropped.0, dropped.1, &["reason", "connection"])?,
            sent: by_label(
                "gridpact_messages_sent_total",
                "Messages published for the first time",
                &["kind"],
            )?,
            received: by_label(
                "gridpact_messages_received_total",
                "Messages delivered to a role",
                &["kind"],
            )?,
            deferred: by_label(deferred.0, deferred.1, &["connection"])?,
            standing,
            skew,
            unkept: counter("gridpact_answers_unkept_total", "Attempts to keep answers on disk that failed")?,
            resent: counter("gridpact_messages_resent_total", "Messages published again, unanswered")?,
            repeated: counter("gridpact_messages_repeated_total", "Repetitions received, not delivered")?,
            acknowledged: counter("gridpact_messages_acknowledged_total", "Answers received that accept")?,
            refused: counter("gridpact_messages_refused_total", "Answers received that refuse")?,
            expired: counter("gridpact_messages_expired_total", "Messages that expired unanswered")?,
            connected: counter("gridpact_links_connected_total", "Connections to a broker that stood")?,
        })
    }

    /// Shows a link's connection before anything happens on it: not standing, every reason for dropping a
    /// message at zero.
    pub(crate) fn prepare(&self, party: &PartyId, connection: &str) {
        self.standing.with_label_values(&[&party.to_string(), connection]).set(0);
        self.skew.with_label_values(&[&party.to_string()]).set(0);
        self.deferred.with_label_values(&[connection]);
        for reason in Refusal::ALL.map(Refusal::word).into_iter().chain([RECEIVER_FULL]) {
            self.dropped.with_label_values(&[reason, connection]);
        }
    }

    pub(crate) fn received(&self, body: &Body) {
        self.received.with_label_values(&[body.kind()]).inc();
    }
}
