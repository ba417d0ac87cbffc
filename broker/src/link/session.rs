//! One MQTT session, from connecting to its end: options set on purpose, and the pump that polls
//! the client.

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, Publish, QoS};
use rumqttc::{SubscribeFilter, SubscribeReasonCode};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wire::entry::SignedEnvelope;
use wire::message::MAX_ENVELOPE_BYTES;
use wire::topic::MAX_TOPIC_BYTES;

/// How often the client pings an idle broker. A dead connection shows after twice this long.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
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
    events: mpsc::Receiver<SessionEvent>,
    pump: JoinHandle<()>,
}

impl Session {
    /// Starts to connect to `address`. A client id that no session before had keeps the broker from
    /// taking this one for another that it has not yet found dead.
    pub fn start(address: &str, client_id: String, filters: Vec<String>, queue: usize) -> Option<Session> {
        let (host, port) = split_address(address)?;
        let mut options = MqttOptions::new(client_id, host, port);
        options.set_max_packet_size(MAX_PACKET_BYTES, MAX_PACKET_BYTES);
        options.set_keep_alive(KEEP_ALIVE);
        options.set_inflight(INFLIGHT);
        // The outbox and the replay window are the session. One kept by the broker would grow while
        // we are away and then deliver what has long been repeated.
        options.set_clean_session(true);
        let (client, mut eventloop) = AsyncClient::new(options, queue);
        // Without this every small message waits for the one before it to be acknowledged by TCP.
        eventloop.network_options.set_tcp_nodelay(true);
        let (tx, events) = mpsc::channel(100);
        let pump = tokio::spawn(pump(eventloop, client.clone(), filters, tx));
        Some(Session { client, events, pump })
    }

    /// What happens next. Cancel-safe.
    pub async fn next(&mut self) -> SessionEvent {
        let ended = || SessionEvent::Ended { reason: "the client has stopped".to_owned() };
        self.events.recv().await.unwrap_or_else(ended)
    }

    /// Hands one message to the client; whether it had room.
    pub fn publish(&self, raw: &SignedEnvelope) -> bool {
        self.client.try_publish(&raw.topic, QoS::AtLeastOnce, false, raw.bytes.to_vec()).is_ok()
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

/// `host:port`, taken apart.
pub(super) fn split_address(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    (!host.is_empty()).then_some((host, port))
}

/// Polls the client in a task of its own: a poll that connects must not be cancelled halfway.
async fn pump(
    mut eventloop: EventLoop,
    client: AsyncClient,
    filters: Vec<String>,
    tx: mpsc::Sender<SessionEvent>,
) {
    loop {
        let event = match eventloop.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                let filters = filters.iter().map(|f| SubscribeFilter::new(f.clone(), QoS::AtLeastOnce));
                match client.try_subscribe_many(filters) {
                    Ok(()) => continue,
                    Err(e) => SessionEvent::Ended { reason: format!("subscribing: {e}") },
                }
            }
            Ok(Event::Incoming(Packet::SubAck(ack))) => {
                match ack.return_codes.iter().position(|code| *code == SubscribeReasonCode::Failure) {
                    None => SessionEvent::Subscribed,
                    Some(n) => {
                        let filter = filters.get(n).map_or("", String::as_str);
                        SessionEvent::Ended { reason: format!("the broker refuses the filter {filter:?}") }
                    }
                }
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => SessionEvent::Publish(publish),
            Ok(_) => continue,
            Err(e) => SessionEvent::Ended { reason: e.to_string() },
        };
        let over = matches!(event, SessionEvent::Ended { .. });
        if tx.send(event).await.is_err() || over {
            return;
        }
    }
}
