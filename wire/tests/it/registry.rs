//! Entries about participants and rules, and questions about them: every form, and what is out of bounds.

use crate::world::{key_of, network, party, registry, signer};
use market::day_ahead::rules::DayAheadRules;
use market::grid::rules::{GridRules, VoltageLimits};
use market::interval::{Interval, UnixSeconds};
use market::units::PicoEurPerWh;
use proptest::prelude::*;
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;
use wire::cbor;
use wire::entry::governance::{BallotEntry, GovernedChange, ProposalEntry, MAX_VALIDATORS_CHANGED};
use wire::entry::registry::{
    Equipment, EquipmentList, KeyRotation, Nameplate, ParticipantEntry, Registration, MAX_EQUIPMENT,
    MAX_EQUIPMENT_TEXT,
};
use wire::entry::Entry;
use wire::envelope::{open, EnvelopeError, KeyChange};
use wire::hash::Hash32;
use wire::message::{BlockQuestion, Body, Decision, RegistryQuestion};
use wire::party::{KeyEpoch, Participant, PartyId, Role};
use wire::possession::Possession;
use wire::pseudonym::Pseudonym;

const AT: Interval = Interval(UnixSeconds(1_700_000_100));

fn registration() -> Registration {
    let party = PartyId::new(Role::Site, "s9".parse().unwrap());
    Registration {
        participant: Participant { party: party.clone(), ..registry()[&self::party(Role::Site)].clone() },
        pseudonym: Pseudonym::of(&network(), &party),
        valid_from_ms: 1,
        valid_to_ms: Some(u64::MAX),
        possession: Possession::prove(&key_of(Role::Site), &network(), &party, 0),
    }
}

fn device(firmware: &str) -> Equipment {
    let nameplate = Nameplate { power_w: Some(5_000), apparent_va: None, storage_wh: Some(10_000) };
    let (make, model, firmware) = ("Make".to_owned(), "M".to_owned(), firmware.to_owned());
    Equipment { device: "battery".parse().unwrap(), make, model, firmware, nameplate }
}

fn participant(entry: ParticipantEntry) -> Body {
    Body::Submit(Entry::Participant(Box::new(entry)))
}

fn equipment(devices: Vec<Equipment>) -> Body {
    participant(ParticipantEntry::Equipment(EquipmentList { revision: 3, devices }))
}

fn proposal(change: GovernedChange) -> Body {
    Body::Submit(Entry::Proposal(Box::new(ProposalEntry { at_height: 9, change })))
}

fn grid() -> GridRules {
    GridRules {
        root_voltage_micro_pu: 1_000_000,
        voltage: VoltageLimits { min_micro_pu: Some(1), max_micro_pu: None },
        voltage_at: BTreeMap::from([("b".to_owned(), VoltageLimits::default())]),
        loading_max_percent: Some(80),
        loss_price: PicoEurPerWh(5),
        voltage_deviation_micro_eur_per_h: 1,
        reactive: BTreeMap::new(),
        reactive_full_price: None,
        carbon_price: None,
    }
}

fn missed(decided: Decision) -> Body {
    Body::BlockQuestion(BlockQuestion { interval: AT, decided })
}

/// One of every form.
pub fn messages() -> Vec<(Role, Body)> {
    let possession = Possession::prove(&key_of(Role::Tso), &network(), &party(Role::Site), 1);
    let rotation = KeyRotation { key: Hash32([7; 32]), epoch: 1, possession };
    let session = DayAheadRules { intervals: 4, offset_s: 0, bids_open_s: 1_800, gate_closure_s: 900 };
    let changes = vec![
        GovernedChange::Grid(Box::new(grid())),
        GovernedChange::DayAhead(Some(session)),
        GovernedChange::DayAhead(None),
        GovernedChange::Validators { admit: vec![registration()], dismiss: vec!["v1".parse().unwrap()] },
        GovernedChange::Contract { contract: "transfer".to_owned(), version: 0 },
        GovernedChange::Admit(Box::new(registration())),
        GovernedChange::Revoke(party(Role::Site)),
    ];
    let ballot = BallotEntry { proposal: Hash32([1; 32]), approve: false };
    let mut messages = vec![
        (Role::Dso, participant(ParticipantEntry::Register(registration()))),
        (Role::Site, participant(ParticipantEntry::Rotate(rotation))),
        (Role::Site, participant(ParticipantEntry::Revoke(party(Role::Site)))),
        (Role::Site, equipment(vec![device("1.2")])),
        (Role::Validator, Body::Submit(Entry::Ballot(ballot))),
        (Role::Auditor, Body::RegistryQuestion(RegistryQuestion { known: Hash32([2; 32]) })),
        (Role::Validator, Body::RegistrySummary(ByteBuf::from([1, 2, 3]))),
        (Role::Dso, missed(Decision::Clearing)),
        (Role::Dso, missed(Decision::DayAhead)),
        (Role::Aggregator, missed(Decision::Delivery)),
    ];
    messages.extend(changes.into_iter().map(|change| (Role::Validator, proposal(change))));
    messages
}

#[test]
fn entries_hold_as_much_as_they_may_and_no_more() {
    let check = |body: Body, expected: Option<&'static str>| {
        assert_eq!(body.check_bounds().err().map(|e| e.what), expected);
        assert_eq!(signer(Role::Dso).sign(None, AT, 1, 2, &body).is_ok(), expected.is_none());
    };
    let text = "é".repeat(MAX_EQUIPMENT_TEXT);
    check(equipment(vec![device(&text); MAX_EQUIPMENT]), None);
    check(equipment(vec![device(&text); MAX_EQUIPMENT + 1]), Some("devices"));
    let long = "x".repeat(MAX_EQUIPMENT_TEXT + 1);
    check(equipment(vec![device(&long)]), Some("characters of make, model or firmware"));
    let dismiss =
        |count| GovernedChange::Validators { admit: Vec::new(), dismiss: vec!["v1".parse().unwrap(); count] };
    check(proposal(dismiss(MAX_VALIDATORS_CHANGED)), None);
    check(proposal(dismiss(MAX_VALIDATORS_CHANGED + 1)), Some("validators"));
    let contract = |contract: String| GovernedChange::Contract { contract, version: 1 };
    check(proposal(contract("x".repeat(201))), Some("characters of contract"));
    let mut rules = grid();
    rules.reactive.insert("x".repeat(201), Default::default());
    check(proposal(GovernedChange::Grid(Box::new(rules))), Some("characters of bus name"));
    let mut nowhere = registration();
    nowhere.participant.bus = Some("x".repeat(201));
    check(participant(ParticipantEntry::Register(nowhere)), Some("characters of bus name"));
}

#[test]
fn a_key_rotated_away_is_believed_while_it_retires_and_named_by_its_epoch() {
    let site = party(Role::Site);
    let old = signer(Role::Site);
    let said = old.sign(None, AT, 1, 2, &participant(ParticipantEntry::Revoke(site.clone()))).unwrap();
    let mut registry = registry();
    let entry = registry.get_mut(&site).unwrap();
    let before = std::mem::replace(&mut entry.key, signer(Role::Tso).public_key());
    entry.epoch = KeyEpoch { number: 1, retiring: Some(before) };
    let entry = entry.clone();
    let opened = open(&registry, &network(), &said.raw.topic, &said.raw.bytes).unwrap();
    assert_eq!(opened.epoch, 0);
    old.set_next(key_of(Role::Tso));
    assert_eq!(old.follow(&entry), KeyChange::Rotated);
    let again = old.sign(None, AT, 1, 2, &participant(ParticipantEntry::Revoke(site.clone()))).unwrap();
    assert_eq!(open(&registry, &network(), &again.raw.topic, &again.raw.bytes).unwrap().epoch, 1);
    registry.get_mut(&site).unwrap().epoch.retiring = None;
    let refused = open(&registry, &network(), &said.raw.topic, &said.raw.bytes).unwrap_err();
    assert!(matches!(refused, EnvelopeError::OtherEpoch { epoch: 0, key: 1, .. }), "{refused}");
    // The right key under the wrong number.
    registry.get_mut(&site).unwrap().epoch.number = 2;
    let refused = open(&registry, &network(), &again.raw.topic, &again.raw.bytes).unwrap_err();
    assert!(matches!(refused, EnvelopeError::OtherEpoch { epoch: 1, key: 2, .. }), "{refused}");
}

proptest! {
    #[test]
    fn spoilt_entries_decode_to_nothing_or_to_what_encodes_to_them(
        which in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        flip in 1u8..,
    ) {
        let (_, body) = which.get(&messages()).clone();
        let mut bytes = cbor::to_vec(&body).unwrap();
        let at = place.index(bytes.len());
        prop_assert!(cbor::from_slice::<Body>(&bytes[..at], 1 << 20).is_err());
        bytes[at] ^= flip;
        if let Ok(other) = cbor::from_slice::<Body>(&bytes, 1 << 20) {
            prop_assert_ne!(&other, &body);
            prop_assert_eq!(cbor::to_vec(&other).unwrap(), bytes);
        }
    }
}
