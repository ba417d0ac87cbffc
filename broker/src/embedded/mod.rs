//! An MQTT broker inside this process: [`crate::gate`] before rumqttd's router. It listens beyond this machine
//! only where it knows who its clients are.

use crate::gate::{self, Door, Gate, GateMetrics, Limits, TlsError};
use crate::link::MAX_PACKET_BYTES;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use thiserror::Error;

/// Connections that wait to be accepted; the system may allow fewer.
const BACKLOG: i32 = 4_096;

/// How an embedded broker is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes of a segment. For every filter somebody ever subscribed to, the router keeps four and a
    /// message; a subscriber that falls behind by more misses messages, though they were acknowledged.
    pub segment_bytes: usize,
    /// What clients may cost.
    pub limits: Limits,
    /// Where it counts; nowhere that anyone looks, where there is none.
    pub metrics: Option<GateMetrics>,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: 32 * 1_024, limits: Limits::for_packets_of(MAX_PACKET_BYTES), metrics: None }
    }
}

/// Why there is no broker.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// It knows nobody who comes by this listener, so it must not be reachable from outside.
    #[error("listening for MQTT clients on {address}: without TLS this is for loopback only")]
    NotLoopback {
        /// The address asked for.
        address: SocketAddr,
    },
    /// Passwords come in the clear.
    #[error("listening for devices on {address}: they send passwords in the clear; name a private address")]
    NotPrivate {
        /// The address asked for.
        address: SocketAddr,
    },
    /// Its counters could not be made.
    #[error("the embedded broker's counters: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The port is taken, or the address is not this machine's.
    #[error("starting the embedded broker on {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Its thread could not be started.
    #[error("starting the embedded broker's thread: {source}")]
    Thread {
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// One listener.
#[derive(Clone, Debug)]
pub struct Listen {
    /// What metrics call it. Of few.
    pub name: String,
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// Who comes in.
    pub door: Door,
}

impl Listen {
    /// Anyone on this machine.
    pub fn on_loopback(address: SocketAddr) -> Self {
        Self { name: "local".to_owned(), address, door: Door::Open }
    }

    /// Parties are known by their certificates and may come from anywhere; devices by passwords that are
    /// sent in the clear, so from a private network; anyone at all from this machine.
    fn check(&self) -> Result<(), BrokerError> {
        let (address, ip) = (self.address, self.address.ip());
        match &self.door {
            Door::Parties(_) => Ok(()),
            Door::Devices(_) if is_private(ip) => Ok(()),
            Door::Devices(_) => Err(BrokerError::NotPrivate { address }),
            Door::Open if ip.is_loopback() => Ok(()),
            Door::Open => Err(BrokerError::NotLoopback { address }),
        }
    }

    fn bind(&self) -> Result<(SocketAddr, TcpListener), BrokerError> {
        let bound = bind(self.address).and_then(|listener| Ok((listener.local_addr()?, listener)));
        bound.map_err(|source| BrokerError::Bind { address: self.address, source })
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// A broker running in this process. Its threads end with the process: rumqttd has no way to stop.
#[derive(Clone)]
pub struct EmbeddedBroker {
    gate: Arc<Gate>,
    listeners: Vec<(SocketAddr, Door)>,
}

impl fmt::Debug for EmbeddedBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedBroker").field("listeners", &self.listeners).finish()
    }
}

impl EmbeddedBroker {
    /// Starts a broker on a loopback address, with the usual options; port 0 takes a free one. Returns when
    /// it listens.
    ///
    /// # Errors
    /// [`BrokerError::NotLoopback`] for any other address, and as the other variants say.
    pub fn start(listen: SocketAddr) -> Result<EmbeddedBroker, BrokerError> {
        EmbeddedBroker::start_with(listen, Options::default())
    }

    /// As [`EmbeddedBroker::start`], with options.
    ///
    /// # Errors
    /// As [`EmbeddedBroker::start`].
    pub fn start_with(listen: SocketAddr, options: Options) -> Result<EmbeddedBroker, BrokerError> {
        EmbeddedBroker::start_on(vec![Listen::on_loopback(listen)], options)
    }

    /// Starts a broker with several listeners, all of which reach the same topics.
    ///
    /// # Errors
    /// As [`BrokerError`] says. Nothing is started then.
    pub fn start_on(listens: Vec<Listen>, options: Options) -> Result<EmbeddedBroker, BrokerError> {
        listens.iter().try_for_each(Listen::check)?;
        let metrics = options.metrics.map_or_else(GateMetrics::unregistered, Ok)?;
        let bound = listens.iter().map(Listen::bind).collect::<Result<Vec<_>, _>>()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .build()
            .map_err(|source| BrokerError::Thread { source })?;
        let gate = Gate::new(options.limits, options.segment_bytes);
        let mut listeners = Vec::new();
        let mut entrances = Vec::new();
        for (listen, (address, listener)) in listens.into_iter().zip(bound) {
            listeners.push((address, listen.door.clone()));
            entrances.push((gate::entrance(&listen.name, listen.door, &metrics), listener));
        }
        let serving = gate.clone();
        let serve = move || {
            if let Err(error) = runtime.block_on(gate::serve(serving, entrances)) {
                tracing::error!(%error, "the embedded broker cannot serve");
            }
        };
        let thread = thread::Builder::new().name("mqtt-gate".to_owned());
        thread.spawn(serve).map_err(|source| BrokerError::Thread { source })?;
        Ok(EmbeddedBroker { gate, listeners })
    }

    /// Where its first listener is.
    pub fn address(&self) -> SocketAddr {
        self.listeners.first().map_or(SocketAddr::from(([0; 4], 0)), |(address, _)| *address)
    }

    /// Where all its listeners are, in the order they were given.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.listeners.iter().map(|(address, _)| *address)
    }

    /// How often its loop has turned: many times a second, as long as it serves.
    pub fn beats(&self) -> u64 {
        self.gate.beats()
    }

    /// Reads certificates and revocations again, and ends the connections of the revoked; how many.
    ///
    /// # Errors
    /// As [`TlsError`] says; then that listener goes on as before.
    pub fn reload(&self) -> Result<usize, TlsError> {
        let mut ended = 0;
        for (_, door) in &self.listeners {
            if let Door::Parties(mutual) = door {
                mutual.reload()?;
                ended += self.gate.drop_revoked(mutual);
            }
        }
        Ok(ended)
    }
}

/// As the standard library binds, with more room for connections that wait to be accepted.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
