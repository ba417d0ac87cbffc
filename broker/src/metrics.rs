//! What links count. One set for all links of a process; every label set is small and fixed.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};
use wire::message::Body;
use wire::refusal::Refusal;

/// Label of a message dropped because the receiving role has too many undelivered ones. The sender
/// repeats it.
const RECEIVER_FULL: &str = "receiver-full";

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
    pub(crate) deferred: IntCounter,
    pub(crate) connected: IntCounter,
}

impl LinkMetrics {
    /// Creates the counters in `registry`, every reason for dropping a message at zero.
    ///
    /// # Errors
    /// Where `registry` has counters of these names already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let by_label = |name: &str, help: &str, label: &str| {
            let counter = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let dropped =
            by_label("gridpact_messages_dropped_total", "Messages from outside that were dropped", "reason")?;
        for refusal in Refusal::ALL {
            dropped.with_label_values(&[refusal.word()]);
        }
        dropped.with_label_values(&[RECEIVER_FULL]);
        Ok(Self {
            dropped,
            sent: by_label("gridpact_messages_sent_total", "Messages published for the first time", "kind")?,
            received: by_label("gridpact_messages_received_total", "Messages delivered to a role", "kind")?,
            resent: counter("gridpact_messages_resent_total", "Messages published again, unanswered")?,
            repeated: counter("gridpact_messages_repeated_total", "Repetitions received, not delivered")?,
            acknowledged: counter("gridpact_messages_acknowledged_total", "Answers received that accept")?,
            refused: counter("gridpact_messages_refused_total", "Answers received that refuse")?,
            expired: counter("gridpact_messages_expired_total", "Messages that expired unanswered")?,
            deferred: counter("gridpact_messages_deferred_total", "Publications put off, client full")?,
            connected: counter("gridpact_links_connected_total", "Connections to a broker that stood")?,
        })
    }

    pub(crate) fn dropped(&self, refusal: Refusal) {
        self.dropped.with_label_values(&[refusal.word()]).inc();
    }

    pub(crate) fn dropped_receiver_full(&self) {
        self.dropped.with_label_values(&[RECEIVER_FULL]).inc();
    }

    pub(crate) fn received(&self, body: &Body) {
        self.received.with_label_values(&[body.kind()]).inc();
    }
}
