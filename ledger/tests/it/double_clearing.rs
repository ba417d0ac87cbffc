//! A DSO that signs two clearings for one interval: whoever holds both has the proof, tells the others, and the ledger
//! records it once, whoever brings it. An honest DSO can't be accused.

use crate::day::{clearing, draft, next_interval, Draft};
use crate::network::{height_reached, next, submission, Net};
use crate::world::{id, party, transfer, validator, World, AT, INTERVAL, NOW_MS};
use broker::link::{LinkEvent, Outgoing};
use ledger::block::DecidedBlock;
use ledger::consensus::core::Tendermint;
use ledger::contracts::execute;
use ledger::double_clearing::{check as prove, ClearingKind, Statement};
use ledger::execute::OpenedEntry;
use ledger::state::double_clearing::DoubleClearer;
use ledger::validator::core::{Effect, Event, Me, Now, ValidatorCore};
use ledger::validator::Timeouts;
use ledger::verify::verify_dir;
use market::interval::Interval;
use market::units::{Milliwatt, PicoEurPerWh};
use wire::entry::{DoubleClearingEntry, Entry, SignedEnvelope};
use wire::message::{Award, Body, BusPrice};
use wire::party::{PartyId, Role};

const NOW: Now = Now { real_ms: 0, wall_ms: NOW_MS };

/// The clearing as it should be, and one that sells dearer.
fn two(world: &World) -> [OpenedEntry; 2] {
    [0, 1].map(|more| clearing(world, |draft: &mut Draft| draft.entry.import += Milliwatt(more)))
}

/// That the DSO signed both.
pub fn proof(world: &World) -> DoubleClearingEntry {
    let [one, other] = two(world).map(|opened| opened.envelope);
    DoubleClearingEntry::of(one, other)
}

fn award(world: &World, to: &str, price: i64) -> SignedEnvelope {
    let (price, allocation) = (PicoEurPerWh(price), Milliwatt(1));
    let at = BusPrice { bus: "a".to_owned(), price, allocation };
    let award = Award { interval: INTERVAL, buses: vec![at], reactive: Vec::new() };
    world.sign(&party(Role::Dso, "dso"), Some(party(Role::Aggregator, to)), &Body::Award(award)).raw
}

fn statement(kind: ClearingKind) -> Statement {
    Statement { interval: INTERVAL, kind, dso: id("dso") }
}

/// What the contract says of two envelopes: a word for metrics.
fn check(make: impl FnOnce(&World) -> DoubleClearingEntry, expected: Result<(), &str>) {
    let world = World::new(4);
    let entry = Entry::DoubleClearing(Box::new(make(&world)));
    let chain = world.chain();
    let found = execute(&chain.rules, &chain.state, AT, &party(Role::Site, "s1"), &entry);
    assert_eq!(found.map(|_| ()).map_err(|refusal| refusal.reason()), expected);
}

#[test]
fn two_that_differ_prove_it() {
    check(proof, Ok(()));
    check(|world| DoubleClearingEntry::of(award(world, "agg-1", 5), award(world, "agg-1", 6)), Ok(()));
}

#[test]
fn what_proves_nothing_is_refused() {
    let wrong = Err("evidence-wrong");
    let swapped = |world: &World| {
        let DoubleClearingEntry { first, second } = proof(world);
        DoubleClearingEntry { first: second, second: first }
    };
    check(swapped, wrong);
    // The same clearing, signed again: it was not heard the first time.
    let again = |world: &World| {
        let same = draft(world).entry;
        let [one, other] =
            [0, 1].map(|_| world.submit(&party(Role::Dso, "dso"), Entry::Clearing(same.clone())));
        assert_ne!(one, other);
        DoubleClearingEntry::of(one, other)
    };
    check(again, wrong);
    // Of two intervals.
    let next = |world: &World| {
        let other = clearing(world, |draft| draft.entry.interval = next_interval());
        DoubleClearingEntry::of(clearing(world, |_| {}).envelope, other.envelope)
    };
    check(next, wrong);
    // Awards to two aggregators, and an award beside a clearing.
    check(|world| DoubleClearingEntry::of(award(world, "agg-1", 5), award(world, "agg-2", 6)), wrong);
    let mixed =
        |world: &World| DoubleClearingEntry::of(award(world, "agg-1", 5), clearing(world, |_| {}).envelope);
    check(mixed, wrong);
    // One that the DSO did not sign: another's, and one changed since.
    let by_another = |world: &World| {
        let [one, other] = two(world);
        DoubleClearingEntry::of(one.envelope, world.submit(&party(Role::Tso, "tso"), other.entry))
    };
    check(by_another, wrong);
    let changed = |world: &World| {
        let mut proof = proof(world);
        *proof.second.bytes.last_mut().unwrap() ^= 1;
        proof
    };
    check(changed, wrong);
    // No clearings at all.
    let transfers = |world: &World| {
        let [one, other] = [5, 6].map(|amount| world.submit(&party(Role::Dso, "dso"), transfer(0, amount)));
        DoubleClearingEntry::of(one, other)
    };
    check(transfers, wrong);
    // Of no interval of the market's.
    let nowhere = |world: &World| {
        let at = |more| {
            clearing(world, move |draft| {
                draft.entry.interval = Interval(market::interval::UnixSeconds(7));
                draft.entry.import += Milliwatt(more);
            })
        };
        DoubleClearingEntry::of(at(0).envelope, at(1).envelope)
    };
    check(nowhere, Err("evidence-old"));
}

#[test]
fn it_is_recorded_once_and_names_the_dso() {
    let world = World::new(4);
    let entry = Entry::DoubleClearing(Box::new(proof(&world)));
    let opened = world.opened(&party(Role::Site, "s1"), entry.clone());
    let (_, chain) = world.decide(&world.chain(), &[opened]);
    let clearer = DoubleClearer { times: 1, first: INTERVAL, last: INTERVAL };
    let contracts = chain.state.contracts();
    assert_eq!(contracts.double_clearers.iter().collect::<Vec<_>>(), [(&id("dso"), &clearer)]);
    let (_, record) = contracts.double_clearings.iter().next().unwrap();
    assert_eq!(record.statement, statement(ClearingKind::Clearing));
    for other in [proof(&world), proof(&world)] {
        let again = Entry::DoubleClearing(Box::new(other));
        let refusal =
            execute(&chain.rules, &chain.state, AT, &party(Role::Aggregator, "agg-1"), &again).unwrap_err();
        assert_eq!(refusal.reason(), "evidence-known");
    }
}

fn core(world: &World) -> ValidatorCore {
    let signer = world.signers[&validator(1)].clone();
    let me = Me { name: validator(1).id, signer: signer.clone() };
    ValidatorCore::new(me, Box::new(Tendermint::new(signer)), Timeouts::default(), world.chain())
}

/// What is told and what is submitted.
fn accused(effects: &[Effect]) -> (usize, usize) {
    let count = |of: &dyn Fn(&Effect) -> bool| effects.iter().filter(|effect| of(effect)).count();
    let told = count(&|effect| matches!(effect, Effect::Gossip(_)));
    let submits = |effect: &Effect| match effect {
        Effect::Submit(entry) => matches!(**entry, Entry::DoubleClearing(_)),
        _ => false,
    };
    (told, count(&submits))
}

#[test]
fn a_validator_that_hears_both_tells_and_submits_once() {
    let world = World::new(4);
    let mut core = core(&world);
    let [one, other] = two(&world);
    let mut step = |opened: &OpenedEntry| {
        let submit = Event::Submit { id: None, opened: Box::new(opened.clone()) };
        accused(&core.step(NOW, submit).unwrap())
    };
    assert_eq!(step(&one), (0, 0));
    assert_eq!(step(&one), (0, 0));
    assert_eq!(step(&other), (1, 1));
    assert_eq!(step(&other), (0, 0));
    let told = Event::DoubleClearing { proof: Box::new(proof(&world)) };
    assert_eq!(accused(&core.step(NOW, told).unwrap()), (0, 0));
}

#[test]
fn a_validator_that_holds_one_and_sees_the_other_decided_tells_too() {
    let world = World::new(4);
    let mut core = core(&world);
    let [one, other] = two(&world);
    let (block, _) = world.decide_by(&validator(2).id, &world.chain(), &[one]);
    let submit = Event::Submit { id: None, opened: Box::new(other) };
    assert_eq!(accused(&core.step(NOW, submit).unwrap()), (0, 0));
    let effects = core.step(NOW, Event::Block { bytes: block.encode().unwrap() }).unwrap();
    assert_eq!(accused(&effects), (1, 1), "{effects:?}");
}

#[test]
fn a_validator_that_is_told_believes_the_signatures_alone() {
    let world = World::new(4);
    let mut core = core(&world);
    let mut wrong = proof(&world);
    *wrong.first.bytes.last_mut().unwrap() ^= 1;
    let mut step =
        |proof| accused(&core.step(NOW, Event::DoubleClearing { proof: Box::new(proof) }).unwrap());
    assert_eq!(step(wrong), (0, 0));
    // Whoever told it tells the others; it sees to the record.
    assert_eq!(step(proof(&world)), (0, 1));
    assert_eq!(step(proof(&world)), (0, 0));
}

fn to_one(entry: Entry, validator: PartyId) -> Outgoing {
    Outgoing { recipient: Some(validator.clone()), acknowledged_by: vec![validator], ..submission(entry) }
}

/// End to end: four validators over a real broker, and a DSO that tells each half of them another clearing.
#[actix::test]
async fn a_dso_that_tells_validators_two_clearings_is_on_the_ledger_with_both_signatures() {
    let net = Net::new();
    let folder = tempfile::tempdir().unwrap();
    let validators: Vec<_> = (1..=4).map(|index| net.validator(index, folder.path())).collect();
    let proofs = net.world.genesis.network.filter_broadcast(Role::Validator, "double-clearing");
    let (watcher, mut heard) = net.client(&party(Role::Aggregator, "agg-1")).await;
    watcher.listen(vec![proofs]).unwrap();
    let (dso, _answers) = net.client(&party(Role::Dso, "dso")).await;
    let [one, other] = two(&net.world).map(|opened| opened.entry);
    for (entry, names) in [(one, [1, 2]), (other, [3, 4])] {
        for name in names {
            dso.send(to_one(entry.clone(), validator(name))).unwrap();
        }
    }
    let open = |envelope: &SignedEnvelope| net.world.rules.verifier.open_evidence(envelope);
    let (mut gossiped, mut recorded) = (None, None);
    while gossiped.is_none() || recorded.is_none() {
        let LinkEvent::Message(message) = next(&mut heard).await else { continue };
        match message.body {
            Body::DoubleClearing(proof) => gossiped = Some(prove(open, &proof).unwrap()),
            Body::Block(bytes) => {
                let block = DecidedBlock::decode(&bytes).unwrap();
                let found = block.entries().find_map(|(_, entry)| match entry {
                    Entry::DoubleClearing(proof) => Some(prove(open, &proof).unwrap()),
                    _ => None,
                });
                recorded = recorded.or(found.map(|statement| (block.height(), statement)));
            }
            _ => {}
        }
    }
    let (height, recorded) = recorded.unwrap();
    assert_eq!(gossiped.unwrap(), statement(ClearingKind::Clearing));
    assert_eq!(recorded, statement(ClearingKind::Clearing));
    for handle in validators {
        height_reached(&handle, height).await;
        handle.stop();
        assert_eq!(handle.ended().await, None);
    }
    for index in 1..=4 {
        let report = verify_dir(&folder.path().join(format!("v{index}")), &mut |_, _| {}).unwrap();
        assert_eq!((report.double_clearings, report.clearings), (1, 1));
        assert_eq!(report.double_clearers[&id("dso")].times, 1);
    }
}
