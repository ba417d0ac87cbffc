//! A broker, a registry of one aggregator and its sites, and what tests say to each other.

use broker::embedded::EmbeddedBroker;
use broker::link::{ConnectionConfig, Link, LinkConfig, LinkEvent, Outgoing};
use broker::metrics::LinkMetrics;
use ed25519_dalek::SigningKey;
use prometheus::Registry as Metrics;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use wire::envelope::Signer;
use wire::hash::Hash32;
use wire::message::{Body, SetpointReport};
use wire::party::{Participant, PartyId, Registry, Role};
use wire::topic::Network;
use wire::Interval;

/// Against hanging only; nothing is measured by it.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub fn network() -> Network {
    Network { network: "test".parse().unwrap(), feeder: "f1".parse().unwrap() }
}

pub fn aggregator() -> PartyId {
    PartyId::new(Role::Aggregator, "a1".parse().unwrap())
}

pub fn site(number: usize) -> PartyId {
    PartyId::new(Role::Site, format!("s{number}").parse().unwrap())
}

pub fn key_of(party: &PartyId) -> SigningKey {
    SigningKey::from_bytes(&Hash32::of("test key", &[party.to_string().as_bytes()]).0)
}

pub fn signer(party: &PartyId, boot: u64) -> Arc<Signer> {
    Arc::new(Signer::new(network(), party.clone(), key_of(party), boot))
}

/// An aggregator `a1` and sites `s0`, `s1`, ...
pub fn registry(sites: usize) -> Arc<Registry> {
    let parties = (0..sites).map(site).chain([aggregator()]);
    let participant = |party: PartyId| Participant {
        key: Hash32(key_of(&party).verifying_key().to_bytes()),
        account: format!("account-{}", party.id).parse().unwrap(),
        bus: None,
        aggregator: None,
        connection_milliwatt: None,
        epoch: Default::default(),
        party,
    };
    Arc::new(parties.map(|party| (party.clone(), participant(party))).collect())
}

pub fn start_broker() -> String {
    EmbeddedBroker::start(([127, 0, 0, 1], 0).into()).unwrap().address().to_string()
}

pub struct Node {
    pub link: Link,
    pub events: Receiver<LinkEvent>,
    pub metrics: Metrics,
}

impl Node {
    /// A connected link of `party`.
    pub async fn connect(party: &PartyId, address: &str, registry: &Arc<Registry>, queue: usize) -> Node {
        Node::connect_to_each(party, &[address], registry, queue).await
    }

    /// A link of `party` with a connection to each of these brokers, all of them standing.
    pub async fn connect_to_each(
        party: &PartyId,
        addresses: &[&str],
        registry: &Arc<Registry>,
        queue: usize,
    ) -> Node {
        let one = |address: &&str| ConnectionConfig {
            name: format!("to-{address}"),
            ..ConnectionConfig::market(vec![(*address).to_owned()], Vec::new())
        };
        let config = LinkConfig {
            connections: addresses.iter().map(one).collect(),
            signer: signer(party, 1_000),
            registry: registry.clone(),
            queue,
            rates: Vec::new(),
            screen: None,
            answers: None,
            identity: None,
        };
        let mut node = Node::start(config);
        let mut standing = node.link.standing();
        let all = standing.wait_for(|standing| standing.len() == addresses.len());
        tokio::time::timeout(PATIENCE, all).await.expect("connections in time").unwrap();
        node.expect(LinkEvent::Connected).await;
        node
    }

    pub fn start(config: LinkConfig) -> Node {
        let metrics = Metrics::new();
        let (link, events) = Link::connect(config, LinkMetrics::register(&metrics).unwrap()).unwrap();
        Node { link, events, metrics }
    }

    pub async fn next(&mut self) -> LinkEvent {
        tokio::time::timeout(PATIENCE, self.events.recv()).await.expect("an event in time").expect("an event")
    }

    pub async fn expect(&mut self, expected: LinkEvent) {
        assert_eq!(self.next().await, expected);
    }

    /// The sum of a counter over its labels, or of one label's value.
    pub fn count(&self, name: &str, label: Option<&str>) -> u64 {
        let families = self.metrics.gather();
        let family = families.iter().find(|family| family.name() == name).expect("the counter");
        let wanted = |metric: &&prometheus::proto::Metric| {
            label.is_none_or(|label| metric.get_label().iter().any(|pair| pair.value() == label))
        };
        family.get_metric().iter().filter(wanted).map(|m| m.get_counter().get_value() as u64).sum()
    }
}

/// A message of a site to its aggregator; `number` tells it from others.
pub fn report(number: u32) -> Body {
    Body::SetpointReport(SetpointReport {
        interval: Interval::default(),
        commitment: None,
        confirmed: number,
        faults: Vec::new(),
    })
}

/// `report(number)` to the aggregator, tagged with its number, until answered.
pub fn to_aggregator(number: u32) -> Outgoing {
    Outgoing {
        body: report(number),
        interval: Interval::default(),
        recipient: Some(aggregator()),
        acknowledged_by: vec![aggregator()],
        tag: number.into(),
        valid_for_ms: 600_000,
    }
}
