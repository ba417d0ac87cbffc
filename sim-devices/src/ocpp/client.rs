//! The charge point's connection: sought, kept, sought again.

use super::core::{Core, Effect, Input};
use super::fault::ChargerFault;
use super::tls::{connector, TlsError};
use super::version::Version;
use crate::physics::car::ChargerSim;
use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use futures::{SinkExt, StreamExt};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep, timeout, MissedTickBehavior};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error as WsError;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{client_async_with_config, WebSocketStream};

/// How often the physics are looked at.
const POLL: Duration = Duration::from_millis(25);
/// Between attempts to connect: doubled from the first to the last.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LAST: Duration = Duration::from_secs(2);
/// A connection that isn't made, or takes no bytes, for so long is given up.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const MESSAGE_MAX_BYTES: usize = 64 * 1024;

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

type Socket = WebSocketStream<Box<dyn Wire>>;

/// A charge point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargePointConfig {
    /// The central system, as `ws://host:port/path` or `wss://...`, to which the identity is appended.
    pub central_system: String,
    /// Its identity.
    pub identity: String,
    /// The version it speaks.
    pub version: Version,
    /// Between meter values during a transaction, in seconds of simulated time.
    pub meter_interval_s: u32,
    /// Its password (security profiles 1 and 2).
    pub password: Option<String>,
    /// The authority that signs the central system's certificate, in PEM, for `wss://`.
    pub authority: Option<PathBuf>,
    /// Its own certificate and key, in PEM (security profile 3).
    pub certificate: Option<(PathBuf, PathBuf)>,
}

impl ChargePointConfig {
    /// A charge point of OCPP 1.6J without password or certificate, that meters each quarter of an hour.
    pub fn new(central_system: &str, identity: &str) -> Self {
        Self {
            central_system: central_system.to_owned(),
            identity: identity.to_owned(),
            version: Version::V16,
            meter_interval_s: 900,
            password: None,
            authority: None,
            certificate: None,
        }
    }
}

/// A charge point that can't be.
#[derive(Debug, Error)]
pub enum ChargePointError {
    /// The address of its central system is none.
    #[error("{url} is no address of a central system: {source}")]
    Address {
        /// The address tried.
        url: String,
        /// What is wrong with it.
        #[source]
        source: Box<WsError>,
    },
    /// Its address is of another kind than `ws://` or `wss://`, or has no host.
    #[error("{0} is not ws://HOST:PORT/PATH or wss://HOST:PORT/PATH")]
    Scheme(String),
    /// `wss://` without an authority to check the central system by.
    #[error("{0}: wss:// needs the authority that signs the central system's certificate")]
    NoAuthority(String),
    /// Its certificates can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A charge point that runs until it is dropped.
pub struct ChargePoint {
    fault: watch::Sender<ChargerFault>,
    running: JoinHandle<()>,
}

impl Drop for ChargePoint {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl ChargePoint {
    /// Switches a charge point on, in front of physics that somebody else steps. Must be called
    /// within a tokio runtime.
    ///
    /// # Errors
    /// An address that is none.
    pub fn start(config: ChargePointConfig, sim: Arc<Mutex<ChargerSim>>) -> Result<Self, ChargePointError> {
        let url = format!("{}/{}", config.central_system.trim_end_matches('/'), encoded(&config.identity));
        let mut request = url
            .as_str()
            .into_client_request()
            .map_err(|source| ChargePointError::Address { url: url.clone(), source: Box::new(source) })?;
        let headers = request.headers_mut();
        headers.insert("Sec-WebSocket-Protocol", HeaderValue::from_static(config.version.subprotocol()));
        if let Some(password) = &config.password {
            let login = STANDARD.encode(format!("{}:{password}", config.identity));
            if let Ok(header) = HeaderValue::from_str(&format!("Basic {login}")) {
                headers.insert("Authorization", header);
            }
        }
        let uri = request.uri();
        let host = uri.host().ok_or_else(|| ChargePointError::Scheme(url.clone()))?.to_owned();
        let (tls, port) = match (uri.scheme_str(), &config.authority) {
            (Some("ws"), _) => (None, 80),
            (Some("wss"), None) => return Err(ChargePointError::NoAuthority(url)),
            (Some("wss"), Some(authority)) => (Some(connector(authority, config.certificate.as_ref())?), 443),
            _ => return Err(ChargePointError::Scheme(url)),
        };
        let port = uri.port_u16().unwrap_or(port);
        let (fault, faults) = watch::channel(ChargerFault::None);
        let client = Client {
            core: Core::new(config.version, &config.identity, config.meter_interval_s),
            sim,
            faults,
            started: Instant::now(),
            request,
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            tls,
        };
        Ok(Self { fault, running: tokio::spawn(client.run()) })
    }

    /// Lets it misbehave from now on.
    pub fn set_fault(&self, fault: ChargerFault) {
        self.fault.send_replace(fault);
    }
}

struct Client {
    core: Core,
    sim: Arc<Mutex<ChargerSim>>,
    faults: watch::Receiver<ChargerFault>,
    started: Instant,
    request: Request<()>,
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
}

impl Client {
    async fn run(mut self) {
        let mut retry = RETRY_FIRST;
        loop {
            if self.faults.borrow().is_away() {
                self.step(Input::Poll);
                sleep(POLL).await;
                continue;
            }
            if let Some(mut socket) = self.connect().await {
                retry = RETRY_FIRST;
                self.talk(&mut socket).await;
                self.step(Input::Disconnected);
            }
            // The physics are followed while there is no connection, too.
            self.step(Input::Poll);
            sleep(retry).await;
            retry = (retry * 2).min(RETRY_LAST);
        }
    }

    async fn connect(&self) -> Option<Socket> {
        match timeout(CONNECT_WITHIN, self.dial()).await {
            Ok(Ok(socket)) => Some(socket),
            Ok(Err(error)) => {
                tracing::debug!(%error, "connecting to the central system");
                None
            }
            Err(_) => None,
        }
    }

    async fn dial(&self) -> Result<Socket, WsError> {
        let config = WebSocketConfig::default()
            .read_buffer_size(4096)
            .write_buffer_size(4096)
            .max_write_buffer_size(4 * MESSAGE_MAX_BYTES)
            .max_message_size(Some(MESSAGE_MAX_BYTES))
            .max_frame_size(Some(MESSAGE_MAX_BYTES));
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true).ok();
        let stream: Box<dyn Wire> = match &self.tls {
            None => Box::new(stream),
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone()).map_err(std::io::Error::other)?;
                Box::new(tls.connect(name, stream).await?)
            }
        };
        Ok(client_async_with_config(self.request.clone(), stream, Some(config)).await?.0)
    }

    /// Runs the conversation until the connection ends.
    async fn talk(&mut self, socket: &mut Socket) {
        let mut poll = interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut input = Input::Connected;
        loop {
            if self.faults.borrow().is_away() {
                socket.close(None).await.ok();
                return;
            }
            for effect in self.step(input) {
                let Effect::Send(text) = effect else {
                    socket.close(None).await.ok();
                    return;
                };
                let text = if *self.faults.borrow() == ChargerFault::HalfFrames { half(&text) } else { text };
                if !matches!(timeout(CONNECT_WITHIN, socket.send(Message::text(text))).await, Ok(Ok(()))) {
                    return;
                }
            }
            input = tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => Input::Text(text.as_str().to_owned()),
                    Some(Ok(_)) => Input::Poll,
                    Some(Err(_)) | None => return,
                },
                _ = poll.tick() => Input::Poll,
            };
        }
    }

    fn step(&mut self, input: Input) -> Vec<Effect> {
        let real_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.core.set_fault(*self.faults.borrow());
        let mut sim = self.sim.lock().unwrap_or_else(PoisonError::into_inner);
        self.core.step(real_ms, &mut sim, input)
    }
}

/// The first half of a message.
fn half(text: &str) -> String {
    text.chars().take(text.chars().count() / 2).collect()
}

/// An identity as it stands in a URL.
fn encoded(identity: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:*=+@".contains(&byte);
    let each = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    identity.bytes().map(each).collect()
}
