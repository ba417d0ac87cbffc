//! Takes connections from a listener, each into a task of its own, and never waits for one. Of those that
//! have not said who they are there is a bounded number, and the oldest makes room: silent connections keep
//! nobody out.

use super::connection::{Connection, End};
use super::door::{Door, Entrance};
use super::entry::{self, Refused};
use super::tls::{Mutual, Peer};
use super::Gate;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

/// Wait after a connection could not be accepted, which is for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Connections that have not said who they are, by age. Who is taken out is closed.
#[derive(Default)]
struct Newcomers {
    waiting: Mutex<BTreeMap<u64, oneshot::Sender<()>>>,
}

impl Newcomers {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<u64, oneshot::Sender<()>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the oldest eighth, and at least one: their file descriptors are wanted.
    fn make_room(&self) {
        let mut waiting = self.waiting();
        for _ in 0..waiting.len() / 8 + 1 {
            waiting.pop_first();
        }
    }

    /// One more; what it gets ends when it has to make room.
    fn add(&self, number: u64, most: usize) -> oneshot::Receiver<()> {
        let (stay, ends) = oneshot::channel();
        let mut waiting = self.waiting();
        while waiting.len() >= most.max(1) {
            waiting.pop_first();
        }
        waiting.insert(number, stay);
        ends
    }
}

/// Serves every connection of a listener, for ever.
pub async fn serve(gate: Arc<Gate>, entrance: Entrance, listener: TcpListener) {
    let newcomers = Arc::new(Newcomers::default());
    let mut number = 0;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                number += 1;
                entrance.metrics.connections.inc();
                // Small packets go out at once. Where the system refuses, they go out later.
                let _ = stream.set_nodelay(true);
                let ends = newcomers.add(number, gate.limits.newcomers);
                let newcomer = Newcomer { number, ends, all: newcomers.clone() };
                tokio::spawn(attend(gate.clone(), entrance.clone(), newcomer, stream));
            }
            Err(error) => {
                tracing::warn!(%error, "accepting an MQTT client");
                newcomers.make_room();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A connection's place among those that have not said who they are.
struct Newcomer {
    number: u64,
    ends: oneshot::Receiver<()>,
    all: Arc<Newcomers>,
}

async fn attend(gate: Arc<Gate>, entrance: Entrance, newcomer: Newcomer, stream: TcpStream) {
    if let Door::Parties(mutual) = entrance.door.clone() {
        let entering = enter_by_tls(&gate, &entrance, &mutual, stream);
        let entered = in_time(&gate, newcomer, entering).await;
        serve_client(&gate, &entrance, entered).await;
    } else {
        let entered = in_time(&gate, newcomer, entry::enter(&gate, &entrance, None, stream)).await;
        serve_client(&gate, &entrance, entered).await;
    }
}

async fn enter_by_tls(
    gate: &Arc<Gate>,
    entrance: &Entrance,
    mutual: &Mutual,
    stream: TcpStream,
) -> Result<Connection<TlsStream<TcpStream>>, Refused> {
    let stream = mutual.acceptor().accept(stream).await.map_err(Refused::Tls)?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let peer = Peer::of(certificate.map_or(&[], |certificate| certificate))?;
    entry::enter(gate, entrance, Some(peer), stream).await
}

async fn in_time<S>(
    gate: &Gate,
    newcomer: Newcomer,
    entering: impl Future<Output = Result<Connection<S>, Refused>>,
) -> Result<Connection<S>, Refused> {
    let entered = tokio::select! {
        entered = timeout(gate.limits.introduction, entering) => entered.unwrap_or(Err(Refused::TooLate)),
        _ = newcomer.ends => Err(Refused::TooLate),
    };
    newcomer.all.waiting().remove(&newcomer.number);
    entered
}

async fn serve_client<S: AsyncRead + AsyncWrite + Unpin>(
    gate: &Gate,
    entrance: &Entrance,
    entered: Result<Connection<S>, Refused>,
) {
    let metrics = &entrance.metrics;
    match entered {
        Ok(connection) => {
            metrics.clients.inc();
            let end = connection.serve(gate).await;
            metrics.clients.dec();
            metrics.ended(end.word());
            tracing::debug!(reason = end.word(), error = %end, "an MQTT client left");
            if let End::Inner(error) = end {
                tracing::error!(%error, "the inner MQTT broker is gone");
            }
        }
        Err(refused) => {
            metrics.refused(refused.word());
            tracing::debug!(reason = refused.word(), error = %refused, "an MQTT client was refused");
        }
    }
}
