//! Validators that change keys while they run, over a real broker and on real disks: each votes with the old key up to
//! the block that has the rotation, and with the new one from the next on, also where it was stopped in between.

use crate::network::{height_reached, submission, Net};
use crate::registry::{key, public, rotate, rotation};
use crate::world::{id, party, transfer, validator, World, NOW_MS};
use broker::link::{Link, LinkEvent};
use ledger::block::vote::{SignedVote, VoteKind};
use ledger::block::DecidedBlock;
use ledger::consensus::core::Tendermint;
use ledger::consensus::message::{ConsensusMessage, Record, Statement};
use ledger::validator::core::{Effect, Event, Me, Now, ValidatorCore};
use ledger::validator::{start, StartError, Timeouts, ValidatorHandle};
use ledger::verify::{replay, verify_dir};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc::Receiver;
use wire::entry::Entry;
use wire::envelope::Signer;
use wire::message::Body;
use wire::party::{PartyId, Role};
use wire::replay::COMMAND;

/// Seed of the key that the world gives its fourth validator.
const FOURTH: u8 = 12;
/// Seed of the key it rotates to.
const NEW: u8 = 77;

fn signer(world: &World, party: &PartyId, seed: u8, boot: u64) -> Signer {
    Signer::new(world.genesis.network.clone(), party.clone(), key(seed), boot)
}

/// Validator 4 with the key it has and the one it will have, started for the `boot`th time.
fn with_both(world: &World, boot: u64) -> Signer {
    let signer = signer(world, &validator(4), FOURTH, NOW_MS + boot);
    signer.set_next(key(NEW));
    signer
}

/// What an operator's command submits for a validator while its process runs.
async fn command(net: &Net, signer: Signer, entry: Entry) -> (Link, Receiver<LinkEvent>) {
    let (link, events) = net.client_with(Arc::new(signer)).await;
    link.send(submission(entry)).unwrap();
    (link, events)
}

/// The rotation of validator 4, submitted while its process may run.
async fn rotate_fourth(net: &Net) -> (Link, Receiver<LinkEvent>) {
    let signer = signer(&net.world, &validator(4), FOURTH, NOW_MS | COMMAND);
    command(net, signer, rotate(rotation(&net.world, &validator(4), NEW, 1))).await
}

async fn all_stop(validators: Vec<ValidatorHandle>) {
    for handle in validators {
        handle.stop();
        assert_eq!(handle.ended().await, None);
    }
}

/// Places of those who voted for the last block in a validator's folder, which verifies as a whole.
fn voters(folder: &Path, of: &str) -> Vec<u16> {
    let folder = folder.join(of);
    verify_dir(&folder, &mut |_, _| {}).unwrap();
    let last = replay(&folder).unwrap().last().unwrap().unwrap();
    last.decided.certificate.signatures.iter().map(|(voter, _)| *voter).collect()
}

/// Validator 1 stops, so that validator 4 must vote for what is decided next.
async fn decide_without_the_first(net: &Net, mut validators: Vec<ValidatorHandle>, folder: &Path) {
    let first = validators.remove(0);
    first.stop();
    assert_eq!(first.ended().await, None);
    let height = *validators[0].height().borrow();
    let (link, _events) = net.client(&party(Role::Site, "s1")).await;
    link.send(submission(transfer(0, 5))).unwrap();
    for handle in &validators {
        height_reached(handle, height + 1).await;
    }
    all_stop(validators).await;
    assert_eq!(voters(folder, "v2"), [1, 2, 3]);
}

#[actix::test]
async fn a_validator_that_rotates_its_key_goes_on_with_the_new_one_from_the_next_block_on() {
    let net = Net::new();
    let folder = tempfile::tempdir().unwrap();
    let mut validators: Vec<_> = (1..=3).map(|index| net.validator(index, folder.path())).collect();
    validators.push(start(net.anew(with_both(&net.world, 0), folder.path())).unwrap());
    let _command = rotate_fourth(&net).await;
    for handle in &validators {
        height_reached(handle, 1).await;
    }
    decide_without_the_first(&net, validators, folder.path()).await;
    let last = replay(&folder.path().join("v2")).unwrap();
    assert_eq!(last.last().unwrap().unwrap().decided.height(), 2);
}

/// When validator 4 was stopped, and what it is started with again.
async fn check(before: bool, again: impl Fn(&World) -> Signer) {
    let net = Net::new();
    let folder = tempfile::tempdir().unwrap();
    let mut validators: Vec<_> = (1..=3).map(|index| net.validator(index, folder.path())).collect();
    let fourth = start(net.anew(with_both(&net.world, 0), folder.path())).unwrap();
    let mut rotating = None;
    if !before {
        rotating = Some(rotate_fourth(&net).await);
        height_reached(&fourth, 1).await;
    }
    fourth.stop();
    assert_eq!(fourth.ended().await, None);
    if rotating.is_none() {
        rotating = Some(rotate_fourth(&net).await);
    }
    for handle in &validators {
        height_reached(handle, 1).await;
    }
    validators.push(start(net.anew(again(&net.world), folder.path())).unwrap());
    height_reached(&validators[3], 1).await;
    drop(rotating);
    decide_without_the_first(&net, validators, folder.path()).await;
}

#[actix::test]
async fn it_may_be_stopped_before_the_rotation_and_start_after_it_with_both_keys_or_the_new_one() {
    check(true, |world| with_both(world, 1)).await;
    check(true, |world| signer(world, &validator(4), NEW, NOW_MS + 1).in_epoch(1)).await;
}

#[actix::test]
async fn it_may_be_stopped_after_the_rotation_and_start_with_both_keys_or_the_new_one() {
    check(false, |world| with_both(world, 1)).await;
    check(false, |world| signer(world, &validator(4), NEW, NOW_MS + 1).in_epoch(1)).await;
}

/// Whether a block of this height or later was heard from validator 4.
fn heard_from_fourth(events: &mut Receiver<LinkEvent>, height: u64) -> bool {
    let events = std::iter::from_fn(|| events.try_recv().ok());
    let mut blocks = events.filter_map(|event| match event {
        LinkEvent::Message(message) if message.topic.sender == validator(4) => Some(message.body),
        _ => None,
    });
    blocks.any(|body| match body {
        Body::Block(bytes) => DecidedBlock::decode(&bytes).unwrap().height() >= height,
        _ => false,
    })
}

#[actix::test]
async fn who_is_behind_the_rotation_goes_on_hearing_the_one_that_rotated() {
    let net = Net::new();
    let folder = tempfile::tempdir().unwrap();
    let mut validators: Vec<_> = (1..=3).map(|index| net.validator(index, folder.path())).collect();
    validators.push(start(net.anew(with_both(&net.world, 0), folder.path())).unwrap());
    // Knows the first keys alone, and is told of no others.
    let (link, mut events) = net.client(&party(Role::Site, "s1")).await;
    let _command = rotate_fourth(&net).await;
    for handle in &validators {
        height_reached(handle, 1).await;
    }
    // Who is told of a block before it decides does not tell of it.
    let mut heard = false;
    for nonce in 0..30 {
        link.send(submission(transfer(nonce, 5))).unwrap();
        for handle in &validators {
            height_reached(handle, nonce + 2).await;
        }
        heard = heard || heard_from_fourth(&mut events, 2);
    }
    assert!(heard);
    all_stop(validators).await;
}

/// With one of four dead everybody waits for the one that rotates, and hears it although it knows the next key first.
#[actix::test]
async fn rotations_in_a_row_while_one_is_dead_stop_nobody() {
    let net = Net::new();
    let folder = tempfile::tempdir().unwrap();
    let seeds = [11, 90, 91, 92, 93, 94];
    let third = net.world.signers[&validator(3)].clone();
    let validators: Vec<_> = (1..=3).map(|index| net.validator(index, folder.path())).collect();
    for (epoch, pair) in (1..).zip(seeds.windows(2)) {
        let boot = (NOW_MS + u64::from(epoch)) | COMMAND;
        let by = signer(&net.world, &validator(3), pair[0], boot).in_epoch(epoch - 1);
        third.set_next(key(pair[1]));
        let _command = command(&net, by, rotate(rotation(&net.world, &validator(3), pair[1], epoch))).await;
        for handle in &validators {
            height_reached(handle, u64::from(epoch)).await;
        }
    }
    assert_eq!((third.epoch(), third.public_key()), (5, public(&key(94))));
    all_stop(validators).await;
    assert_eq!(voters(folder.path(), "v1"), [0, 1, 2]);
}

#[actix::test]
async fn who_holds_another_key_or_has_another_role_is_refused() {
    let net = Net::new();
    let folder = tempfile::tempdir().unwrap();
    let refused = |signer: Signer| start(net.anew(signer, folder.path())).unwrap_err();
    let error = refused(signer(&net.world, &validator(4), NEW, NOW_MS));
    assert!(matches!(error, StartError::OtherKey { epoch: 0, .. }), "{error}");
    let error = refused(signer(&net.world, &party(Role::Site, "s1"), 5, NOW_MS));
    assert!(matches!(error, StartError::NoValidator { .. }), "{error}");
}

const NOW: Now = Now { real_ms: 0, wall_ms: NOW_MS };

/// What validator 4 says and records of the height after the block with its rotation.
fn voted(world: &World, signer: Signer, records: Vec<Record>) -> (Vec<SignedVote>, Vec<Record>) {
    let entry = rotate(rotation(world, &validator(4), NEW, 1));
    let (_, chain) = world.decide(&world.chain(), &[world.opened(&validator(4), entry)]);
    let signer = Arc::new(signer);
    let me = Me { name: id("v4"), signer: signer.clone() };
    let mut core = ValidatorCore::new(me, Box::new(Tendermint::new(signer)), Timeouts::default(), chain);
    let mut effects = core.step(NOW, Event::Started { records, decided: Vec::new() }).unwrap();
    let opened = world.opened(&party(Role::Site, "s1"), transfer(0, 5));
    effects.extend(core.step(NOW, Event::Submit { id: None, opened: Box::new(opened) }).unwrap());
    while core.next_deadline().is_some_and(|at| at <= 1_000) {
        let now = Now { real_ms: core.next_deadline().unwrap(), ..NOW };
        effects.extend(core.step(now, Event::Poll).unwrap());
    }
    let (mut votes, mut records) = (Vec::new(), Vec::new());
    for effect in effects {
        match effect {
            Effect::Record { bytes, .. } => records.push(Record::decode(&bytes).unwrap()),
            Effect::Publish(bytes) => {
                let said = ConsensusMessage::decode(&bytes).unwrap();
                if let ConsensusMessage::Statement { statement: Statement::Vote(vote), .. } = said {
                    votes.push(vote);
                }
            }
            _ => {}
        }
    }
    (votes, records)
}

#[test]
fn a_write_ahead_log_with_votes_of_the_new_key_is_replayed_by_who_holds_both() {
    let world = World::new(4);
    let (votes, records) = voted(&world, with_both(&world, 0), Vec::new());
    assert!(!votes.is_empty() && !records.is_empty());
    let ledger = world.rules.verifier.ledger();
    for SignedVote { vote, signature } in &votes {
        assert_eq!((vote.kind, vote.height, vote.validator), (VoteKind::Prevote, 2, 3));
        assert!(vote.verify(ledger, &public(&key(NEW)), signature));
    }
    let (again, _) = voted(&world, with_both(&world, 1), records);
    assert!(again.iter().all(|vote| votes.contains(vote)), "{again:?}");
}
