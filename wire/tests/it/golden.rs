//! One envelope, byte for byte. `tests/golden/check_envelope.py` builds and verifies the same bytes
//! with other people's CBOR and COSE libraries.

use crate::world::{bid, key_of, network, party, registry, signer};
use market::interval::{Interval, UnixSeconds};
use serde_json::Value;
use wire::envelope::{open, Signer};
use wire::party::Role;

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/envelope.json")).unwrap()
}

#[test]
fn a_fixed_message_has_the_fixed_bytes() {
    let golden = golden();
    assert_eq!(golden["private_key_hex"], hex::encode(key_of(Role::Site).to_bytes()));
    assert_eq!(golden["public_key_hex"], signer(Role::Site).public_key().to_string());
    let sealed = signer(Role::Site)
        .sign(
            Some(party(Role::Aggregator)),
            Interval(UnixSeconds(1_700_001_000)),
            1_700_000_500_000,
            1_700_000_900_000,
            &bid(),
        )
        .unwrap();
    assert_eq!(golden["topic"], sealed.raw.topic);
    assert_eq!(golden["envelope_hex"], hex::encode(&sealed.raw.bytes));
}

#[test]
fn the_fixed_bytes_open_to_the_fixed_message() {
    let golden = golden();
    let bytes = hex::decode(golden["envelope_hex"].as_str().unwrap()).unwrap();
    let opened = open(&registry(), &network(), golden["topic"].as_str().unwrap(), &bytes).unwrap();
    assert_eq!(opened.body, bid());
    assert_eq!((opened.id.sender, opened.id.sequence), (party(Role::Site), 1));
    assert_eq!((opened.issued_ms, opened.expires_ms), (1_700_000_500_000, 1_700_000_900_000));
    assert_eq!(opened.raw.bytes, bytes);
}

/// RFC 8032 signs without randomness; two equal signers make equal envelopes.
#[test]
fn signing_is_deterministic() {
    let again = || {
        let signer = Signer::new(network(), party(Role::Site), key_of(Role::Site), 1);
        signer.sign(Some(party(Role::Aggregator)), Interval::default(), 1, 2, &bid()).unwrap()
    };
    assert_eq!(again(), again());
}
