//! A handle to one MQTT connection, whose client runs in a task of its own ([`super::client`]); and how clients of ours
//! connect.

use super::ahead::Ahead;
use super::client::{Client, Place, Request};
use super::identity::Identity;
use bytes::Bytes;
use rumqttc::{MqttOptions, Publish, TlsConfiguration, Transport};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wire::entry::SignedEnvelope;
use wire::message::MAX_ENVELOPE_BYTES;
use wire::topic::MAX_TOPIC_BYTES;

/// How often the client pings an idle broker. A dead connection shows after twice this long.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Events of one session that wait for the link; then its broker does.
const EVENTS: usize = 32;
/// Publications on their way to the broker without its PUBACK; what rumqttd allows as well.
pub(super) const INFLIGHT: usize = 100;
/// Largest MQTT packet: an envelope, its topic, and headers. A little above what an envelope may
/// have, so that slightly oversized ones are dropped and counted; what is larger still ends the
/// connection in the client, and is refused by our broker before that.
pub(crate) const MAX_PACKET_BYTES: usize = MAX_ENVELOPE_BYTES + MAX_TOPIC_BYTES + 4_096;

/// What a session reports.
pub(super) enum SessionEvent {
    /// The broker has confirmed every subscription.
    Subscribed,
    /// A publication came in.
    Publish(Publish),
    /// The session is over.
    Ended {
        /// Why.
        reason: String,
    },
}

/// A session, connecting or standing.
pub(super) struct Session {
    requests: mpsc::Sender<Request>,
    ahead: Arc<Ahead>,
    events: mpsc::Receiver<SessionEvent>,
    client: JoinHandle<()>,
}

impl Session {
    /// Starts to connect to `address`. A client id that no session before had keeps the broker from
    /// taking this one for another that it has not yet found dead.
    pub fn start(
        address: &str,
        identity: Option<&Identity>,
        client_id: String,
        filters: Vec<String>,
        queue: usize,
    ) -> Option<Session> {
        let Address { host, port, tls } = Address::of(address)?;
        let tls = if tls { Some(identity?.config()) } else { None };
        let (requests, requested) = mpsc::channel(queue);
        let (reported, events) = mpsc::channel(EVENTS);
        let ahead = Arc::new(Ahead::default());
        let client = Client::new(client_id, filters, requested, reported, ahead.clone());
        let client = tokio::spawn(client.run(Place { host: host.to_owned(), port, tls }));
        Some(Session { requests, ahead, events, client })
    }

    /// What happens next.
    pub fn poll_next(&mut self, task: &mut Context<'_>) -> Poll<SessionEvent> {
        let ended = || SessionEvent::Ended { reason: "the client has stopped".to_owned() };
        self.events.poll_recv(task).map(|event| event.unwrap_or_else(ended))
    }

    /// Hands one message to the client; whether it had room.
    pub fn publish(&self, raw: &SignedEnvelope) -> bool {
        let bytes = raw.topic.len() + raw.bytes.len();
        let give = || {
            let Ok(place) = self.requests.try_reserve() else { return false };
            let (topic, payload) = (raw.topic.clone(), Bytes::copy_from_slice(&raw.bytes));
            place.send(Request::Publish { topic, payload });
            true
        };
        self.ahead.hand(bytes, give)
    }

    /// Subscribes to what is new and no more to what is gone; whether the client had room to say so.
    pub fn listen(&self, new: Vec<String>, gone: Vec<String>) -> bool {
        let ask = |filters: Vec<String>, request: fn(Vec<String>) -> Request| {
            filters.is_empty() || self.requests.try_send(request(filters)).is_ok()
        };
        ask(new, Request::Subscribe) && ask(gone, Request::Unsubscribe)
    }

    /// Says goodbye to the broker, so that what was handed to the client before goes out.
    pub async fn close(mut self) {
        if self.requests.try_send(Request::Disconnect).is_ok() {
            let drained = async { while self.events.recv().await.is_some() {} };
            let _ = tokio::time::timeout(Duration::from_secs(1), drained).await;
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.client.abort();
    }
}

/// How another client of `address` (`host:port`, or `mqtts://host:port` with an identity) connects: packet sizes, keep-alive
/// and TLS as links have them. None where the address is none, or TLS lacks an identity.
pub fn client_options(address: &str, identity: Option<&Identity>, client_id: String) -> Option<MqttOptions> {
    let Address { host, port, tls } = Address::of(address)?;
    let mut options = MqttOptions::new(client_id, host, port);
    if tls {
        let config = TlsConfiguration::Rustls(identity?.config());
        options.set_transport(Transport::tls_with_config(config));
    }
    options.set_max_packet_size(MAX_PACKET_BYTES, MAX_PACKET_BYTES);
    options.set_keep_alive(KEEP_ALIVE);
    Some(options)
}

/// A broker's address, taken apart.
pub(super) struct Address<'a> {
    pub host: &'a str,
    pub port: u16,
    pub tls: bool,
}

impl<'a> Address<'a> {
    /// `host:port` or `mqtts://host:port`.
    pub fn of(text: &'a str) -> Option<Self> {
        let (rest, tls) = text.strip_prefix("mqtts://").map_or((text, false), |rest| (rest, true));
        let (host, port) = rest.rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port != 0)?;
        // Addresses of IPv6 stand in brackets (RFC 3986 section 3.2.2).
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        (!host.is_empty()).then_some(Self { host, port, tls })
    }
}
