//! One charge point's socket: feeds the core, performs its effects. Decides nothing about energy.

use super::budget::Budget;
use super::core::{Core, Effect, Input, Now};
use super::request::StationRequest;
use super::station::{CallFailure, StationState};
use super::version::Version;
use crate::metrics::DeviceMetrics;
use futures::{SinkExt, StreamExt};
use market::units::Milliwatt;
use serde_json::Value;
use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{interval, timeout, MissedTickBehavior};
use tokio_tungstenite::tungstenite::error::{CapacityError, Error as WsError};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::WebSocketStream;

/// How often the core is told that time has passed.
const POLL: Duration = Duration::from_millis(250);
/// A charge point that takes no bytes for so long has lost its connection.
const SEND_WITHIN: Duration = Duration::from_secs(5);

pub(super) type Outcome = Result<Value, CallFailure>;

/// Bytes to and from a charge point, in the open or under TLS.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A websocket over either.
pub(super) type Socket = WebSocketStream<Box<dyn Wire>>;

/// What a driver is told.
pub(super) enum Command {
    /// The charge point has connected; an earlier connection is replaced.
    Attach(Box<Socket>, Version),
    /// Something is to be asked of it.
    Ask(StationRequest, oneshot::Sender<Outcome>),
    /// Charging is to be limited from now on.
    Limit(Milliwatt, oneshot::Sender<Outcome>),
    /// It is to be left to itself from now on.
    Release,
}

pub(super) struct Driver {
    pub(super) device: String,
    pub(super) core: Core,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) state: watch::Sender<StationState>,
    pub(super) started: Instant,
    pub(super) metrics: DeviceMetrics,
}

impl Driver {
    /// Runs until every sender of commands is gone.
    pub(super) async fn run(mut self) {
        let mut socket: Option<Box<Socket>> = None;
        let mut waiting: HashMap<u64, oneshot::Sender<Outcome>> = HashMap::new();
        let mut tickets = 0_u64;
        let mut budget = Budget::new(0);
        let mut poll = interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let input = tokio::select! {
                command = self.commands.recv() => match command {
                    None => return,
                    Some(Command::Attach(new, version)) => {
                        socket = Some(new);
                        budget = Budget::new(self.now().real_ms);
                        Some(Input::Connected(version))
                    }
                    Some(Command::Ask(request, answer)) => {
                        tickets += 1;
                        waiting.insert(tickets, answer);
                        Some(Input::Ask { ticket: tickets, request })
                    }
                    Some(Command::Limit(power, answer)) => {
                        tickets += 1;
                        waiting.insert(tickets, answer);
                        Some(Input::Limit { ticket: tickets, power })
                    }
                    Some(Command::Release) => Some(Input::Release),
                },
                message = next(&mut socket) => {
                    if budget.take(self.now().real_ms) {
                        self.input(message)
                    } else {
                        self.metrics.count_refused(&self.device, "flood");
                        Some(Input::Disconnected)
                    }
                }
                _ = poll.tick() => Some(Input::Poll),
            };
            let Some(input) = input else { continue };
            if input == Input::Disconnected {
                socket = None;
            }
            self.step(input, &mut socket, &mut waiting).await;
        }
    }

    async fn step(
        &mut self,
        input: Input,
        socket: &mut Option<Box<Socket>>,
        waiting: &mut HashMap<u64, oneshot::Sender<Outcome>>,
    ) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let now = self.now();
            for effect in self.core.step(now, input) {
                let lost = match effect {
                    Effect::Send(text) => !send(socket, Message::text(text)).await,
                    Effect::Ping => !send(socket, Message::Ping(Vec::new().into())).await,
                    Effect::Close => true,
                    Effect::Resolve { ticket, outcome } => {
                        if let Some(answer) = waiting.remove(&ticket) {
                            // Whoever asked may have stopped waiting.
                            answer.send(outcome).ok();
                        }
                        false
                    }
                    Effect::Refused { reason } => {
                        self.metrics.count_refused(&self.device, reason);
                        false
                    }
                };
                if lost && socket.take().is_some() {
                    inputs.push(Input::Disconnected);
                }
            }
        }
        self.state.send_if_modified(|state| {
            let changed = state != self.core.station();
            if changed {
                state.clone_from(self.core.station());
            }
            changed
        });
    }

    fn input(&self, message: Option<Result<Message, WsError>>) -> Option<Input> {
        match message {
            Some(Ok(Message::Text(text))) => Some(Input::Text(text.as_str().to_owned())),
            Some(Ok(Message::Binary(_))) => {
                self.metrics.count_refused(&self.device, "binary");
                None
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Some(Input::Heard),
            Some(Ok(Message::Close(_) | Message::Frame(_))) => None,
            Some(Err(error)) => {
                tracing::debug!(device = self.device, %error, "charge point's connection broke");
                self.metrics.count_refused(&self.device, broken(&error));
                Some(Input::Disconnected)
            }
            None => Some(Input::Disconnected),
        }
    }

    fn now(&self) -> Now {
        let utc = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            utc_s: i64::try_from(utc.as_secs()).unwrap_or(0),
            real_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }
}

async fn next(socket: &mut Option<Box<Socket>>) -> Option<Result<Message, WsError>> {
    match socket {
        Some(socket) => socket.next().await,
        None => std::future::pending().await,
    }
}

async fn send(socket: &mut Option<Box<Socket>>, message: Message) -> bool {
    match socket {
        Some(socket) => matches!(timeout(SEND_WITHIN, socket.send(message)).await, Ok(Ok(()))),
        None => false,
    }
}

fn broken(error: &WsError) -> &'static str {
    match error {
        WsError::Capacity(CapacityError::MessageTooLong { .. }) => "oversized",
        WsError::Utf8(_) => "not_utf8",
        WsError::Protocol(_) => "websocket_protocol",
        _ => "connection_broke",
    }
}
