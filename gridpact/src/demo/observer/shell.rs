//! The onlooker's ears: subscribes without a name anyone knows, checks every signature, answers nothing,
//! hands each message to the core and lets others look.

use super::core::ObserverCore;
use agents::roster::RosterError;
use broker::link::{client_options, Identity};
use ledger::genesis::Genesis;
use rumqttc::{AsyncClient, ClientError, Event, EventLoop, Packet, Publish, QoS, SubscribeFilter};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{watch, Notify};
use wire::envelope::{self, Opened};
use wire::party::Role;
use wire::topic::Network;

/// Requests to the client: subscriptions alone.
const REQUESTS: usize = 16;
/// Wait after a lost connection.
const RETRY: Duration = Duration::from_millis(500);

/// Who listens along: hears every message whose signature holds.
#[derive(Clone)]
pub struct Along {
    /// What is subscribed to besides.
    pub filters: Vec<String>,
    /// Is called with each message.
    pub hear: Arc<dyn Fn(&Opened) + Send + Sync>,
}

/// Why there is no onlooker.
#[derive(Debug, Error)]
pub enum ObserverError {
    /// The genesis makes no market.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// No address of a broker, or one that wants a certificate.
    #[error("{0:?} is no address of a broker, or wants a certificate")]
    Address(String),
}

/// An onlooker at work. Clones look at the same one.
#[derive(Clone)]
pub struct Observer {
    core: Arc<Mutex<ObserverCore>>,
    heard: Arc<Notify>,
    listening: watch::Sender<bool>,
}

struct Ears {
    network: Network,
    observer: Observer,
    along: Option<Along>,
}

impl Observer {
    /// Begins to follow the market at `broker` (`host:port`) as nobody in particular, on the current runtime and
    /// until that ends.
    ///
    /// # Errors
    /// Where the genesis makes no market.
    pub fn start(genesis: &Genesis, broker: &str) -> Result<Self, ObserverError> {
        Self::start_as(genesis, broker, ("onlooker", None))
    }

    /// The same with somebody who listens along.
    ///
    /// # Errors
    /// Where the genesis makes no market.
    pub fn start_along(genesis: &Genesis, broker: &str, along: Along) -> Result<Self, ObserverError> {
        Self::begin(genesis, broker, ("onlooker", None), Some(along))
    }

    /// The same by a name that client ids begin with, and an identity for `mqtts://host:port`. A broker that gives rights by
    /// role lets it hear what its own may.
    ///
    /// # Errors
    /// Where the genesis makes no market, or the address is none.
    pub fn start_as(
        genesis: &Genesis,
        broker: &str,
        named: (&str, Option<&Identity>),
    ) -> Result<Self, ObserverError> {
        Self::begin(genesis, broker, named, None)
    }

    fn begin(
        genesis: &Genesis,
        broker: &str,
        (name, identity): (&str, Option<&Identity>),
        along: Option<Along>,
    ) -> Result<Self, ObserverError> {
        let core = Arc::new(Mutex::new(ObserverCore::new(genesis)?));
        let observer = Self { core, heard: Arc::new(Notify::new()), listening: watch::Sender::new(false) };
        let ears = Ears { network: genesis.network.clone(), observer: observer.clone(), along };
        let id = format!("{name}-{:x}", crate::run::party::boot());
        let options = client_options(broker, identity, id);
        let mut options = options.ok_or_else(|| ObserverError::Address(broker.to_owned()))?;
        options.set_clean_session(true);
        let (client, events) = AsyncClient::new(options, REQUESTS);
        tokio::spawn(ears.listen(client, events));
        Ok(observer)
    }

    /// Waits until the broker has confirmed what it subscribed to: from then on it misses nothing.
    pub async fn listening(&self) {
        // The sender is our own, so there is nothing to fail on.
        let _ = self.listening.subscribe().wait_for(|listening| *listening).await;
    }

    /// Waits until something more is heard than at the last call. For one caller at a time.
    pub async fn heard(&self) {
        self.heard.notified().await;
    }

    /// Looks at what is known now.
    pub fn look<T>(&self, at: impl FnOnce(&ObserverCore) -> T) -> T {
        at(&self.core.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Ears {
    async fn listen(self, client: AsyncClient, mut events: EventLoop) {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    if let Err(error) = self.subscribe(&client) {
                        tracing::warn!(%error, "the onlooker can't subscribe");
                    }
                }
                Ok(Event::Incoming(Packet::SubAck(_))) => {
                    self.observer.listening.send_replace(true);
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => self.hear(&publish),
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "the onlooker's connection is lost");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    fn subscribe(&self, client: &AsyncClient) -> Result<(), ClientError> {
        let filters = [
            self.network.filter_broadcast(Role::Timekeeper, "tick"),
            self.network.filter_broadcast(Role::Validator, "block"),
            // A message to one party has its recipient behind the kind.
            self.network.filter_broadcast(Role::Site, "setpoint-report") + "/+",
        ];
        let along = self.along.iter().flat_map(|along| along.filters.iter().cloned());
        let filters = filters.into_iter().chain(along);
        client.try_subscribe_many(filters.map(|filter| SubscribeFilter::new(filter, QoS::AtLeastOnce)))
    }

    fn hear(&self, publish: &Publish) {
        let registry = self.observer.look(|core| core.registry().clone());
        let opened = envelope::open(&registry, &self.network, &publish.topic, &publish.payload);
        let heard = match opened {
            Ok(message) => {
                if let Some(along) = &self.along {
                    (along.hear)(&message);
                }
                self.observer.core.lock().unwrap_or_else(PoisonError::into_inner).hear(&message)
            }
            Err(error) => {
                tracing::debug!(topic = %publish.topic, %error, "the onlooker dropped a message");
                return;
            }
        };
        if let Err(error) = heard {
            tracing::warn!(%error, "the onlooker heard of a block that is none");
        }
        // Kept for whoever asks next, should nobody be waiting.
        self.observer.heard.notify_one();
    }
}
