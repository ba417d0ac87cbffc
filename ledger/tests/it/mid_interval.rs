//! Keys rotated and revoked while an interval is under way, over a real broker with four validators: what was signed
//! before counts, what is signed after with a key rotated away or revoked does not, and the interval is settled.

use crate::day::{clearing, delivery};
use crate::network::{height_reached, next, submission, Net};
use crate::registry::{key, revoke, rotate, rotation};
use crate::world::{party, transfer, NOW_MS};
use broker::link::{Link, LinkEvent};
use ledger::block::DecidedBlock;
use ledger::verify::verify_dir;
use std::sync::Arc;
use tokio::sync::mpsc::Receiver;
use wire::entry::Entry;
use wire::envelope::Signer;
use wire::message::{Body, Verdict};
use wire::party::{PartyId, Role};

/// Seed of the key that the world gives agg-2.
const OLD: u8 = 4;
const NEW: u8 = 77;

/// Waits for the block that holds this entry.
async fn decided(events: &mut Receiver<LinkEvent>, entry: &Entry) -> u64 {
    loop {
        let LinkEvent::Message(message) = next(events).await else { continue };
        let Body::Block(bytes) = message.body else { continue };
        let block = DecidedBlock::decode(&bytes).unwrap();
        let found = block.entries().any(|(_, decided)| decided == *entry);
        if found {
            return block.height();
        }
    }
}

/// Submits an entry by a party's link and waits until `watcher` hears it decided.
async fn enact(link: &Link, watcher: &mut Receiver<LinkEvent>, entry: Entry) -> u64 {
    link.send(submission(entry.clone())).unwrap();
    decided(watcher, &entry).await
}

/// What the first validator to answer says to an entry.
async fn verdict(net: &Net, signer: Signer, entry: Entry) -> Verdict {
    let (link, mut events) = net.client_with(Arc::new(signer)).await;
    link.send(submission(entry)).unwrap();
    loop {
        if let LinkEvent::Answered { verdict, .. } = next(&mut events).await {
            return verdict;
        }
    }
}

#[actix::test]
async fn keys_rotated_and_revoked_in_mid_interval_end_what_they_signed_from_then_on_and_nothing_before() {
    let net = Net::new();
    let folder = tempfile::tempdir().unwrap();
    let validators: Vec<_> = (1..=4).map(|index| net.validator(index, folder.path())).collect();
    let by = |role, name: &str| party(role, name);
    let (aggregator, site) = (by(Role::Aggregator, "agg-2"), by(Role::Site, "s4"));
    let (dso, mut watcher) = net.client(&by(Role::Dso, "dso")).await;
    let (first, _) = net.client(&by(Role::Aggregator, "agg-1")).await;
    let (second, _second_events) = net.client(&aggregator).await;

    // All demands are signed; then an aggregator rotates its key, and a site is revoked.
    let cleared = clearing(&net.world, |_| {}).entry;
    let signer = net.world.signers[&aggregator].clone();
    signer.set_next(key(NEW));
    enact(&second, &mut watcher, rotate(rotation(&net.world, &aggregator, NEW, 1))).await;
    enact(&dso, &mut watcher, revoke(&site)).await;
    enact(&dso, &mut watcher, cleared).await;

    // A thief has the key that was rotated away, and says that it was started after its owner: the owner is heard all
    // the same.
    let settles = delivery(&net.world, "agg-2", |_| {}).entry;
    let network = net.world.genesis.network.clone();
    let thief = Signer::new(network, aggregator.clone(), key(OLD), NOW_MS + 60_000);
    match verdict(&net, thief, settles.clone()).await {
        Verdict::Refused(reason) => assert!(reason.contains("rotated away"), "{reason}"),
        Verdict::Accepted => panic!("a key rotated away was believed"),
    }
    // The revoked site says something, too: nobody answers it.
    let (revoked, _) = net.client(&site).await;
    revoked.send(submission(transfer(0, 7))).unwrap();

    // Its owner goes on with the new one, and the interval is settled.
    let known = follow(&net, &aggregator);
    assert_eq!(signer.follow(&known), wire::envelope::KeyChange::Rotated);
    enact(&second, &mut watcher, settles).await;
    let last = enact(&first, &mut watcher, delivery(&net.world, "agg-1", |_| {}).entry).await;
    for handle in validators {
        height_reached(&handle, last).await;
        handle.stop();
        assert_eq!(handle.ended().await, None);
    }
    let report = verify_dir(&folder.path().join("v1"), &mut |_, _| {}).unwrap();
    assert_eq!((report.clearings, report.deliveries, report.settlements, report.transfers), (1, 2, 4, 0));
    assert_eq!(report.governance, 2);
}

/// The participant as the registry has it after its rotation.
fn follow(net: &Net, party: &PartyId) -> wire::party::Participant {
    let mut known = net.world.genesis.registry()[party].clone();
    known.epoch.retiring = Some(known.key);
    known.key = crate::registry::public(&key(NEW));
    known.epoch.number = 1;
    known
}
