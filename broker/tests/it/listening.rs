//! A link that is told while it runs whose broadcasts to hear.

use crate::world::{aggregator, network, registry, site, start_broker, Node};
use broker::link::{LinkEvent, Outgoing};
use std::time::Duration;
use wire::entry::governance::BallotEntry;
use wire::entry::Entry;
use wire::hash::Hash32;
use wire::message::Body;
use wire::party::PartyId;
use wire::Interval;

fn broadcast(nonce: u64) -> Outgoing {
    let proposal = Hash32::of("test", &[&nonce.to_be_bytes()]);
    Outgoing {
        body: Body::Submit(Entry::Ballot(BallotEntry { proposal, approve: true })),
        interval: Interval::default(),
        recipient: None,
        acknowledged_by: Vec::new(),
        tag: 0,
        valid_for_ms: 60_000,
    }
}

fn topic(party: &PartyId) -> String {
    network().broadcast_by(party, "submit")
}

/// Who says something next.
async fn next(node: &mut Node) -> PartyId {
    loop {
        if let LinkEvent::Message(message) = node.next().await {
            return message.topic.sender;
        }
    }
}

/// Speaks until it is heard: a broker takes its time to change what it passes on.
async fn speaks_until_heard(
    speaker: &Node,
    nonces: &mut std::ops::RangeFrom<u64>,
    hearer: &mut Node,
) -> PartyId {
    loop {
        speaker.link.send(broadcast(nonces.next().unwrap())).unwrap();
        if let Ok(heard) = tokio::time::timeout(Duration::from_millis(200), next(hearer)).await {
            return heard;
        }
    }
}

#[tokio::test]
async fn a_link_hears_whom_it_is_told_to_and_no_more_whom_it_was_told_before() {
    let (broker, registry) = (start_broker(), registry(2));
    let mut hearer = Node::connect(&aggregator(), &broker, &registry, 16).await;
    let first = Node::connect(&site(0), &broker, &registry, 64).await;
    let second = Node::connect(&site(1), &broker, &registry, 64).await;
    let mut nonces = 0..;
    hearer.link.listen(vec![topic(&site(0))]).unwrap();
    assert_eq!(speaks_until_heard(&first, &mut nonces, &mut hearer).await, site(0));
    hearer.link.listen(vec![topic(&site(1))]).unwrap();
    while speaks_until_heard(&second, &mut nonces, &mut hearer).await != site(1) {}
    first.link.send(broadcast(nonces.next().unwrap())).unwrap();
    second.link.send(broadcast(nonces.next().unwrap())).unwrap();
    assert_eq!(next(&mut hearer).await, site(1));
}
