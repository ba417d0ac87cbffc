//! rumqttd's router, which listens to nobody: only links of this process reach it, and they say nothing to it
//! but well-formed PUBLISH, SUBSCRIBE, UNSUBSCRIBE and, at the end, DISCONNECT, all with QoS 0.
//!
//! Read in rumqttd 0.20.0, and kept to here:
//! - the router panics on a `Ready` for a connection that is gone, so nothing is said after DISCONNECT, and
//!   nothing it would itself end a connection for;
//! - it keeps a line about every client id ever seen, so ids are numbers, used again once their DISCONNECT
//!   stands in the router's queue;
//! - a message on its way carries properties of MQTT 5 that no client sets: they say which subscription it
//!   comes by, and how surely its publisher wants it delivered;
//! - after a disconnection it may wait for the next event though others' messages are ready: [`Inner::nudge`].

use super::packet::{Message, Qos};
use super::topic::{inside_bytes, inside_filter, inside_name, EVERYTHING_INSIDE, MANY_INSIDE};
use bytes::Bytes;
use rumqttd::local::{LinkRx, LinkTx};
use rumqttd::protocol::{
    Disconnect, DisconnectReasonCode, Filter, Packet, Publish, PublishProperties, QoS, RetainForwardRule,
    Subscribe, SubscribeProperties, Unsubscribe,
};
use rumqttd::{Broker, Config, Forward, Notification, RouterConfig, SegmentConfig};
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use thiserror::Error;

/// Segments kept for each filter.
const SEGMENTS: usize = 4;
/// Least bytes of a segment for filters that many write to at once: four of them hold what a thousand sites bid and answer.
const MANY_SEGMENT_BYTES: usize = 1 << 20;
/// Messages the router gives one client in a row.
const MESSAGES_IN_A_ROW: u64 = 200;

/// The router cannot be reached: its thread has ended, or it has as many links as may be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the inner broker does not answer: {reason}")]
pub struct InnerError {
    reason: String,
}

impl InnerError {
    fn new(reason: impl ToString) -> Self {
        Self { reason: reason.to_string() }
    }
}

/// The router.
pub struct Inner {
    broker: Broker,
    names: Mutex<Names>,
}

#[derive(Default)]
struct Names {
    free: Vec<u64>,
    next: u64,
    /// Links closed since the router was last nudged.
    closed: usize,
}

/// Something for the router.
pub enum Word {
    /// A message.
    Publish(Message),
    /// What matches this filter is to come, marked with the number.
    Subscribe(String, usize),
    /// It is to come no longer.
    Unsubscribe(String),
}

/// A message of the router for one client.
pub struct Arrival {
    /// Number of the subscription it comes by.
    pub number: usize,
    /// Topic name.
    pub topic: Bytes,
    /// Content.
    pub payload: Bytes,
    /// How surely its publisher wants it delivered.
    pub qos: Qos,
}

impl Inner {
    /// Starts the router's thread, for at most so many links, with segments of so many bytes.
    pub fn start(links: usize, segment_bytes: usize) -> Arc<Inner> {
        let many = SegmentConfig {
            max_segment_size: segment_bytes.max(MANY_SEGMENT_BYTES),
            max_segment_count: SEGMENTS,
        };
        let router = RouterConfig {
            custom_segment: Some([(MANY_INSIDE.to_owned(), many)].into()),
            max_connections: links,
            max_outgoing_packet_count: MESSAGES_IN_A_ROW,
            max_segment_size: segment_bytes,
            max_segment_count: SEGMENTS,
            // The router remembers which filters a topic matches only where it matches one, and looks through
            // all of them for every message otherwise.
            initialized_filters: Some(vec![EVERYTHING_INSIDE.to_owned()]),
            ..RouterConfig::default()
        };
        // No listener, console, bridge, cluster or metrics.
        let broker = Broker::new(Config { router, ..Config::default() });
        Arc::new(Inner { broker, names: Mutex::default() })
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A link of its own for one client. It blocks until the router has answered.
    ///
    /// # Errors
    /// As [`InnerError`] says.
    pub fn link(self: &Arc<Inner>) -> Result<Link, InnerError> {
        let name = {
            let mut names = self.names();
            names.free.pop().unwrap_or_else(|| {
                names.next += 1;
                names.next
            })
        };
        let (tx, rx) = self.broker.link(&name.to_string()).map_err(InnerError::new)?;
        Ok(Link { tx, rx, name, inner: self.clone(), first: None, paused: false })
    }

    /// Makes the router look again, where a link was closed since the last time. Whether it did.
    pub fn nudge(&self, by: &mut Link) -> bool {
        let closed = std::mem::take(&mut self.names().closed) > 0;
        if closed {
            let nothing = Unsubscribe { pkid: 0, filters: Vec::new() };
            let _ = by.hand(Vec::new(), Packet::Unsubscribe(nothing, None));
        }
        closed
    }
}

/// One client's link to the router. Dropping it ends the router's connection.
pub struct Link {
    tx: LinkTx,
    rx: LinkRx,
    name: u64,
    inner: Arc<Inner>,
    /// What [`Link::wait`] came upon.
    first: Option<Notification>,
    /// The router gives no more until it is told that what it gave was taken.
    paused: bool,
}

impl Link {
    /// Hands the router all of these in order, and wakes it once.
    ///
    /// # Errors
    /// Where the router is gone.
    pub fn say(&mut self, words: &mut Vec<Word>) -> Result<(), InnerError> {
        let Some(last) = words.pop() else { return Ok(()) };
        let before = words.drain(..).map(packet).collect();
        self.hand(before, packet(last))
    }

    fn hand(&mut self, before: Vec<Packet>, last: Packet) -> Result<(), InnerError> {
        {
            let mut buffer = self.tx.buffer();
            // A ring that is empty begins anew at its front: else every client's whole ring, some hundred packets
            // long, comes to be written to and stays resident, message by message.
            if buffer.is_empty() {
                buffer.clear();
            }
            buffer.extend(before);
        }
        match at_once(self.tx.send(last)) {
            Some(sent) => sent.map(|_| ()).map_err(InnerError::new),
            None => Err(InnerError::new("its queue took nothing")),
        }
    }

    /// How much the router has not taken yet.
    pub fn untaken(&self) -> usize {
        self.tx.buffer().len()
    }

    /// Waits until the router has something.
    ///
    /// # Errors
    /// Where the router has ended the connection.
    pub async fn wait(&mut self) -> Result<(), InnerError> {
        if self.first.is_none() {
            self.first = self.rx.next().await.map_err(InnerError::new)?;
        }
        Ok(())
    }

    /// The next message that is there already.
    ///
    /// # Errors
    /// Where the router has ended the connection.
    pub fn next(&mut self) -> Result<Option<Arrival>, InnerError> {
        loop {
            let notification = match self.first.take() {
                Some(first) => Some(first),
                None => at_once(self.rx.next()).transpose().map_err(InnerError::new)?.flatten(),
            };
            match notification {
                Some(Notification::Forward(forward)) => {
                    if let Some(arrival) = arrival(forward) {
                        return Ok(Some(arrival));
                    }
                }
                Some(Notification::Unschedule) => self.paused = true,
                Some(Notification::Disconnect(..)) => return Err(InnerError::new("it said DISCONNECT")),
                // Acknowledgements, which the gate has given already.
                Some(_) => {}
                None => {
                    if std::mem::take(&mut self.paused) {
                        self.rx.ready().map_err(InnerError::new)?;
                    }
                    return Ok(None);
                }
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let goodbye = Disconnect { reason_code: DisconnectReasonCode::NormalDisconnection };
        let gone = self.hand(Vec::new(), Packet::Disconnect(goodbye, None));
        let mut names = self.inner.names();
        names.closed += 1;
        // The next of this name comes behind the goodbye in the router's queue.
        if gone.is_ok() {
            names.free.push(self.name);
        }
    }
}

fn packet(word: Word) -> Packet {
    match word {
        Word::Publish(message) => {
            let surely = message.qos == Qos::AtLeastOnce;
            let properties = surely.then(|| PublishProperties {
                payload_format_indicator: Some(1),
                ..PublishProperties::default()
            });
            let topic = Bytes::from(inside_name(&message.topic));
            Packet::Publish(Publish::new(topic, message.payload, false), properties)
        }
        Word::Subscribe(filter, number) => {
            let filter = Filter {
                path: inside_filter(&filter),
                qos: QoS::AtMostOnce,
                nolocal: false,
                preserve_retain: false,
                retain_forward_rule: RetainForwardRule::Never,
            };
            let properties = SubscribeProperties { id: Some(number), user_properties: Vec::new() };
            Packet::Subscribe(Subscribe { pkid: 0, filters: vec![filter] }, Some(properties))
        }
        Word::Unsubscribe(filter) => {
            Packet::Unsubscribe(Unsubscribe { pkid: 0, filters: vec![inside_filter(&filter)] }, None)
        }
    }
}

fn arrival(forward: Forward) -> Option<Arrival> {
    let properties = forward.properties?;
    let number = *properties.subscription_identifiers.last()?;
    let surely = properties.payload_format_indicator.is_some();
    let qos = if surely { Qos::AtLeastOnce } else { Qos::AtMostOnce };
    let topic = forward.publish.topic.slice(inside_bytes(&forward.publish.topic)..);
    Some(Arrival { number, topic, payload: forward.publish.payload, qos })
}

/// What a future has at once, if anything.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
