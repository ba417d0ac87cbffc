//! One client's session: what it subscribed to, what it is owed, and what each of its packets brings about.
//! Pure: it is told what comes from the client and from the router, and says what goes to both.
//!
//! The router sees every subscription and message at QoS 0. Acknowledgements are between gate and client:
//! what a client publishes is acknowledged once it is on the router's queue, and what the router has for a
//! client is taken from it only as far as the client keeps up.

use super::packet::{Delivery, Message, Packet, Qos, Reply, Wish};
use super::retained::Recall;
use super::rights::Access;
use super::shared::Shared;
use super::topic::is_accepted;
use super::window::Window;
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use thiserror::Error;

/// What a packet brings about, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// To the client.
    Reply(Reply),
    /// To the router: a message for whoever subscribed to it.
    Publish(Message),
    /// To the router: what matches this filter comes from now on, marked with the number.
    Subscribe(String, usize),
    /// To the router: no longer.
    Unsubscribe(String),
    /// To be counted: a filter the client has no right to.
    Denied,
    /// The connection is over.
    End(Goodbye),
}

/// Why a client's own packets end its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Goodbye {
    /// It said DISCONNECT: its will is void.
    #[error("the client said goodbye")]
    Said,
    /// It introduced itself twice.
    #[error("a second CONNECT")]
    SecondConnect,
    /// It published where it has no right to.
    #[error("it published where it has no right to")]
    NotAllowed,
    /// Its topic would be one more than the router may have to remember.
    #[error("there are as many topics as may be")]
    TooManyTopics,
}

/// One client's session. It may outlive a connection.
#[derive(Debug, Default)]
pub struct Session {
    /// By filter, the number the router marks its messages with.
    subscriptions: HashMap<String, usize>,
    /// By that number, what was granted.
    granted: HashMap<usize, Qos>,
    last_number: usize,
    recalls: VecDeque<Recall>,
    window: Window,
    owed: Owed,
}

/// What came for a client that is away, to be acknowledged by it.
#[derive(Debug, Default)]
struct Owed {
    messages: VecDeque<(usize, Bytes, Bytes)>,
    bytes: usize,
}

impl Session {
    /// What a packet of the client brings about.
    pub fn receive(
        &mut self,
        packet: Packet,
        access: &Access,
        shared: &mut Shared,
        effects: &mut Vec<Effect>,
    ) {
        match packet {
            Packet::Publish(message, _) if !access.may_publish(&message.topic) => {
                effects.push(Effect::End(Goodbye::NotAllowed));
            }
            Packet::Publish(message, id) => publish(message, id, shared, effects),
            Packet::PubAck(id) => self.window.acknowledged(id),
            Packet::Subscribe(id, wishes) => {
                let mut grant = |wish: Wish| match access.may_subscribe(&wish.filter) {
                    true => self.subscribe(wish, shared, effects),
                    false => {
                        effects.push(Effect::Denied);
                        None
                    }
                };
                let granted = wishes.into_iter().map(&mut grant).collect();
                effects.push(Effect::Reply(Reply::SubAck(id, granted)));
            }
            Packet::Unsubscribe(id, filters) => {
                for filter in filters {
                    self.unsubscribe(filter, effects);
                }
                effects.push(Effect::Reply(Reply::UnsubAck(id)));
            }
            Packet::Ping => effects.push(Effect::Reply(Reply::Pong)),
            Packet::Disconnect => effects.push(Effect::End(Goodbye::Said)),
            Packet::Connect(_) => effects.push(Effect::End(Goodbye::SecondConnect)),
        }
    }

    fn subscribe(&mut self, wish: Wish, shared: &mut Shared, effects: &mut Vec<Effect>) -> Option<Qos> {
        let qos = match wish.qos {
            0 => Qos::AtMostOnce,
            1 => Qos::AtLeastOnce,
            _ => return None,
        };
        let filter = wish.filter;
        let room = || self.subscriptions.len() < shared.limits.subscriptions;
        let number = match self.subscriptions.get(&filter) {
            Some(number) => *number,
            None if is_accepted(&filter) && room() && shared.filters.admit(&filter) => {
                self.last_number += 1;
                self.subscriptions.insert(filter.clone(), self.last_number);
                effects.push(Effect::Subscribe(filter.clone(), self.last_number));
                self.last_number
            }
            None => return None,
        };
        self.granted.insert(number, qos);
        self.recalls.retain(|recall| !recall.is_for(&filter));
        self.recalls.push_back(shared.retained.recall(filter, qos));
        Some(qos)
    }

    fn unsubscribe(&mut self, filter: String, effects: &mut Vec<Effect>) {
        if let Some(number) = self.subscriptions.remove(&filter) {
            self.granted.remove(&number);
            self.recalls.retain(|recall| !recall.is_for(&filter));
            effects.push(Effect::Unsubscribe(filter));
        }
    }

    /// Whether the client may be sent one more.
    pub fn has_room(&self, shared_limit: usize) -> bool {
        self.window.len() < shared_limit
    }

    /// The next message that an earlier connection was sent and did not acknowledge.
    pub fn again(&mut self) -> Option<Delivery> {
        self.window.again()
    }

    /// Whether there may be messages that were kept before the client subscribed.
    pub fn recalls(&self) -> bool {
        !self.recalls.is_empty()
    }

    /// The next message that was kept before the client subscribed.
    pub fn recall(&mut self, shared: &Shared) -> Option<Delivery> {
        while let Some(recall) = self.recalls.front_mut() {
            if let Some((topic, payload, qos)) = shared.retained.next(recall) {
                let topic = Bytes::copy_from_slice(topic.as_bytes());
                return Some(self.send(topic, payload, qos, true));
            }
            self.recalls.pop_front();
        }
        None
    }

    /// A message the router has for the client, marked with a subscription's number; none where that has
    /// ended since.
    pub fn deliver(&mut self, number: usize, topic: Bytes, payload: Bytes, qos: Qos) -> Option<Delivery> {
        let granted = *self.granted.get(&number)?;
        Some(self.send(topic, payload, qos.min(granted), false))
    }

    /// Sets aside a message for a client that is away; one that is not to be acknowledged is not for it.
    pub fn owe(&mut self, number: usize, topic: Bytes, payload: Bytes, qos: Qos) {
        if self.granted.get(&number).is_some_and(|granted| qos.min(*granted) == Qos::AtLeastOnce) {
            self.owed.bytes += topic.len() + payload.len();
            self.owed.messages.push_back((number, topic, payload));
        }
    }

    /// How many bytes are set aside or unacknowledged.
    pub fn waiting_bytes(&self) -> usize {
        self.owed.bytes + self.window.bytes()
    }

    /// The next message that came while the client was away.
    pub fn owed(&mut self) -> Option<Delivery> {
        let (number, topic, payload) = self.owed.messages.pop_front()?;
        self.owed.bytes -= topic.len() + payload.len();
        self.deliver(number, topic, payload, Qos::AtLeastOnce)
    }

    fn send(&mut self, topic: Bytes, payload: Bytes, qos: Qos, retain: bool) -> Delivery {
        match qos {
            Qos::AtMostOnce => Delivery { topic, payload, retain, id: None, again: false },
            Qos::AtLeastOnce => self.window.send(topic, payload, retain),
        }
    }

    /// The client is back: what it did not acknowledge is sent again.
    pub fn resume(&mut self) {
        self.window.resume();
    }
}

fn publish(message: Message, id: Option<u16>, shared: &mut Shared, effects: &mut Vec<Effect>) {
    if !admit(&message, shared) {
        return effects.push(Effect::End(Goodbye::TooManyTopics));
    }
    effects.push(Effect::Publish(message));
    if let Some(id) = id {
        effects.push(Effect::Reply(Reply::PubAck(id)));
    }
}

/// Whether the router may be given a message; if so it is kept, where it is to be.
pub fn admit(message: &Message, shared: &mut Shared) -> bool {
    let admitted = shared.topics.admit(&message.topic);
    if admitted && message.retain {
        shared.retained.keep(message);
    }
    admitted
}
