//! How a simulated device misbehaves, settable while it is served, and the stream that sends half
//! frames.

use crate::world::lock;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What is wrong with a Modbus device; charge points and heat pumps have [`crate::fault::Fault`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModbusFault {
    /// Nothing.
    #[default]
    None,
    /// It answers nothing, and keeps connections.
    Silent,
    /// It answers so much later.
    Late(Duration),
    /// It sends half of each answer.
    HalfFrames,
    /// It answers every request with the exception "server device busy".
    Busy,
    /// It acknowledges writes and forgets them.
    Forgets,
    /// It acknowledges writes, reads them back, and does not act on them.
    Pretends,
}

/// A device's fault, shared between its server and whoever sets it.
#[derive(Clone, Debug, Default)]
pub struct FaultSwitch(Arc<Mutex<ModbusFault>>);

impl FaultSwitch {
    /// Sets it, for every request from now on.
    pub fn set(&self, fault: ModbusFault) {
        *lock(&self.0) = fault;
    }

    /// What it is set to.
    pub fn get(&self) -> ModbusFault {
        *lock(&self.0)
    }
}

/// A connection that sends only half of what is written under [`ModbusFault::HalfFrames`].
#[derive(Debug)]
pub struct FaultyStream {
    inner: TcpStream,
    fault: FaultSwitch,
}

impl FaultyStream {
    /// Over `inner`.
    pub fn new(inner: TcpStream, fault: FaultSwitch) -> Self {
        Self { inner, fault }
    }
}

impl AsyncRead for FaultyStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for FaultyStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        frame: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if self.fault.get() != ModbusFault::HalfFrames {
            return Pin::new(&mut self.inner).poll_write(cx, frame);
        }
        let half = &frame[..frame.len() / 2];
        Pin::new(&mut self.inner).poll_write(cx, half).map_ok(|_| frame.len())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
