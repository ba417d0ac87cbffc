//! A client that is nothing but a socket, and packets put together by hand.

use broker::embedded::{EmbeddedBroker, Options};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Against hanging only; nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(60);

pub const PING: &[u8] = &[0xc0, 0];
pub const PONG: &[u8] = &[0xd0, 0];
pub const DISCONNECT: &[u8] = &[0xe0, 0];
pub const ACCEPTED: &[u8] = &[0x20, 2, 0, 0];

pub fn start() -> SocketAddr {
    EmbeddedBroker::start(([127, 0, 0, 1], 0).into()).unwrap().address()
}

/// A broker with other bounds than usual.
pub fn start_with(change: impl Fn(&mut Options)) -> SocketAddr {
    let mut options = Options::default();
    change(&mut options);
    EmbeddedBroker::start_with(([127, 0, 0, 1], 0).into(), options).unwrap().address()
}

/// A packet: its first byte, its length, its body.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        let more = u8::from(length > 127) << 7;
        bytes.push((length % 128) as u8 | more);
        length /= 128;
        if length == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

/// A text with its length before it.
pub fn text(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u16).to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// A CONNECT with these flags and a minute of promised silence; `fields` behind it.
pub fn connect_with(flags: u8, fields: &[&str]) -> Vec<u8> {
    let mut body = [&text("MQTT")[..], &[4, flags, 0, 60]].concat();
    fields.iter().for_each(|field| body.extend(text(field)));
    packet(0x10, &body)
}

/// A CONNECT with a clean session.
pub fn connect(client_id: &str) -> Vec<u8> {
    connect_with(2, &[client_id])
}

/// A SUBSCRIBE with packet id 1.
pub fn subscribe(filter: &str, qos: u8) -> Vec<u8> {
    packet(0x82, &[&[0, 1][..], &text(filter), &[qos]].concat())
}

/// An UNSUBSCRIBE with packet id 2.
pub fn unsubscribe(filter: &str) -> Vec<u8> {
    packet(0xa2, &[&[0, 2][..], &text(filter)].concat())
}

/// A PUBLISH with QoS 0.
pub fn publish(topic: &str, payload: &str) -> Vec<u8> {
    packet(0x30, &[&text(topic)[..], payload.as_bytes()].concat())
}

/// A PUBLISH with QoS 0, to be kept.
pub fn retain(topic: &str, payload: &str) -> Vec<u8> {
    packet(0x31, &[&text(topic)[..], payload.as_bytes()].concat())
}

/// A PUBLISH with QoS 1 and this packet id.
pub fn publish_surely(topic: &str, id: u16, payload: &str) -> Vec<u8> {
    packet(0x32, &[&text(topic)[..], &id.to_be_bytes(), payload.as_bytes()].concat())
}

pub fn puback(id: u16) -> Vec<u8> {
    packet(0x40, &id.to_be_bytes())
}

pub struct Raw(pub TcpStream);

impl Raw {
    pub fn open(address: SocketAddr) -> Raw {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Raw(stream)
    }

    /// A client that has been let in.
    pub fn connected(address: SocketAddr, client_id: &str) -> Raw {
        let mut raw = Raw::open(address);
        raw.say(&connect(client_id));
        raw.hears(ACCEPTED);
        raw
    }

    /// A client that has subscribed.
    pub fn subscribed(address: SocketAddr, client_id: &str, filter: &str, qos: u8) -> Raw {
        let mut raw = Raw::connected(address, client_id);
        raw.say(&subscribe(filter, qos));
        raw.hears(&[0x90, 3, 0, 1, qos]);
        raw
    }

    pub fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Says what the other side may no longer want to hear.
    pub fn say_into_the_void(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    pub fn hears(&mut self, expected: &[u8]) {
        let mut bytes = vec![0; expected.len()];
        if let Err(e) = self.0.read_exact(&mut bytes) {
            panic!("{e} instead of {expected:02x?}");
        }
        assert_eq!(bytes, expected, "heard {bytes:02x?}, expected {expected:02x?}");
    }

    /// One packet, whatever it is.
    pub fn hears_packet(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 2];
        self.0.read_exact(&mut bytes).unwrap();
        while bytes.last().unwrap() & 0x80 != 0 {
            bytes.push(0);
            let last = bytes.len() - 1;
            self.0.read_exact(&mut bytes[last..]).unwrap();
        }
        let length = bytes[1..].iter().rev().fold(0, |length, byte| length << 7 | usize::from(byte & 0x7f));
        let header = bytes.len();
        bytes.resize(header + length, 0);
        self.0.read_exact(&mut bytes[header..]).unwrap();
        bytes
    }

    /// It is closed, and nothing came before that but `expected`.
    pub fn ends_with(mut self, expected: &[u8]) {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::ConnectionReset => {}
            Err(e) => panic!("{e} instead of an end"),
        }
        assert_eq!(bytes, expected, "heard {bytes:02x?}, expected {expected:02x?} and an end");
    }

    /// It lives: what it says is answered next.
    pub fn lives(&mut self) {
        self.say(PING);
        self.hears(PONG);
    }
}
