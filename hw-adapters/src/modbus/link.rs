//! One connection to one Modbus TCP unit, opened on first use and dropped at the first doubt.
//!
//! Modbus answers carry a transaction number, but gateways are known to echo the wrong one, and
//! a late answer stays in the socket: once a request has timed out, every later answer could be the
//! one before. So on any time-out or malformed answer, and when a caller stops waiting half way, the
//! connection goes, and the next use opens a new one. No retries live here.

use std::future::Future;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_modbus::client::{tcp, Client, Context};
use tokio_modbus::{ExceptionCode, Request, Response, Slave};

/// Most registers one request may read (Modbus Application Protocol V1.1b3, 6.3).
pub const READ_MAX: u16 = 125;

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
        Self {
            connect: Duration::from_secs(1),
            request: Duration::from_secs(1),
            operation: Duration::from_secs(5),
        }
    }
}

/// Why a request brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LinkError {
    /// No connection, or no answer in time. The connection has been dropped.
    #[error("{0}")]
    Silent(String),
    /// An answer that is none to this request. The connection has been dropped.
    #[error("{0}")]
    BadAnswer(String),
    /// The unit answered with a Modbus exception; the connection is sound.
    #[error("Modbus exception {0:?}")]
    Exception(ExceptionCode),
}

/// A connection to one unit behind one address.
pub struct ModbusLink {
    address: String,
    unit: u8,
    timeouts: Timeouts,
    /// Taken out while a request is under way, so that abandoning it abandons the connection too.
    context: Option<Context>,
}

impl ModbusLink {
    /// A link to `unit` at `address` (`host:port`). Connects on first use.
    pub fn new(address: String, unit: u8, timeouts: Timeouts) -> Self {
        Self { address, unit, timeouts, context: None }
    }

    /// The deadlines it was given.
    pub fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// Closes the connection; the next request opens another.
    pub fn drop_connection(&mut self) {
        self.context = None;
    }

    /// Reads `count` holding registers from `start` (function 3). `count` is 1 to [`READ_MAX`].
    pub async fn read(&mut self, start: u16, count: u16) -> Result<Vec<u16>, LinkError> {
        let response = self.call(Request::ReadHoldingRegisters(start, count)).await?;
        match response {
            Response::ReadHoldingRegisters(words) if words.len() == usize::from(count) => Ok(words),
            Response::ReadHoldingRegisters(words) => {
                Err(self.distrust(format!("{} registers where {count} were asked", words.len())))
            }
            other => Err(self.distrust(format!("{other:?} to a read of registers"))),
        }
    }

    /// Reads `count` input registers from `start` (function 4). `count` is 1 to [`READ_MAX`].
    pub async fn read_input(&mut self, start: u16, count: u16) -> Result<Vec<u16>, LinkError> {
        match self.call(Request::ReadInputRegisters(start, count)).await? {
            Response::ReadInputRegisters(words) if words.len() == usize::from(count) => Ok(words),
            other => Err(self.distrust(format!("{other:?} to a read of {count} input registers"))),
        }
    }

    /// Writes `words` from `start` on (function 16).
    pub async fn write(&mut self, start: u16, words: &[u16]) -> Result<(), LinkError> {
        let response = self.call(Request::WriteMultipleRegisters(start, words.to_vec().into())).await?;
        match response {
            Response::WriteMultipleRegisters(at, count)
                if at == start && usize::from(count) == words.len() =>
            {
                Ok(())
            }
            other => Err(self.distrust(format!("{other:?} to a write at {start}"))),
        }
    }

    async fn call(&mut self, request: Request<'static>) -> Result<Response, LinkError> {
        let mut context = match self.context.take() {
            Some(context) => context,
            None => self.connect().await?,
        };
        let answer = within(self.timeouts.request, "no answer", context.call(request)).await?;
        match answer {
            Ok(Ok(response)) => {
                self.context = Some(context);
                Ok(response)
            }
            Ok(Err(exception)) => {
                self.context = Some(context);
                Err(LinkError::Exception(exception))
            }
            Err(tokio_modbus::Error::Transport(e)) if e.kind() == std::io::ErrorKind::InvalidData => {
                Err(LinkError::BadAnswer(e.to_string()))
            }
            Err(tokio_modbus::Error::Transport(e)) => Err(LinkError::Silent(e.to_string())),
            Err(tokio_modbus::Error::Protocol(e)) => Err(LinkError::BadAnswer(e.to_string())),
        }
    }

    async fn connect(&mut self) -> Result<Context, LinkError> {
        let stream = within(self.timeouts.connect, "no connection", TcpStream::connect(&self.address))
            .await?
            .map_err(|e| LinkError::Silent(format!("{}: {e}", self.address)))?;
        // A request is one small packet that must not wait for the acknowledgement of the last.
        stream.set_nodelay(true).map_err(|e| LinkError::Silent(e.to_string()))?;
        Ok(tcp::attach_slave(stream, Slave(self.unit)))
    }

    fn distrust(&mut self, reason: String) -> LinkError {
        self.drop_connection();
        LinkError::BadAnswer(reason)
    }
}

async fn within<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> Result<T, LinkError> {
    timeout(limit, future)
        .await
        .map_err(|_| LinkError::Silent(format!("{what} within {} ms", limit.as_millis())))
}
