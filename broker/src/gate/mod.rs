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
mod entry;
mod frame;
mod inner;
mod limits;
mod packet;
mod pipe;
mod reply;
mod retained;
mod shared;
mod topic;
mod window;

pub use limits::Limits;

use self::clients::Clients;
use self::inner::{Inner, InnerError};
use self::shared::Shared;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;

/// Links of the router beyond those of clients and kept sessions.
const SPARE_LINKS: usize = 100;
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
        })
    }

    /// Lets clients in from a listener, for as long as its runtime lives.
    ///
    /// # Errors
    /// Where the router does not answer.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) -> Result<(), InnerError> {
        let mut nudging = self.inner.link()?;
        let gate = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(NUDGE).await;
                gate.inner.nudge(&mut nudging);
                gate.clients.forget_older_than(gate.limits.kept_for);
            }
        });
        accept::serve(self, listener).await;
        Ok(())
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
