//! Between a link's handles and the task behind it: what they ask of it, and what it shows them.

use super::parties::Parties;
use super::LinkEvent;
use crate::routes::Routes;
use crate::skew::Clocks;
use std::sync::atomic::AtomicUsize;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use wire::envelope::Sealed;
use wire::message::{MessageRef, Verdict};
use wire::party::PartyId;

/// What a handle asks of its driver.
#[derive(Debug)]
pub(super) enum Command {
    /// Send this, and repeat it for so long.
    Send { sealed: Sealed, tag: u64, acknowledged_by: Vec<PartyId>, valid_for_ms: u64, routes: Routes },
    /// Hear these broadcasts in place of those named before.
    Listen { filters: Vec<String> },
    /// Answer a message delivered.
    Answer { of: MessageRef, verdict: Verdict, when: When },
}

/// When an answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// At once, and whenever the message is repeated.
    Now,
    /// Not before the message is repeated.
    Asked,
}

/// How a driver is reached.
pub(super) struct Ends {
    /// Messages that wait in the outbox, or will.
    pub waiting: Arc<AtomicUsize>,
    /// Bytes of those that are there.
    pub bytes: Arc<AtomicUsize>,
    /// From the handles.
    pub commands: mpsc::Receiver<Command>,
    /// To the role.
    pub events: mpsc::Sender<LinkEvent>,
    /// Shows which connections stand.
    pub standing: watch::Sender<Routes>,
    /// Shows what others' messages make of our clock.
    pub clocks: watch::Sender<Clocks>,
    /// Whose messages are believed.
    pub parties: Parties,
}
