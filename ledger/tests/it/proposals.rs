//! What one validator votes on what another proposes: for a block it has executed and found right,
//! against a wrong one at once, and not at all on what is no proposal.

use crate::world::{id, party, transfer, validator, World, NOW_MS};
use ledger::block::vote::{Proposal, SignedProposal, VoteCertificate, VoteKind};
use ledger::block::Block;
use ledger::consensus::core::Tendermint;
use ledger::consensus::message::{ConsensusMessage, Statement};
use ledger::execute::build_block;
use ledger::validator::core::{Effect, Event, Me, Now, ValidatorCore};
use ledger::validator::Timeouts;
use wire::hash::Hash32;
use wire::party::Role;

/// What came of a proposal.
#[derive(Debug, PartialEq)]
enum Outcome {
    For,
    Against,
    Noted(&'static str),
}

/// A proposal by validator 2, whose turn it is, on its way to validator 1.
struct Draft {
    block: Block,
    proposal: Proposal,
    signed_by: usize,
    bytes: Option<Vec<u8>>,
}

fn check(spoil: impl FnOnce(&mut Draft), expected: Outcome) {
    let world = World::new(4);
    let chain = world.chain();
    let opened = world.opened(&party(Role::Site, "s1"), transfer(0, 5));
    let by = (&validator(2).id, NOW_MS);
    let (block, _) = build_block(&world.rules, &chain.tip, &chain.state, by, [&opened].into_iter()).unwrap();
    let proposal =
        Proposal { height: 1, round: 0, polka_round: None, block: Hash32::default(), validator: 1 };
    let mut draft = Draft { block, proposal, signed_by: 2, bytes: None };
    spoil(&mut draft);
    if draft.proposal.block == Hash32::default() {
        draft.proposal.block = draft.block.header.hash();
    }
    let ledger = world.rules.verifier.ledger();
    let signature = draft.proposal.sign(ledger, &world.signers[&validator(draft.signed_by)].key());
    let statement = Statement::Proposal(SignedProposal { proposal: draft.proposal, signature });
    let block = Some(draft.block.encode().unwrap().into());
    let message = ConsensusMessage::Statement { statement, block };
    let bytes = draft.bytes.unwrap_or_else(|| message.encode().unwrap());
    let signer = world.signers[&validator(1)].clone();
    let me = Me { name: id("v1"), signer: signer.clone() };
    let agreement = Box::new(Tendermint::new(signer));
    let mut core = ValidatorCore::new(me, agreement, Timeouts::default(), chain);
    let now = Now { real_ms: 0, wall_ms: NOW_MS };
    let effects = core.step(now, Event::Consensus { sender: id("v2"), bytes }).unwrap();
    assert_eq!(outcome(&effects), expected);
}

/// The prevote where there is one, otherwise what was noted.
fn outcome(effects: &[Effect]) -> Outcome {
    let voted = effects.iter().find_map(|effect| {
        let Effect::Publish(bytes) = effect else { return None };
        match ConsensusMessage::decode(bytes).unwrap() {
            ConsensusMessage::Statement { statement: Statement::Vote(signed), .. } => {
                assert_eq!(signed.vote.kind, VoteKind::Prevote);
                Some(if signed.vote.block.is_some() { Outcome::For } else { Outcome::Against })
            }
            _ => None,
        }
    });
    let noted = effects.iter().find_map(|effect| match effect {
        Effect::Note { event, .. } => Some(Outcome::Noted(event)),
        _ => None,
    });
    voted.or(noted).expect("a vote or a note")
}

#[test]
fn a_right_block_is_voted_for() {
    check(|_| {}, Outcome::For);
}

#[test]
fn a_wrong_block_is_voted_down_at_once() {
    check(|draft| draft.block.header.state_hash.0[0] ^= 1, Outcome::Against);
    check(|draft| draft.block.header.previous.0[0] ^= 1, Outcome::Against);
    check(|draft| draft.block.header.height = 2, Outcome::Against);
    check(|draft| draft.block.header.time_ms = NOW_MS + 3_600_000, Outcome::Against);
    check(|draft| draft.block.header.proposer = id("v3"), Outcome::Against);
    check(|draft| draft.block.header.entries_root.0[0] ^= 1, Outcome::Against);
    check(|draft| draft.block.header.previous_votes.0[0] ^= 1, Outcome::Against);
    check(
        |draft| {
            let votes = VoteCertificate { round: 0, signatures: Vec::new() };
            draft.block.header.previous_votes = votes.hash();
            draft.block.previous_votes = Some(votes);
        },
        Outcome::Against,
    );
    check(
        |draft| {
            let twice = draft.block.entries[0].clone();
            draft.block.entries.push(twice);
            draft.block.header.entries_root = ledger::block::entries_root(&draft.block.entries);
        },
        Outcome::Against,
    );
    check(
        |draft| {
            draft.block.entries[0].bytes[200] ^= 1;
            draft.block.header.entries_root = ledger::block::entries_root(&draft.block.entries);
        },
        Outcome::Against,
    );
}

#[test]
fn what_is_no_proposal_is_not_voted_on() {
    check(|draft| draft.signed_by = 3, Outcome::Noted("bad-proposal"));
    check(|draft| draft.proposal.validator = 2, Outcome::Noted("bad-proposal"));
    check(|draft| draft.proposal.validator = 99, Outcome::Noted("bad-proposal"));
    check(|draft| draft.proposal.block = Hash32([1; 32]), Outcome::Noted("bad-proposal"));
    check(|draft| draft.bytes = Some(b"nonsense".to_vec()), Outcome::Noted("malformed"));
    check(|draft| draft.bytes = Some(vec![0; 2 << 20]), Outcome::Noted("malformed"));
}
