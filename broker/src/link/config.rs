//! What a link is made with, and which configurations make none.

use super::admission::Screen;
use super::identity::Identity;
use super::session::Address;
use super::LinkError;
use crate::rate::Rate;
use crate::routes::{Routes, MOST};
use std::path::PathBuf;
use std::sync::Arc;
use wire::envelope::Signer;
use wire::party::{Registry, Role};

/// What a link needs to know.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// Its connections, held at the same time. Most links have one.
    pub connections: Vec<ConnectionConfig>,
    /// Signs what goes out. A party has one signer and one link.
    pub signer: Arc<Signer>,
    /// Whose messages are believed at first: [`super::Link::update_registry`].
    pub registry: Arc<Registry>,
    /// Most messages waiting for answers, and most of each connection waiting for the role to take them.
    pub queue: usize,
    /// Most messages a second, counted in units of [`RATE_UNIT_BYTES`], taken from each sender of a role by
    /// each connection; more is dropped before its signature is looked at. For other roles there is no bound.
    pub rates: Vec<(Role, Rate)>,
    /// The role's own cheap look at a message, before its signature is checked.
    pub screen: Option<Arc<dyn Screen>>,
    /// File in which what was answered outlives a restart; none where nothing needs to.
    pub answers: Option<PathBuf>,
    /// Who it is towards brokers that speak TLS; none where none does.
    pub identity: Option<Identity>,
}

/// Bytes of a message that count as one more for [`LinkConfig::rates`].
pub const RATE_UNIT_BYTES: usize = 16 * 1_024;

/// One connection: to one broker, or to the first of several that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionConfig {
    /// What logs and metrics call it. Of few, as metrics are labelled with it.
    pub name: String,
    /// Brokers as `host:port`, or `mqtts://host:port` for TLS, tried in turn until one answers.
    pub addresses: Vec<String>,
    /// Filters besides the party's own addressed one, subscribed again each time it connects. Nothing else
    /// is taken from it.
    pub subscriptions: Vec<String>,
    /// Which messages go out here.
    pub carries: Carries,
}

/// Which messages go out on a connection. Answers go where the question came from, whatever this says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carries {
    /// All.
    Everything,
    /// Those of these kinds.
    Only(Vec<&'static str>),
}

impl LinkConfig {
    /// A link with one connection, which carries everything; anyone may say as much as they like.
    pub fn with_one_connection(
        addresses: Vec<String>,
        subscriptions: Vec<String>,
        signer: Arc<Signer>,
        registry: Arc<Registry>,
        queue: usize,
    ) -> LinkConfig {
        let connections = vec![ConnectionConfig::market(addresses, subscriptions)];
        let (rates, screen, identity, answers) = (Vec::new(), None, None, None);
        LinkConfig { connections, signer, registry, queue, rates, screen, identity, answers }
    }

    /// The connections that carry messages of a kind.
    pub(super) fn routes(&self, kind: &str) -> Routes {
        let carries = |connection: &ConnectionConfig| match &connection.carries {
            Carries::Everything => true,
            Carries::Only(kinds) => kinds.contains(&kind),
        };
        (0..).zip(&self.connections).filter(|(_, c)| carries(c)).map(|(place, _)| place).collect()
    }

    pub(super) fn check(&self) -> Result<(), LinkError> {
        if self.connections.is_empty() || self.connections.len() > MOST {
            let count = self.connections.len().to_string();
            return Err(wrong("connections", &count, "there must be from 1 to 64"));
        }
        if self.queue == 0 {
            return Err(wrong("queue", "0", "it must be at least 1"));
        }
        self.connections.iter().try_for_each(|connection| connection.check(self.identity.is_some()))
    }
}

impl ConnectionConfig {
    /// A connection to the market's broker, which carries everything.
    pub fn market(addresses: Vec<String>, subscriptions: Vec<String>) -> ConnectionConfig {
        let carries = Carries::Everything;
        ConnectionConfig { name: "market".to_owned(), addresses, subscriptions, carries }
    }

    fn check(&self, identity: bool) -> Result<(), LinkError> {
        if self.addresses.is_empty() {
            return Err(wrong("addresses", "", "there is none"));
        }
        for address in &self.addresses {
            let parsed =
                Address::of(address).ok_or_else(|| wrong("address", address, "it is not host:port"))?;
            if parsed.tls && !identity {
                return Err(wrong("address", address, "there is no certificate for TLS"));
            }
        }
        for filter in &self.subscriptions {
            if !rumqttc::valid_filter(filter) {
                return Err(wrong("subscription", filter, "it is no MQTT filter"));
            }
            // Shared subscriptions spread messages over subscribers; nobody here may miss any.
            if filter.starts_with('$') {
                return Err(wrong("subscription", filter, "it must not begin with $"));
            }
        }
        Ok(())
    }
}

fn wrong(what: &'static str, value: &str, reason: &'static str) -> LinkError {
    LinkError::Config { what, value: value.to_owned(), reason }
}
