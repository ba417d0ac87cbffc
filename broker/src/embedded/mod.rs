//! An MQTT broker inside this process: [`crate::gate`] before rumqttd's router, on loopback only.
//!
//! Why it does not listen on a network yet: it does not know who its clients are.

use crate::gate::{Gate, Limits};
use crate::link::MAX_PACKET_BYTES;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread;
use thiserror::Error;

/// Connections that wait to be accepted; the system may allow fewer.
const BACKLOG: i32 = 4_096;

/// How an embedded broker is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes of a segment. For every filter somebody ever subscribed to, the router keeps four and a
    /// message; a subscriber that falls behind by more misses messages, though they were acknowledged.
    pub segment_bytes: usize,
    /// What clients may cost.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: 32 * 1_024, limits: Limits::for_packets_of(MAX_PACKET_BYTES) }
    }
}

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
}

/// A broker running in this process. Its threads end with the process: rumqttd has no way to stop.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedBroker {
    address: SocketAddr,
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
        if !listen.ip().is_loopback() {
            return Err(BrokerError::NotLoopback { address: listen });
        }
        let listener = bind(listen).map_err(|source| BrokerError::Bind { address: listen, source })?;
        let address =
            listener.local_addr().map_err(|source| BrokerError::Bind { address: listen, source })?;
        let thread_error = |source| BrokerError::Thread { source };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .build()
            .map_err(thread_error)?;
        let gate = Gate::new(options.limits, options.segment_bytes);
        let serve = move || {
            runtime.block_on(async move {
                match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => {
                        if let Err(error) = gate.serve(listener).await {
                            tracing::error!(%error, "the embedded broker cannot serve");
                        }
                    }
                    Err(error) => tracing::error!(%error, "the embedded broker cannot listen"),
                }
            });
        };
        thread::Builder::new().name("mqtt-gate".to_owned()).spawn(serve).map_err(thread_error)?;
        Ok(EmbeddedBroker { address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
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
