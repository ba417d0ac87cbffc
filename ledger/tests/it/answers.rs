//! How a validator answers who submits: at once, and under load only who asks again.

use crate::world::{id, party, transfer, validator, World, NOW_MS};
use ledger::consensus::core::Tendermint;
use ledger::mempool::MAX_WAITING_PER_SUBMITTER;
use ledger::validator::core::{Effect, Event, Me, Now, ValidatorCore};
use ledger::validator::Timeouts;
use wire::message::{MessageRef, Verdict};
use wire::party::Role;

#[test]
fn under_load_who_submits_is_answered_when_it_asks_again_and_refusals_are_told_at_once() {
    let world = World::new(4);
    let signer = world.signers[&validator(1)].clone();
    let me = Me { name: id("v1"), signer: signer.clone() };
    let agreement = Box::new(Tendermint::new(signer));
    let mut core = ValidatorCore::new(me, agreement, Timeouts::default(), world.chain());
    let payer = party(Role::Site, "s1");
    let mut submit = |sequence: u64, amount: i64, real_ms: u64| {
        let opened = Box::new(world.opened(&payer, transfer(sequence, amount)));
        let of = MessageRef { sender: payer.clone(), boot: 1, sequence };
        let now = Now { real_ms, wall_ms: NOW_MS };
        let effects = core.step(now, Event::Submit { id: Some(of), opened }).unwrap();
        let answer = effects.into_iter().find_map(|effect| match effect {
            Effect::Acknowledge { verdict: Verdict::Accepted, .. } => Some("accepted"),
            Effect::Acknowledge { .. } => Some("refused"),
            Effect::AcceptWhenAsked { .. } => Some("when asked"),
            _ => None,
        });
        answer.unwrap()
    };
    let most = MAX_WAITING_PER_SUBMITTER as u64;
    let answers: Vec<&str> = (0..most - 1).map(|sequence| submit(sequence, 5, 0)).collect();
    let at_once = answers.iter().filter(|answer| **answer == "accepted").count();
    assert!(at_once > 0 && at_once < answers.len(), "{at_once} of {}", answers.len());
    assert!(answers[..at_once].iter().all(|answer| *answer == "accepted"));
    assert_eq!(submit(most, -1, 0), "refused");
    // After a rest it answers at once again.
    assert_eq!(submit(most - 1, 5, 10_000), "accepted");
}
