//! One connection to one Modbus unit, opened on first use and dropped at the first doubt.
//!
//! A late answer stays in the socket: once a request has timed out, every later answer could be the
//! one before. So on any time-out or malformed answer, and when a caller stops waiting half way, the
//! connection goes, and the next use opens a new one, at once after a first failure and ever later after
//! more of them. No retries live here.

use super::backoff::Backoff;
use super::bus::Bus;
use super::endpoint::Endpoint;
use super::guard::Framing;
use super::stream::{GuardedStream, Transport};
use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::{sleep_until, timeout, Instant};
use tokio_modbus::client::{rtu, tcp, Client, Context};
use tokio_modbus::{ExceptionCode, Request, Response, Slave};

/// Most registers one request may read (Modbus Application Protocol V1.1b3, 6.3).
pub const READ_MAX: u16 = 125;
/// Most registers one request may write (Modbus Application Protocol V1.1b3, 6.12).
pub const WRITE_MAX: usize = 123;

/// How long a device may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To accept a connection.
    pub connect: Duration,
    /// To answer one request.
    pub request: Duration,
    /// To get through everything one call needs, discovery included.
    pub operation: Duration,
}

impl Default for Timeouts {
    /// One second to connect, one for each request, five in all.
    fn default() -> Self {
        Self::of(Duration::from_secs(1))
    }
}

impl Timeouts {
    /// So much for each request and to connect, and five times that in all: a device's first call walks its
    /// whole model chain, some twenty short requests.
    pub fn of(request: Duration) -> Self {
        Self { connect: request, request, operation: request * 5 }
    }
}

/// Why a request brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LinkError {
    /// No connection, or no turn on the line.
    #[error("{0}")]
    Silent(String),
    /// Connected, and no answer in time, or the connection was closed instead. It has been dropped.
    #[error("{0}")]
    Unanswered(String),
    /// An answer that is none to this request. The connection has been dropped.
    #[error("{0}")]
    BadAnswer(String),
    /// The unit answered with a Modbus exception; the connection is sound.
    #[error("Modbus exception {0:?}")]
    Exception(ExceptionCode),
}

/// A connection to one unit.
pub struct ModbusLink {
    line: Line,
    unit: u8,
    timeouts: Timeouts,
    backoff: Backoff,
    /// No attempt before.
    rests_until: Option<Instant>,
}

enum Line {
    /// Its own connection, taken out while a request is under way, so that abandoning it abandons the
    /// connection too.
    Own { address: String, context: Option<Context> },
    /// A serial line, shared with other units.
    Shared(Arc<Bus>),
}

impl ModbusLink {
    /// A link to `unit` at `endpoint` (from a `String`: `host:port`). Connects on first use.
    pub fn new(endpoint: impl Into<Endpoint>, unit: u8, timeouts: Timeouts) -> Self {
        let line = match endpoint.into() {
            Endpoint::Tcp(address) => Line::Own { address, context: None },
            Endpoint::Rtu { path, line } => Line::Shared(Bus::of(&path, line)),
        };
        Self { line, unit, timeouts, backoff: Backoff::default(), rests_until: None }
    }

    /// A link over a connection there is already, for tests and fuzzing; once dropped it can't be had again.
    pub fn over<T>(stream: T, framing: Framing, unit: u8, timeouts: Timeouts) -> Self
    where
        T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let stream = GuardedStream::new(Box::new(stream) as Box<dyn Transport>, framing);
        let context = match framing {
            Framing::Tcp => tcp::attach_slave(stream, Slave(unit)),
            Framing::Rtu => rtu::attach_slave(stream, Slave(unit)),
        };
        let mut link = Self::new("nowhere".to_owned(), unit, timeouts);
        link.line = Line::Own { address: "nowhere".to_owned(), context: Some(context) };
        link
    }

    /// The deadlines it was given.
    pub fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// Closes the connection; the next request opens another.
    pub async fn drop_connection(&mut self) {
        match &mut self.line {
            Line::Own { context, .. } => *context = None,
            Line::Shared(bus) => bus.close().await,
        }
    }

    /// Reads `count` holding registers from `start` (function 3). `count` is 1 to [`READ_MAX`].
    ///
    /// # Errors
    /// Why there is no answer to believe.
    pub async fn read(&mut self, start: u16, count: u16) -> Result<Vec<u16>, LinkError> {
        match self.call(Request::ReadHoldingRegisters(start, count)).await? {
            Response::ReadHoldingRegisters(words) if words.len() == usize::from(count) => Ok(words),
            other => Err(self.distrust(format!("{other:?} to a read of {count} registers")).await),
        }
    }

    /// Reads `count` input registers from `start` (function 4). `count` is 1 to [`READ_MAX`].
    ///
    /// # Errors
    /// Why there is no answer to believe.
    pub async fn read_input(&mut self, start: u16, count: u16) -> Result<Vec<u16>, LinkError> {
        match self.call(Request::ReadInputRegisters(start, count)).await? {
            Response::ReadInputRegisters(words) if words.len() == usize::from(count) => Ok(words),
            other => Err(self.distrust(format!("{other:?} to a read of {count} input registers")).await),
        }
    }

    /// Writes `words`, at most [`WRITE_MAX`], from `start` on (function 16).
    ///
    /// # Errors
    /// Why it is not known to be written.
    pub async fn write(&mut self, start: u16, words: &[u16]) -> Result<(), LinkError> {
        match self.call(Request::WriteMultipleRegisters(start, words.to_vec().into())).await? {
            Response::WriteMultipleRegisters(at, count)
                if at == start && usize::from(count) == words.len() =>
            {
                Ok(())
            }
            other => Err(self.distrust(format!("{other:?} to a write at {start}")).await),
        }
    }

    async fn call(&mut self, request: Request<'static>) -> Result<Response, LinkError> {
        self.rest().await?;
        let answer = match &mut self.line {
            Line::Shared(bus) => bus.call(self.unit, request, self.timeouts).await,
            Line::Own { address, context } => {
                let mut taken = match context.take() {
                    Some(context) => Ok(context),
                    None => connect(address, self.unit, self.timeouts.connect).await,
                };
                match &mut taken {
                    Err(error) => Err(error.clone()),
                    Ok(open) => {
                        let answer = ask(open, request, self.timeouts.request).await;
                        if matches!(answer, Ok(_) | Err(LinkError::Exception(_))) {
                            *context = taken.ok();
                        }
                        answer
                    }
                }
            }
        };
        match &answer {
            Ok(_) | Err(LinkError::Exception(_)) => self.backoff.succeeded(),
            Err(_) => {
                let wait = self.backoff.failed(RandomState::new().build_hasher().finish());
                self.rests_until = Some(Instant::now() + wait);
            }
        }
        answer
    }

    /// Waits until the device may be asked again, or says that this takes longer than a connection may.
    async fn rest(&mut self) -> Result<(), LinkError> {
        let Some(until) = self.rests_until else { return Ok(()) };
        let left = until.saturating_duration_since(Instant::now());
        if left > self.timeouts.connect {
            let failures = self.backoff.failures();
            let text = format!("left alone for another {} ms after {failures} failures", left.as_millis());
            return Err(LinkError::Silent(text));
        }
        sleep_until(until).await;
        self.rests_until = None;
        Ok(())
    }

    async fn distrust(&mut self, reason: String) -> LinkError {
        self.drop_connection().await;
        LinkError::BadAnswer(reason)
    }
}

/// Asks over an open connection. Of use again only after an answer or an exception.
pub(super) async fn ask(
    context: &mut Context,
    request: Request<'static>,
    limit: Duration,
) -> Result<Response, LinkError> {
    let late = |_| LinkError::Unanswered(format!("no answer within {} ms", limit.as_millis()));
    match timeout(limit, context.call(request)).await.map_err(late)? {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(exception)) => Err(LinkError::Exception(exception)),
        Err(tokio_modbus::Error::Transport(e)) if e.kind() == std::io::ErrorKind::InvalidData => {
            Err(LinkError::BadAnswer(e.to_string()))
        }
        Err(tokio_modbus::Error::Transport(e)) => Err(LinkError::Unanswered(e.to_string())),
        Err(tokio_modbus::Error::Protocol(e)) => Err(LinkError::BadAnswer(e.to_string())),
    }
}

async fn connect(address: &str, unit: u8, limit: Duration) -> Result<Context, LinkError> {
    let stream = within(limit, "no connection", TcpStream::connect(address))
        .await?
        .map_err(|e| LinkError::Silent(format!("{address}: {e}")))?;
    // A request is one small packet that must not wait for the acknowledgement of the last.
    stream.set_nodelay(true).map_err(|e| LinkError::Silent(e.to_string()))?;
    Ok(tcp::attach_slave(GuardedStream::new(Box::new(stream), Framing::Tcp), Slave(unit)))
}

pub(super) async fn within<T>(
    limit: Duration,
    what: &str,
    future: impl Future<Output = T>,
) -> Result<T, LinkError> {
    timeout(limit, future)
        .await
        .map_err(|_| LinkError::Silent(format!("{what} within {} ms", limit.as_millis())))
}
