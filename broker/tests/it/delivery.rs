//! What is sent is delivered once and answered, whatever happens to the connection.

use crate::proxy::Proxy;
use crate::world::{aggregator, registry, report, site, start_broker, to_aggregator, Node};
use broker::embedded::{BrokerError, EmbeddedBroker};
use broker::link::{LinkError, LinkEvent};
use std::collections::BTreeSet;
use wire::envelope::Opened;
use wire::message::{Body, Verdict};

impl Node {
    async fn message(&mut self) -> Opened {
        match self.next().await {
            LinkEvent::Message(opened) => opened,
            other => panic!("expected a message, got {other:?}"),
        }
    }
}

fn answered(tag: u64, verdict: &Verdict) -> LinkEvent {
    LinkEvent::Answered { tag, by: aggregator(), verdict: verdict.clone() }
}

#[tokio::test]
async fn a_message_is_delivered_and_its_verdict_comes_back() {
    let (address, registry) = (start_broker(), registry(1));
    let mut receiver = Node::connect(&aggregator(), &address, &registry, 8).await;
    let mut sender = Node::connect(&site(0), &address, &registry, 8).await;
    for verdict in [Verdict::Accepted, Verdict::Refused("the gate is closed".into())] {
        let id = sender.link.send(to_aggregator(7)).unwrap();
        let message = receiver.message().await;
        assert_eq!((&message.id, &message.body), (&id, &report(7)));
        receiver.link.acknowledge(message.id, verdict.clone()).unwrap();
        sender.expect(answered(7, &verdict)).await;
    }
    assert_eq!(sender.count("gridpact_messages_acknowledged_total", None), 1);
    assert_eq!(sender.count("gridpact_messages_refused_total", None), 1);
}

#[tokio::test]
async fn what_is_sent_while_the_connection_is_cut_is_delivered_once_it_is_mended() {
    let (address, registry) = (start_broker(), registry(1));
    let proxy = Proxy::start(&address).await;
    let mut receiver = Node::connect(&aggregator(), &address, &registry, 8).await;
    let mut sender = Node::connect(&site(0), &proxy.address(), &registry, 8).await;
    proxy.cut();
    assert!(matches!(sender.next().await, LinkEvent::Disconnected { .. }));
    sender.link.send(to_aggregator(1)).unwrap();
    proxy.mend();
    sender.expect(LinkEvent::Connected).await;
    let message = receiver.message().await;
    receiver.link.acknowledge(message.id, Verdict::Accepted).unwrap();
    sender.expect(answered(1, &Verdict::Accepted)).await;
}

/// The receiver has the message, and its answer is lost: the sender repeats, and the receiver
/// answers with what it said first, without being told of the message again.
#[tokio::test]
async fn a_lost_answer_is_given_again_and_nothing_is_delivered_twice() {
    let (address, registry) = (start_broker(), registry(1));
    let proxy = Proxy::start(&address).await;
    let mut receiver = Node::connect(&aggregator(), &proxy.address(), &registry, 8).await;
    let mut sender = Node::connect(&site(0), &address, &registry, 8).await;
    sender.link.send(to_aggregator(1)).unwrap();
    let message = receiver.message().await;
    proxy.cut();
    assert!(matches!(receiver.next().await, LinkEvent::Disconnected { .. }));
    let verdict = Verdict::Refused("first word".into());
    receiver.link.acknowledge(message.id.clone(), verdict.clone()).unwrap();
    receiver.link.acknowledge(message.id, Verdict::Accepted).unwrap();
    proxy.mend();
    receiver.expect(LinkEvent::Connected).await;
    sender.expect(answered(1, &verdict)).await;
    // Whatever came twice would stand before this one.
    sender.link.send(to_aggregator(2)).unwrap();
    assert_eq!(receiver.message().await.body, report(2));
    assert!(sender.count("gridpact_messages_resent_total", None) > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_senders_into_one_receiver_are_all_answered() {
    const SENDERS: usize = 100;
    let (address, registry) = (start_broker(), registry(SENDERS));
    let mut receiver = Node::connect(&aggregator(), &address, &registry, 256).await;
    let mut senders = Vec::new();
    for number in 0..SENDERS {
        senders.push(Node::connect(&site(number), &address, &registry, 8).await);
    }
    for sender in &senders {
        (0..3).for_each(|number| {
            sender.link.send(to_aggregator(number)).unwrap();
        });
    }
    let mut came = BTreeSet::new();
    while came.len() < 3 * SENDERS {
        let message = receiver.message().await;
        assert!(came.insert(message.id.clone()), "{:?} came twice", message.id);
        receiver.link.acknowledge(message.id, Verdict::Accepted).unwrap();
    }
    for sender in &mut senders {
        let mut tags = BTreeSet::new();
        while tags.len() < 3 {
            match sender.next().await {
                LinkEvent::Answered { tag, .. } => assert!(tags.insert(tag), "{tag} answered twice"),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// A role that does not take its messages makes senders wait, and loses none of them.
#[tokio::test]
async fn more_messages_than_the_receiver_has_room_for_arrive_in_the_end() {
    let (address, registry) = (start_broker(), registry(1));
    let mut receiver = Node::connect(&aggregator(), &address, &registry, 1).await;
    let sender = Node::connect(&site(0), &address, &registry, 16).await;
    (0..6).for_each(|number| {
        sender.link.send(to_aggregator(number)).unwrap();
    });
    while receiver.count("gridpact_messages_dropped_total", Some("receiver-full")) == 0 {
        tokio::task::yield_now().await;
    }
    let mut numbers = BTreeSet::new();
    while numbers.len() < 6 {
        let message = receiver.message().await;
        let Body::SetpointReport(report) = &message.body else { panic!("{message:?}") };
        assert!(numbers.insert(report.confirmed));
        // Full is an answer too: this one is then answered when its repetition comes.
        let _ = receiver.link.acknowledge(message.id, Verdict::Accepted);
    }
}

#[tokio::test]
async fn a_full_outbox_says_so_and_an_unanswered_message_expires() {
    let (address, registry) = (start_broker(), registry(1));
    let mut sender = Node::connect(&site(0), &address, &registry, 1).await;
    let mut short = to_aggregator(5);
    short.valid_for_ms = 1;
    sender.link.send(short.clone()).unwrap();
    assert!(matches!(sender.link.send(short), Err(LinkError::Full { what: "setpoint-report", waiting: 1 })));
    sender.expect(LinkEvent::Expired { tag: 5, unanswered: vec![aggregator()] }).await;
    sender.link.send(to_aggregator(6)).unwrap();
}

#[tokio::test]
async fn a_message_this_party_may_not_send_is_refused_before_it_is_sent() {
    let (address, registry) = (start_broker(), registry(1));
    let sender = Node::connect(&aggregator(), &address, &registry, 1).await;
    let error = sender.link.send(to_aggregator(1)).unwrap_err();
    assert!(matches!(error, LinkError::Envelope { what: "setpoint-report", .. }), "{error}");
    assert!(
        matches!(sender.link.send(to_aggregator(1)), Err(LinkError::Envelope { .. })),
        "a place was lost"
    );
}

#[test]
fn the_embedded_broker_refuses_to_be_reachable_from_outside() {
    let error = EmbeddedBroker::start(([0, 0, 0, 0], 0).into()).unwrap_err();
    assert!(matches!(error, BrokerError::NotLoopback { .. }), "{error}");
}

#[test]
fn the_embedded_broker_says_when_its_port_is_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let error = EmbeddedBroker::start(taken.local_addr().unwrap()).unwrap_err();
    assert!(matches!(error, BrokerError::Bind { .. }), "{error}");
}

#[tokio::test]
async fn what_is_answered_only_when_asked_is_answered_to_who_repeats() {
    let (address, registry) = (start_broker(), registry(1));
    let mut receiver = Node::connect(&aggregator(), &address, &registry, 8).await;
    let mut sender = Node::connect(&site(0), &address, &registry, 8).await;
    sender.link.send(to_aggregator(1)).unwrap();
    let message = receiver.message().await;
    receiver.link.acknowledge_when_asked(message.id, Verdict::Accepted).unwrap();
    sender.expect(answered(1, &Verdict::Accepted)).await;
    assert!(sender.count("gridpact_messages_resent_total", None) >= 1);
}
