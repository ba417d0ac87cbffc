//! One of a link's connections: connects, gives up, tries the next address, waits longer each time. What
//! happens here delays no other connection.

use super::config::ConnectionConfig;
use super::identity::Identity;
use super::session::{Session, SessionEvent};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use wire::entry::SignedEnvelope;
use wire::envelope::Signer;

/// Longest wait for a broker to accept connection and subscriptions.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Wait after a connection was lost; it doubles with each failure.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// Longest wait between two attempts. A connection that stood for as long counts as a good one.
const LONGEST_RETRY: Duration = Duration::from_secs(5);
/// Fewest messages the client takes while its broker takes none.
const FEWEST_REQUESTS: usize = 2;

enum State {
    /// None, and none to be tried before this.
    Waiting(Instant),
    /// Connecting, to be given up at this time.
    Connecting(Session, Instant),
    /// Connected and subscribed since.
    Standing(Session, Instant),
}

/// One connection.
pub(super) struct Connection {
    config: ConnectionConfig,
    identity: Option<Identity>,
    /// The party's addressed filter and the configured ones.
    filters: Vec<String>,
    /// What is heard besides, for now.
    heard: Vec<String>,
    /// What its client ids begin with.
    client: String,
    boot: u64,
    requests: usize,
    state: State,
    address: usize,
    retry: Duration,
}

impl Connection {
    /// A connection to be made, whose client takes so many messages while its broker takes none.
    pub fn new(
        config: ConnectionConfig,
        identity: Option<Identity>,
        signer: &Signer,
        requests: usize,
    ) -> Self {
        let party = signer.party();
        let mut filters = vec![signer.network().filter_addressed(party)];
        filters.extend(config.subscriptions.iter().cloned());
        Self {
            config,
            identity,
            filters,
            heard: Vec::new(),
            client: format!("{}-{}", party.role.word(), party.id),
            boot: signer.boot(),
            requests: requests.max(FEWEST_REQUESTS),
            state: State::Waiting(Instant::now()),
            address: 0,
            retry: FIRST_RETRY,
        }
    }

    /// What logs and metrics call it.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// When [`Connection::time_passed`] has something to do.
    pub fn due(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting(until) | State::Connecting(_, until) => Some(*until),
            State::Standing(..) => None,
        }
    }

    /// Begins to connect, or gives up, where it is time to.
    pub fn time_passed(&mut self, now: Instant) {
        match &self.state {
            State::Waiting(until) if now >= *until => self.start(now),
            State::Connecting(_, until) if now >= *until => {
                self.lost("no answer while connecting", now);
            }
            _ => {}
        }
    }

    /// What happens next on it.
    pub fn poll_next(&mut self, task: &mut Context<'_>) -> Poll<SessionEvent> {
        match &mut self.state {
            State::Connecting(session, _) | State::Standing(session, _) => session.poll_next(task),
            State::Waiting(_) => Poll::Pending,
        }
    }

    /// The broker has confirmed all subscriptions. Whether it stands only now.
    pub fn subscribed(&mut self, now: Instant) -> bool {
        match std::mem::replace(&mut self.state, State::Waiting(now)) {
            State::Connecting(session, _) => {
                self.state = State::Standing(session, now);
                true
            }
            other => {
                self.state = other;
                false
            }
        }
    }

    /// The session is over; whether it stood. A broker that does not let it stand for long is treated as
    /// one that does not answer.
    pub fn lost(&mut self, reason: &str, now: Instant) -> bool {
        tracing::info!(client = self.client, connection = self.name(), reason, "no connection to the broker");
        let before = std::mem::replace(&mut self.state, State::Waiting(now));
        let good = matches!(&before, State::Standing(_, since) if now - *since >= LONGEST_RETRY);
        if good {
            self.retry = FIRST_RETRY;
        } else {
            self.address = (self.address + 1) % self.config.addresses.len();
        }
        let wait = self.retry + self.retry.mul_f64(0.5 * random_fraction());
        self.state = State::Waiting(now + wait);
        self.retry = (self.retry * 2).min(LONGEST_RETRY);
        matches!(before, State::Standing(..))
    }

    /// Hears these broadcasts in place of those named before. Where the client has no room to say so, the connection is
    /// made anew.
    pub fn listen(&mut self, heard: &[String], now: Instant) {
        let before = std::mem::replace(&mut self.heard, heard.to_vec());
        let (State::Connecting(session, _) | State::Standing(session, _)) = &self.state else { return };
        let without = |all: &[String], some: &[String]| -> Vec<String> {
            all.iter().filter(|filter| !some.contains(filter)).cloned().collect()
        };
        if !session.listen(without(heard, &before), without(&before, heard)) {
            self.lost("its subscriptions can't be changed", now);
        }
    }

    /// Hands a message to the client; whether it stands and had room.
    pub fn publish(&self, raw: &SignedEnvelope) -> bool {
        matches!(&self.state, State::Standing(session, _) if session.publish(raw))
    }

    /// Says goodbye, where it stands.
    pub async fn close(self) {
        if let State::Standing(session, _) = self.state {
            session.close().await;
        }
    }

    fn start(&mut self, now: Instant) {
        let address = &self.config.addresses[self.address % self.config.addresses.len()];
        let mut random = [0; 8];
        // Where the system has no randomness to give, the boot still tells this client from others.
        let _ = getrandom::fill(&mut random);
        let number = u64::from_be_bytes(random) ^ self.boot;
        let client_id = format!("{}-{number:016x}", self.client);
        let identity = self.identity.as_ref();
        let filters = [&self.filters[..], &self.heard].concat();
        self.state = match Session::start(address, identity, client_id, filters, self.requests) {
            Some(session) => State::Connecting(session, now + CONNECT_TIMEOUT),
            None => State::Waiting(now + LONGEST_RETRY),
        };
    }
}

/// From 0 to 1, so that clients a broker has lost do not all come back at once.
fn random_fraction() -> f64 {
    let mut byte = [0];
    let _ = getrandom::fill(&mut byte);
    f64::from(byte[0]) / 255.0
}
