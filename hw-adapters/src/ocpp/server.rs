//! The listener: which charge point may connect, under which identity, speaking what.

use super::charger::OcppCharger;
use super::core::{Core, CoreConfig};
use super::driver::{Command, Driver};
use super::frame::MESSAGE_MAX_BYTES;
use super::profile::power_min;
use super::station::StationState;
use crate::metrics::DeviceMetrics;
use market::units::Milliwatt;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// The only subprotocol spoken.
pub const SUBPROTOCOL: &str = "ocpp1.6";
/// Longest identity, in characters.
const IDENTITY_MAX_CHARS: usize = 48;
/// A handshake not done by then is dropped.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// Most handshakes under way at once; more are dropped at the door.
const HANDSHAKES_MAX: usize = 64;
/// Commands that may wait for a driver.
const COMMANDS_MAX: usize = 32;
/// A message up to this is read and, beyond [`MESSAGE_MAX_BYTES`], refused with the connection
/// kept; beyond this the connection ends.
const SOCKET_MAX_BYTES: usize = 4 * MESSAGE_MAX_BYTES;

/// One charge point the central system serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StationConfig {
    /// The device's name in errors and metrics.
    pub name: String,
    /// Its identity: the last segment of the URL it connects to. Letters, digits and `-._~:`, at
    /// most 48.
    pub identity: String,
    /// Phases it charges on, 1 to 3.
    pub phases: u8,
    /// Most power it charges at, at least 6 A on its phases.
    pub power_max: Milliwatt,
    /// A call not answered within so many milliseconds has failed; 100 to 60 000.
    pub answer_within_ms: u64,
}

/// A central system that can't be.
#[derive(Debug, Error)]
pub enum OcppError {
    /// The listener could not be bound.
    #[error("listening for charge points on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A charge point's configuration that can't be.
    #[error("{device}: {what}")]
    Config {
        /// The device's name.
        device: String,
        /// What is wrong.
        what: String,
    },
}

struct Entry {
    name: String,
    commands: mpsc::WeakSender<Command>,
}

type Stations = Arc<Mutex<HashMap<String, Entry>>>;

/// A listener that charge points connect to. It listens as long as it, or a charger of it, lives.
#[derive(Clone)]
pub struct CentralSystem {
    inner: Arc<Inner>,
}

struct Inner {
    address: SocketAddr,
    stations: Stations,
    metrics: DeviceMetrics,
    accepting: JoinHandle<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl CentralSystem {
    /// Listens on `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// Where the address can't be bound.
    pub async fn listen(address: SocketAddr, metrics: DeviceMetrics) -> Result<Self, OcppError> {
        let listening = |source| OcppError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let stations = Stations::default();
        let accepting = tokio::spawn(accept(listener, stations.clone(), metrics.clone()));
        Ok(Self { inner: Arc::new(Inner { address, stations, metrics, accepting }) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.inner.address
    }

    /// Serves one charge point from now on.
    ///
    /// # Errors
    /// A configuration that can't be, or an identity served already.
    pub fn charger(&self, config: StationConfig) -> Result<OcppCharger, OcppError> {
        check(&config).map_err(|what| OcppError::Config { device: config.name.clone(), what })?;
        let mut stations = self.inner.stations.lock().unwrap_or_else(PoisonError::into_inner);
        if stations.get(&config.identity).is_some_and(|entry| entry.commands.strong_count() > 0) {
            let what = format!("identity {} is served already", config.identity);
            return Err(OcppError::Config { device: config.name, what });
        }
        let (commands, received) = mpsc::channel(COMMANDS_MAX);
        let (state, watched) = watch::channel(StationState::unknown());
        let core_config =
            CoreConfig { answer_within_ms: config.answer_within_ms, heartbeat_s: 60, idle_ms: 90_000 };
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let started = Instant::now();
        let driver = Driver {
            device: config.name.clone(),
            core: Core::new(core_config, i64::try_from(seed).unwrap_or(0)),
            commands: received,
            state,
            started,
            metrics: self.inner.metrics.clone(),
        };
        tokio::spawn(driver.run());
        let entry = Entry { name: config.name.clone(), commands: commands.downgrade() };
        stations.insert(config.identity.clone(), entry);
        Ok(OcppCharger::new(self.clone(), config, commands, watched, started))
    }
}

fn check(config: &StationConfig) -> Result<(), String> {
    let identity = &config.identity;
    let good = |c: char| c.is_ascii_alphanumeric() || "-._~:".contains(c);
    if identity.is_empty() || identity.len() > IDENTITY_MAX_CHARS || !identity.chars().all(good) {
        return Err(format!("identity {identity:?} is not 1 to 48 letters, digits or -._~:"));
    }
    if !(1..=3).contains(&config.phases) {
        return Err(format!("{} phases; a charge point has 1 to 3", config.phases));
    }
    if config.power_max < power_min(config.phases) || config.power_max > Milliwatt(1_000_000_000) {
        return Err(format!("power_max of {} is not between 6 A and 1 MW", config.power_max));
    }
    if !(100..=60_000).contains(&config.answer_within_ms) {
        return Err(format!("answer_within_ms of {} is not 100 to 60000", config.answer_within_ms));
    }
    Ok(())
}

async fn accept(listener: TcpListener, stations: Stations, metrics: DeviceMetrics) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, as a rule; accepting at once again would spin.
                tracing::warn!(%error, "accepting a charge point");
                sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let Ok(permit) = handshakes.clone().try_acquire_owned() else {
            metrics.count_refused("", "too_many_handshakes");
            continue;
        };
        let (stations, metrics) = (stations.clone(), metrics.clone());
        tokio::spawn(async move {
            let done = timeout(HANDSHAKE_WITHIN, welcome(stream, &stations, &metrics)).await;
            if done.is_err() {
                metrics.count_refused("", "handshake_too_slow");
            }
            drop(permit);
        });
    }
}

async fn welcome(stream: TcpStream, stations: &Stations, metrics: &DeviceMetrics) {
    // Small answers must not wait for more to come.
    stream.set_nodelay(true).ok();
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(4096)
        .max_write_buffer_size(SOCKET_MAX_BYTES)
        .max_message_size(Some(SOCKET_MAX_BYTES))
        .max_frame_size(Some(SOCKET_MAX_BYTES));
    let mut guest = Guest::Unknown;
    #[allow(clippy::result_large_err)]
    let greet = |request: &Request, response| greet(request, response, stations, &mut guest);
    let shaken = accept_hdr_async_with_config(stream, greet, Some(config)).await;
    match (shaken, guest) {
        (Ok(socket), Guest::Known(commands)) => {
            // A driver whose queue is full is not worth waiting for: the charge point tries again.
            commands.try_send(Command::Attach(Box::new(socket))).ok();
        }
        (Ok(mut socket), Guest::WrongSubprotocol(name)) => {
            metrics.count_refused(&name, "subprotocol");
            socket.close(None).await.ok();
        }
        (_, Guest::WrongSubprotocol(name)) => metrics.count_refused(&name, "subprotocol"),
        (_, Guest::Unknown) => metrics.count_refused("", "unknown_identity"),
        (Err(_), Guest::Known(_)) => metrics.count_refused("", "handshake_broke"),
    }
}

enum Guest {
    Unknown,
    WrongSubprotocol(String),
    Known(mpsc::Sender<Command>),
}

/// The handshake's verdict. Without a common subprotocol the standard (OCPP-J, section 3.2) wants
/// it completed without one, and the connection closed at once.
#[allow(clippy::result_large_err)]
fn greet(
    request: &Request,
    mut response: Response,
    stations: &Stations,
    guest: &mut Guest,
) -> Result<Response, ErrorResponse> {
    let identity = request.uri().path().rsplit('/').next().unwrap_or_default();
    let found = {
        let stations = stations.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = stations.get(identity);
        entry.and_then(|entry| entry.commands.upgrade().map(|commands| (entry.name.clone(), commands)))
    };
    let Some((name, commands)) = found else {
        let mut refusal = ErrorResponse::new(None);
        *refusal.status_mut() = StatusCode::NOT_FOUND;
        return Err(refusal);
    };
    let offered = request.headers().get_all("Sec-WebSocket-Protocol");
    let speaks = offered
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|protocol| protocol.trim() == SUBPROTOCOL);
    if speaks {
        response.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static(SUBPROTOCOL));
        *guest = Guest::Known(commands);
    } else {
        *guest = Guest::WrongSubprotocol(name);
    }
    Ok(response)
}
