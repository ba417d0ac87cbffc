//! An aggregator that a DSO awards twice, in its shell and over a real broker: it keeps the proof, tells those who
//! watch, and puts it before the validators.

use crate::world::{self, party, Plan, FIRST};
use agents::aggregator::{self, AggregatorOptions};
use agents::chain::Chain;
use agents::clock::ClockSource;
use agents::metrics::AgentMetrics;
use agents::shell::Common;
use broker::embedded::EmbeddedBroker;
use broker::link::{Link, LinkConfig, LinkEvent, Outgoing};
use broker::metrics::LinkMetrics;
use ledger::contracts::rules::Rules;
use ledger::double_clearing::{check, ClearingKind, Statement};
use ledger::genesis::Genesis;
use market::units::{Milliwatt, PicoEurPerWh};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use wire::entry::{DoubleClearingEntry, Entry, SignedEnvelope};
use wire::message::{Award, Body, BusPrice};
use wire::party::{PartyId, Role};

/// Against hanging only.
const PATIENCE: Duration = Duration::from_secs(120);

fn link(
    genesis: &Genesis,
    broker: &EmbeddedBroker,
    metrics: &LinkMetrics,
    (who, filters): (&PartyId, Vec<String>),
) -> (Link, Receiver<LinkEvent>) {
    let config = LinkConfig::with_one_connection(
        vec![broker.address().to_string()],
        filters,
        Arc::new(world::signer(who)),
        Arc::new(genesis.registry()),
        64,
    );
    Link::connect(config, metrics.clone()).unwrap()
}

async fn next(events: &mut Receiver<LinkEvent>) -> LinkEvent {
    tokio::time::timeout(PATIENCE, events.recv()).await.expect("an event in time").unwrap()
}

fn award(to: &PartyId, price: i64) -> Outgoing {
    let at = BusPrice { bus: "b".to_owned(), price: PicoEurPerWh(price), allocation: Milliwatt(1) };
    Outgoing {
        body: Body::Award(Award { interval: FIRST, buses: vec![at], reactive: Vec::new() }),
        interval: FIRST,
        recipient: Some(to.clone()),
        acknowledged_by: vec![to.clone()],
        tag: 0,
        valid_for_ms: PATIENCE.as_millis() as u64,
    }
}

#[actix::test]
async fn an_aggregator_that_is_awarded_twice_keeps_the_proof_tells_and_submits() {
    let genesis = Arc::new(world::genesis(Plan { sites_each: 1, line_limit: None, grid: false }));
    let broker = EmbeddedBroker::start(([127, 0, 0, 1], 0).into()).unwrap();
    let registry = prometheus::Registry::new();
    let metrics = LinkMetrics::register(&registry).unwrap();
    let me = party(Role::Aggregator, "a1");
    let network = genesis.network.clone();
    let filters = ["double-clearing", "submit"].map(|kind| network.broadcast_by(&me, kind)).to_vec();
    let (_watcher, mut heard) = link(&genesis, &broker, &metrics, (&party(Role::Validator, "v1"), filters));
    while next(&mut heard).await != LinkEvent::Connected {}
    let directory = tempfile::tempdir().unwrap();
    let common = Common {
        genesis: genesis.clone(),
        chain: Chain::new(&genesis).unwrap(),
        signer: Arc::new(world::signer(&me)),
        broker_addresses: vec![broker.address().to_string()],
        validator_brokers: Vec::new(),
        identity: None,
        built: market::interval::UnixSeconds(0),
        clock: ClockSource::System,
        data_dir: directory.path().to_owned(),
        registry: registry.clone(),
        link_metrics: metrics.clone(),
        metrics: AgentMetrics::register(&registry).unwrap(),
    };
    let role = aggregator::start(&common, AggregatorOptions::default()).unwrap();
    let dso = party(Role::Dso, "d");
    let (dso, _answers) = link(&genesis, &broker, &metrics, (&dso, Vec::new()));
    for price in [5, 6] {
        dso.send(award(&me, price)).unwrap();
    }
    let rules = Rules::new(&genesis).unwrap();
    let open = |envelope: &SignedEnvelope| rules.verifier.open_evidence(envelope);
    let (mut told, mut submitted) = (None, None);
    while told.is_none() || submitted.is_none() {
        let LinkEvent::Message(message) = next(&mut heard).await else { continue };
        match message.body {
            Body::DoubleClearing(proof) => told = Some(proof),
            Body::Submit(Entry::DoubleClearing(proof)) => submitted = Some(proof),
            other => panic!("{other:?}"),
        }
    }
    let statement = Statement { interval: FIRST, kind: ClearingKind::Award, dso: "d".parse().unwrap() };
    for proof in [told.unwrap(), submitted.unwrap()] {
        assert_eq!(check(open, &proof).unwrap(), statement);
    }
    let path = directory.path().join(format!("proofs/d-award-{}.cbor", FIRST.start().0));
    let kept: DoubleClearingEntry = wire::cbor::from_slice(&std::fs::read(path).unwrap(), 1 << 20).unwrap();
    assert_eq!(check(open, &kept).unwrap(), statement);
    role.stop().unwrap();
    role.ended().await;
}
