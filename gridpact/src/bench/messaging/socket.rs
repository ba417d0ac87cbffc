//! A client that is a bare socket and speaks just enough of MQTT 3.1.1 to load a broker.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Longest wait for a packet.
pub(super) const WAIT: Duration = Duration::from_secs(30);
/// Bytes of a message: a vote or a small bid.
pub(super) const BYTES: usize = 400;
/// Messages of a pair under way at a time: neither broker loses any then.
const UNDER_WAY: usize = 64;

/// A client that is a socket. Its errors name it, and what it was about.
pub(super) struct Socket {
    stream: TcpStream,
    id: String,
}

impl Socket {
    /// Connects and says CONNECT; returns when it is let in.
    pub(super) fn connect(broker: SocketAddr, id: &str) -> io::Result<Socket> {
        let mut socket = Socket::hail(broker, id)?;
        socket.welcome()?;
        Ok(socket)
    }

    /// Connects and says CONNECT.
    pub(super) fn hail(broker: SocketAddr, id: &str) -> io::Result<Socket> {
        let stream = TcpStream::connect(broker).map_err(|error| told(id, "connecting", error))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(WAIT))?;
        let mut socket = Socket { stream, id: id.to_owned() };
        let connect = framed(0x10, &[&text("MQTT")[..], &[4, 2, 0, 60], &text(id)].concat());
        socket.write(&connect, "saying CONNECT")?;
        Ok(socket)
    }

    /// Waits to be let in.
    pub(super) fn welcome(&mut self) -> io::Result<()> {
        let answer = self.packet("waiting for CONNACK")?;
        match (answer.first(), answer.get(2)) {
            (Some(0x20), Some(0)) => Ok(()),
            _ => {
                Err(told(&self.id, "connecting", io::Error::other(format!("it was answered {answer:02x?}"))))
            }
        }
    }

    /// Subscribes with QoS 1.
    pub(super) fn subscribe(&mut self, filter: &str) -> io::Result<()> {
        self.write(&framed(0x82, &[&[0, 1][..], &text(filter), &[1]].concat()), "saying SUBSCRIBE")?;
        self.packet("waiting for SUBACK").map(|_| ())
    }

    /// Publishes with QoS 1.
    pub(super) fn publish(&mut self, topic: &str, number: usize) -> io::Result<()> {
        let id = (number % 60_000 + 1) as u16;
        let packet = framed(0x32, &[&text(topic)[..], &id.to_be_bytes(), &[7; BYTES]].concat());
        self.write(&packet, "publishing")
    }

    /// The next message, acknowledged; what else comes is passed over.
    pub(super) fn message(&mut self) -> io::Result<()> {
        loop {
            let packet = self.packet("waiting for a message")?;
            if packet[0] & 0xf0 == 0x30 {
                let topic = usize::from(u16::from_be_bytes([packet[1], packet[2]]));
                if packet[0] & 0x06 != 0 {
                    let id = [packet[3 + topic], packet[4 + topic]];
                    self.write(&[0x40, 2, id[0], id[1]], "acknowledging")?;
                }
                return Ok(());
            }
        }
    }

    /// Publishes so many, with a bounded number under way; `taken` counts those that somebody took.
    pub(super) fn publish_all(&mut self, topic: &str, count: usize, taken: &AtomicUsize) -> io::Result<()> {
        const ANSWER: &str = "waiting for PUBACK";
        let mut acknowledged = 0;
        for number in 0..count {
            while number - acknowledged >= UNDER_WAY {
                self.packet(ANSWER)?;
                acknowledged += 1;
            }
            let since = Instant::now();
            while number - taken.load(Ordering::Relaxed).min(number) >= UNDER_WAY {
                if since.elapsed() > WAIT {
                    let late = io::Error::from(io::ErrorKind::TimedOut);
                    return Err(told(&self.id, "waiting for its messages to be taken", late));
                }
                std::thread::yield_now();
            }
            self.publish(topic, number)?;
        }
        (acknowledged..count).try_for_each(|_| self.packet(ANSWER).map(|_| ()))
    }

    /// Takes so many messages, and counts them.
    pub(super) fn take_all(&mut self, count: usize, taken: &AtomicUsize) -> io::Result<()> {
        for _ in 0..count {
            self.message()?;
            taken.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], act: &str) -> io::Result<()> {
        self.stream.write_all(bytes).map_err(|error| told(&self.id, act, error))
    }

    /// First byte of the next packet, and its body.
    fn packet(&mut self, act: &str) -> io::Result<Vec<u8>> {
        read_packet(&mut self.stream).map_err(|error| told(&self.id, act, error))
    }
}

/// Says who met an error, and when. The standard library tells of an end of file by a buffer that was not filled.
fn told(id: &str, act: &str, error: io::Error) -> io::Error {
    let what = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the broker closed the connection".to_owned(),
        io::ErrorKind::WouldBlock => format!("nothing came within {WAIT:?}"),
        _ => error.to_string(),
    };
    io::Error::new(error.kind(), format!("client {id}, {act}: {what}"))
}

fn read_packet(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = [0; 2];
    stream.read_exact(&mut head)?;
    let (mut length, mut shift, mut last) = (usize::from(head[1] & 0x7f), 7, [head[1]]);
    while last[0] & 0x80 != 0 {
        stream.read_exact(&mut last)?;
        length |= usize::from(last[0] & 0x7f) << shift;
        shift += 7;
    }
    let mut packet = vec![head[0]; 1 + length];
    stream.read_exact(&mut packet[1..])?;
    Ok(packet)
}

fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    let (mut bytes, mut length) = (vec![first], body.len());
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

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat()
}
