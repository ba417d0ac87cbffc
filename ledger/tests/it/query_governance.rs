//! What is governed and what is on the ledger against validators, as it is asked for.

use crate::double_clearing::proof;
use crate::evidence::setting;
use crate::governance::{ballot, proposal, proposed};
use crate::query::{look, scene};
use crate::query_proofs::changed;
use crate::store::{drop_index, holding, open};
use crate::world::{party, transfer, validator, World};
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use ledger::query::answers::Evidence;
use ledger::query::{ReadError, Reader};
use ledger::store::StoreOptions;
use wire::entry::governance::GovernedChange;
use wire::entry::Entry;
use wire::party::{PartyId, Role};

fn auditor() -> Option<PartyId> {
    Some(party(Role::Auditor, "any"))
}

#[test]
fn open_proposals_votes_and_decisions_are_told() {
    let mut world = World::new(4);
    let folder = tempfile::tempdir().unwrap();
    changed(&mut world, folder.path(), StoreOptions::default(), 0);
    let (mut store, chain) = open(&world, folder.path()).unwrap();
    let entry = proposal(9, GovernedChange::Contract { contract: "transfer".to_owned(), version: 0 });
    let by = chain.rules.verifier.validators()[0].0.clone();
    let voter = validator(3);
    let opened = world.opened(&voter, Entry::Proposal(Box::new(entry.clone())));
    let (decided, mut next) = world.decide_by(&by, &chain, &[opened, ballot(&world, 3, &entry, true)]);
    store.append(&decided, &mut next.state).unwrap();
    drop(store);
    drop_index(folder.path());
    let (view, history) = look(&world, folder.path());
    let governance = Reader::new(&view, &history, Some(party(Role::Site, "s1"))).governance().unwrap();
    assert_eq!((governance.height, governance.validators.len()), (5, 3));
    assert_eq!(governance.parameters["interval_s"], 900);
    assert_eq!(governance.contract_versions["transfer"], 1);
    let [open] = &governance.open[..] else { panic!("{governance:?}") };
    assert_eq!((open.at_height, open.by.as_str(), open.votes["v3"]), (9, "validator/v3", true));
    assert_eq!(open.change["contract"]["contract"], "transfer");
    assert_eq!(open.proposal, entry.id().unwrap().to_string());
    let [decided] = &governance.decided[..] else { panic!("{governance:?}") };
    assert_eq!((decided.at_height, decided.result.as_str()), (3, "applied"));
    assert_eq!((decided.approvals, decided.validators, decided.proposed_height), (3, 4, Some(1)));
    assert_eq!(decided.change.as_ref().unwrap()["validators"]["dismiss"][0], "v1");
    assert!(matches!(Reader::new(&view, &history, None).governance(), Err(ReadError::NotAllowed { .. })));
}

#[test]
fn a_proposal_nobody_votes_for_is_told_to_have_lapsed() {
    let world = World::new(4);
    let folder = tempfile::tempdir().unwrap();
    let entry = proposal(2, GovernedChange::Contract { contract: "transfer".to_owned(), version: 0 });
    let pays = world.opened(&party(Role::Site, "s1"), transfer(0, 5));
    holding(&world, folder.path(), [vec![proposed(&world, &entry)], vec![pays]]);
    drop_index(folder.path());
    let (view, history) = look(&world, folder.path());
    let governance = Reader::new(&view, &history, auditor()).governance().unwrap();
    assert_eq!(governance.open, []);
    assert_eq!((governance.decided[0].result.as_str(), governance.decided[0].approvals), ("lapsed", 0));
}

#[test]
fn contradictions_are_told_with_both_signatures() {
    let (_folder, view, history) = scene();
    let none = Evidence {
        validators: vec![],
        contradictions: vec![],
        dsos: vec![],
        double_clearings: vec![],
        next_from: None,
        next_entry: None,
    };
    assert_eq!(Reader::new(&view, &history, auditor()).evidence((0, 0)).unwrap(), none);

    let (world, _, evidence) = setting();
    let folder = tempfile::tempdir().unwrap();
    let pays = world.opened(&party(Role::Site, "s1"), transfer(0, 5));
    let accuses = world.opened(&validator(1), Entry::Evidence(Box::new(evidence.clone())));
    holding(&world, folder.path(), [vec![pays], vec![accuses]]);
    drop_index(folder.path());
    let (view, history) = look(&world, folder.path());
    let ask = |caller, from| Reader::new(&view, &history, caller).evidence(from);
    let told = ask(auditor(), (0, 0)).unwrap();
    assert_eq!((told.validators[0].validator.as_str(), told.validators[0].first_height), ("v3", 1));
    let [one] = &told.contradictions[..] else { panic!("{told:?}") };
    assert_eq!((one.height, one.entry, one.submitter.as_str()), (2, 0, "validator/v1"));
    assert_eq!((one.validator.as_str(), one.about_height, one.kind.as_str()), ("v3", 1, "prevote"));
    let signatures: Vec<&str> = one.signed.iter().map(|signed| signed.signature.as_str()).collect();
    assert_eq!(signatures, [&evidence.first, &evidence.second].map(|said| hex(&said.signature.0)));
    assert_eq!((told.next_from, told.next_entry), (None, None));
    assert_eq!(ask(auditor(), (2, 1)).unwrap().contradictions, []);
    assert_eq!(ask(auditor(), (u64::MAX, usize::MAX)).unwrap().contradictions, []);
    for caller in [None, Some(party(Role::Site, "s1")), Some(party(Role::Aggregator, "agg-1"))] {
        assert!(matches!(ask(caller, (0, 0)), Err(ReadError::NotAllowed { .. })));
    }
}

#[test]
fn double_clearings_are_told_with_both_envelopes_in_order_with_contradictions() {
    let (world, _, evidence) = setting();
    let folder = tempfile::tempdir().unwrap();
    let both = proof(&world);
    let cleared_twice = world.opened(&party(Role::Site, "s1"), Entry::DoubleClearing(Box::new(both.clone())));
    let accuses = world.opened(&validator(1), Entry::Evidence(Box::new(evidence)));
    holding(&world, folder.path(), [vec![cleared_twice], vec![accuses]]);
    drop_index(folder.path());
    let (view, history) = look(&world, folder.path());
    let ask = |from| Reader::new(&view, &history, auditor()).evidence(from).unwrap();
    let told = ask((0, 0));
    let [dso] = &told.dsos[..] else { panic!("{told:?}") };
    assert_eq!((dso.dso.as_str(), dso.times), ("dso", 1));
    assert_eq!([&dso.first_interval_start, &dso.last_interval_start], ["2023-11-14T22:15:00Z"; 2]);
    let [one] = &told.double_clearings[..] else { panic!("{told:?}") };
    assert_eq!((one.height, one.entry, one.submitter.as_str()), (1, 0, "site/s1"));
    assert_eq!((one.dso.as_str(), one.kind.as_str()), ("dso", "clearing"));
    assert_eq!(one.interval_start, "2023-11-14T22:15:00Z");
    let signed: Vec<(&str, Vec<u8>)> = one
        .signed
        .iter()
        .map(|signed| (signed.topic.as_str(), URL_SAFE_NO_PAD.decode(&signed.envelope).unwrap()))
        .collect();
    let expected = [&both.first, &both.second].map(|envelope| (&*envelope.topic, envelope.bytes.to_vec()));
    assert_eq!(signed, expected);
    assert_eq!((told.contradictions.len(), told.next_from), (1, None));
    // From the place behind it on, the other kind alone; the names stay.
    let later = ask((1, 1));
    assert_eq!((later.double_clearings.len(), later.contradictions.len(), later.dsos), (0, 1, told.dsos));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
