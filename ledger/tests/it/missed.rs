//! Who trades and missed a decided block asks the validators for it, and believes it for its votes.

use crate::day::{clearing, delivery, next_interval};
use crate::network::{height_reached, next, submission, Net};
use crate::world::{party, validator, World, INTERVAL, NOW_MS};
use broker::link::{LinkEvent, Outgoing};
use ledger::block::DecidedBlock;
use ledger::consensus::core::Tendermint;
use ledger::follower::Follower;
use ledger::store::Chain;
use ledger::validator::core::{Effect, Event, Me, Now, ValidatorCore};
use ledger::validator::Timeouts;
use market::interval::Interval;
use wire::entry::Entry;
use wire::message::{BlockQuestion, Body, Decision};
use wire::party::{PartyId, Role};

fn core(world: &World, chain: Chain) -> ValidatorCore {
    let signer = world.signers[&validator(1)].clone();
    let me = Me { name: validator(1).id, signer: signer.clone() };
    ValidatorCore::new(me, Box::new(Tendermint::new(signer)), Timeouts::default(), chain)
}

fn aggregator(name: &str) -> PartyId {
    party(Role::Aggregator, name)
}

/// Whether a question at some time is answered by a block for the asker.
fn check(
    core: &mut ValidatorCore,
    at_ms: u64,
    (by, of, decided): (&str, Interval, Decision),
    expected: bool,
) {
    let question = BlockQuestion { interval: of, decided };
    let now = Now { real_ms: at_ms, wall_ms: NOW_MS };
    let effects = core.step(now, Event::BlockQuestion { by: aggregator(by), question }).unwrap();
    let sent = |effect: &Effect| match effect {
        Effect::SendBlock { to, question: of } => (to, of) == (&aggregator(by), &question),
        _ => false,
    };
    assert_eq!(effects.iter().any(sent), expected, "{by} asks {question:?} at {at_ms}: {effects:?}");
}

#[test]
fn what_is_decided_is_sent_to_who_asks_and_the_rest_passed_over() {
    let world = World::new(4);
    let (_, cleared) = world.decide(&world.chain(), &[clearing(&world, |_| {})]);
    let mut before = core(&world, cleared.clone());
    check(&mut before, 0, ("agg-1", INTERVAL, Decision::Clearing), true);
    check(&mut before, 0, ("agg-1", next_interval(), Decision::Clearing), false);
    check(&mut before, 0, ("agg-1", INTERVAL, Decision::DayAhead), false);
    check(&mut before, 0, ("agg-1", INTERVAL, Decision::Delivery), false);
    let (_, settled) = world.decide(&cleared, &[delivery(&world, "agg-1", |_| {})]);
    let mut after = core(&world, settled);
    check(&mut after, 0, ("agg-1", INTERVAL, Decision::Delivery), true);
    // Its own was not decided.
    check(&mut after, 0, ("agg-2", INTERVAL, Decision::Delivery), false);
}

#[test]
fn nobody_is_sent_blocks_without_end_nor_keeps_others_from_theirs() {
    let world = World::new(4);
    let (_, cleared) = world.decide(&world.chain(), &[clearing(&world, |_| {})]);
    let mut core = core(&world, cleared);
    let asked = |by| (by, INTERVAL, Decision::Clearing);
    for _ in 0..8 {
        check(&mut core, 0, asked("agg-1"), true);
    }
    for _ in 0..100 {
        check(&mut core, 0, asked("agg-1"), false);
    }
    check(&mut core, 0, asked("agg-2"), true);
    check(&mut core, 1_000, asked("agg-1"), true);
    check(&mut core, 1_000, asked("agg-1"), false);
}

/// End to end: real validators, disks and broker. The aggregator comes when all is decided.
#[actix::test]
async fn an_aggregator_that_was_away_gets_the_blocks_it_missed() {
    let net = Net::new();
    let folder = tempfile::tempdir().unwrap();
    let validators: Vec<_> = (1..=4).map(|index| net.validator(index, folder.path())).collect();
    let (dso, _answers) = net.client(&party(Role::Dso, "dso")).await;
    dso.send(submission(clearing(&net.world, |_| {}).entry)).unwrap();
    for (height, by) in [(1, None), (2, Some("agg-2")), (3, Some("agg-1"))] {
        if let Some(by) = by {
            let (link, _answers) = net.client(&aggregator(by)).await;
            link.send(submission(delivery(&net.world, by, |_| {}).entry)).unwrap();
        }
        for handle in &validators {
            height_reached(handle, height).await;
        }
    }
    let me = aggregator("agg-1");
    let (late, mut told) = net.client(&me).await;
    let follower = Follower::new(&net.world.genesis).unwrap();
    for (decided, height) in [(Decision::Clearing, 1), (Decision::Delivery, 3)] {
        let body = Body::BlockQuestion(BlockQuestion { interval: INTERVAL, decided });
        let about = clearing(&net.world, |_| {}).entry;
        late.send(Outgoing { body, acknowledged_by: Vec::new(), ..submission(about) }).unwrap();
        let block = loop {
            let LinkEvent::Message(message) = next(&mut told).await else { continue };
            match message.body {
                Body::Block(bytes) if message.topic.recipient.as_ref() == Some(&me) => {
                    let block = DecidedBlock::decode(&bytes).unwrap();
                    if block.height() == height {
                        break block;
                    }
                }
                _ => {}
            }
        };
        follower.check(&block).unwrap();
        let about = |(by, entry): (PartyId, Entry)| match entry {
            Entry::Clearing(clearing) => decided == Decision::Clearing && clearing.interval == INTERVAL,
            Entry::Delivery(delivery) => by == me && delivery.interval == INTERVAL,
            _ => false,
        };
        assert!(block.entries().any(about), "{decided:?}");
    }
    for handle in validators {
        handle.stop();
        assert_eq!(handle.ended().await, None);
    }
}
