//! The votes for the block before, carried by each block: enough, right ones, for that very block.

use crate::world::{party, transfer, World};
use ledger::block::vote::VoteCertificate;
use ledger::block::{votes_hash, Block};
use ledger::execute::{execute_block, ExecuteError};
use ledger::store::Chain;
use wire::party::Role;

/// Spoils the votes carried by a second block, whose header names them as they then are.
fn check(spoil: impl FnOnce(&World, &mut Option<VoteCertificate>), expected: fn(&ExecuteError) -> bool) {
    let world = World::new(4);
    let payer = party(Role::Site, "s1");
    let (_, first) = world.decide(&world.chain(), &[world.opened(&payer, transfer(0, 5))]);
    let (second, _) = world.decide(&first, &[world.opened(&payer, transfer(1, 5))]);
    let mut block = second.block;
    assert!(execute(&world, &first, &block).is_ok());
    spoil(&world, &mut block.previous_votes);
    block.header.previous_votes = votes_hash(block.previous_votes.as_ref());
    let error = execute(&world, &first, &block).unwrap_err();
    assert!(expected(&error), "{error}");
}

/// What somebody else says of the block, who has seen other votes for the one before.
fn execute(world: &World, chain: &Chain, block: &Block) -> Result<(), ExecuteError> {
    let mut tip = chain.tip.clone();
    if let Some(votes) = &mut tip.votes {
        votes.signatures.remove(0);
    }
    let open = |envelope: &_| world.rules.verifier.open_entry(envelope);
    execute_block(&world.rules, &tip, &chain.state, block, &open).map(|_| ())
}

#[test]
fn votes_carried_for_the_block_before_must_have_decided_it() {
    let undecided = |error: &ExecuteError| matches!(error, ExecuteError::PreviousUndecided { .. });
    check(|_, votes| votes.as_mut().unwrap().signatures.truncate(2), undecided);
    check(|_, votes| votes.as_mut().unwrap().signatures.swap(1, 2), undecided);
    check(|_, votes| votes.as_mut().unwrap().signatures[3].0 = 4, undecided);
    check(|_, votes| votes.as_mut().unwrap().round = 1, undecided);
    check(|_, votes| votes.as_mut().unwrap().signatures[0].1 .0[7] ^= 1, undecided);
    check(
        |world, votes| {
            let (other, _) =
                world.decide(&world.chain(), &[world.opened(&party(Role::Site, "s1"), transfer(0, 6))]);
            *votes = Some(other.certificate);
        },
        undecided,
    );
    check(|_, votes| *votes = None, |error| matches!(error, ExecuteError::PreviousVotes { height: 2 }));
}

#[test]
fn other_votes_make_another_block() {
    let world = World::new(4);
    let payer = party(Role::Site, "s1");
    let (_, mut first) = world.decide(&world.chain(), &[world.opened(&payer, transfer(0, 5))]);
    let next = [world.opened(&payer, transfer(1, 5))];
    let (second, _) = world.decide(&first, &next);
    first.tip.votes.as_mut().unwrap().signatures.pop();
    let (other, _) = world.decide(&first, &next);
    assert_ne!(second.block.header.hash(), other.block.header.hash());
    let mut swapped = second.block;
    swapped.previous_votes = other.block.previous_votes;
    let error = execute(&world, &first, &swapped).unwrap_err();
    assert_eq!(error, ExecuteError::PreviousVotes { height: 2 });
}
