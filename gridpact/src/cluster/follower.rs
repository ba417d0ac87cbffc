//! What a client of the validators sees: connections to their brokers, on which entries go out and decided
//! blocks come in.

use super::layout::{self, Layout};
use super::ClusterError;
use broker::link::{Carries, ConnectionConfig, Link, LinkConfig, LinkEvent};
use broker::metrics::LinkMetrics;
use ledger::block::DecidedBlock;
use rumqttc::{AsyncClient, EventLoop, MqttOptions, QoS};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;
use wire::entry::SignedEnvelope;
use wire::envelope::Signer;
use wire::hash::Hash32;
use wire::message::Body;
use wire::party::{PartyId, Role};

/// Largest packet this client takes or sends, in bytes: a block with all around it.
const PACKET_BYTES: usize = 2 << 20;
/// Entries on their way to the broker without its PUBACK.
const INFLIGHT: u16 = 1_000;
/// Packets that wait in the client.
const QUEUE: usize = 10_000;
/// An Ed25519 signature, at the end of every envelope.
const SIGNATURE_BYTES: usize = 64;

/// Names an entry: the signature its envelope ends with.
pub type Name = [u8; SIGNATURE_BYTES];

/// The name of an envelope; zeros for what is too short to be one.
pub fn name(envelope: &SignedEnvelope) -> Name {
    envelope.bytes.last_chunk().copied().unwrap_or([0; SIGNATURE_BYTES])
}

/// Follows decided blocks as any role does.
pub struct Follower {
    _link: Link,
    events: Receiver<LinkEvent>,
    heights: HashMap<u64, Hash32>,
}

/// A decided block, as far as one who submits cares.
pub struct Seen {
    /// When it came in.
    pub at: Instant,
    /// Its height.
    pub height: u64,
    /// Its entries.
    pub entries: Vec<Name>,
    /// Whether another block of this height was seen before.
    pub differs: bool,
}

impl Follower {
    /// Connects as the DSO and follows the blocks these validators broadcast. Needs a tokio runtime.
    ///
    /// # Errors
    /// Where there can be no link.
    pub async fn connect(layout: &Layout, validators: &[usize], boot: u64) -> Result<Follower, ClusterError> {
        let genesis = &layout.genesis;
        let party = PartyId::new(Role::Dso, Role::Dso.word().parse()?);
        let key = layout::key_of(&party);
        let mut connections = Vec::with_capacity(validators.len());
        for number in validators {
            let validator = layout::validator(*number)?;
            connections.push(ConnectionConfig {
                name: validator.id.to_string(),
                addresses: vec![layout.brokers[*number].to_string()],
                subscriptions: vec![genesis.network.broadcast_by(&validator, "block")],
                carries: Carries::Only(Vec::new()),
            });
        }
        let config = LinkConfig {
            connections,
            signer: Arc::new(Signer::new(genesis.network.clone(), party, key, boot)),
            registry: Arc::new(genesis.registry()),
            queue: 1_024,
            rates: Vec::new(),
            screen: None,
            answers: None,
            identity: None,
        };
        let metrics = LinkMetrics::register(&prometheus::Registry::new())?;
        let (link, events) = Link::connect(config, metrics)?;
        let (limit, mut standing) = (Duration::from_secs(10), link.standing());
        let all = standing.wait_for(|standing| standing.len() == validators.len());
        match tokio::time::timeout(limit, all).await {
            Ok(Ok(_)) => {}
            _ => return Err(ClusterError::Late { what: "connections to the brokers".to_owned(), limit }),
        }
        Ok(Follower { _link: link, events, heights: HashMap::new() })
    }

    /// How many blocks were seen.
    pub fn blocks(&self) -> u64 {
        self.heights.len() as u64
    }

    /// The next block not seen before, were it at a height that has one already; none after `limit`.
    pub async fn next(&mut self, limit: Duration) -> Option<Seen> {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            let event = tokio::time::timeout_at(deadline, self.events.recv()).await.ok()??;
            let LinkEvent::Message(message) = event else { continue };
            let Body::Block(bytes) = message.body else { continue };
            let at = Instant::now();
            let Ok(decided) = DecidedBlock::decode(&bytes) else { continue };
            let (height, hash) = (decided.height(), decided.block.header.hash());
            let before = self.heights.insert(height, hash);
            if before != Some(hash) {
                let entries = decided.block.entries.iter().map(name).collect();
                return Some(Seen { at, height, entries, differs: before.is_some() });
            }
        }
    }
}

/// Bare MQTT clients of every validator's broker, that send what was signed before.
pub struct Publisher {
    clients: Vec<AsyncClient>,
    pumps: Vec<JoinHandle<()>>,
}

impl Publisher {
    /// Connects to these validators' brokers, and again whenever one was gone. Needs a tokio runtime.
    pub fn connect(layout: &Layout, validators: &[usize], client_id: &str) -> Publisher {
        let (mut clients, mut pumps) = (Vec::new(), Vec::new());
        for number in validators {
            let (client, mut events) = client(layout.brokers[*number], &format!("{client_id}-{number}"));
            clients.push(client);
            pumps.push(tokio::spawn(async move {
                loop {
                    if let Err(error) = events.poll().await {
                        tracing::debug!(%error, "a publisher's connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }));
        }
        Publisher { clients, pumps }
    }

    /// Sends one envelope to one of the brokers, chosen by `turn`. What finds it gone or full is lost, as it
    /// would be on its way.
    pub fn publish(&self, turn: usize, envelope: &SignedEnvelope) {
        let client = &self.clients[turn % self.clients.len()];
        if let Err(error) =
            client.try_publish(&envelope.topic, QoS::AtLeastOnce, false, envelope.bytes.to_vec())
        {
            tracing::debug!(%error, "an entry was not sent");
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.pumps.iter().for_each(JoinHandle::abort);
    }
}

/// A bare client of a broker.
pub fn client(address: SocketAddr, client_id: &str) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(client_id, address.ip().to_string(), address.port());
    options.set_max_packet_size(PACKET_BYTES, PACKET_BYTES);
    options.set_inflight(INFLIGHT);
    options.set_clean_session(true);
    let (client, mut events) = AsyncClient::new(options, QUEUE);
    events.network_options.set_tcp_nodelay(true);
    (client, events)
}
