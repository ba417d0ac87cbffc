//! What a validator makes of statements about a height that is over, and of heights it does not
//! decide: late votes are carried on, contradictions become evidence, and who is no member follows.

use crate::world::{id, party, transfer, validator, World, NOW_MS};
use ledger::block::vote::{SignedVote, Vote, VoteKind};
use ledger::consensus::core::Tendermint;
use ledger::consensus::message::{ConsensusMessage, Statement};
use ledger::store::Chain;
use ledger::validator::core::{Effect, Event, Me, Now, ValidatorCore};
use ledger::validator::Timeouts;
use wire::entry::Entry;
use wire::hash::Hash32;
use wire::party::Role;

const NOW: Now = Now { real_ms: 0, wall_ms: NOW_MS };

/// A chain of one block, which validators 1 to 3 of four decided.
fn decided(world: &World) -> Chain {
    let opened = world.opened(&party(Role::Site, "s1"), transfer(0, 5));
    let (_, mut chain) = world.decide(&world.chain(), &[opened]);
    chain.tip.votes.as_mut().unwrap().signatures.truncate(3);
    chain
}

fn core(world: &World, number: usize, chain: Chain) -> ValidatorCore {
    let signer = world.signers[&validator(number)].clone();
    let me = Me { name: validator(number).id, signer: signer.clone() };
    ValidatorCore::new(me, Box::new(Tendermint::new(signer)), Timeouts::default(), chain)
}

/// A precommit about the block before, as `sender` sends it.
fn late(world: &World, by: usize, sender: usize, block: Option<Hash32>, round: u32) -> Event {
    let vote = Vote { kind: VoteKind::Precommit, height: 1, round, block, validator: by as u16 - 1 };
    let signature = vote.sign(world.rules.verifier.ledger(), &world.signers[&validator(by)].key());
    let statement = Statement::Vote(SignedVote { vote, signature });
    let bytes = ConsensusMessage::Statement { statement, block: None }.encode().unwrap();
    Event::Consensus { sender: validator(sender).id, bytes }
}

/// How many votes the tip has after a late one.
fn check(by: usize, sender: usize, for_it: bool, round: u32, expected: usize) {
    let world = World::new(4);
    let chain = decided(&world);
    let block = for_it.then_some(chain.tip.hash);
    let mut core = core(&world, 1, chain);
    let effects = core.step(NOW, late(&world, by, sender, block, round)).unwrap();
    assert!(effects.is_empty(), "{effects:?}");
    assert_eq!(core.tip().votes.as_ref().unwrap().signatures.len(), expected);
}

#[test]
fn a_late_vote_for_the_block_is_carried_on() {
    check(4, 4, true, 0, 4);
    // Somebody else's, for something else, or of another round, it is none.
    check(4, 3, true, 0, 3);
    check(4, 4, false, 0, 3);
    check(4, 4, true, 1, 3);
    check(3, 3, true, 0, 3);
}

#[test]
fn a_late_vote_that_contradicts_a_known_one_becomes_evidence_once() {
    let world = World::new(4);
    let mut core = core(&world, 1, decided(&world));
    let event = late(&world, 3, 3, None, 0);
    let effects = core.step(NOW, event.clone()).unwrap();
    let submitted = effects.iter().find_map(|effect| match effect {
        Effect::Submit(entry) => Some(entry.clone()),
        _ => None,
    });
    let Some(entry @ Entry::Evidence(_)) = submitted.as_deref() else { panic!("{effects:?}") };
    let opened = Box::new(world.opened(&validator(1), entry.clone()));
    let effects = core.step(NOW, Event::Submit { id: None, opened }).unwrap();
    // It is something to say, so that a height begins.
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::Record { .. } | Effect::Publish(_)))
            || core.next_deadline().is_some()
    );
    let again = core.step(NOW, event).unwrap();
    assert!(!again.iter().any(|effect| matches!(effect, Effect::Submit(_))), "{again:?}");
}

#[test]
fn who_is_no_validator_follows_and_says_nothing() {
    let world = World::new(4);
    let chain = decided(&world);
    let signer = world.signers[&validator(1)].clone();
    let me = Me { name: id("v9"), signer: signer.clone() };
    let mut core =
        ValidatorCore::new(me, Box::new(Tendermint::new(signer)), Timeouts::default(), chain.clone());
    let opened = world.opened(&party(Role::Site, "s1"), transfer(1, 5));
    let submit = Event::Submit { id: None, opened: Box::new(opened.clone()) };
    assert!(core.step(NOW, submit).unwrap().is_empty());
    let (second, _) = world.decide(&chain, &[opened]);
    let effects = core.step(NOW, Event::Block { bytes: second.encode().unwrap() }).unwrap();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Commit { .. })), "{effects:?}");
    assert_eq!(core.tip().height, 2);
}
