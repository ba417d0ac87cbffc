//! A message on a market's topic, to what takes envelopes apart before any signature is looked at, and to the decoder
//! of what they hold. `cargo +nightly fuzz run envelope`

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use wire::cbor;
use wire::envelope::claimed;
use wire::message::{Body, MAX_ENVELOPE_BYTES};
use wire::topic::Network;

/// The golden envelope's, so that it is among what is found.
const TOPIC: &str = "gridpact/v1/demo/rural1/site/site-7/bid/aggregator-aggregator-7";
static NETWORK: OnceLock<Network> = OnceLock::new();

fuzz_target!(|data: &[u8]| {
    let network = NETWORK.get_or_init(|| Network {
        network: "demo".parse().expect("an id"),
        feeder: "rural1".parse().expect("an id"),
    });
    if let Ok(opened) = claimed(network, TOPIC, data) {
        assert_eq!(opened.raw.bytes.as_ref(), data);
    }
    // What is taken has one encoding, which is what came.
    if let Ok(body) = cbor::from_slice::<Body>(data, MAX_ENVELOPE_BYTES) {
        assert_eq!(cbor::to_vec(&body).expect("it was decoded"), data);
        let _ = body.check_bounds();
    }
});
