//! The gate: an MQTT 3.1.1 front that every client passes before rumqttd's router, which listens to nobody
//! ([`inner`]). It accepts, decodes strictly ([`frame`]), bounds ([`limits`]) and keeps what the router keeps
//! badly: acknowledgements ([`core`], [`window`]), wills ([`connection`]), kept messages ([`retained`]), client
//! ids ([`clients`]). Why, and what it can't mend: `docs/adr/0027`.
//!
//! Spoken here: QoS 0 and 1, wills, kept messages, sessions kept for a while. Refused: QoS 2, `$share` and
//! every other topic that begins with `$`, topics of more than seven slashes.
//!
//! All clients share one thread, on which nothing waits for a client; the router has another.

mod accept;
mod clients;
mod connection;
mod core;
mod door;
mod entry;
mod frame;
mod inner;
mod limits;
mod metrics;
mod packet;
mod pipe;
mod reply;
mod retained;
mod rights;
mod shared;
mod tls;
mod topic;
mod window;

pub use door::{Device, Devices, Door};
pub use limits::Limits;
pub use metrics::GateMetrics;
pub use rights::{Access, PartyAccess, Rules};
pub use tls::{Mutual, Nameless, Peer, TlsError, TlsFiles};

use self::clients::Clients;
use self::door::Entrance;
use self::inner::{Inner, InnerError};
use self::shared::Shared;
use crate::rate::Bucket;
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::net::TcpListener;

/// Links of the router beyond those of clients and kept sessions.
const SPARE_LINKS: usize = 100;
/// Between two looks at the files of certificates.
const FILES: Duration = Duration::from_secs(2);
/// Between two nudges of a router that clients have left.
const NUDGE: Duration = Duration::from_millis(50);

/// What every connection of a gate shares.
pub(crate) struct Gate {
    limits: Limits,
    shared: Mutex<Shared>,
    clients: Arc<Clients>,
    inner: Arc<Inner>,
    /// Clients that came without a client id.
    nameless: AtomicU64,
    /// How often each caller that has proven who it is has connected.
    connects: Mutex<HashMap<String, Bucket>>,
    started: Instant,
    /// Turns of its loop.
    beats: AtomicU64,
}

impl Gate {
    /// A gate before a router of its own, whose segments are of so many bytes.
    pub fn new(limits: Limits, segment_bytes: usize) -> Arc<Gate> {
        let links = limits.clients + limits.kept_sessions + SPARE_LINKS;
        Arc::new(Gate {
            limits,
            shared: Mutex::new(Shared::new(limits)),
            clients: Arc::default(),
            inner: Inner::start(links, segment_bytes),
            nameless: AtomicU64::new(0),
            connects: Mutex::default(),
            started: Instant::now(),
            beats: AtomicU64::new(0),
        })
    }

    /// Lets clients in from these listeners, for as long as their runtime lives.
    ///
    /// # Errors
    /// Where the router does not answer.
    pub async fn serve(self: Arc<Self>, listeners: Vec<(Entrance, TcpListener)>) -> Result<(), InnerError> {
        let mut nudging = self.inner.link()?;
        for (entrance, listener) in listeners {
            if let Door::Parties(mutual) = &entrance.door {
                tokio::spawn(self.clone().follow(mutual.clone()));
            }
            tokio::spawn(accept::serve(self.clone(), entrance, listener));
        }
        loop {
            tokio::time::sleep(NUDGE).await;
            self.beats.fetch_add(1, Ordering::Relaxed);
            self.inner.nudge(&mut nudging);
            self.clients.tend(self.limits.kept_for, self.limits.kept_bytes);
        }
    }

    /// Reads certificates and revocations again when they change, and drops who is revoked.
    async fn follow(self: Arc<Self>, mutual: Arc<Mutual>) {
        loop {
            tokio::time::sleep(FILES).await;
            let read = mutual.clone();
            // Files may be slow, for which no client should wait.
            match tokio::task::spawn_blocking(move || read.reload_if_changed()).await {
                Ok(Ok(true)) => {
                    let dropped = self.drop_revoked(&mutual);
                    tracing::info!(dropped, "certificates and revocations were read again");
                }
                Ok(Ok(false)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "certificates stay as they were read before"),
                Err(error) => tracing::warn!(%error, "certificates were not looked at"),
            }
        }
    }

    /// How often its loop has turned: twenty times a second, as long as it does.
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Ends the connections of those whose certificates are revoked; how many.
    pub fn drop_revoked(&self, mutual: &Mutual) -> usize {
        self.clients.drop_revoked(|serial| mutual.has_revoked(serial))
    }

    /// Milliseconds since the start.
    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Whether this caller may connect once more. Who need not prove who it is may.
    fn may_connect(&self, caller: &str) -> bool {
        let mut connects = self.connects.lock().unwrap_or_else(PoisonError::into_inner);
        caller.is_empty()
            || connects.entry(caller.to_owned()).or_default().take(self.limits.connects, 1, self.now_ms())
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A listener's door, as the gate keeps it.
pub(crate) fn entrance(name: &str, door: Door, metrics: &GateMetrics) -> Entrance {
    Entrance { door, metrics: metrics.of(name) }
}

/// Serves these listeners on the current runtime, for ever.
///
/// # Errors
/// Where one can't be used, or the router does not answer.
pub(crate) async fn serve(
    gate: Arc<Gate>,
    listeners: Vec<(Entrance, std::net::TcpListener)>,
) -> Result<(), ServeError> {
    let listeners = listeners
        .into_iter()
        .map(|(entrance, listener)| Ok((entrance, TcpListener::from_std(listener)?)))
        .collect::<io::Result<Vec<_>>>()?;
    Ok(gate.serve(listeners).await?)
}

/// Why a gate does not serve.
#[derive(Debug, Error)]
pub(crate) enum ServeError {
    /// A listener can't be used.
    #[error(transparent)]
    Listener(#[from] io::Error),
    /// The router does not answer.
    #[error(transparent)]
    Inner(#[from] InnerError),
}
