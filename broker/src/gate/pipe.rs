//! A connection's bytes in both directions. Buffers are given back as soon as they are empty, so that a
//! client that says nothing costs none.

use super::packet::Reply;
use super::reply;
use bytes::{Buf, BytesMut};
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{ready, Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{timeout, Instant};

/// Bytes read in one go.
const READ_BYTES: usize = 32 * 1_024;
/// Longest time for a connection to end in good order.
const FAREWELL: Duration = Duration::from_secs(1);

/// A stream, what was read from it, and what is to be written to it.
pub struct Pipe<S> {
    stream: S,
    /// Read and not understood yet.
    pub input: BytesMut,
    /// To be written.
    pub output: BytesMut,
    /// When last something was written, or there was nothing to write.
    moved: Instant,
}

/// What a turn at the stream brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Bytes of the client.
    Read,
    /// All that waited has been written.
    Written,
    /// The client has closed its side.
    Closed,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pipe<S> {
    /// A stream of which nothing has been read.
    pub fn new(stream: S) -> Self {
        Self { stream, input: BytesMut::new(), output: BytesMut::new(), moved: Instant::now() }
    }

    /// Writes what waits, as far as it goes, and reads, where it should.
    ///
    /// # Errors
    /// Where the connection is broken.
    pub async fn turn(&mut self, reading: bool) -> io::Result<Turn> {
        poll_fn(|task| {
            let written = match self.write(task) {
                Poll::Ready(written) => written?,
                Poll::Pending => false,
            };
            if reading {
                if let Poll::Ready(count) = self.read(task) {
                    return Poll::Ready(Ok(if count? == 0 { Turn::Closed } else { Turn::Read }));
                }
            }
            if written {
                return Poll::Ready(Ok(Turn::Written));
            }
            Poll::Pending
        })
        .await
    }

    /// Since when something waits and nothing has been taken.
    pub fn waits_since(&self) -> Option<Instant> {
        (!self.output.is_empty()).then_some(self.moved)
    }

    /// Gives back what empty buffers hold.
    pub fn settle(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
    }

    /// Writes all that waits; whether there was any.
    fn write(&mut self, task: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.output.is_empty() {
            return Poll::Ready(Ok(false));
        }
        while !self.output.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(task, &self.output))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.advance(count);
            self.moved = Instant::now();
        }
        self.output = BytesMut::new();
        ready!(Pin::new(&mut self.stream).poll_flush(task))?;
        Poll::Ready(Ok(true))
    }

    /// Reads behind what was read before; how many bytes.
    fn read(&mut self, task: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut place = [const { MaybeUninit::uninit() }; READ_BYTES];
        let mut place = ReadBuf::uninit(&mut place);
        ready!(Pin::new(&mut self.stream).poll_read(task, &mut place))?;
        self.input.extend_from_slice(place.filled());
        Poll::Ready(Ok(place.filled().len()))
    }

    /// Writes what waits and closes, as far as that goes in a short while.
    pub async fn close(mut self) {
        let farewell = async {
            self.stream.write_all(&self.output).await?;
            self.stream.shutdown().await
        };
        // A client that takes nothing has nothing to complain about.
        let _ = timeout(FAREWELL, farewell).await;
    }

    /// Answers a connection that is not let in, and closes it.
    pub async fn turn_away(mut self, answer: &Reply) {
        reply::write(answer, &mut self.output);
        self.close().await;
    }
}
