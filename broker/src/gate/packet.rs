//! What clients may say, once it has been found well-formed, and what the gate answers. Pure data; bytes are
//! in [`super::frame`] and [`super::reply`].

use bytes::Bytes;

/// How surely a message is delivered. There is no exactly-once here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Qos {
    /// Sent and forgotten.
    #[default]
    AtMostOnce,
    /// Acknowledged by who takes it.
    AtLeastOnce,
}

/// A message a client publishes, or leaves as its will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Topic name.
    pub topic: String,
    /// Content.
    pub payload: Bytes,
    /// How surely its publisher wants it delivered.
    pub qos: Qos,
    /// Whether later subscribers get it too.
    pub retain: bool,
}

/// The first packet of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// Client id; may be empty.
    pub client_id: String,
    /// Whether nothing is to be kept of sessions before and after.
    pub clean: bool,
    /// Seconds within which the client promises to say something; 0 for no promise.
    pub keep_alive_s: u16,
    /// Published when the connection ends without a goodbye.
    pub will: Option<Message>,
    /// User name and password.
    pub login: Option<(String, String)>,
}

/// One filter of a SUBSCRIBE packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Topic filter.
    pub filter: String,
    /// Highest QoS asked for, 0 to 2.
    pub qos: u8,
}

/// A well-formed packet of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// CONNECT.
    Connect(Connect),
    /// PUBLISH; with a packet id where it is to be acknowledged.
    Publish(Message, Option<u16>),
    /// PUBACK.
    PubAck(u16),
    /// SUBSCRIBE, with at least one filter.
    Subscribe(u16, Vec<Wish>),
    /// UNSUBSCRIBE, with at least one filter.
    Unsubscribe(u16, Vec<String>),
    /// PINGREQ.
    Ping,
    /// DISCONNECT.
    Disconnect,
}

/// Whether a connection is let in, as CONNACK says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Welcome {
    /// It is; true where a session of before goes on.
    Accepted(bool),
    /// Not MQTT 3.1.1.
    WrongVersion,
    /// No client id, and a session to be kept.
    BadClientId,
    /// As many clients as may be.
    Unavailable,
    /// User name or password unknown.
    BadLogin,
    /// Known, and not allowed.
    NotAllowed,
}

/// What the gate answers a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// CONNACK.
    ConnAck(Welcome),
    /// PUBACK.
    PubAck(u16),
    /// SUBACK; for each filter what is granted, or none.
    SubAck(u16, Vec<Option<Qos>>),
    /// UNSUBACK.
    UnsubAck(u16),
    /// PINGRESP.
    Pong,
}

/// A message on its way to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Topic name.
    pub topic: Bytes,
    /// Content.
    pub payload: Bytes,
    /// Whether it was kept for later subscribers, of whom this is one.
    pub retain: bool,
    /// Packet id, where it is to be acknowledged.
    pub id: Option<u16>,
    /// Whether it was sent before.
    pub again: bool,
}
