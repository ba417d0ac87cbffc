//! Links with connections to several brokers: one delivery whichever brings it, and no broker that is dead,
//! silent or withholding keeps anything from arriving.

use crate::proxy::Proxy;
use crate::world::{aggregator, registry, report, signer, site, start_broker, to_aggregator, Node, PATIENCE};
use broker::link::{Carries, ConnectionConfig, Link, LinkConfig, LinkError, LinkEvent};
use broker::metrics::LinkMetrics;
use std::sync::Arc;
use wire::message::Verdict;
use wire::party::{PartyId, Registry};

impl Node {
    /// Takes the message with this number, and answers it.
    async fn take(&mut self, number: u32) {
        match self.next().await {
            LinkEvent::Message(opened) => {
                assert_eq!(opened.body, report(number));
                self.link.acknowledge(opened.id, Verdict::Accepted).unwrap();
            }
            other => panic!("expected message {number}, got {other:?}"),
        }
    }

    async fn answered(&mut self, number: u32) {
        let answered =
            LinkEvent::Answered { tag: number.into(), by: aggregator(), verdict: Verdict::Accepted };
        self.expect(answered).await;
    }
}

fn config(party: &PartyId, registry: &Arc<Registry>, connections: Vec<ConnectionConfig>) -> LinkConfig {
    let (signer, registry) = (signer(party, 1_000), registry.clone());
    let (rates, screen, identity, answers) = (Vec::new(), None, None, None);
    LinkConfig { connections, signer, registry, queue: 16, rates, screen, identity, answers }
}

fn named(name: &str, address: &str, carries: Carries) -> ConnectionConfig {
    let market = ConnectionConfig::market(vec![address.to_owned()], Vec::new());
    ConnectionConfig { name: name.to_owned(), carries, ..market }
}

#[tokio::test]
async fn what_several_brokers_carry_is_delivered_once_and_answered() {
    let brokers = [start_broker(), start_broker(), start_broker()];
    let addresses = brokers.each_ref().map(String::as_str);
    let registry = registry(1);
    let mut receiver = Node::connect_to_each(&aggregator(), &addresses, &registry, 16).await;
    let mut sender = Node::connect_to_each(&site(0), &addresses, &registry, 16).await;
    for number in 0..9 {
        sender.link.send(to_aggregator(number)).unwrap();
        receiver.take(number).await;
        sender.answered(number).await;
    }
}

#[tokio::test]
async fn with_each_broker_dead_in_turn_everything_arrives_once() {
    let proxies = [
        Proxy::start(&start_broker()).await,
        Proxy::start(&start_broker()).await,
        Proxy::start(&start_broker()).await,
    ];
    let addresses = proxies.each_ref().map(Proxy::address);
    let addresses = addresses.each_ref().map(String::as_str);
    let registry = registry(1);
    let mut receiver = Node::connect_to_each(&aggregator(), &addresses, &registry, 16).await;
    let mut sender = Node::connect_to_each(&site(0), &addresses, &registry, 16).await;
    for (number, proxy) in (0..).zip(&proxies) {
        proxy.cut();
        for part in 0..3 {
            sender.link.send(to_aggregator(number * 10 + part)).unwrap();
            receiver.take(number * 10 + part).await;
            sender.answered(number * 10 + part).await;
        }
        proxy.mend();
        for node in [&sender, &receiver] {
            let mut standing = node.link.standing();
            let all = standing.wait_for(|standing| standing.len() == addresses.len());
            tokio::time::timeout(PATIENCE, all).await.expect("a connection in time").unwrap();
        }
    }
}

/// One broker never answers, another takes everything and the receiver is not there: it withholds.
#[tokio::test]
async fn a_broker_that_is_silent_and_one_that_withholds_keep_nothing_from_arriving() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let (withholding, honest) = (start_broker(), start_broker());
    let registry = registry(1);
    let mut receiver = Node::connect(&aggregator(), &honest, &registry, 16).await;
    let connections = [("silent", &silent), ("withholding", &withholding), ("honest", &honest)]
        .map(|(name, address)| named(name, address, Carries::Everything));
    let mut sender = Node::start(config(&site(0), &registry, connections.to_vec()));
    sender.expect(LinkEvent::Connected).await;
    for number in 0..6 {
        sender.link.send(to_aggregator(number)).unwrap();
        receiver.take(number).await;
        sender.answered(number).await;
    }
    let mut standing = sender.link.standing();
    assert!(!standing.borrow_and_update().contains(0));
}

#[tokio::test]
async fn each_kind_goes_where_it_is_carried_and_nowhere_else() {
    let (wrong, right) = (start_broker(), start_broker());
    let registry = registry(1);
    let mut receiver = Node::connect_to_each(&aggregator(), &[&wrong, &right], &registry, 16).await;
    let connections = vec![
        named("wrong", &wrong, Carries::Only(vec!["bid"])),
        named("right", &right, Carries::Only(vec!["setpoint-report"])),
    ];
    let mut sender = Node::start(config(&site(0), &registry, connections));
    let mut standing = sender.link.standing();
    tokio::time::timeout(PATIENCE, standing.wait_for(|standing| standing.len() == 2)).await.unwrap().unwrap();
    sender.expect(LinkEvent::Connected).await;
    for number in 0..4 {
        sender.link.send(to_aggregator(number)).unwrap();
        receiver.take(number).await;
        sender.answered(number).await;
    }
    assert_eq!(sender.count("gridpact_messages_resent_total", None), 0);
}

#[tokio::test]
async fn a_message_that_no_connection_carries_is_refused() {
    let connections = vec![named("elsewhere", "127.0.0.1:1", Carries::Only(vec!["bid"]))];
    let sender = Node::start(config(&site(0), &registry(1), connections));
    let error = sender.link.send(to_aggregator(1)).unwrap_err();
    assert!(matches!(error, LinkError::NoRoute { what: "setpoint-report" }), "{error}");
}

#[tokio::test]
async fn a_configuration_without_connections_or_with_too_many_is_refused() {
    for count in [0, 65] {
        let connections = vec![named("one", "127.0.0.1:1", Carries::Everything); count];
        let metrics = LinkMetrics::register(&prometheus::Registry::new()).unwrap();
        let error = Link::connect(config(&site(0), &registry(1), connections), metrics).unwrap_err();
        assert!(matches!(error, LinkError::Config { what: "connections", .. }), "{error}");
    }
}
