//! Four validators, each with a broker of its own, on real sockets and real disks: whichever broker or
//! validator is dead, silent or talks nonsense, the others go on.

use crate::network::{height_reached, next, submission, PATIENCE};
use crate::proxy::Proxy;
use crate::world::{party, transfer, validator, World, INTERVAL};
use broker::embedded::EmbeddedBroker;
use broker::link::{ConnectionConfig, Link, LinkConfig, LinkEvent};
use broker::metrics::LinkMetrics;
use ledger::block::vote::{Signature, SignedVote, Vote, VoteKind};
use ledger::block::DecidedBlock;
use ledger::consensus::message::{ConsensusMessage, Statement};
use ledger::store::StoreOptions;
use ledger::validator::mesh::{Brokers, Mesh};
use ledger::validator::{start, StartError, Timeouts, ValidatorConfig, ValidatorHandle};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::Receiver;
use wire::entry::SignedEnvelope;
use wire::envelope::Signer;
use wire::message::{Body, Verdict};
use wire::party::Role;

/// Bad messages on one sender's topics that a connection takes at once and a second, as in the link.
const BAD: (u64, u64) = (1_000, 500);
const FLOOD: usize = 5_000;

pub struct Net {
    pub world: World,
    /// Before each validator's broker: it can be cut.
    proxies: Vec<Proxy>,
    metrics: LinkMetrics,
    registry: prometheus::Registry,
    folder: tempfile::TempDir,
}

impl Net {
    async fn new() -> Net {
        Net::with_brokers(4).await
    }

    /// Four validators, and brokers for so many.
    pub async fn with_brokers(count: usize) -> Net {
        let mut proxies = Vec::new();
        for _ in 0..count {
            let broker = EmbeddedBroker::start(([127, 0, 0, 1], 0).into()).unwrap();
            proxies.push(Proxy::start(&broker.address().to_string()).await);
        }
        let registry = prometheus::Registry::new();
        let metrics = LinkMetrics::register(&registry).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Net { world: World::new(4), proxies, metrics, registry, folder }
    }

    pub fn address(&self, index: usize) -> String {
        self.proxies[index - 1].address()
    }

    fn config(&self, index: usize) -> ValidatorConfig {
        self.config_with(index, self.world.signers[&validator(index)].clone(), self.registry.clone())
    }

    /// Validator `index` with these keys and counters.
    pub fn config_with(
        &self,
        index: usize,
        signer: Arc<Signer>,
        registry: prometheus::Registry,
    ) -> ValidatorConfig {
        let peers = (1..=self.proxies.len()).filter(|peer| *peer != index);
        let mesh = Mesh {
            own: vec![self.address(index)],
            peers: peers.map(|peer| (validator(peer).id, vec![self.address(peer)])).collect(),
            market: Vec::new(),
        };
        ValidatorConfig {
            genesis: Arc::new(self.world.genesis.clone()),
            signer,
            brokers: Brokers::Mesh(mesh),
            identity: None,
            data_dir: self.data(index),
            registry,
            link_metrics: self.metrics.clone(),
            timeouts: Timeouts::default(),
            store: StoreOptions::default(),
        }
    }

    /// Where validator `index` keeps its ledger.
    pub fn data(&self, index: usize) -> PathBuf {
        self.folder.path().join(format!("v{index}"))
    }

    pub fn validator(&self, index: usize) -> ValidatorHandle {
        start(self.config(index)).unwrap()
    }

    /// A site that submits, and follows blocks, over a connection to each of these groups of brokers.
    async fn site_on(&self, groups: Vec<Vec<String>>) -> (Link, Receiver<LinkEvent>) {
        self.party_on(self.world.signers[&party(Role::Site, "s1")].clone(), groups).await
    }

    /// The same for whoever these keys are of.
    pub async fn party_on(
        &self,
        signer: Arc<Signer>,
        groups: Vec<Vec<String>>,
    ) -> (Link, Receiver<LinkEvent>) {
        let blocks = vec![self.world.genesis.network.filter_broadcast(Role::Validator, "block")];
        let connection = |(place, addresses): (usize, Vec<String>)| ConnectionConfig {
            name: format!("group-{place}"),
            ..ConnectionConfig::market(addresses, blocks.clone())
        };
        let config = LinkConfig {
            connections: groups.into_iter().enumerate().map(connection).collect(),
            signer,
            registry: Arc::new(self.world.genesis.registry()),
            queue: 64,
            rates: Vec::new(),
            screen: None,
            answers: None,
            identity: None,
        };
        let (link, mut events) = Link::connect(config, self.metrics.clone()).unwrap();
        while next(&mut events).await != LinkEvent::Connected {}
        (link, events)
    }

    /// The same on these validators' brokers.
    async fn site(&self, brokers: &[usize]) -> (Link, Receiver<LinkEvent>) {
        self.site_on(brokers.iter().map(|broker| vec![self.address(*broker)]).collect()).await
    }

    /// The sum of a metric over its labels, where one of them has this value.
    fn metric(&self, name: &str, label: (&str, &str)) -> f64 {
        let families = self.registry.gather();
        let metrics = families.iter().filter(|family| family.name() == name).flat_map(|f| f.get_metric());
        let labelled = metrics
            .filter(|metric| metric.get_label().iter().any(|pair| (pair.name(), pair.value()) == label));
        labelled.map(|metric| metric.get_counter().get_value() + metric.get_gauge().get_value()).sum()
    }
}

pub async fn all_stop(validators: Vec<ValidatorHandle>) {
    for handle in validators {
        handle.stop();
        assert_eq!(handle.ended().await, None);
    }
}

#[actix::test]
async fn a_party_on_one_validators_broker_is_heard_by_all_and_hears_the_block_there() {
    let net = Net::new().await;
    let validators: Vec<_> = (1..=4).map(|index| net.validator(index)).collect();
    let (link, mut events) = net.site(&[2]).await;
    link.send(submission(transfer(0, 5))).unwrap();
    let (mut accepted, mut decided) = (0, None);
    while accepted < 4 || decided.is_none() {
        match next(&mut events).await {
            LinkEvent::Answered { verdict: Verdict::Accepted, .. } => accepted += 1,
            LinkEvent::Message(message) => {
                let Body::Block(bytes) = message.body else { continue };
                // On its broker validator 2 alone speaks.
                assert_eq!(message.topic.sender, validator(2));
                decided = Some(DecidedBlock::decode(&bytes).unwrap());
            }
            _ => {}
        }
    }
    let entries: Vec<_> = decided.unwrap().entries().collect();
    assert_eq!(entries, [(party(Role::Site, "s1"), transfer(0, 5))]);
    for handle in &validators {
        height_reached(handle, 1).await;
    }
    all_stop(validators).await;
}

/// Its first address is dead.
#[actix::test]
async fn a_party_that_knows_the_markets_broker_alone_submits_and_hears_blocks_there() {
    let net = Net::new().await;
    let market = EmbeddedBroker::start(([127, 0, 0, 1], 0).into()).unwrap().address().to_string();
    let validators: Vec<_> = (1..=4)
        .map(|index| {
            let mut config = net.config(index);
            let Brokers::Mesh(mesh) = &mut config.brokers else { panic!("a mesh") };
            mesh.market = vec![market.clone()];
            start(config).unwrap()
        })
        .collect();
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (link, mut events) = net.site_on(vec![vec![dead, market]]).await;
    link.send(submission(transfer(0, 5))).unwrap();
    // Who has answered stands on the market's broker; it may not have when the first block was decided.
    let mut accepted = 0;
    while accepted < 4 {
        accepted += usize::from(matches!(next(&mut events).await, LinkEvent::Answered { .. }));
    }
    link.send(submission(transfer(1, 5))).unwrap();
    let mut told = BTreeSet::new();
    while told.len() < 4 {
        let LinkEvent::Message(message) = next(&mut events).await else { continue };
        let Body::Block(bytes) = message.body else { panic!("{:?}", message.body) };
        if DecidedBlock::decode(&bytes).unwrap().height() == 2 {
            told.insert(message.topic.sender);
        }
    }
    all_stop(validators).await;
}

#[actix::test]
async fn with_each_broker_dead_in_turn_the_others_decide_and_the_one_comes_back() {
    let net = Net::new().await;
    let validators: Vec<_> = (1..=4).map(|index| net.validator(index)).collect();
    let (link, _events) = net.site(&[1, 2, 3, 4]).await;
    for (nonce, proxy) in (0..).zip(&net.proxies) {
        proxy.cut();
        link.send(submission(transfer(nonce, 5))).unwrap();
        for (place, handle) in (0..).zip(&validators) {
            if place != nonce {
                height_reached(handle, nonce + 1).await;
            }
        }
        proxy.mend();
        for handle in &validators {
            height_reached(handle, nonce + 1).await;
        }
    }
    all_stop(validators).await;
}

#[actix::test]
async fn a_dead_validator_and_a_broker_that_never_answers_stop_nobody() {
    let net = Net::new().await;
    // Connections are accepted by the system and never answered.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let validators: Vec<_> = (1..=3)
        .map(|index| {
            let mut config = net.config(index);
            let Brokers::Mesh(mesh) = &mut config.brokers else { panic!("a mesh") };
            mesh.peers.insert(validator(4).id, vec![silent.clone()]);
            start(config).unwrap()
        })
        .collect();
    let (link, _events) = net.site(&[1, 3]).await;
    for nonce in 0..3 {
        link.send(submission(transfer(nonce, 5))).unwrap();
        for handle in &validators {
            height_reached(handle, nonce + 1).await;
        }
    }
    assert_eq!(net.metric("gridpact_link_standing", ("connection", "validator/v4")), 0.0);
    assert_eq!(net.metric("gridpact_link_standing", ("connection", "validator/v2")), 2.0);
    all_stop(validators).await;
}

/// Two sorts of nonsense on the topic of validator 4: bytes that are nothing, and votes under its key for
/// heights nobody is at.
fn nonsense(net: &Net) -> Vec<SignedEnvelope> {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let signer: &Signer = &net.world.signers[&validator(4)];
    let far = |number: usize| {
        let height = 1_000_000 + number as u64;
        let vote = Vote { kind: VoteKind::Prevote, height, round: 0, block: None, validator: 3 };
        let vote = Statement::Vote(SignedVote { vote, signature: Signature([1; 64]) });
        let message = ConsensusMessage::Statement { statement: vote, block: None }.encode().unwrap();
        signer.sign(None, INTERVAL, now_ms, now_ms + 600_000, &Body::Consensus(message.into())).unwrap().raw
    };
    let garbage = |number: usize| {
        let topic = net.world.genesis.network.broadcast_by(&validator(4), "consensus");
        SignedEnvelope { topic, bytes: format!("nonsense {number}").into_bytes().into() }
    };
    (0..FLOOD).map(|number| if number % 10 == 0 { far(number) } else { garbage(number) }).collect()
}

/// Publishes until the broker has taken all, as fast as it takes them.
async fn flood(address: String, messages: Vec<SignedEnvelope>) {
    let (host, port) = address.rsplit_once(':').unwrap();
    let (client, mut events) =
        AsyncClient::new(MqttOptions::new("flood", host, port.parse().unwrap()), messages.len());
    let count = messages.len();
    for SignedEnvelope { topic, bytes } in messages {
        client.try_publish(topic, QoS::AtLeastOnce, false, bytes.into_vec()).unwrap();
    }
    let mut taken = 0;
    while taken < count {
        if let Event::Incoming(Packet::PubAck(_)) = events.poll().await.unwrap() {
            taken += 1;
        }
    }
}

#[actix::test]
async fn a_validator_that_floods_is_cut_short_before_signatures_are_checked() {
    let net = Net::new().await;
    let validators: Vec<_> = (1..=3).map(|index| net.validator(index)).collect();
    let (link, _events) = net.site(&[1, 2, 3]).await;
    link.send(submission(transfer(0, 5))).unwrap();
    for handle in &validators {
        height_reached(handle, 1).await;
    }
    let begun = Instant::now();
    let messages = nonsense(&net);
    tokio::time::timeout(PATIENCE, flood(net.address(4), messages)).await.expect("taken in time");
    for nonce in 1..4 {
        link.send(submission(transfer(nonce, 5))).unwrap();
        for handle in &validators {
            height_reached(handle, nonce + 1).await;
        }
    }
    let dropped = |reason| net.metric("gridpact_messages_dropped_total", ("reason", reason)) as u64;
    let (looked_at, not_looked_at) = (dropped("malformed"), dropped("too-many"));
    let allowed = 3 * (BAD.0 + BAD.1 * (begun.elapsed().as_secs() + 1));
    println!("{looked_at} looked at, {not_looked_at} not, {} far", dropped("height-far"));
    assert!(looked_at > 0 && looked_at <= allowed, "{looked_at} of {allowed} allowed");
    assert!(dropped("height-far") > 0);
    all_stop(validators).await;
}

#[actix::test]
async fn a_mesh_that_lacks_a_validators_broker_is_refused() {
    let net = Net::new().await;
    let mut config = net.config(1);
    let Brokers::Mesh(mesh) = &mut config.brokers else { panic!("a mesh") };
    mesh.peers.remove(&validator(3).id);
    let error = start(config).unwrap_err();
    assert!(
        matches!(&error, StartError::Mesh { validator: lacking } if *lacking == validator(3).id),
        "{error}"
    );
}
