//! What the gate costs beside rumqttd's own listener with the same router settings, TLS off in both: messages a second, and the
//! median time of a message. Both run in this process and take turns; clients are bare sockets.

use super::super::figure::{Figure, Target};
use super::MessagingError;
use broker::embedded::{EmbeddedBroker, Options};
use rumqttd::{ConnectionSettings, RouterConfig, ServerSettings};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Pairs of a publisher and a subscriber.
const PAIRS: usize = 4;
/// Messages of a pair under way at a time: neither broker loses any then.
const UNDER_WAY: usize = 64;
/// Bytes of a message: a vote or a small bid.
const BYTES: usize = 400;
/// Turns of each.
const TURNS: usize = 5;
/// Messages there and back in a turn.
const PINGS: usize = 500;
/// Longest wait for a packet.
const WAIT: Duration = Duration::from_secs(30);

/// Throughput as a part of rumqttd's, and what is added to the median.
///
/// # Errors
/// Where a broker does not start or answer.
pub fn measure(messages: usize) -> Result<Vec<Figure>, MessagingError> {
    let embedded = EmbeddedBroker::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let failed = |act| move |source| MessagingError::Socket { act, source };
    let gate = Side::connect(embedded.address()).map_err(failed("connecting to the gate"))?;
    let bare = Side::connect(inner()?).map_err(failed("connecting to rumqttd"))?;
    let mut sides = [(gate, "measuring the gate"), (bare, "measuring rumqttd")];
    let mut rates = [Vec::new(), Vec::new()];
    let mut pings = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for (place, (side, act)) in sides.iter_mut().enumerate() {
            rates[place].push(side.throughput(messages / PAIRS).map_err(failed(act))?);
            pings[place].push(side.there_and_back().map_err(failed(act))?);
        }
    }
    let [gate, inner] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    let [with, without] = pings.map(|mut pings| {
        pings.sort_unstable();
        pings[pings.len() / 2].as_secs_f64() * 1e3 / 2.0
    });
    Ok(vec![
        Figure {
            name: "messages a second through the gate".to_owned(),
            measured: gate / inner,
            unit: "x",
            target: Target::AtLeast(0.7),
            detail: format!(
                "{gate:.0} a second with QoS 1 and {BYTES} bytes, {inner:.0} by rumqttd's own listener"
            ),
        },
        Figure {
            name: "added to a message's median time by the gate".to_owned(),
            measured: with - without,
            unit: "ms",
            target: Target::AtMost(0.2),
            detail: format!("{with:.3} ms one way, {without:.3} ms by rumqttd's own listener, which holds small packets back (Nagle)"),
        },
    ])
}

/// rumqttd with its own listener, and the gate's router settings. It ends with the process.
fn inner() -> Result<SocketAddr, MessagingError> {
    let failed = |source| MessagingError::Socket { act: "starting rumqttd", source };
    // It does not say where it listens: a port that was free a moment ago.
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|it| it.local_addr()).map_err(failed)?;
    let connections = ConnectionSettings {
        connection_timeout_ms: 5_000,
        max_payload_size: 1 << 20,
        max_inflight_count: 100,
        auth: None,
        external_auth: None,
        dynamic_filters: true,
    };
    let server = ServerSettings {
        name: "bare".to_owned(),
        listen: free,
        tls: None,
        next_connection_delay_ms: 0,
        connections,
    };
    let router = RouterConfig {
        max_connections: 100,
        max_outgoing_packet_count: 200,
        max_segment_size: Options::default().segment_bytes,
        max_segment_count: 4,
        ..RouterConfig::default()
    };
    let v4 = Some([("bare".to_owned(), server)].into_iter().collect());
    let mut broker = rumqttd::Broker::new(rumqttd::Config { router, v4, ..rumqttd::Config::default() });
    let run = move || {
        if let Err(error) = broker.start() {
            tracing::error!(%error, "rumqttd stopped");
        }
    };
    std::thread::Builder::new().name("rumqttd".to_owned()).spawn(run).map_err(failed)?;
    let deadline = Instant::now() + WAIT;
    while TcpStream::connect(free).is_err() {
        if Instant::now() >= deadline {
            return Err(MessagingError::Late { what: "rumqttd's listener".to_owned(), limit: WAIT });
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(free)
}

/// Clients of one broker. They stay connected: rumqttd may fall asleep over messages when a client leaves.
struct Side {
    pairs: Vec<(Socket, Socket, String)>,
    one: Socket,
    other: Socket,
}

impl Side {
    fn connect(broker: SocketAddr) -> io::Result<Side> {
        let mut pairs = Vec::new();
        for pair in 0..PAIRS {
            let topic = format!("load/{pair}");
            let mut subscriber = Socket::connect(broker, &format!("sub-{pair}"))?;
            subscriber.subscribe(&topic)?;
            pairs.push((Socket::connect(broker, &format!("pub-{pair}"))?, subscriber, topic));
        }
        let (mut one, mut other) = (Socket::connect(broker, "one")?, Socket::connect(broker, "other")?);
        one.subscribe("ping/one")?;
        other.subscribe("ping/other")?;
        Ok(Side { pairs, one, other })
    }

    /// Messages a second of all pairs together.
    fn throughput(&mut self, each: usize) -> io::Result<f64> {
        let started = Instant::now();
        std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for (publisher, subscriber, topic) in &mut self.pairs {
                let taken = Arc::new(AtomicUsize::new(0));
                let seen = taken.clone();
                threads.push(scope.spawn(move || publisher.publish_all(topic, each, &seen)));
                threads.push(scope.spawn(move || subscriber.take_all(each, &taken)));
            }
            threads.into_iter().try_for_each(|thread| {
                thread.join().unwrap_or_else(|_| Err(io::Error::other("a client's thread ended")))
            })
        })?;
        Ok((PAIRS * each) as f64 / started.elapsed().as_secs_f64())
    }

    /// Median time of a message to another client and of its answer.
    fn there_and_back(&mut self) -> io::Result<Duration> {
        let mut lasted = Vec::with_capacity(PINGS);
        for number in 0..PINGS {
            let started = Instant::now();
            self.one.publish("ping/other", number)?;
            self.other.message()?;
            self.other.publish("ping/one", number)?;
            self.one.message()?;
            lasted.push(started.elapsed());
        }
        lasted.sort_unstable();
        Ok(lasted[PINGS / 2])
    }
}

/// A client that is a socket.
pub(super) struct Socket(TcpStream);

impl Socket {
    /// Connects and says CONNECT; returns when it is let in.
    pub(super) fn connect(broker: SocketAddr, id: &str) -> io::Result<Socket> {
        let mut socket = Socket::hail(broker, id)?;
        let answer = socket.packet()?;
        if answer.first() != Some(&0x20) || answer.get(2) != Some(&0) {
            return Err(io::Error::other("it was not let in"));
        }
        Ok(socket)
    }

    /// Connects and says CONNECT.
    pub(super) fn hail(broker: SocketAddr, id: &str) -> io::Result<Socket> {
        let stream = TcpStream::connect(broker)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(WAIT))?;
        let mut socket = Socket(stream);
        socket.0.write_all(&framed(0x10, &[&text("MQTT")[..], &[4, 2, 0, 60], &text(id)].concat()))?;
        Ok(socket)
    }

    fn subscribe(&mut self, filter: &str) -> io::Result<()> {
        self.0.write_all(&framed(0x82, &[&[0, 1][..], &text(filter), &[1]].concat()))?;
        self.packet().map(|_| ())
    }

    fn publish(&mut self, topic: &str, number: usize) -> io::Result<()> {
        let id = (number % 60_000 + 1) as u16;
        self.0.write_all(&framed(0x32, &[&text(topic)[..], &id.to_be_bytes(), &[7; BYTES]].concat()))
    }

    /// The next message, acknowledged; what else comes is passed over.
    fn message(&mut self) -> io::Result<()> {
        loop {
            let packet = self.packet()?;
            if packet[0] & 0xf0 == 0x30 {
                let topic = usize::from(u16::from_be_bytes([packet[1], packet[2]]));
                if packet[0] & 0x06 != 0 {
                    let id = [packet[3 + topic], packet[4 + topic]];
                    self.0.write_all(&[0x40, 2, id[0], id[1]])?;
                }
                return Ok(());
            }
        }
    }

    fn publish_all(&mut self, topic: &str, count: usize, taken: &AtomicUsize) -> io::Result<()> {
        let mut acknowledged = 0;
        for number in 0..count {
            while number - acknowledged >= UNDER_WAY {
                self.packet()?;
                acknowledged += 1;
            }
            let since = Instant::now();
            while number - taken.load(Ordering::Relaxed).min(number) >= UNDER_WAY {
                if since.elapsed() > WAIT {
                    return Err(io::Error::from(io::ErrorKind::TimedOut));
                }
                std::thread::yield_now();
            }
            self.publish(topic, number)?;
        }
        (acknowledged..count).try_for_each(|_| self.packet().map(|_| ()))
    }

    fn take_all(&mut self, count: usize, taken: &AtomicUsize) -> io::Result<()> {
        for _ in 0..count {
            self.message()?;
            taken.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// First byte of the next packet, and its body.
    pub(super) fn packet(&mut self) -> io::Result<Vec<u8>> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head)?;
        let (mut length, mut shift, mut last) = (usize::from(head[1] & 0x7f), 7, [head[1]]);
        while last[0] & 0x80 != 0 {
            self.0.read_exact(&mut last)?;
            length |= usize::from(last[0] & 0x7f) << shift;
            shift += 7;
        }
        let mut packet = vec![head[0]; 1 + length];
        self.0.read_exact(&mut packet[1..])?;
        Ok(packet)
    }
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
