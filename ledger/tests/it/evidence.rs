//! Evidence that a validator contradicted itself: taken once, for what both signatures prove, and no
//! validator that is honest can be accused.

use crate::world::{party, transfer, validator, World, NOW_MS};
use ledger::block::vote::{Proposal, SignedProposal, SignedVote, Vote, VoteKind};
use ledger::block::At;
use ledger::consensus::equivocation::Equivocation;
use ledger::contracts::execute;
use ledger::state::voting::{Liar, EVIDENCE_HEIGHTS, MAX_CONTRADICTIONS};
use ledger::store::Chain;
use wire::entry::{Entry, EvidenceEntry};
use wire::hash::Hash32;
use wire::party::Role;

const AT: At = At { height: 2, time_ms: NOW_MS };

fn vote(world: &World, by: usize, kind: VoteKind, round: u32, block: Option<u8>) -> SignedVote {
    let block = block.map(|byte| Hash32([byte; 32]));
    let vote = Vote { kind, height: 1, round, block, validator: by as u16 - 1 };
    let signature = vote.sign(world.rules.verifier.ledger(), &world.signers[&validator(by)].key());
    SignedVote { vote, signature }
}

fn proposal(world: &World, by: usize, polka_round: Option<u32>, block: u8) -> SignedProposal {
    let validator_index = by as u16 - 1;
    let block = Hash32([block; 32]);
    let proposal = Proposal { height: 1, round: 3, polka_round, block, validator: validator_index };
    let signature = proposal.sign(world.rules.verifier.ledger(), &world.signers[&validator(by)].key());
    SignedProposal { proposal, signature }
}

fn entry(world: &World, both: &Equivocation) -> EvidenceEntry {
    both.evidence(world.rules.verifier.validator_set()).unwrap()
}

/// A chain of one block, and two votes of validator 3 that contradict each other.
pub fn setting() -> (World, Chain, EvidenceEntry) {
    let world = World::new(4);
    let (_, chain) = world.decide(&world.chain(), &[world.opened(&party(Role::Site, "s1"), transfer(0, 5))]);
    let votes = [Some(1), None].map(|block| vote(&world, 3, VoteKind::Prevote, 0, block));
    let [one, other] = votes;
    let evidence = entry(&world, &Equivocation::Votes(one, other));
    (world, chain, evidence)
}

/// What the contract says of spoilt evidence: a word for metrics.
fn check(spoil: impl FnOnce(&World, &mut EvidenceEntry), expected: Result<(), &str>) {
    let (world, chain, mut evidence) = setting();
    spoil(&world, &mut evidence);
    let entry = Entry::Evidence(Box::new(evidence));
    let found = execute(&chain.rules, &chain.state, AT, &validator(1), &entry);
    assert_eq!(found.map(|_| ()).map_err(|refusal| refusal.reason()), expected, "{entry:?}");
}

#[test]
fn two_statements_of_one_kind_that_differ_are_evidence() {
    check(|_, _| {}, Ok(()));
    let precommits = |world: &World| {
        let [one, other] = [Some(1), Some(2)].map(|block| vote(world, 3, VoteKind::Precommit, 9, block));
        Equivocation::Votes(one, other)
    };
    check(|world, evidence| *evidence = entry(world, &precommits(world)), Ok(()));
    let proposals =
        |world: &World| Equivocation::Proposals(proposal(world, 2, Some(1), 1), proposal(world, 2, None, 1));
    check(|world, evidence| *evidence = entry(world, &proposals(world)), Ok(()));
}

#[test]
fn what_proves_nothing_is_refused() {
    check(|_, evidence| evidence.second = evidence.first.clone(), Err("evidence-wrong"));
    check(|_, evidence| std::mem::swap(&mut evidence.first, &mut evidence.second), Err("evidence-wrong"));
    check(|_, evidence| evidence.first.polka_round = Some(0), Err("evidence-wrong"));
    check(|_, evidence| evidence.second.signature.0[0] ^= 1, Err("evidence-wrong"));
    check(|_, evidence| evidence.round = 1, Err("evidence-wrong"));
    check(|_, evidence| evidence.kind = wire::entry::StatementKind::Precommit, Err("evidence-wrong"));
    check(|_, evidence| evidence.validator = validator(2).id, Err("evidence-wrong"));
    check(|_, evidence| evidence.validator = "v9".parse().unwrap(), Err("evidence-wrong"));
    check(|_, evidence| evidence.height = 2, Err("evidence-ahead"));
    // One of the two is somebody else's.
    check(
        |world, evidence| {
            evidence.second.signature = vote(world, 2, VoteKind::Prevote, 0, Some(1)).signature;
        },
        Err("evidence-wrong"),
    );
}

#[test]
fn only_validators_submit_it() {
    let (_, chain, evidence) = setting();
    let entry = Entry::Evidence(Box::new(evidence));
    let refusal = execute(&chain.rules, &chain.state, AT, &party(Role::Dso, "dso"), &entry).unwrap_err();
    assert_eq!(refusal.reason(), "right");
}

#[test]
fn it_is_recorded_once_and_names_the_validator() {
    let (world, chain, evidence) = setting();
    let opened = world.opened(&validator(1), Entry::Evidence(Box::new(evidence.clone())));
    let (decided, chain) = world.decide(&chain, &[opened]);
    assert_eq!(decided.height(), 2);
    let liar = Liar { contradictions: 1, first: 1, last: 1 };
    assert_eq!(chain.state.voting().liars().clone(), [(validator(3).id, liar)].into());
    let again = Entry::Evidence(Box::new(evidence));
    let refusal = execute(&chain.rules, &chain.state, AT, &validator(2), &again).unwrap_err();
    assert_eq!(refusal.reason(), "evidence-known");
}

#[test]
fn enough_of_one_validators_is_enough() {
    let (world, mut chain, _) = setting();
    let of_round = |round: u32| {
        let [one, other] = [Some(1), None].map(|block| vote(&world, 3, VoteKind::Prevote, round, block));
        Entry::Evidence(Box::new(entry(&world, &Equivocation::Votes(one, other))))
    };
    for round in 0..MAX_CONTRADICTIONS as u32 {
        chain = world.decide(&chain, &[world.opened(&validator(1), of_round(round))]).1;
    }
    let more = of_round(MAX_CONTRADICTIONS as u32);
    let refusal = execute(&chain.rules, &chain.state, AT, &validator(1), &more).unwrap_err();
    assert_eq!(refusal.reason(), "evidence-known");
    assert!((MAX_CONTRADICTIONS as u64) < EVIDENCE_HEIGHTS);
}
