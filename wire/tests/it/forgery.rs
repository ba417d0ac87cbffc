//! What is not exactly what its sender signed, where it was signed for, is refused, and nothing
//! that comes in brings the receiver down.

use crate::world::{bid, key_of, network, party, registry, signer};
use ciborium::value::Value;
use coset::iana::Algorithm;
use coset::{CoseSign1Builder, Header, HeaderBuilder, TaggedCborSerializable};
use ed25519_dalek::Signer as _;
use market::interval::Interval;
use proptest::prelude::*;
use std::sync::LazyLock;
use wire::entry::SignedEnvelope;
use wire::envelope::{open, EnvelopeError};
use wire::message::{Ack, Body, MessageRef, Tick, Verdict};
use wire::party::Role;
use wire::refusal::Refusal;

fn sealed_bid() -> SignedEnvelope {
    signer(Role::Site).sign(Some(party(Role::Aggregator)), Interval::default(), 1, 2, &bid()).unwrap().raw
}

static BID: LazyLock<SignedEnvelope> = LazyLock::new(sealed_bid);

fn refusal(topic: &str, bytes: &[u8]) -> Option<Refusal> {
    open(&registry(), &network(), topic, bytes).err().map(|e| e.refusal())
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(refusal(&BID.topic, &bytes).is_some());
    }

    #[test]
    fn bytes_that_begin_like_an_envelope_are_refused_without_a_panic(
        cut in 0usize..400, tail in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        let mut bytes = BID.bytes[..cut.min(BID.bytes.len())].to_vec();
        bytes.extend(tail);
        prop_assert!(refusal(&BID.topic, &bytes).is_some() || bytes == *BID.bytes);
    }

    #[test]
    fn any_other_topic_is_refused(topic in prop_oneof![".{0,60}", "gridpact/v1/demo/rural1/(site|dso)/[a-z0-9-]{1,8}/bid(/aggregator-[a-z0-9]{1,3})?"]) {
        prop_assert!(refusal(&topic, &BID.bytes).is_some() || topic == BID.topic);
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    for at in 0..BID.bytes.len() {
        for bit in 0..8 {
            let mut bytes = BID.bytes.to_vec();
            bytes[at] ^= 1 << bit;
            assert!(refusal(&BID.topic, &bytes).is_some(), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn deeply_nested_bytes_do_not_exhaust_the_stack() {
    for opener in [0x81u8, 0xa1, 0xc1, 0xd2, 0x9f, 0x5f] {
        assert!(refusal(&BID.topic, &vec![opener; 1 << 20]).is_some(), "{opener:#x}");
    }
}

#[test]
fn a_message_moved_from_its_rightful_topic_is_misplaced() {
    let check = |from: &str, to: &str| {
        let topic = BID.topic.replace(from, to);
        assert_ne!(topic, BID.topic);
        assert_eq!(refusal(&topic, &BID.bytes), Some(Refusal::Misplaced), "{topic}");
    };
    check("/bid/", "/meter-reading/");
    check("/aggregator-aggregator-7", "/aggregator-other");
    check("/aggregator-aggregator-7", "");
    check("/site/site-7/", "/dso/dso-7/");
    check("/rural1/", "/urban6/");
    check("gridpact/v1", "gridpact/v2");
}

#[test]
fn a_sender_nobody_knows_is_told_from_a_forger() {
    let unknown = BID.topic.replace("/site-7/", "/site-8/");
    assert_eq!(refusal(&unknown, &BID.bytes), Some(Refusal::UnknownSender));
    let mut forged = BID.bytes.to_vec();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(refusal(&BID.topic, &forged), Some(Refusal::BadSignature));
}

/// The site's own key over a structure that is not ours in one respect.
fn signed_otherwise(protected: Header, unprotected: Header, payload: Vec<u8>) -> Vec<u8> {
    let builder = CoseSign1Builder::new().protected(protected).unprotected(unprotected).payload(payload);
    let sign = |bytes: &[u8]| key_of(Role::Site).sign(bytes).to_vec();
    builder.create_signature(BID.topic.as_bytes(), sign).build().to_tagged_vec().unwrap()
}

fn payload_of(envelope: &SignedEnvelope) -> Vec<u8> {
    coset::CoseSign1::from_tagged_slice(&envelope.bytes).unwrap().payload.unwrap()
}

#[test]
fn rightly_signed_envelopes_of_another_form_are_refused() {
    let kid = party(Role::Site).to_string().into_bytes();
    let ours = || HeaderBuilder::new().algorithm(Algorithm::EdDSA).key_id(kid.clone());
    let payload = payload_of(&BID);
    let check = |protected: Header, unprotected: Header, payload: Vec<u8>, expected: Option<Refusal>| {
        assert_eq!(refusal(&BID.topic, &signed_otherwise(protected, unprotected, payload)), expected);
    };
    let none = Header::default;
    check(ours().build(), none(), payload.clone(), None);
    // The algorithm must be named where it is signed, and be the one.
    let no_algorithm = HeaderBuilder::new().key_id(kid.clone()).build();
    let unprotected_algorithm = HeaderBuilder::new().algorithm(Algorithm::EdDSA).build();
    check(no_algorithm, unprotected_algorithm, payload.clone(), Some(Refusal::Unsigned));
    let other = HeaderBuilder::new().algorithm(Algorithm::ES256).key_id(kid.clone()).build();
    check(other, none(), payload.clone(), Some(Refusal::Unsigned));
    // A critical header that we don't understand, and headers that nobody signed.
    let critical = ours().add_critical(coset::iana::HeaderParameter::Iv).iv(vec![1]).build();
    check(critical, none(), payload.clone(), Some(Refusal::Malformed));
    let unsigned_header = HeaderBuilder::new().iv(vec![1]).build();
    check(ours().build(), unsigned_header, payload.clone(), Some(Refusal::Malformed));
    // A key that the payload adds, and a payload that is none.
    let mut tree: Value = ciborium::from_reader(&payload[..]).unwrap();
    tree.as_map_mut().unwrap().push((Value::from("zzzzzzzzzzzz"), Value::from(1)));
    let mut longer = Vec::new();
    ciborium::into_writer(&tree, &mut longer).unwrap();
    check(ours().build(), none(), longer, Some(Refusal::Malformed));
    check(ours().build(), none(), b"no cbor".to_vec(), Some(Refusal::Malformed));
    check(ours().build(), none(), vec![0; 1 << 20], Some(Refusal::Oversized));
}

#[test]
fn a_role_may_not_say_what_is_anothers_to_say() {
    let check = |role: Role, body: Body, addressed: bool, expected: bool| {
        let recipient = addressed.then(|| party(Role::Dso));
        let result = signer(role).sign(recipient, Interval::default(), 1, 2, &body);
        assert_eq!(result.is_ok(), expected, "{role:?} {} {addressed}", body.kind());
        if let Err(error) = result {
            assert!(
                matches!(error, EnvelopeError::NoRight { .. } | EnvelopeError::Addressing { .. }),
                "{error}"
            );
            assert_eq!(error.refusal(), Refusal::Misplaced);
        }
    };
    let tick = || Body::Tick(Tick { now: Default::default() });
    let of = MessageRef { sender: party(Role::Dso), boot: 1, sequence: 1 };
    let ack = || Body::Ack(Ack { of: of.clone(), verdict: Verdict::Accepted });
    check(Role::Timekeeper, tick(), false, true);
    check(Role::Timekeeper, tick(), true, false);
    check(Role::Site, tick(), false, false);
    check(Role::Site, bid(), true, true);
    check(Role::Site, bid(), false, false);
    check(Role::Dso, bid(), true, false);
    Role::ALL.into_iter().for_each(|role| check(role, ack(), true, true));
    check(Role::Site, ack(), false, false);
}
