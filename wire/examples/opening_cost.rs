//! What opening an envelope costs beside the bare signature check.
//!
//! ```text
//! cargo run --release -p wire --example opening_cost
//! ```

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use market::curve::{Breakpoint, FlexCurve};
use market::units::{Millivar, Milliwatt, PicoEurPerWh};
use std::error::Error;
use std::hint::black_box;
use std::time::Instant;
use wire::envelope::{open, Signer};
use wire::hash::Hash32;
use wire::message::{Bid, Body};
use wire::party::{Participant, PartyId, Registry, Role};
use wire::topic::Network;
use wire::Interval;

const ROUNDS: u32 = 5_000;

fn time(what: &str, mut act: impl FnMut() -> bool) {
    let started = Instant::now();
    let all = (0..ROUNDS).all(|_| black_box(act()));
    println!("{what}: {:.1} us, all held: {all}", started.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS));
}

fn main() -> Result<(), Box<dyn Error>> {
    let network = Network { network: "n".parse()?, feeder: "f".parse()? };
    let (site, aggregator) =
        (PartyId::new(Role::Site, "s1".parse()?), PartyId::new(Role::Aggregator, "a1".parse()?));
    let key = SigningKey::from_bytes(&[7; 32]);
    let public = key.verifying_key();
    let participant = Participant {
        party: site.clone(),
        key: Hash32(public.to_bytes()),
        account: "a".parse()?,
        bus: None,
        aggregator: None,
        connection_milliwatt: None,
        epoch: Default::default(),
    };
    let registry = Registry::from([(site.clone(), participant)]);
    let points =
        (0..16).map(|n| Breakpoint { price: PicoEurPerWh(n * 5_000_000), power: Milliwatt(-n * 250_000) });
    let curve = FlexCurve::new(points.collect())?;
    let bid = Body::Bid(Bid {
        interval: Interval::default(),
        curve,
        forward: false,
        reading: None,
        reactive_range: Millivar::ZERO,
    });
    let signer = Signer::new(network.clone(), site, key.clone(), 1);
    let sealed = signer.sign(Some(aggregator.clone()), Interval::default(), 1, 2, &bid)?.raw;

    let bytes = sealed.bytes.to_vec();
    println!("a bid of 16 breakpoints has {} bytes", bytes.len());
    let signature: Signature = key.sign(&bytes);
    time("bare signature check, key ready", || public.verify_strict(&bytes, &signature).is_ok());
    time("bare signature check, key from its bytes", || {
        VerifyingKey::from_bytes(public.as_bytes()).is_ok_and(|k| k.verify_strict(&bytes, &signature).is_ok())
    });
    time("opening the envelope", || open(&registry, &network, &sealed.topic, &sealed.bytes).is_ok());
    time("sealing it", || signer.sign(Some(aggregator.clone()), Interval::default(), 1, 2, &bid).is_ok());
    Ok(())
}
