//! One MQTT connection of a link, from connecting to its end: says what the link hands it, reports what comes, answers for
//! itself. Packets are the library's (`rumqttc::mqttbytes`); its client gives each to the socket by itself, and under
//! load waking the broker for each is most of what a message costs both. Here what is ready goes out together.
//!
//! Of a session there is nothing to keep: outbox and replay window are the session. One kept by the broker would grow while we
//! are away, and then deliver what has long been repeated.

use super::ahead::Ahead;
use super::session::{SessionEvent, INFLIGHT, KEEP_ALIVE, MAX_PACKET_BYTES};
use crate::pipe::{Pipe, Turn};
use bytes::{Bytes, BytesMut};
use rumqttc::{
    mqttbytes, Connect, ConnectReturnCode, Packet, PubAck, Publish, QoS, Subscribe, SubscribeFilter,
    SubscribeReasonCode, Unsubscribe,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{interval_at, Instant, MissedTickBehavior};
use tokio_rustls::rustls::pki_types::{InvalidDnsNameError, ServerName};
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::TlsConnector;

/// Bytes that may wait to be written before no more is said, one packet more at most.
const MOST_OUTPUT: usize = 64 * 1_024;
/// Bytes that may wait before nothing more is read, which is acknowledged: only a broker that takes nothing brings it so far. A
/// broker that waits for us to read must not be waited for.
const MOST_ACKNOWLEDGED: usize = MAX_PACKET_BYTES + 2 * MOST_OUTPUT;

/// What the link asks of its client.
#[derive(Debug)]
pub(super) enum Request {
    /// Publish with QoS 1.
    Publish { topic: String, payload: Bytes },
    /// Subscribe with QoS 1.
    Subscribe(Vec<String>),
    /// Hear these no more.
    Unsubscribe(Vec<String>),
    /// Say goodbye, when all before has been said.
    Disconnect,
}

/// Where a broker is, and how it is spoken to.
pub(super) struct Place {
    pub host: String,
    pub port: u16,
    /// By TLS.
    pub tls: Option<Arc<ClientConfig>>,
}

/// Why a connection ended.
#[derive(Debug, Error)]
enum End {
    #[error("connecting: {0}")]
    Connecting(#[source] io::Error),
    #[error("{host:?} is no name in a certificate")]
    Name {
        host: String,
        #[source]
        source: InvalidDnsNameError,
    },
    #[error("TLS: {0}")]
    Tls(#[source] io::Error),
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    #[error("the broker closed the connection")]
    Closed,
    #[error("the broker refuses the connection: {0:?}")]
    Refused(ConnectReturnCode),
    #[error("the broker refuses the filter {filter:?}")]
    Filter { filter: String },
    #[error("the broker answered no ping")]
    Silent,
    #[error("a packet of MQTT: {0}")]
    Packet(#[from] mqttbytes::Error),
    #[error("a packet that has no place here: {packet}")]
    Unexpected { packet: String },
    #[error("the link is gone")]
    Unheard,
}

/// A client of one broker.
pub(super) struct Client {
    id: String,
    filters: Vec<String>,
    requests: mpsc::Receiver<Request>,
    events: mpsc::Sender<SessionEvent>,
    ahead: Arc<Ahead>,
    /// How often it pings.
    keep_alive: Duration,
    /// The broker has let it in.
    standing: bool,
    last_id: u16,
    /// Publications without their PUBACK.
    under_way: BTreeSet<u16>,
    /// What was asked for and is not granted yet.
    subscribing: BTreeMap<u16, Vec<String>>,
    /// A ping is not answered yet.
    pinged: bool,
}

impl Client {
    /// One that will subscribe to these filters as soon as it is let in.
    pub fn new(
        id: String,
        filters: Vec<String>,
        requests: mpsc::Receiver<Request>,
        events: mpsc::Sender<SessionEvent>,
        ahead: Arc<Ahead>,
    ) -> Self {
        let (under_way, subscribing) = Default::default();
        Self {
            id,
            filters,
            requests,
            events,
            ahead,
            keep_alive: KEEP_ALIVE,
            standing: false,
            last_id: 0,
            under_way,
            subscribing,
            pinged: false,
        }
    }

    /// Connects, and speaks until the link says goodbye or the connection ends.
    pub async fn run(mut self, place: Place) {
        if let Err(end) = self.connect(place).await {
            // The link may be gone.
            let _ = self.events.send(SessionEvent::Ended { reason: end.to_string() }).await;
        }
    }

    async fn connect(&mut self, place: Place) -> Result<(), End> {
        let Place { host, port, tls } = place;
        let stream = TcpStream::connect((host.as_str(), port)).await.map_err(End::Connecting)?;
        // Without this every small message waits for the one before it to be acknowledged by TCP.
        stream.set_nodelay(true).map_err(End::Connecting)?;
        let Some(config) = tls else { return self.speak(Pipe::new(stream)).await };
        let name = ServerName::try_from(host.clone()).map_err(|source| End::Name { host, source })?;
        let stream = TlsConnector::from(config).connect(name, stream).await.map_err(End::Tls)?;
        self.speak(Pipe::new(stream)).await
    }

    async fn speak<S: AsyncRead + AsyncWrite + Unpin>(&mut self, mut pipe: Pipe<S>) -> Result<(), End> {
        let mut connect = Connect::new(self.id.as_str());
        connect.keep_alive = KEEP_ALIVE.as_secs() as u16;
        put(&mut pipe.output, Packet::Connect(connect))?;
        let mut ping = interval_at(Instant::now() + self.keep_alive, self.keep_alive);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.take_in(&mut pipe).await?;
            let waiting = pipe.output.len();
            let may_say = waiting < MOST_OUTPUT && self.standing && self.under_way.len() < INFLIGHT;
            tokio::select! {
                // What is to be said first, so that all of it is written together.
                biased;
                request = self.requests.recv(), if may_say => match request {
                    Some(Request::Disconnect) | None => {
                        put(&mut pipe.output, Packet::Disconnect)?;
                        pipe.close().await;
                        return Ok(());
                    }
                    Some(request) => self.say(request, &mut pipe.output)?,
                },
                turn = pipe.turn(waiting < MOST_ACKNOWLEDGED) => {
                    if turn? == Turn::Closed {
                        return Err(End::Closed);
                    }
                }
                _ = ping.tick() => {
                    if std::mem::replace(&mut self.pinged, true) {
                        return Err(End::Silent);
                    }
                    put(&mut pipe.output, Packet::PingReq)?;
                }
            }
        }
    }

    fn say(&mut self, request: Request, output: &mut BytesMut) -> Result<(), End> {
        let pkid = self.free_id();
        let packet = match request {
            Request::Publish { topic, payload } => {
                self.under_way.insert(pkid);
                self.ahead.sends(pkid);
                Packet::Publish(Publish { pkid, ..Publish::from_bytes(topic, QoS::AtLeastOnce, payload) })
            }
            Request::Subscribe(filters) => self.subscribe(pkid, filters),
            Request::Unsubscribe(topics) => Packet::Unsubscribe(Unsubscribe { pkid, topics }),
            Request::Disconnect => Packet::Disconnect,
        };
        put(output, packet)
    }

    fn subscribe(&mut self, pkid: u16, filters: Vec<String>) -> Packet {
        let wished = filters.iter().map(|filter| SubscribeFilter::new(filter.clone(), QoS::AtLeastOnce));
        let subscribe = Subscribe { pkid, filters: wished.collect() };
        self.subscribing.insert(pkid, filters);
        Packet::Subscribe(subscribe)
    }

    fn free_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            let taken =
                self.under_way.contains(&self.last_id) || self.subscribing.contains_key(&self.last_id);
            if !taken {
                return self.last_id;
            }
        }
    }

    /// Takes in the whole packets that were read.
    async fn take_in<S: AsyncRead + AsyncWrite + Unpin>(&mut self, pipe: &mut Pipe<S>) -> Result<(), End> {
        loop {
            let packet = match Packet::read(&mut pipe.input, MAX_PACKET_BYTES) {
                Ok(packet) => packet,
                Err(mqttbytes::Error::InsufficientBytes(_)) => break,
                Err(error) => return Err(error.into()),
            };
            if let Some(event) = self.heard(packet, &mut pipe.output)? {
                self.events.send(event).await.map_err(|_| End::Unheard)?;
            }
        }
        pipe.settle();
        Ok(())
    }

    fn heard(&mut self, packet: Packet, output: &mut BytesMut) -> Result<Option<SessionEvent>, End> {
        match packet {
            Packet::ConnAck(answer) if !self.standing => {
                if answer.code != ConnectReturnCode::Success {
                    return Err(End::Refused(answer.code));
                }
                self.standing = true;
                let filters = std::mem::take(&mut self.filters);
                self.say(Request::Subscribe(filters), output)?;
                Ok(None)
            }
            packet if !self.standing => Err(unexpected(&packet)),
            Packet::SubAck(answer) => {
                let filters = self.subscribing.remove(&answer.pkid).unwrap_or_default();
                let mut granted = filters.into_iter().zip(answer.return_codes);
                match granted.find(|(_, code)| *code == SubscribeReasonCode::Failure) {
                    Some((filter, _)) => Err(End::Filter { filter }),
                    None => Ok(Some(SessionEvent::Subscribed)),
                }
            }
            Packet::Publish(publish) => {
                match publish.qos {
                    QoS::AtMostOnce => {}
                    QoS::AtLeastOnce => put(output, Packet::PubAck(PubAck::new(publish.pkid)))?,
                    // Nobody subscribed with that.
                    QoS::ExactlyOnce => return Err(unexpected(&Packet::Publish(publish))),
                }
                Ok(Some(SessionEvent::Publish(publish)))
            }
            Packet::PubAck(answer) => {
                if self.under_way.remove(&answer.pkid) {
                    self.ahead.confirmed(answer.pkid);
                }
                Ok(None)
            }
            Packet::PingResp => {
                self.pinged = false;
                Ok(None)
            }
            Packet::UnsubAck(_) => Ok(None),
            packet => Err(unexpected(&packet)),
        }
    }
}

fn put(output: &mut BytesMut, packet: Packet) -> Result<(), End> {
    packet.write(output, MAX_PACKET_BYTES)?;
    Ok(())
}

fn unexpected(packet: &Packet) -> End {
    End::Unexpected { packet: format!("{packet:?}").chars().take(80).collect() }
}

#[cfg(test)]
mod tests;
