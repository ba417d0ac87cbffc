//! Takes connections from a listener, each into a task of its own, and never waits for one. Of those that
//! have not said who they are there is a bounded number, and the oldest makes room: silent connections keep
//! nobody out.

use super::connection::End;
use super::{entry, Gate};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Wait after a connection could not be accepted, which is for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections that have not said who they are, by age. Who is taken out is closed.
#[derive(Default)]
struct Newcomers {
    waiting: Mutex<BTreeMap<u64, oneshot::Sender<()>>>,
}

impl Newcomers {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<u64, oneshot::Sender<()>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
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
pub async fn serve(gate: Arc<Gate>, listener: TcpListener) {
    let newcomers = Arc::new(Newcomers::default());
    let mut number = 0;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                number += 1;
                tokio::spawn(attend(gate.clone(), newcomers.clone(), number, stream));
            }
            Err(error) => {
                tracing::warn!(%error, "accepting an MQTT client");
                newcomers.waiting().pop_first();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn attend(gate: Arc<Gate>, newcomers: Arc<Newcomers>, number: u64, stream: TcpStream) {
    // Small packets go out at once. Where the system refuses, they go out later.
    let _ = stream.set_nodelay(true);
    let ends = newcomers.add(number, gate.limits.newcomers);
    let entered = tokio::select! {
        entered = timeout(gate.limits.introduction, entry::enter(&gate, stream)) => {
            entered.unwrap_or(Err(entry::Refused::TooLate))
        }
        _ = ends => Err(entry::Refused::TooLate),
    };
    newcomers.waiting().remove(&number);
    match entered {
        Ok(connection) => {
            let end = connection.serve(&gate).await;
            tracing::debug!(reason = end.word(), error = %end, "an MQTT client left");
            if let End::Inner(error) = end {
                tracing::error!(%error, "the inner MQTT broker is gone");
            }
        }
        Err(refused) => {
            tracing::debug!(reason = refused.word(), error = %refused, "an MQTT client was refused")
        }
    }
}
