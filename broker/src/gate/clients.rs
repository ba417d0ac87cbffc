//! Who is connected under which client id, and sessions of those who are away and asked for theirs to be
//! kept. A client id belongs to one connection at a time: who comes under it ends the one before.

use super::core::Session;
use super::inner::Link;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

/// All clients of a gate.
#[derive(Default)]
pub struct Clients {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    live: HashMap<String, Live>,
    kept: HashMap<String, Kept>,
}

struct Live {
    leave: Option<oneshot::Sender<Successor>>,
    gone: watch::Receiver<()>,
}

struct Kept {
    session: Session,
    link: Link,
    since: Instant,
}

/// Who comes under a client id that another has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Successor {
    /// Whether it wants nothing of the session before.
    pub clean: bool,
}

/// There are as many clients as may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// One client's place; dropping it frees it.
pub struct Seat {
    client_id: String,
    clients: Arc<Clients>,
    leave: oneshot::Receiver<Successor>,
    _gone: watch::Sender<()>,
}

impl Seat {
    /// The client id.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Waits until another connection wants the client id.
    pub async fn wanted(&mut self) -> Successor {
        // The other end goes with the gate, and is taken out only to be used.
        (&mut self.leave).await.unwrap_or(Successor { clean: true })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.clients.state().live.remove(&self.client_id);
    }
}

impl Clients {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place under a client id, once whoever had it is gone.
    ///
    /// # Errors
    /// [`Full`] where that would be more than `most`.
    pub async fn seat(
        self: &Arc<Self>,
        client_id: &str,
        most: usize,
        successor: Successor,
    ) -> Result<Seat, Full> {
        loop {
            let mut gone = match self.take_or_ask(client_id, most, successor) {
                Ok(taken) => return taken,
                Err(gone) => gone,
            };
            // Ends when the other side is dropped.
            let _ = gone.changed().await;
        }
    }

    fn take_or_ask(
        self: &Arc<Self>,
        client_id: &str,
        most: usize,
        successor: Successor,
    ) -> Result<Result<Seat, Full>, watch::Receiver<()>> {
        let mut state = self.state();
        if let Some(live) = state.live.get_mut(client_id) {
            if let Some(leave) = live.leave.take() {
                let _ = leave.send(successor);
            }
            return Err(live.gone.clone());
        }
        if state.live.len() >= most {
            return Ok(Err(Full));
        }
        let (leave, asked) = oneshot::channel();
        let (gone_tx, gone) = watch::channel(());
        state.live.insert(client_id.to_owned(), Live { leave: Some(leave), gone });
        let (client_id, clients) = (client_id.to_owned(), self.clone());
        Ok(Ok(Seat { client_id, clients, leave: asked, _gone: gone_tx }))
    }

    /// The session kept under this client id, if any; it is kept no longer.
    pub fn take_kept(&self, client_id: &str) -> Option<(Session, Link)> {
        self.state().kept.remove(client_id).map(|kept| (kept.session, kept.link))
    }

    /// Keeps a session until its client comes back; the oldest makes room where there are `most`.
    pub fn keep(&self, client_id: &str, session: Session, link: Link, most: usize) {
        let mut dropped = Vec::new();
        let mut state = self.state();
        while state.kept.len() >= most.max(1) {
            let oldest = state.kept.iter().min_by_key(|(_, kept)| kept.since).map(|(id, _)| id.clone());
            dropped.extend(oldest.and_then(|id| state.kept.remove(&id)));
        }
        let kept = Kept { session, link, since: Instant::now() };
        dropped.extend(state.kept.insert(client_id.to_owned(), kept));
    }

    /// Drops sessions whose clients have been away for longer than `most`.
    pub fn forget_older_than(&self, most: Duration) {
        let mut state = self.state();
        if state.kept.values().any(|kept| kept.since.elapsed() > most) {
            state.kept.retain(|_, kept| kept.since.elapsed() <= most);
        }
    }
}
