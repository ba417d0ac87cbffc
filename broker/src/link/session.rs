//! One MQTT session, from connecting to its end: options set on purpose, and the pump that polls
//! the client.

use super::ahead::Ahead;
use super::identity::Identity;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Outgoing, Packet, Publish, QoS};
use rumqttc::{SubscribeFilter, SubscribeReasonCode, TlsConfiguration, Transport};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wire::entry::SignedEnvelope;
use wire::message::MAX_ENVELOPE_BYTES;
use wire::topic::MAX_TOPIC_BYTES;

/// How often the client pings an idle broker. A dead connection shows after twice this long.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Events of one session that wait for the link; then its broker does.
const EVENTS: usize = 32;
/// Publications on their way to the broker without its PUBACK; what rumqttd allows as well.
const INFLIGHT: u16 = 100;
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
    client: AsyncClient,
    ahead: Arc<Ahead>,
    events: mpsc::Receiver<SessionEvent>,
    pump: JoinHandle<()>,
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
        let mut options = client_options(address, identity, client_id)?;
        options.set_inflight(INFLIGHT);
        // The outbox and the replay window are the session. One kept by the broker would grow while
        // we are away and then deliver what has long been repeated.
        options.set_clean_session(true);
        let (client, mut eventloop) = AsyncClient::new(options, queue);
        // Without this every small message waits for the one before it to be acknowledged by TCP.
        eventloop.network_options.set_tcp_nodelay(true);
        let (tx, events) = mpsc::channel(EVENTS);
        let ahead = Arc::new(Ahead::default());
        let pump = Pump { client: client.clone(), ahead: ahead.clone(), filters, tx };
        let pump = tokio::spawn(pump.run(eventloop));
        Some(Session { client, ahead, events, pump })
    }

    /// What happens next.
    pub fn poll_next(&mut self, task: &mut Context<'_>) -> Poll<SessionEvent> {
        let ended = || SessionEvent::Ended { reason: "the client has stopped".to_owned() };
        self.events.poll_recv(task).map(|event| event.unwrap_or_else(ended))
    }

    /// Hands one message to the client; whether it had room.
    pub fn publish(&self, raw: &SignedEnvelope) -> bool {
        let bytes = raw.topic.len() + raw.bytes.len();
        let give =
            || self.client.try_publish(&raw.topic, QoS::AtLeastOnce, false, raw.bytes.to_vec()).is_ok();
        self.ahead.hand(bytes, give)
    }

    /// Subscribes to what is new and no more to what is gone; whether the client had room to say so.
    pub fn listen(&self, new: Vec<String>, gone: Vec<String>) -> bool {
        let filters = new.into_iter().map(|filter| SubscribeFilter::new(filter, QoS::AtLeastOnce));
        let filters: Vec<SubscribeFilter> = filters.collect();
        let subscribed = filters.is_empty() || self.client.try_subscribe_many(filters).is_ok();
        subscribed && gone.into_iter().all(|filter| self.client.try_unsubscribe(filter).is_ok())
    }

    /// Says goodbye to the broker, so that what was handed to the client before goes out.
    pub async fn close(mut self) {
        if self.client.try_disconnect().is_ok() {
            let drained = async { while self.events.recv().await.is_some() {} };
            let _ = tokio::time::timeout(Duration::from_secs(1), drained).await;
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

/// How a client of `address` (`host:port`, or `mqtts://host:port` with an identity) connects: packet sizes, keep-alive and
/// TLS as all of ours have them. None where the address is none, or TLS lacks an identity.
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

/// Polls the client in a task of its own: a poll that connects must not be cancelled halfway.
struct Pump {
    client: AsyncClient,
    ahead: Arc<Ahead>,
    filters: Vec<String>,
    tx: mpsc::Sender<SessionEvent>,
}

impl Pump {
    async fn run(self, mut eventloop: EventLoop) {
        loop {
            let event = match eventloop.poll().await {
                Ok(event) => self.event(event),
                Err(e) => Some(SessionEvent::Ended { reason: e.to_string() }),
            };
            let Some(event) = event else { continue };
            let over = matches!(event, SessionEvent::Ended { .. });
            if self.tx.send(event).await.is_err() || over {
                return;
            }
        }
    }

    fn event(&self, event: Event) -> Option<SessionEvent> {
        match event {
            Event::Incoming(Packet::ConnAck(_)) => {
                let filters = self.filters.iter().map(|f| SubscribeFilter::new(f.clone(), QoS::AtLeastOnce));
                let subscribed = self.client.try_subscribe_many(filters);
                subscribed.err().map(|e| SessionEvent::Ended { reason: format!("subscribing: {e}") })
            }
            Event::Incoming(Packet::SubAck(ack)) => {
                let refused = ack.return_codes.iter().position(|c| *c == SubscribeReasonCode::Failure);
                Some(refused.map_or(SessionEvent::Subscribed, |n| {
                    let filter = self.filters.get(n).map_or("", String::as_str);
                    SessionEvent::Ended { reason: format!("the broker refuses the filter {filter:?}") }
                }))
            }
            Event::Incoming(Packet::Publish(publish)) => Some(SessionEvent::Publish(publish)),
            Event::Incoming(Packet::PubAck(ack)) => {
                self.ahead.confirmed(ack.pkid);
                None
            }
            Event::Outgoing(Outgoing::Publish(packet)) => {
                self.ahead.sends(packet);
                None
            }
            _ => None,
        }
    }
}
