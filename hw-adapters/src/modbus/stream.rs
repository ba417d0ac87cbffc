//! A connection that lets pass only whole frames that can be the answer to what was asked.

use super::guard::{Framing, Guard};
use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use std::task::{ready, Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most bytes taken at once: more than any frame has.
const CHUNK: usize = 512;

/// What carries frames: a socket, a serial line, or a pipe in a test.
pub(super) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// A guarded transport.
pub(super) struct GuardedStream {
    inner: Box<dyn Transport>,
    guard: Guard,
    /// The rest of a frame that passed, not taken yet.
    passed: Vec<u8>,
}

impl GuardedStream {
    /// Guards `inner`.
    pub fn new(inner: Box<dyn Transport>, framing: Framing) -> Self {
        Self { inner, guard: Guard::new(framing), passed: Vec::new() }
    }
}

impl std::fmt::Debug for GuardedStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GuardedStream").field("guard", &self.guard).finish_non_exhaustive()
    }
}

impl AsyncRead for GuardedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        while self.passed.is_empty() {
            let mut chunk = [0; CHUNK];
            let mut read = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Err(Error::new(ErrorKind::UnexpectedEof, "the connection was closed")));
            }
            match self.guard.feed(read.filled()) {
                Ok(Some(frame)) => self.passed = frame,
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(Error::new(ErrorKind::InvalidData, error))),
            }
        }
        let count = buf.remaining().min(self.passed.len());
        buf.put_slice(&self.passed[..count]);
        self.passed.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for GuardedStream {
    /// One call is one frame: the library hands each request over whole.
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, frame: &[u8]) -> Poll<Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, frame))?;
        if written < frame.len() {
            // The kernel had no room for some hundred bytes: nothing is flowing any more.
            return Poll::Ready(Err(Error::new(ErrorKind::WriteZero, "the connection takes nothing more")));
        }
        self.guard.asked(frame);
        self.passed.clear();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
