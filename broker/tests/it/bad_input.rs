//! Every kind of bad message is dropped, counted under its reason, and stops nothing else.

use crate::world::{aggregator, network, registry, report, signer, site, start_broker, to_aggregator, Node};
use broker::link::LinkEvent;
use ed25519_dalek::SigningKey;
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use std::time::{SystemTime, UNIX_EPOCH};
use wire::entry::SignedEnvelope;
use wire::envelope::Signer;
use wire::message::MAX_ENVELOPE_BYTES;
use wire::party::PartyId;
use wire::Interval;

pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

fn seal(signer: &Signer, issued_ms: u64, expires_ms: u64) -> SignedEnvelope {
    signer.sign(Some(aggregator()), Interval::default(), issued_ms, expires_ms, &report(1)).unwrap().raw
}

fn with(mut raw: SignedEnvelope, change: impl Fn(&mut SignedEnvelope)) -> SignedEnvelope {
    change(&mut raw);
    raw
}

fn stranger() -> Signer {
    let party: PartyId = site(99);
    Signer::new(network(), party, SigningKey::from_bytes(&[9; 32]), 1)
}

/// Reason, and messages to be dropped for it.
fn bad_messages() -> Vec<(&'static str, Vec<SignedEnvelope>)> {
    let now = now_ms();
    let (of_s0, of_s1) = (signer(&site(0), 1_000), signer(&site(1), 2_000));
    let good = || seal(&of_s0, now, now + 60_000);
    let length = good().bytes.len();
    vec![
        (
            "malformed",
            vec![
                with(good(), |raw| raw.bytes = b"{\"json\": true}".to_vec().into()),
                with(good(), |raw| raw.bytes = Vec::new().into()),
                with(good(), |raw| raw.bytes.push(0)),
                with(good(), |raw| raw.bytes.truncate(length - 1)),
            ],
        ),
        ("oversized", vec![with(good(), |raw| raw.bytes = vec![0; MAX_ENVELOPE_BYTES + 1].into())]),
        // A CBOR map without COSE around it.
        ("unsigned", vec![with(good(), |raw| raw.bytes = b"\xa1\x61a\x01".to_vec().into())]),
        ("bad-signature", vec![with(good(), |raw| raw.bytes[length - 1] ^= 1)]),
        ("unknown-sender", vec![seal(&stranger(), now, now + 60_000)]),
        (
            "misplaced",
            vec![
                with(good(), |raw| raw.topic = raw.topic.replace("setpoint-report", "meter-reading")),
                with(good(), |raw| raw.topic = raw.topic.replace("/s0/", "/s1/")),
                with(good(), |raw| raw.topic = raw.topic.replace("/site/", "/king/")),
            ],
        ),
        ("stale", vec![seal(&of_s0, now - 2, now - 1)]),
        ("from-the-future", vec![seal(&of_s0, now + 3_600_000, now + 3_600_001)]),
        // The boot 2000 was seen, this one is older.
        (
            "replayed",
            vec![seal(&of_s1, now, now + 60_000), seal(&signer(&site(1), 1_999), now, now + 60_000)],
        ),
    ]
}

pub async fn publish_all(address: &str, messages: Vec<SignedEnvelope>) {
    let (host, port) = address.rsplit_once(':').unwrap();
    let mut options = MqttOptions::new("raw-client", host, port.parse().unwrap());
    options.set_max_packet_size(2 * MAX_ENVELOPE_BYTES, 2 * MAX_ENVELOPE_BYTES);
    let (client, mut eventloop) = AsyncClient::new(options, 100);
    let count = messages.len();
    for SignedEnvelope { topic, bytes } in messages {
        client.try_publish(topic, QoS::AtLeastOnce, false, bytes.into_vec()).unwrap();
    }
    let mut taken = 0;
    while taken < count {
        if let Event::Incoming(Packet::PubAck(_)) = eventloop.poll().await.unwrap() {
            taken += 1;
        }
    }
}

#[tokio::test]
async fn each_kind_of_bad_message_is_dropped_and_counted() {
    let (address, registry) = (start_broker(), registry(2));
    let mut receiver = Node::connect(&aggregator(), &address, &registry, 100).await;
    let (reasons, messages): (Vec<_>, Vec<_>) =
        bad_messages().into_iter().map(|(reason, messages)| ((reason, messages.len()), messages)).unzip();
    publish_all(&address, messages.into_iter().flatten().collect()).await;
    // The one rightly signed by s1 comes through; then a good one by s0, behind all the others.
    assert!(matches!(receiver.next().await, LinkEvent::Message(opened) if opened.id.sender == site(1)));
    let sender = Node::connect(&site(0), &address, &registry, 8).await;
    sender.link.send(to_aggregator(42)).unwrap();
    let next = receiver.next().await;
    assert!(matches!(&next, LinkEvent::Message(opened) if opened.body == report(42)), "{next:?}");
    for (reason, count) in reasons {
        let expected = if reason == "replayed" { 1 } else { count as u64 };
        assert_eq!(receiver.count("gridpact_messages_dropped_total", Some(reason)), expected, "{reason}");
    }
}
