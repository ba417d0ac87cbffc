//! A network of a site and its aggregator, and one message between them.

use ed25519_dalek::SigningKey;
use market::curve::{Breakpoint, FlexCurve};
use market::interval::{Interval, UnixSeconds};
use market::units::{Millijoule, Millivar, Milliwatt, PicoEurPerWh};
use wire::envelope::Signer;
use wire::hash::Hash32;
use wire::message::{Bid, Body, PastReading};
use wire::party::{Participant, PartyId, Registry, Role};
use wire::topic::Network;

/// Private key of every party here, by role. Of no use anywhere else.
pub fn key_of(role: Role) -> SigningKey {
    SigningKey::from_bytes(&[role as u8 + 1; 32])
}

pub fn network() -> Network {
    Network { network: "demo".parse().unwrap(), feeder: "rural1".parse().unwrap() }
}

pub fn party(role: Role) -> PartyId {
    PartyId::new(role, format!("{}-7", role.word()).parse().unwrap())
}

pub fn signer(role: Role) -> Signer {
    Signer::new(network(), party(role), key_of(role), 1_700_000_000_000)
}

/// One participant of each role.
pub fn registry() -> Registry {
    let participant = |role| Participant {
        party: party(role),
        key: Hash32(key_of(role).verifying_key().to_bytes()),
        account: format!("account-{}", role as u8).parse().unwrap(),
        bus: None,
        aggregator: None,
        connection_milliwatt: None,
        epoch: Default::default(),
    };
    Role::ALL.into_iter().map(|role| (party(role), participant(role))).collect()
}

pub fn bid() -> Body {
    let interval = Interval(UnixSeconds(1_700_001_000));
    let point = |price, power| Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) };
    let points =
        vec![point(-5_000_000, 3_680_000), point(80_000_000, 3_680_000), point(80_000_000, -1_200_000)];
    Body::Bid(Bid {
        interval,
        curve: FlexCurve::new(points).unwrap(),
        forward: true,
        reading: Some(PastReading {
            interval: Interval(UnixSeconds(1_699_999_200)),
            energy: Millijoule(-42),
        }),
        reactive_range: Millivar::ZERO,
    })
}
