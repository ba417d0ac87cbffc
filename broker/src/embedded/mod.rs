//! An MQTT broker inside this process, for one machine: `rumqttd`, bounded, on loopback only.
//!
//! Read in rumqttd 0.20.0, and why this never listens on a network:
//! - there are no rights by topic, and a session that ends wrongly can leave a client id whose next
//!   use panics (with `panic = "abort"`, the process); links never use an id twice;
//! - a client id with one of `+ $ # /` is dropped without an answer, as is one connection too many;
//! - every distinct filter has a log of its own that keeps messages after delivery, up to
//!   `max_segment_count` segments of `max_segment_size` bytes and one message; logs of filters that
//!   nobody subscribes to any more stay. That, times the filters, is its memory;
//! - who falls behind by more than that loses messages though they were acknowledged (PUBACK), which
//!   is one reason why nothing here counts as delivered until its receiver says so;
//! - it leaves Nagle's algorithm on, which [`relay`] makes up for.

mod relay;

use crate::link::MAX_PACKET_BYTES;
use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use thiserror::Error;

/// Most clients at a time; rumqttd itself allows a few more, and drops what is beyond in silence.
const MAX_CLIENTS: usize = 2_000;
/// A segment is closed when it has this many bytes.
const SEGMENT_BYTES: usize = 32 * 1_024;
/// Segments kept for each filter.
const SEGMENTS: usize = 4;
/// Packets the broker takes from, or gives to, one client in a row.
const PACKETS_IN_A_ROW: usize = 200;
/// Longest wait for the broker's thread to listen.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// Ports tried where any free one will do.
const ATTEMPTS: usize = 8;

/// Why there is no broker.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// The embedded broker has no access rules, so it must not be reachable from outside.
    #[error(
        "starting the embedded broker on {address}: it has no access rules yet and listens on loopback only"
    )]
    NotLoopback {
        /// The address asked for.
        address: SocketAddr,
    },
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
    /// Its thread ended, or did not listen in time.
    #[error("the embedded broker on {address} does not listen: {reason}")]
    NotListening {
        /// The address.
        address: SocketAddr,
        /// What is known.
        reason: String,
    },
}

/// A broker running in this process. Its threads end with the process: rumqttd has no way to stop.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedBroker {
    address: SocketAddr,
}

impl EmbeddedBroker {
    /// Starts a broker on a loopback address; port 0 takes a free one. Returns when it listens.
    ///
    /// # Errors
    /// [`BrokerError::NotLoopback`] for any other address, and as the other variants say.
    pub fn start(listen: SocketAddr) -> Result<EmbeddedBroker, BrokerError> {
        if !listen.ip().is_loopback() {
            return Err(BrokerError::NotLoopback { address: listen });
        }
        let bind = |source| BrokerError::Bind { address: listen, source };
        let listener = TcpListener::bind(listen).map_err(bind)?;
        listener.set_nonblocking(true).map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let inner = start_inner()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| BrokerError::Thread { source })?;
        let relay = move || {
            runtime.block_on(async move {
                match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => relay::serve(listener, inner, MAX_CLIENTS).await,
                    Err(error) => tracing::error!(%error, "the embedded broker cannot listen"),
                }
            });
        };
        thread::Builder::new()
            .name("mqtt-relay".to_owned())
            .spawn(relay)
            .map_err(|source| BrokerError::Thread { source })?;
        Ok(EmbeddedBroker { address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Starts rumqttd on a free port of its own. It binds by itself and does not say what it bound, so
/// a free port is found first; should somebody take it in between, another is tried.
fn start_inner() -> Result<SocketAddr, BrokerError> {
    let mut attempt = start_on(free_address()?);
    for _ in 1..ATTEMPTS {
        if attempt.is_ok() {
            break;
        }
        attempt = start_on(free_address()?);
    }
    attempt
}

fn free_address() -> Result<SocketAddr, BrokerError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let bound = TcpListener::bind(address).and_then(|listener| listener.local_addr());
    bound.map_err(|source| BrokerError::Bind { address, source })
}

fn start_on(address: SocketAddr) -> Result<SocketAddr, BrokerError> {
    let (ended_tx, ended) = mpsc::channel();
    thread::Builder::new()
        .name("mqtt-broker".to_owned())
        .spawn(move || {
            // Returns only when its listener could not be had.
            let result = Broker::new(config(address)).start();
            let _ = ended_tx.send(result.err().map_or_else(|| "it ended".to_owned(), |e| e.to_string()));
        })
        .map_err(|source| BrokerError::Thread { source })?;
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        match ended.recv_timeout(Duration::from_millis(5)) {
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Ok(reason) => return Err(BrokerError::NotListening { address, reason }),
            Err(e) => return Err(BrokerError::NotListening { address, reason: e.to_string() }),
        }
        if TcpStream::connect_timeout(&address, Duration::from_millis(100)).is_ok() {
            return Ok(address);
        }
        if Instant::now() >= deadline {
            return Err(BrokerError::NotListening { address, reason: "no answer in time".to_owned() });
        }
    }
}

fn config(address: SocketAddr) -> Config {
    let connections = ConnectionSettings {
        connection_timeout_ms: 5_000,
        max_payload_size: MAX_PACKET_BYTES,
        max_inflight_count: PACKETS_IN_A_ROW,
        auth: None,
        external_auth: None,
        dynamic_filters: false,
    };
    let server = ServerSettings {
        name: "mqtt-listener".to_owned(),
        listen: address,
        tls: None,
        next_connection_delay_ms: 0,
        connections,
    };
    Config {
        id: 0,
        router: RouterConfig {
            max_connections: MAX_CLIENTS + 100,
            max_outgoing_packet_count: PACKETS_IN_A_ROW as u64,
            max_segment_size: SEGMENT_BYTES,
            max_segment_count: SEGMENTS,
            ..RouterConfig::default()
        },
        v4: Some(HashMap::from([("v4".to_owned(), server)])),
        // No MQTT 5, websocket, cluster, console, bridge or metrics listener.
        ..Config::default()
    }
}
