//! Bytes of a client to packets, by an existing codec (rumqttc's), and all that the codec lets pass and MQTT
//! 3.1.1 does not. Nothing here grows with what a client only announces: a length is judged before a byte of
//! it is kept. Pure.

use super::packet::{Connect, Message, Packet, Qos, Wish};
use super::topic::{is_filter, is_name};
use bytes::{Buf, BytesMut};
use rumqttc::mqttbytes::v4::{self, LastWill};
use rumqttc::mqttbytes::{self as codec, QoS};
use thiserror::Error;

/// Bytes of a packet's type and length at most.
const LONGEST_HEADER: usize = 5;

/// Why a connection's bytes are not those of an MQTT 3.1.1 client as it is spoken here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// A packet longer than may be.
    #[error("a packet of {bytes} bytes, and {most} is the most")]
    TooLong {
        /// Its remaining length.
        bytes: usize,
        /// What is allowed.
        most: usize,
    },
    /// A version of the protocol that is not spoken.
    #[error("protocol level {level}")]
    Version {
        /// The level.
        level: u8,
    },
    /// A packet of a kind no client sends, or with flags it may not have.
    #[error("a packet that begins with {first:#04x}")]
    Kind {
        /// Its first byte.
        first: u8,
    },
    /// Exactly-once delivery, which there is not.
    #[error("QoS 2, which is not supported")]
    ExactlyOnce,
    /// A packet that is not built as it should be.
    #[error("malformed: {what}")]
    Malformed {
        /// What is wrong.
        what: String,
    },
    /// A topic name that is none or is not accepted, or a filter that is none.
    #[error("the topic name or filter {topic:?}")]
    Topic {
        /// It, cut to 80 characters.
        topic: String,
    },
}

impl Fault {
    /// For logs and metrics: one word of few.
    pub fn word(&self) -> &'static str {
        match self {
            Fault::TooLong { .. } => "too-long",
            Fault::Version { .. } => "version",
            Fault::Kind { .. } => "unexpected-packet",
            Fault::ExactlyOnce => "qos-2",
            Fault::Malformed { .. } => "malformed",
            Fault::Topic { .. } => "topic",
        }
    }
}

fn malformed(what: impl ToString) -> Fault {
    Fault::Malformed { what: what.to_string() }
}

/// The next packet of `stream`, taken out of it; none where it has not all come yet.
///
/// # Errors
/// A [`Fault`] as soon as it shows. What then is in `stream` means nothing any more.
pub fn next(stream: &mut BytesMut, most: usize) -> Result<Option<Packet>, Fault> {
    let Some((header, length)) = header(stream, most)? else { return Ok(None) };
    if stream.len() < header + length {
        return Ok(None);
    }
    // Decoded from a copy of just its bytes: a message kept somewhere then keeps no more memory than its own.
    let mut frame = BytesMut::from(&stream[..header + length]);
    stream.advance(header + length);
    let body = &frame[header..];
    match frame[0] >> 4 {
        1 => check_connect(body)?,
        8 => check_wishes(body)?,
        4 if length != 2 => return Err(malformed("a PUBACK is of two bytes")),
        12 | 14 if length != 0 => return Err(malformed("a packet that has a body and should not")),
        _ => {}
    }
    let packet = v4::Packet::read(&mut frame, most).map_err(malformed)?;
    accept(packet).map(Some)
}

/// Lengths of header and body, where the header is there; judged as far as it is.
fn header(stream: &[u8], most: usize) -> Result<Option<(usize, usize)>, Fault> {
    let Some(first) = stream.first() else { return Ok(None) };
    check_first(*first)?;
    let mut length = 0;
    for (place, byte) in stream.iter().enumerate().take(LONGEST_HEADER).skip(1) {
        length |= usize::from(byte & 0x7f) << (7 * (place - 1));
        if length > most {
            return Err(Fault::TooLong { bytes: length, most });
        }
        if byte & 0x80 == 0 {
            return Ok(Some((place + 1, length)));
        }
    }
    if stream.len() >= LONGEST_HEADER {
        return Err(malformed("a length of more than four bytes"));
    }
    Ok(None)
}

/// Kinds that clients send, each with the flags it must have.
fn check_first(first: u8) -> Result<(), Fault> {
    match (first >> 4, first & 0x0f) {
        (3, flags) if flags & 0x06 == 0x04 => Err(Fault::ExactlyOnce),
        (3, flags) if flags & 0x06 == 0x06 => Err(malformed("QoS 3")),
        (3, flags) if flags & 0x06 == 0 && flags & 0x08 != 0 => Err(malformed("a repetition with QoS 0")),
        (1 | 4 | 12 | 14, 0) | (8 | 10, 2) | (3, _) => Ok(()),
        (5 | 7, 0) | (6, 2) => Err(Fault::ExactlyOnce),
        _ => Err(Fault::Kind { first }),
    }
}

/// One field with its length before it, taken off the front.
fn field<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Fault> {
    let (length, rest) = bytes.split_at_checked(2).ok_or_else(|| malformed("a field without length"))?;
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    let (field, rest) = rest.split_at_checked(length).ok_or_else(|| malformed("a field cut off"))?;
    *bytes = rest;
    Ok(field)
}

/// What the codec does not look at in a CONNECT: flags that must not be, and what stands behind its end.
fn check_connect(mut body: &[u8]) -> Result<(), Fault> {
    if field(&mut body)? != b"MQTT" {
        return Err(malformed("not MQTT"));
    }
    let (level, flags) = match *body {
        [level, ..] if level != 4 => return Err(Fault::Version { level }),
        [level, flags, _, _, ..] => (level, flags),
        _ => return Err(malformed("a CONNECT cut off")),
    };
    debug_assert_eq!(level, 4);
    body = &body[4..];
    let (login, password, will) = (flags & 0x80 != 0, flags & 0x40 != 0, flags & 0x04 != 0);
    if flags & 0x01 != 0 {
        return Err(malformed("a reserved flag of CONNECT"));
    }
    if password && !login {
        return Err(malformed("a password without user name"));
    }
    if will && flags & 0x18 == 0x10 {
        return Err(Fault::ExactlyOnce);
    }
    let fields = 1 + 2 * usize::from(will) + usize::from(login) + usize::from(password);
    for _ in 0..fields {
        field(&mut body)?;
    }
    if body.is_empty() {
        Ok(())
    } else {
        Err(malformed("bytes behind a CONNECT"))
    }
}

/// What the codec does not look at in a SUBSCRIBE: the reserved bits beside each QoS.
fn check_wishes(body: &[u8]) -> Result<(), Fault> {
    let mut wishes = body.get(2..).unwrap_or_default();
    while !wishes.is_empty() {
        field(&mut wishes)?;
        let (qos, rest) = wishes.split_first().ok_or_else(|| malformed("a filter without QoS"))?;
        if *qos > 2 {
            return Err(malformed("reserved bits, or QoS 3, behind a filter"));
        }
        wishes = rest;
    }
    Ok(())
}

fn accept(packet: v4::Packet) -> Result<Packet, Fault> {
    match packet {
        v4::Packet::Connect(connect) => {
            let login = connect.login.map(|login| (login.username, login.password));
            let texts = [Some(&connect.client_id), login.as_ref().map(|login| &login.0)];
            if texts.into_iter().flatten().any(|text| text.contains('\0')) {
                return Err(malformed("a text with a NUL"));
            }
            Ok(Packet::Connect(Connect {
                client_id: connect.client_id,
                clean: connect.clean_session,
                keep_alive_s: connect.keep_alive,
                will: connect.last_will.map(will).transpose()?,
                login,
            }))
        }
        v4::Packet::Publish(publish) => {
            let (qos, id) = match publish.qos {
                QoS::AtMostOnce => (Qos::AtMostOnce, None),
                QoS::AtLeastOnce => (Qos::AtLeastOnce, Some(publish.pkid)),
                QoS::ExactlyOnce => return Err(Fault::ExactlyOnce),
            };
            let topic = name(publish.topic)?;
            let message = Message { topic, payload: publish.payload, qos, retain: publish.retain };
            Ok(Packet::Publish(message, id))
        }
        v4::Packet::PubAck(ack) => Ok(Packet::PubAck(packet_id(ack.pkid)?)),
        v4::Packet::Subscribe(subscribe) => {
            let wish = |f: v4::SubscribeFilter| Ok(Wish { filter: filter(f.path)?, qos: f.qos as u8 });
            let wishes = subscribe.filters.into_iter().map(wish).collect::<Result<_, Fault>>()?;
            Ok(Packet::Subscribe(packet_id(subscribe.pkid)?, wishes))
        }
        v4::Packet::Unsubscribe(unsubscribe) if unsubscribe.topics.is_empty() => {
            Err(malformed("an UNSUBSCRIBE without filters"))
        }
        v4::Packet::Unsubscribe(unsubscribe) => {
            let filters = unsubscribe.topics.into_iter().map(filter).collect::<Result<_, Fault>>()?;
            Ok(Packet::Unsubscribe(packet_id(unsubscribe.pkid)?, filters))
        }
        v4::Packet::PingReq => Ok(Packet::Ping),
        v4::Packet::Disconnect => Ok(Packet::Disconnect),
        other => Err(malformed(format_args!("{other:?} from a client"))),
    }
}

fn will(will: LastWill) -> Result<Message, Fault> {
    let qos = match will.qos {
        QoS::AtMostOnce => Qos::AtMostOnce,
        QoS::AtLeastOnce => Qos::AtLeastOnce,
        QoS::ExactlyOnce => return Err(Fault::ExactlyOnce),
    };
    Ok(Message { topic: name(will.topic)?, payload: will.message, qos, retain: will.retain })
}

fn name(topic: String) -> Result<String, Fault> {
    if is_name(&topic) {
        Ok(topic)
    } else {
        Err(wrong_topic(&topic))
    }
}

fn filter(filter: String) -> Result<String, Fault> {
    if is_filter(&filter) {
        Ok(filter)
    } else {
        Err(wrong_topic(&filter))
    }
}

fn wrong_topic(topic: &str) -> Fault {
    Fault::Topic { topic: topic.chars().take(80).collect() }
}

fn packet_id(id: u16) -> Result<u16, Fault> {
    if id == 0 {
        Err(malformed(codec::Error::PacketIdZero))
    } else {
        Ok(id)
    }
}

#[cfg(test)]
mod tests;
