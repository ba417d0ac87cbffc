//! One party's connection to the market: an MQTT client that keeps reconnecting, signs what goes
//! out, drops what is not rightly signed, repeats until answered, and delivers once.
//!
//! A link lives as long as its handle or its receiver of events.

mod admission;
mod driver;
mod session;

pub(crate) use session::MAX_PACKET_BYTES;

use crate::metrics::LinkMetrics;
use driver::{Command, Driver};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use thiserror::Error;
use tokio::sync::mpsc;
use wire::envelope::{EnvelopeError, Opened, Sealed, Signer};
use wire::freshness::MAX_VALIDITY_MS;
use wire::message::{Body, MessageRef, Verdict};
use wire::party::{PartyId, Registry};
use wire::Interval;

/// What a link needs to know.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// Brokers as `host:port`, tried in turn until one answers.
    pub addresses: Vec<String>,
    /// Signs what goes out. A party has one signer and one link.
    pub signer: Arc<Signer>,
    /// Whose messages are believed.
    pub registry: Arc<Registry>,
    /// Filters besides the party's own addressed one, subscribed again at every connection.
    pub subscriptions: Vec<String>,
    /// Most messages waiting for answers, and most waiting for the role to take them.
    pub queue: usize,
}

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
#[expect(clippy::large_enum_variant, reason = "nearly every event is a message")]
pub enum LinkEvent {
    /// A broker has confirmed connection and subscriptions.
    Connected,
    /// The connection that stood is gone; the link tries to get another.
    Disconnected {
        /// What broke it.
        reason: String,
    },
    /// A message, rightly signed, fresh, on its own topic, for the first time.
    Message(Opened),
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

/// Why a link could not be made, or did not take a message.
#[derive(Debug, Error)]
pub enum LinkError {
    /// The configuration makes no link.
    #[error("connecting a link: {what} {value:?}: {reason}")]
    Config {
        /// Which key.
        what: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A link's tasks need a tokio runtime to run on.
    #[error("connecting a link outside a tokio runtime")]
    NoRuntime,
    /// As many messages wait as are allowed. Nothing was sent.
    #[error("sending {what}: {waiting} wait already")]
    Full {
        /// What was to be sent.
        what: &'static str,
        /// How many wait.
        waiting: usize,
    },
    /// The link's task has ended, which only the end of its runtime can do.
    #[error("sending {what}: the link has ended")]
    Ended {
        /// What was to be sent.
        what: &'static str,
    },
    /// The message could not be signed.
    #[error("sending {what}: {source}")]
    Envelope {
        /// What was to be sent.
        what: &'static str,
        /// Why not.
        #[source]
        source: EnvelopeError,
    },
}

/// A handle to a link. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Link {
    signer: Arc<Signer>,
    commands: mpsc::Sender<Command>,
    waiting: Arc<AtomicUsize>,
    queue: usize,
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
        check(&config)?;
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| LinkError::NoRuntime)?;
        // Room for every message that may wait and for the answers to as many that came in.
        let (commands, commands_out) = mpsc::channel(2 * config.queue);
        let (events_in, events) = mpsc::channel(config.queue);
        let waiting = Arc::new(AtomicUsize::new(0));
        let (signer, queue) = (config.signer.clone(), config.queue);
        let driver = Driver::new(config, metrics, waiting.clone(), commands_out, events_in);
        runtime.spawn(driver.run());
        Ok((Link { signer, commands, waiting, queue }, events))
    }

    /// Signs and sends one message.
    ///
    /// # Errors
    /// [`LinkError::Full`] where as many wait as may, [`LinkError::Envelope`] where the message is
    /// none this party may send, [`LinkError::Ended`].
    pub fn send(&self, outgoing: Outgoing) -> Result<MessageRef, LinkError> {
        self.send_sealed(outgoing).map(|sealed| sealed.id)
    }

    /// As [`Link::send`], and gives the signed message as well, for whom its own words are evidence.
    ///
    /// # Errors
    /// As [`Link::send`].
    pub fn send_sealed(&self, outgoing: Outgoing) -> Result<Sealed, LinkError> {
        let what = outgoing.body.kind();
        let full = |waiting| LinkError::Full { what, waiting };
        let reserve = |waiting: usize| (waiting < self.queue).then_some(waiting + 1);
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, reserve).map_err(full)?;
        self.send_reserved(outgoing).inspect_err(|_| {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        })
    }

    fn send_reserved(&self, outgoing: Outgoing) -> Result<Sealed, LinkError> {
        let Outgoing { body, interval, recipient, acknowledged_by, tag, valid_for_ms } = outgoing;
        let what = body.kind();
        let valid_for_ms = valid_for_ms.min(MAX_VALIDITY_MS);
        let now_ms = wall_clock_ms();
        let sealed = self
            .signer
            .sign(recipient, interval, now_ms, now_ms.saturating_add(valid_for_ms), &body)
            .map_err(|source| LinkError::Envelope { what, source })?;
        let sent = sealed.clone();
        self.command(what, Command::Send { sealed, tag, acknowledged_by, valid_for_ms })?;
        Ok(sent)
    }

    /// Answers a message delivered. Only the first answer to a message counts, and it is given again
    /// whenever the message is repeated.
    ///
    /// # Errors
    /// [`LinkError::Full`] or [`LinkError::Ended`].
    pub fn acknowledge(&self, of: MessageRef, verdict: Verdict) -> Result<(), LinkError> {
        self.command("ack", Command::Answer { of, verdict })
    }

    fn command(&self, what: &'static str, command: Command) -> Result<(), LinkError> {
        self.commands.try_send(command).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => LinkError::Full { what, waiting: self.queue },
            mpsc::error::TrySendError::Closed(_) => LinkError::Ended { what },
        })
    }
}

fn check(config: &LinkConfig) -> Result<(), LinkError> {
    let wrong = |what, value: &str, reason| LinkError::Config { what, value: value.to_owned(), reason };
    if config.addresses.is_empty() {
        return Err(wrong("addresses", "", "there is none"));
    }
    for address in &config.addresses {
        session::split_address(address).ok_or_else(|| wrong("address", address, "it is not host:port"))?;
    }
    for filter in &config.subscriptions {
        if !rumqttc::valid_filter(filter) {
            return Err(wrong("subscription", filter, "it is no MQTT filter"));
        }
        // Shared subscriptions spread messages over subscribers; nobody here may miss any.
        if filter.starts_with('$') {
            return Err(wrong("subscription", filter, "it must not begin with $"));
        }
    }
    if config.queue == 0 {
        return Err(wrong("queue", "0", "it must be at least 1"));
    }
    Ok(())
}

/// Milliseconds since 1970; zero for a clock set before then.
fn wall_clock_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}
