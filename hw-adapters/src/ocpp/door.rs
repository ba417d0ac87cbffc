//! The listener's door: handshakes under way, bounded in number and time, and their verdict: which charge
//! point may come in, under which identity, speaking what.

use super::auth::{identity, may_connect, Password};
use super::driver::{Command, Socket, Wire};
use super::frame::MESSAGE_MAX_BYTES;
use super::tls::{is_of, Renewed};
use super::version::Version;
use crate::metrics::DeviceMetrics;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};

const SUBPROTOCOL_HEADER: &str = "Sec-WebSocket-Protocol";
/// A handshake not done by then is dropped.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// Most handshakes under way at once. Beyond, the one that has taken longest goes: a charge point's is done in
/// a moment, and it's those that aren't that fill the door.
const HANDSHAKES_MAX: usize = 64;
/// Between two connections accepted, so that a flood of them costs what we give it.
const ACCEPT_EVERY: Duration = Duration::from_millis(2);
/// A message up to this is read and, beyond [`MESSAGE_MAX_BYTES`], refused with the connection
/// kept; beyond this the connection ends.
const SOCKET_MAX_BYTES: usize = 4 * MESSAGE_MAX_BYTES;

/// A charge point that may connect.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) password: Option<Password>,
    pub(super) commands: mpsc::WeakSender<Command>,
}

pub(super) type Stations = Arc<Mutex<HashMap<String, Entry>>>;

/// What stands at the door.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) stations: Stations,
    pub(super) tls: Option<Renewed>,
    /// Charge points must have a certificate.
    pub(super) mutual: bool,
    pub(super) metrics: DeviceMetrics,
}

impl Door {
    /// Accepts connections until it is dropped.
    pub(super) async fn accept(self, listener: TcpListener) {
        let mut under_way = UnderWay(VecDeque::new());
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    if under_way.make_room() {
                        self.metrics.count_refused("", "too_many_handshakes");
                    }
                    let door = self.clone();
                    under_way.0.push_back(tokio::spawn(async move {
                        if timeout(HANDSHAKE_WITHIN, door.welcome(stream)).await.is_err() {
                            door.metrics.count_refused("", "handshake_too_slow");
                        }
                    }));
                    sleep(ACCEPT_EVERY).await;
                }
                Err(error) => {
                    // Out of file descriptors, as a rule; accepting at once again would spin.
                    tracing::warn!(%error, "accepting a charge point");
                    sleep(Duration::from_millis(200)).await;
                }
            }
        }
    }

    async fn welcome(&self, stream: TcpStream) {
        // Small answers must not wait for more to come.
        stream.set_nodelay(true).ok();
        let Some(tls) = &self.tls else { return self.greet_on(Box::new(stream), None).await };
        match tls.acceptor().await.accept(stream).await {
            Ok(stream) => {
                let certificates = stream.get_ref().1.peer_certificates();
                let certificate = certificates.and_then(|all| all.first()).map(|one| one.as_ref().to_vec());
                self.greet_on(Box::new(stream), certificate).await;
            }
            Err(error) => {
                tracing::debug!(%error, "a charge point's TLS");
                self.metrics.count_refused("", "tls");
            }
        }
    }

    async fn greet_on(&self, stream: Box<dyn Wire>, certificate: Option<Vec<u8>>) {
        let config = WebSocketConfig::default()
            .read_buffer_size(4096)
            .write_buffer_size(4096)
            .max_write_buffer_size(SOCKET_MAX_BYTES)
            .max_message_size(Some(SOCKET_MAX_BYTES))
            .max_frame_size(Some(SOCKET_MAX_BYTES));
        let mut guest = Guest::Silent;
        #[allow(clippy::result_large_err)]
        let greet =
            |request: &Request, response| self.greet(request, response, certificate.as_deref(), &mut guest);
        let shaken = accept_hdr_async_with_config(stream, greet, Some(config)).await;
        match (shaken, guest) {
            (Ok(socket), Guest::Known(commands, version)) => {
                // A driver whose queue is full is not worth waiting for: the charge point tries again.
                commands.try_send(Command::Attach(Box::new(socket), version)).ok();
            }
            (shaken, Guest::WrongSubprotocol(name)) => {
                self.metrics.count_refused(&name, "subprotocol");
                if let Ok(socket) = shaken {
                    turn_away(socket).await;
                }
            }
            (_, Guest::Unauthorized(name)) => self.metrics.count_refused(&name, "unauthorized"),
            (_, Guest::Silent) | (Err(_), Guest::Known(..)) => {
                self.metrics.count_refused("", "handshake_broke")
            }
            (_, Guest::Unknown) => self.metrics.count_refused("", "unknown_identity"),
        }
    }

    /// The handshake's verdict. Without a common subprotocol the standard (OCPP-J 1.6, section 3.2; 2.0.1 part 4,
    /// section 3.3) wants it completed without one, and the connection closed at once.
    #[allow(clippy::result_large_err)]
    fn greet(
        &self,
        request: &Request,
        mut response: Response,
        certificate: Option<&[u8]>,
        guest: &mut Guest,
    ) -> Result<Response, ErrorResponse> {
        *guest = Guest::Unknown;
        let Some(identity) = identity(request.uri().path()) else {
            return Err(refusal(StatusCode::NOT_FOUND));
        };
        let (name, password, commands) = {
            let stations = self.stations.lock().unwrap_or_else(PoisonError::into_inner);
            let entry = stations.get(&identity);
            let found = entry.and_then(|entry| {
                Some((entry.name.clone(), entry.password.clone(), entry.commands.upgrade()?))
            });
            found.ok_or_else(|| refusal(StatusCode::NOT_FOUND))?
        };
        let header = request.headers().get("Authorization").map(HeaderValue::as_bytes);
        let certified = !self.mutual || certificate.is_some_and(|certificate| is_of(certificate, &identity));
        if !certified || !may_connect(&identity, password.as_ref(), header) {
            *guest = Guest::Unauthorized(name);
            let mut refusal = refusal(StatusCode::UNAUTHORIZED);
            let how = HeaderValue::from_static("Basic realm=\"ocpp\"");
            refusal.headers_mut().insert("WWW-Authenticate", how);
            return Err(refusal);
        }
        let offered = request.headers().get_all(SUBPROTOCOL_HEADER);
        let offered =
            offered.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        match Version::choose(offered) {
            Some(version) => {
                let chosen = HeaderValue::from_static(version.subprotocol());
                response.headers_mut().insert(SUBPROTOCOL_HEADER, chosen);
                *guest = Guest::Known(commands, version);
            }
            None => *guest = Guest::WrongSubprotocol(name),
        }
        Ok(response)
    }
}

enum Guest {
    /// It has not said who it is.
    Silent,
    Unknown,
    Unauthorized(String),
    WrongSubprotocol(String),
    Known(mpsc::Sender<Command>, Version),
}

fn refusal(status: StatusCode) -> ErrorResponse {
    let mut refusal = ErrorResponse::new(None);
    *refusal.status_mut() = status;
    refusal
}

async fn turn_away(mut socket: Socket) {
    let frame = CloseFrame { code: CloseCode::Protocol, reason: "no subprotocol in common".into() };
    socket.close(Some(frame)).await.ok();
}

/// Handshakes under way, oldest first, which end with it.
struct UnderWay(VecDeque<JoinHandle<()>>);

impl UnderWay {
    /// Makes room for one more; whether one had to go for that.
    fn make_room(&mut self) -> bool {
        self.0.retain(|handshake| !handshake.is_finished());
        let oldest = if self.0.len() < HANDSHAKES_MAX { None } else { self.0.pop_front() };
        oldest.inspect(JoinHandle::abort).is_some()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}
