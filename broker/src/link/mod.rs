//! One party's link to the market: MQTT clients of one broker or several that keep reconnecting. It signs
//! what goes out, drops what is not rightly signed, repeats until answered, and delivers once, whichever
//! connections bring it.
//!
//! A link lives as long as its handle or its receiver of events.

mod admission;
mod ahead;
mod backlog;
mod config;
mod connection;
mod driver;
mod error;
mod identity;
mod keeping;
mod known;
mod parties;
mod session;
mod together;

pub use admission::{Screen, Word};
pub use config::{Carries, ConnectionConfig, LinkConfig, RATE_UNIT_BYTES};
pub use error::LinkError;
pub use identity::{Identity, IdentityError};
pub use session::client_options;
pub(crate) use session::MAX_PACKET_BYTES;

use crate::metrics::LinkMetrics;
use crate::routes::Routes;
use crate::skew::Clocks;
use driver::{Command, Driver, Ends, When};
use keeping::Keeping;
use parties::Parties;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, watch};
use wire::envelope::{Opened, Sealed, Under};
use wire::freshness::MAX_VALIDITY_MS;
use wire::message::{Body, MessageRef, Verdict};
use wire::party::{PartyId, Registry};
use wire::Interval;

/// Most bytes of messages that wait to be sent or answered. What is sent in one go may exceed it.
const MOST_WAITING_BYTES: usize = 64 << 20;

/// A message to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// What to say.
    pub body: Body,
    /// The interval it is about.
    pub interval: Interval,
    /// For whom alone it is; none for the sender's broadcast topic.
    pub recipient: Option<PartyId>,
    /// Who must answer. For none, it is sent once.
    pub acknowledged_by: Vec<PartyId>,
    /// Chosen by the caller, given back with every answer.
    pub tag: u64,
    /// How long it is worth repeating, in milliseconds; at most [`MAX_VALIDITY_MS`].
    pub valid_for_ms: u64,
}

/// What a link reports.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkEvent {
    /// A first broker has confirmed connection and subscriptions; none had.
    Connected,
    /// The last connection that stood is gone; the link tries to get another.
    Disconnected {
        /// What broke it.
        reason: String,
    },
    /// A message, rightly signed, fresh, on its own topic, for the first time.
    Message(Opened),
    /// A message on its own topic of which a [`Screen`] said that its word is signed within. Its envelope's
    /// signature was not looked at: whoever takes it must look at the one within, and it may come again.
    Claimed(Opened),
    /// Somebody answered a message sent with this tag.
    Answered {
        /// The tag.
        tag: u64,
        /// Who answered.
        by: PartyId,
        /// What they said.
        verdict: Verdict,
    },
    /// A message expired before everyone had answered.
    Expired {
        /// The tag.
        tag: u64,
        /// Who never answered.
        unanswered: Vec<PartyId>,
    },
}

/// A handle to a link. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Link {
    config: Arc<LinkConfig>,
    commands: mpsc::Sender<Command>,
    waiting: Arc<AtomicUsize>,
    bytes: Arc<AtomicUsize>,
    standing: watch::Receiver<Routes>,
    clocks: watch::Receiver<Clocks>,
    parties: Parties,
}

impl Link {
    /// Starts a link's tasks on the current tokio runtime. Connecting goes on in the background:
    /// [`LinkEvent::Connected`] says when it stands, and what is sent before then waits.
    ///
    /// # Errors
    /// [`LinkError::Config`] or [`LinkError::NoRuntime`]; that no broker answers is no error.
    pub fn connect(
        config: LinkConfig,
        metrics: LinkMetrics,
    ) -> Result<(Link, mpsc::Receiver<LinkEvent>), LinkError> {
        config.check()?;
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| LinkError::NoRuntime)?;
        for connection in &config.connections {
            metrics.prepare(config.signer.party(), &connection.name);
        }
        // Room for every message that may wait and for the answers to as many that came in.
        let keeping = config.answers.as_deref().map(|path| {
            let opened = Keeping::open(path, metrics.unkept.clone());
            opened.map_err(|source| LinkError::Answers { path: path.to_owned(), source })
        });
        let keeping = keeping.transpose()?;
        let (commands, commands_out) = mpsc::channel(2 * config.queue);
        let (events_in, events) = mpsc::channel(config.queue);
        let (standing, standing_out) = watch::channel(Routes::NONE);
        let (clocks, clocks_out) = watch::channel(Clocks::default());
        let (waiting, bytes) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let config = Arc::new(config);
        let parties = Parties::new(config.registry.clone());
        let ends = Ends {
            waiting: waiting.clone(),
            bytes: bytes.clone(),
            commands: commands_out,
            events: events_in,
            standing,
            clocks,
            parties: parties.clone(),
        };
        runtime.spawn(Driver::new(config.clone(), metrics, ends, keeping).run());
        let (standing, clocks) = (standing_out, clocks_out);
        Ok((Link { config, commands, waiting, bytes, standing, clocks, parties }, events))
    }

    /// How many connections there are, standing or not.
    pub fn connections(&self) -> usize {
        self.config.connections.len()
    }

    /// Which connections stand, by their place in the configuration; changes can be waited for.
    pub fn standing(&self) -> watch::Receiver<Routes> {
        self.standing.clone()
    }

    /// What others' signed messages make of this machine's clock; changes can be waited for.
    pub fn clocks(&self) -> watch::Receiver<Clocks> {
        self.clocks.clone()
    }

    /// Believes those of another registry from now on. What was delivered before stays delivered.
    pub fn update_registry(&self, registry: Arc<Registry>) {
        self.parties.update(registry);
    }

    /// Hears these broadcasts besides what the configuration says, in place of those it was told of before: on the
    /// first connection.
    ///
    /// # Errors
    /// [`LinkError::Full`] or [`LinkError::Ended`].
    pub fn listen(&self, filters: Vec<String>) -> Result<(), LinkError> {
        self.command("subscription", Command::Listen { filters })
    }

    /// Signs and sends one message.
    ///
    /// # Errors
    /// [`LinkError::Full`] where as many wait as may, [`LinkError::NoRoute`] where no connection carries
    /// it, [`LinkError::Envelope`] where the message is none this party may send, [`LinkError::Ended`].
    pub fn send(&self, outgoing: Outgoing) -> Result<MessageRef, LinkError> {
        self.send_sealed(outgoing).map(|sealed| sealed.id)
    }

    /// As [`Link::send`], and gives the signed message as well, for whom its own words are evidence.
    ///
    /// # Errors
    /// As [`Link::send`].
    pub fn send_sealed(&self, outgoing: Outgoing) -> Result<Sealed, LinkError> {
        self.send_under(Under::Present, outgoing)
    }

    /// As [`Link::send_sealed`], signed under one of the party's keys.
    ///
    /// # Errors
    /// As [`Link::send`].
    pub fn send_under(&self, under: Under, outgoing: Outgoing) -> Result<Sealed, LinkError> {
        let what = outgoing.body.kind();
        let full = |waiting| LinkError::Full { what, waiting };
        if self.bytes.load(Ordering::Relaxed) >= MOST_WAITING_BYTES {
            return Err(full(self.waiting.load(Ordering::Relaxed)));
        }
        let reserve = |waiting: usize| (waiting < self.config.queue).then_some(waiting + 1);
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, reserve).map_err(full)?;
        self.send_reserved(under, outgoing).inspect_err(|_| {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        })
    }

    fn send_reserved(&self, under: Under, outgoing: Outgoing) -> Result<Sealed, LinkError> {
        let Outgoing { body, interval, recipient, acknowledged_by, tag, valid_for_ms } = outgoing;
        let what = body.kind();
        let routes = self.config.routes(what);
        if routes.is_empty() {
            return Err(LinkError::NoRoute { what });
        }
        let valid_for_ms = valid_for_ms.min(MAX_VALIDITY_MS);
        let now_ms = wall_clock_ms();
        let sealed = self
            .config
            .signer
            .sign_under(under, recipient, interval, (now_ms, now_ms.saturating_add(valid_for_ms)), &body)
            .map_err(|source| LinkError::Envelope { what, source })?;
        let sent = sealed.clone();
        self.command(what, Command::Send { sealed, tag, acknowledged_by, valid_for_ms, routes })?;
        Ok(sent)
    }

    /// Answers a message delivered. Only the first answer to a message counts, and it is given again
    /// whenever the message is repeated.
    ///
    /// # Errors
    /// [`LinkError::Full`] or [`LinkError::Ended`].
    pub fn acknowledge(&self, of: MessageRef, verdict: Verdict) -> Result<(), LinkError> {
        self.command("ack", Command::Answer { of, verdict, when: When::Now })
    }

    /// As [`Link::acknowledge`], but says nothing until the message is repeated: for who answers so many
    /// that signing the answers would be most of the work, and shows in another way what became of them.
    ///
    /// # Errors
    /// As [`Link::acknowledge`].
    pub fn acknowledge_when_asked(&self, of: MessageRef, verdict: Verdict) -> Result<(), LinkError> {
        self.command("ack", Command::Answer { of, verdict, when: When::Asked })
    }

    fn command(&self, what: &'static str, command: Command) -> Result<(), LinkError> {
        self.commands.try_send(command).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => LinkError::Full { what, waiting: self.config.queue },
            mpsc::error::TrySendError::Closed(_) => LinkError::Ended { what },
        })
    }
}

/// Milliseconds since 1970; zero for a clock set before then.
fn wall_clock_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}
