//! What the gate costs beside rumqttd's own listener with the same router settings, TLS off in both: messages a second, and the
//! median time of a message. Both run in this process and take turns; clients are bare sockets.

use super::super::figure::{Figure, Target};
use super::socket::{Socket, BYTES, WAIT};
use super::MessagingError;
use broker::embedded::{EmbeddedBroker, Options};
use rumqttd::{ConnectionSettings, RouterConfig, ServerSettings};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::AtomicUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Pairs of a publisher and a subscriber.
const PAIRS: usize = 4;
/// Turns of each.
const TURNS: usize = 5;
/// Messages there and back in a turn.
const PINGS: usize = 500;
/// Turns of one broker that are taken again after a lost connection, before the measurement is given up.
const MOST_REPEATED: usize = 3;

/// Throughput as a part of rumqttd's, and what is added to the median.
///
/// # Errors
/// Where a broker does not start or answer.
pub fn measure(messages: usize) -> Result<Vec<Figure>, MessagingError> {
    let embedded = EmbeddedBroker::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let mut sides = [Turns::new("the gate", embedded.address())?, Turns::new("rumqttd", inner()?)?];
    let mut rates = [Vec::new(), Vec::new()];
    let mut pings = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for (place, side) in sides.iter_mut().enumerate() {
            let (rate, ping) = side.take(messages / PAIRS)?;
            rates[place].push(rate);
            pings[place].push(ping);
        }
    }
    let repeated: usize = sides.iter().map(|side| side.repeated).sum();
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
                "{gate:.0} a second with QoS 1 and {BYTES} bytes, {inner:.0} by rumqttd's own listener; {repeated} turns of \
                 {} taken again after a lost connection",
                2 * TURNS
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

/// A broker's turns, taken again with new connections where one was lost: on a machine that does much else a broker may let
/// somebody go, which says nothing of its speed.
struct Turns {
    broker: &'static str,
    address: SocketAddr,
    side: Side,
    /// How many were taken again.
    repeated: usize,
}

impl Turns {
    fn new(broker: &'static str, address: SocketAddr) -> Result<Turns, MessagingError> {
        let side = Side::connect(address, 0).map_err(|source| lost(broker, source))?;
        Ok(Turns { broker, address, side, repeated: 0 })
    }

    /// Messages a second, and the median time of one there and back.
    fn take(&mut self, each: usize) -> Result<(f64, Duration), MessagingError> {
        loop {
            match self.side.turn(each) {
                Ok(measured) => return Ok(measured),
                Err(source) if self.repeated < MOST_REPEATED => {
                    self.repeated += 1;
                    let error = lost(self.broker, source);
                    tracing::warn!(%error, "a turn is taken again");
                    self.side = Side::connect(self.address, self.repeated)
                        .map_err(|source| lost(self.broker, source))?;
                }
                Err(source) => return Err(lost(self.broker, source)),
            }
        }
    }
}

fn lost(broker: &'static str, source: io::Error) -> MessagingError {
    MessagingError::Client { broker, source }
}

/// Clients of one broker. They stay connected: rumqttd may fall asleep over messages when a client leaves.
struct Side {
    pairs: Vec<(Socket, Socket, String)>,
    one: Socket,
    other: Socket,
    /// On which these two hear.
    topics: (String, String),
}

impl Side {
    /// New clients, with topics and names of their own each time.
    fn connect(broker: SocketAddr, time: usize) -> io::Result<Side> {
        let mut pairs = Vec::new();
        for pair in 0..PAIRS {
            let topic = format!("load/{time}/{pair}");
            let mut subscriber = Socket::connect(broker, &format!("sub-{time}-{pair}"))?;
            subscriber.subscribe(&topic)?;
            pairs.push((Socket::connect(broker, &format!("pub-{time}-{pair}"))?, subscriber, topic));
        }
        let mut one = Socket::connect(broker, &format!("one-{time}"))?;
        let mut other = Socket::connect(broker, &format!("other-{time}"))?;
        let topics = (format!("ping/{time}/one"), format!("ping/{time}/other"));
        one.subscribe(&topics.0)?;
        other.subscribe(&topics.1)?;
        Ok(Side { pairs, one, other, topics })
    }

    fn turn(&mut self, each: usize) -> io::Result<(f64, Duration)> {
        Ok((self.throughput(each)?, self.there_and_back()?))
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
            self.one.publish(&self.topics.1, number)?;
            self.other.message()?;
            self.other.publish(&self.topics.0, number)?;
            self.one.message()?;
            lasted.push(started.elapsed());
        }
        lasted.sort_unstable();
        Ok(lasted[PINGS / 2])
    }
}
