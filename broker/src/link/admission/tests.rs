//! What is admitted, and what is dropped before it costs a signature check.

use super::*;
use crate::link::{Carries, ConnectionConfig};
use ed25519_dalek::SigningKey;
use std::sync::Arc;
use wire::entry::SignedEnvelope;
use wire::envelope::Signer;
use wire::hash::Hash32;
use wire::message::{Body, Tick};
use wire::party::{KeyEpoch, Participant};
use wire::topic::Network;
use wire::Interval;

const WALL_MS: u64 = 1_700_000_000_000;
/// Where the timekeeper is listened to, and where nobody is.
const HERE: usize = 0;
const ELSEWHERE: usize = 1;

fn party(role: Role) -> PartyId {
    PartyId::new(role, "one".parse().unwrap())
}

fn network() -> Network {
    Network { network: "n".parse().unwrap(), feeder: "f".parse().unwrap() }
}

fn signer(role: Role) -> Arc<Signer> {
    let key = SigningKey::from_bytes(&Hash32::of("test", &[role.word().as_bytes()]).0);
    Arc::new(Signer::new(network(), party(role), key, 1))
}

fn participant(role: Role) -> (PartyId, Participant) {
    let participant = Participant {
        party: party(role),
        key: signer(role).public_key(),
        epoch: KeyEpoch::default(),
        account: "account".parse().unwrap(),
        bus: None,
        aggregator: None,
        connection_milliwatt: None,
    };
    (party(role), participant)
}

/// A site that hears ticks by its first connection, at most as many as the rate allows.
fn config(rates: Vec<(Role, Rate)>) -> LinkConfig {
    let connection = |subscriptions| ConnectionConfig {
        carries: Carries::Everything,
        ..ConnectionConfig::market(vec!["a:1".to_owned()], subscriptions)
    };
    let ticks = network().filter_broadcast(Role::Timekeeper, "tick");
    LinkConfig {
        connections: vec![connection(vec![ticks]), connection(Vec::new())],
        signer: signer(Role::Site),
        registry: Arc::new([Role::Site, Role::Timekeeper].map(participant).into()),
        queue: 8,
        rates,
        screen: None,
        answers: None,
        identity: None,
    }
}

fn tick(signer: &Signer) -> SignedEnvelope {
    let body = Body::Tick(Tick { now: Default::default() });
    signer.sign(None, Interval::default(), WALL_MS, WALL_MS + 60_000, &body).unwrap().raw
}

/// What becomes of each of these messages, one a millisecond.
fn fates(config: &LinkConfig, messages: &[(usize, &SignedEnvelope)]) -> Vec<&'static str> {
    let mut admission = Admission::new(2, 8, Parties::new(config.registry.clone()));
    let fate = |(now_ms, (at, raw)): (u64, &(usize, &SignedEnvelope))| {
        let message = (raw.topic.as_str(), &raw.bytes[..]);
        match admission.admit(config, *at, message, (now_ms, WALL_MS)) {
            Ok(Admitted::Opened(opened)) => {
                admission.took(&opened);
                "opened"
            }
            Ok(Admitted::Known(_)) => "known",
            Ok(Admitted::Unchecked(_)) => "to be checked",
            Ok(Admitted::Claimed(_)) => "claimed",
            Ok(Admitted::NotForUs) => "not for us",
            Err(dropped) => dropped.word(),
        }
    };
    (0..).zip(messages).map(fate).collect()
}

#[test]
fn the_same_bytes_are_opened_once_and_only_where_they_were_asked_for() {
    let message = tick(&signer(Role::Timekeeper));
    let messages = [(ELSEWHERE, &message), (HERE, &message), (HERE, &message)];
    assert_eq!(fates(&config(Vec::new()), &messages), ["misplaced", "opened", "known"]);
}

#[test]
fn a_known_signature_under_other_bytes_is_taken_for_what_had_it_first() {
    let message = tick(&signer(Role::Timekeeper));
    let mut other = message.clone();
    other.bytes[20] ^= 1;
    let messages = [(HERE, &other), (HERE, &message), (HERE, &other)];
    assert_eq!(fates(&config(Vec::new()), &messages)[1..], ["opened", "known"]);
}

#[test]
fn a_sender_says_no_more_by_a_connection_than_its_role_may() {
    let rates = vec![(Role::Timekeeper, Rate { per_second: 1, burst: 2 })];
    let timekeeper = signer(Role::Timekeeper);
    let said: Vec<SignedEnvelope> = (0..4).map(|_| tick(&timekeeper)).collect();
    let messages: Vec<(usize, &SignedEnvelope)> = said.iter().map(|raw| (HERE, raw)).collect();
    // The third overdraws what the milliseconds before it brought.
    assert_eq!(fates(&config(rates), &messages), ["opened", "opened", "opened", "too-many"]);
    assert_eq!(fates(&config(Vec::new()), &messages), ["opened"; 4]);
}

#[test]
fn past_too_many_bad_ones_what_stands_on_a_senders_topics_is_dropped_unread() {
    let topic = tick(&signer(Role::Timekeeper)).topic;
    let bad = SignedEnvelope { topic, bytes: b"nonsense".to_vec().into() };
    // Four seconds of it.
    let fates = fates(&config(Vec::new()), &vec![(HERE, &bad); 4_000]);
    let count = |word| fates.iter().filter(|fate| **fate == word).count();
    assert!((3_000..=3_010).contains(&count("malformed")), "{} looked at", count("malformed"));
    assert_eq!(count("malformed") + count("too-many"), 4_000);
}

#[derive(Debug)]
struct Nothing;

impl Screen for Nothing {
    fn look(&self, _: &Topic, _: &[u8], _: u64) -> Result<Word, &'static str> {
        Err("of-no-use")
    }
}

#[test]
fn what_the_role_has_no_use_for_is_not_opened() {
    let screened = LinkConfig { screen: Some(Arc::new(Nothing)), ..config(Vec::new()) };
    let message = tick(&signer(Role::Timekeeper));
    assert_eq!(fates(&screened, &[(HERE, &message)]), ["of-no-use"]);
}

#[derive(Debug)]
struct SignedWithin;

impl Screen for SignedWithin {
    fn look(&self, _: &Topic, _: &[u8], _: u64) -> Result<Word, &'static str> {
        Ok(Word::Within)
    }
}

#[test]
fn what_is_signed_within_is_neither_checked_nor_taken_for_known() {
    let screened = LinkConfig { screen: Some(Arc::new(SignedWithin)), ..config(Vec::new()) };
    let message = tick(&signer(Role::Timekeeper));
    let mut forged = message.clone();
    *forged.bytes.last_mut().unwrap() ^= 1;
    let mut torn = message.clone();
    torn.bytes.truncate(40);
    let messages =
        [(HERE, &forged), (HERE, &message), (HERE, &message), (HERE, &torn), (ELSEWHERE, &message)];
    let expected = ["claimed", "claimed", "claimed", "malformed", "misplaced"];
    assert_eq!(fates(&screened, &messages), expected);
}
