//! Stands between clients and rumqttd's own socket, for what rumqttd cannot be told: to send small
//! packets at once, and to turn a client away.
//!
//! rumqttd leaves Nagle's algorithm on. A packet behind another small one (an answer behind the
//! PUBACK of its question) then waits until the client's TCP has acknowledged that, which it puts
//! off by 40 ms: an interval's dozen messages would take half a second of waiting. Here rumqttd's
//! peer acknowledges at once, and packets go on to clients without Nagle's algorithm.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Bytes taken from one side before they are given to the other; there are two such for a client.
const BUFFER_BYTES: usize = 8 * 1_024;
/// Wait after a connection could not be accepted, which is for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Relays every connection to `inner`, at most `clients` at a time; one more is closed at once.
pub(super) async fn serve(listener: TcpListener, inner: SocketAddr, clients: usize) {
    let places = Arc::new(Semaphore::new(clients));
    loop {
        let near = match listener.accept().await {
            Ok((near, _)) => near,
            Err(error) => {
                tracing::warn!(%error, "accepting an MQTT client");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            tracing::warn!(clients, "an MQTT client was turned away: there are as many as may be");
            continue;
        };
        tokio::spawn(async move {
            if let Err(error) = relay(near, inner).await {
                tracing::debug!(%error, "an MQTT client's connection broke");
            }
            drop(place);
        });
    }
}

async fn relay(mut near: TcpStream, inner: SocketAddr) -> io::Result<()> {
    let mut far = TcpStream::connect(inner).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (near_in, near_out) = near.split();
    let (far_in, far_out) = far.split();
    // MQTT knows no half-open connections: when one side ends, both do.
    tokio::select! {
        ended = forward(near_in, far_out, |_| Ok(())) => ended,
        ended = forward(far_in, near_out, acknowledge_at_once) => ended,
    }
}

async fn forward(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    before_reading: fn(&TcpStream) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        before_reading(from.as_ref())?;
        match from.read(&mut buffer).await? {
            0 => return Ok(()),
            count => to.write_all(&buffer[..count]).await?,
        }
    }
}

/// Linux goes back to putting acknowledgements off after a while, so this is asked for anew before
/// each reading. Elsewhere the system decides.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn acknowledge_at_once(stream: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(stream).set_tcp_quickack(true)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn acknowledge_at_once(_: &TcpStream) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn echo(listener: TcpListener) {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut from, mut to) = stream.split();
            let _ = tokio::io::copy(&mut from, &mut to).await;
        }
    }

    /// What comes back of three bytes; nothing where the connection is closed.
    async fn say(stream: &mut TcpStream) -> Option<[u8; 3]> {
        let mut back = [0; 3];
        stream.write_all(b"abc").await.ok()?;
        stream.read_exact(&mut back).await.ok().map(|_| back)
    }

    #[tokio::test]
    async fn bytes_pass_and_one_client_too_many_is_turned_away_until_another_leaves() {
        let inner = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let outer = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (inside, outside) = (inner.local_addr().unwrap(), outer.local_addr().unwrap());
        tokio::spawn(echo(inner));
        tokio::spawn(serve(outer, inside, 1));
        let mut first = TcpStream::connect(outside).await.unwrap();
        assert_eq!(say(&mut first).await, Some(*b"abc"));
        let mut second = TcpStream::connect(outside).await.unwrap();
        assert_eq!(say(&mut second).await, None);
        drop(first);
        loop {
            let mut third = TcpStream::connect(outside).await.unwrap();
            if say(&mut third).await == Some(*b"abc") {
                break;
            }
        }
    }
}
