//! The charge point's connection: sought, kept, sought again.

use super::core::{Core, Effect, Input};
use crate::fault::Fault;
use crate::physics::car::ChargerSim;
use futures::{SinkExt, StreamExt};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep, timeout, MissedTickBehavior};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error as WsError;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{connect_async_with_config, MaybeTlsStream, WebSocketStream};

/// How often the physics are looked at.
const POLL: Duration = Duration::from_millis(25);
/// Between attempts to connect: doubled from the first to the last.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LAST: Duration = Duration::from_secs(2);
/// A connection that isn't made, or takes no bytes, for so long is given up.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const MESSAGE_MAX_BYTES: usize = 64 * 1024;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A charge point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargePointConfig {
    /// The central system, as `ws://host:port/path`, to which the identity is appended.
    pub central_system: String,
    /// Its identity.
    pub identity: String,
    /// Between meter values during a transaction, in seconds of simulated time.
    pub meter_interval_s: u32,
}

/// A charge point that can't be: the address of its central system is none.
#[derive(Debug, Error)]
#[error("{url} is no address of a central system")]
pub struct ChargePointError {
    /// The address tried.
    pub url: String,
    /// What is wrong with it.
    #[source]
    pub source: Box<WsError>,
}

/// A charge point that runs until it is dropped.
pub struct ChargePoint {
    fault: watch::Sender<Fault>,
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
        let url = format!("{}/{}", config.central_system.trim_end_matches('/'), config.identity);
        let request = url
            .as_str()
            .into_client_request()
            .map_err(|source| ChargePointError { url: url.clone(), source: Box::new(source) })?;
        let (fault, faults) = watch::channel(Fault::None);
        let client = Client {
            core: Core::new(config.meter_interval_s),
            sim,
            faults,
            started: Instant::now(),
            request,
        };
        Ok(Self { fault, running: tokio::spawn(client.run()) })
    }

    /// Lets it misbehave from now on.
    pub fn set_fault(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

struct Client {
    core: Core,
    sim: Arc<Mutex<ChargerSim>>,
    faults: watch::Receiver<Fault>,
    started: Instant,
    request: Request<()>,
}

impl Client {
    async fn run(mut self) {
        let mut retry = RETRY_FIRST;
        loop {
            if *self.faults.borrow() == Fault::Offline {
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
        let mut request = self.request.clone();
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("ocpp1.6"));
        let config = WebSocketConfig::default()
            .read_buffer_size(4096)
            .write_buffer_size(4096)
            .max_write_buffer_size(4 * MESSAGE_MAX_BYTES)
            .max_message_size(Some(MESSAGE_MAX_BYTES))
            .max_frame_size(Some(MESSAGE_MAX_BYTES));
        let connecting = connect_async_with_config(request, Some(config), true);
        match timeout(CONNECT_WITHIN, connecting).await {
            Ok(Ok((socket, _))) => Some(socket),
            Ok(Err(error)) => {
                tracing::debug!(%error, "connecting to the central system");
                None
            }
            Err(_) => None,
        }
    }

    /// Runs the conversation until the connection ends.
    async fn talk(&mut self, socket: &mut Socket) {
        let mut poll = interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut input = Input::Connected;
        loop {
            if *self.faults.borrow() == Fault::Offline {
                socket.close(None).await.ok();
                return;
            }
            for Effect::Send(text) in self.step(input) {
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
