//! What a client of the validators sees: an MQTT connection on which entries go out, and decided blocks
//! come in.

use super::layout::{self, Layout};
use super::ClusterError;
use broker::link::{Link, LinkConfig, LinkEvent};
use broker::metrics::LinkMetrics;
use ledger::block::DecidedBlock;
use rumqttc::{AsyncClient, EventLoop, MqttOptions, QoS};
use std::collections::HashMap;
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
        let mut subscriptions = Vec::with_capacity(validators.len());
        for number in validators {
            subscriptions.push(genesis.network.broadcast_by(&layout::validator(*number)?, "block"));
        }
        let config = LinkConfig::with_one_connection(
            layout.addresses.clone(),
            subscriptions,
            Arc::new(Signer::new(genesis.network.clone(), party, key, boot)),
            Arc::new(genesis.registry()),
            1_024,
        );
        let metrics = LinkMetrics::register(&prometheus::Registry::new())?;
        let (link, mut events) = Link::connect(config, metrics)?;
        let limit = Duration::from_secs(10);
        match tokio::time::timeout(limit, events.recv()).await {
            Ok(Some(LinkEvent::Connected)) => Ok(Follower { _link: link, events, heights: HashMap::new() }),
            _ => Err(ClusterError::Late { what: "a connection to the broker".to_owned(), limit }),
        }
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

/// A bare MQTT client that sends what was signed before.
pub struct Publisher {
    client: AsyncClient,
    pump: JoinHandle<()>,
}

impl Publisher {
    /// Connects to the broker at `address`. Needs a tokio runtime.
    pub fn connect(address: &str, client_id: &str) -> Publisher {
        let (client, mut events) = client(address, client_id);
        let pump = tokio::spawn(async move {
            loop {
                if let Err(error) = events.poll().await {
                    tracing::debug!(%error, "the publisher's connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        });
        Publisher { client, pump }
    }

    /// Sends one envelope; waits where the client is full.
    pub async fn publish(&self, envelope: &SignedEnvelope) {
        // Fails only when the pump has ended, which only dropping does.
        let _ = self.client.publish(&envelope.topic, QoS::AtLeastOnce, false, envelope.bytes.to_vec()).await;
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

/// A bare client of the broker at `address`, as `host:port`.
pub fn client(address: &str, client_id: &str) -> (AsyncClient, EventLoop) {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "1883"));
    let mut options = MqttOptions::new(client_id, host, port.parse().unwrap_or(1883));
    options.set_max_packet_size(PACKET_BYTES, PACKET_BYTES);
    options.set_inflight(INFLIGHT);
    options.set_clean_session(true);
    let (client, mut events) = AsyncClient::new(options, QUEUE);
    events.network_options.set_tcp_nodelay(true);
    (client, events)
}
