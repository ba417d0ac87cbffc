//! Who is connected under which client id, and sessions of those who are away and asked for theirs to be
//! kept. A client id belongs to one connection at a time: who comes under it ends the one before. Ids are each
//! caller's own: nobody takes over what is another's.

use super::core::Session;
use super::inner::{Arrival, Link};
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
    live: HashMap<ClientKey, Live>,
    kept: HashMap<ClientKey, Kept>,
}

struct Live {
    leave: Option<oneshot::Sender<Leave>>,
    gone: watch::Receiver<()>,
    serial: Option<Vec<u8>>,
}

struct Kept {
    session: Session,
    link: Link,
    since: Instant,
}

/// Why a connection has to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Another came under its client id; true where that wants nothing of the session before.
    TakenOver(bool),
    /// Its certificate has been revoked.
    Revoked,
}

/// Under what a client is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientKey {
    /// Who it has proven to be; nothing where anyone may come.
    pub caller: String,
    /// Its client id.
    pub client_id: String,
}

/// There are as many clients as may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// One client's place; dropping it frees it.
pub struct Seat {
    key: ClientKey,
    clients: Arc<Clients>,
    leave: oneshot::Receiver<Leave>,
    _gone: watch::Sender<()>,
}

impl Seat {
    /// Under what the client is known.
    pub fn key(&self) -> &ClientKey {
        &self.key
    }

    /// Waits until the connection has to leave.
    pub async fn leave(&mut self) -> Leave {
        // The other end goes with the gate, and is taken out only to be used.
        (&mut self.leave).await.unwrap_or(Leave::TakenOver(true))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.clients.state().live.remove(&self.key);
    }
}

impl Live {
    fn ask(&mut self, leave: Leave) {
        if let Some(asked) = self.leave.take() {
            // Who is gone already need not leave.
            let _ = asked.send(leave);
        }
    }
}

impl Clients {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place under this key, once whoever had it is gone, for who wants a clean session or not, and has a
    /// certificate of this serial number or none.
    ///
    /// # Errors
    /// [`Full`] where that would be more than `most`.
    pub async fn seat(
        self: &Arc<Self>,
        key: ClientKey,
        clean: bool,
        serial: Option<Vec<u8>>,
        most: usize,
    ) -> Result<Seat, Full> {
        loop {
            let mut gone = {
                let mut state = self.state();
                let others = state.live.len();
                match state.live.get_mut(&key) {
                    Some(live) => {
                        live.ask(Leave::TakenOver(clean));
                        live.gone.clone()
                    }
                    None if others >= most => return Err(Full),
                    None => return Ok(self.place(&mut state, key, serial)),
                }
            };
            // Ends when the other side is dropped.
            let _ = gone.changed().await;
        }
    }

    fn place(self: &Arc<Self>, state: &mut State, key: ClientKey, serial: Option<Vec<u8>>) -> Seat {
        let (leave, asked) = oneshot::channel();
        let (gone_tx, gone) = watch::channel(());
        state.live.insert(key.clone(), Live { leave: Some(leave), gone, serial });
        Seat { key, clients: self.clone(), leave: asked, _gone: gone_tx }
    }

    /// Asks those to leave whose certificates are revoked; how many.
    pub fn drop_revoked(&self, revoked: impl Fn(&[u8]) -> bool) -> usize {
        let mut state = self.state();
        let live = state.live.values_mut().filter(|live| live.serial.as_deref().is_some_and(&revoked));
        live.map(|live| live.ask(Leave::Revoked)).count()
    }

    /// The session kept under this key, if any; it is kept no longer.
    pub fn take_kept(&self, key: &ClientKey) -> Option<(Session, Link)> {
        self.state().kept.remove(key).map(|kept| (kept.session, kept.link))
    }

    /// Keeps a session until its client comes back; the oldest makes room where there are `most`.
    pub fn keep(&self, key: &ClientKey, session: Session, link: Link, most: usize) {
        let mut dropped = Vec::new();
        let mut state = self.state();
        while state.kept.len() >= most.max(1) {
            let oldest = state.kept.iter().min_by_key(|(_, kept)| kept.since).map(|(key, _)| key.clone());
            dropped.extend(oldest.and_then(|key| state.kept.remove(&key)));
        }
        let kept = Kept { session, link, since: Instant::now() };
        dropped.extend(state.kept.insert(key.clone(), kept));
    }

    /// Sets aside what the router has for clients that are away, and drops sessions that have been kept for
    /// longer than `most`, or for which more than so many bytes wait: their clients begin anew, and know it.
    pub fn tend(&self, most: Duration, most_bytes: usize) {
        let mut state = self.state();
        state.kept.retain(|_, kept| kept.since.elapsed() <= most && kept.set_aside() <= most_bytes);
    }
}

impl Kept {
    /// How many bytes wait; as many as there are numbers where the router is gone.
    fn set_aside(&mut self) -> usize {
        loop {
            match self.link.next() {
                Ok(Some(arrival)) => {
                    let Arrival { number, topic, payload, qos } = arrival;
                    self.session.owe(number, topic, payload, qos);
                }
                Ok(None) => return self.session.waiting_bytes(),
                Err(_) => return usize::MAX,
            }
        }
    }
}
