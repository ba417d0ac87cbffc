//! What a message concerns is read from its bytes as decoding them would say.

use crate::world::{party, transfer, validator, World};
use ledger::block::vote::{Proposal, Signature, SignedProposal, SignedVote, Vote, VoteKind};
use ledger::consensus::concern::Concern;
use ledger::consensus::message::{
    ConsensusMessage, PolkaCertificate, RoundCertificate, RoundReason, SnapshotPart, Statement,
};
use serde_bytes::ByteBuf;
use wire::hash::Hash32;
use wire::message::Body;
use wire::party::Role;

const SIGNATURE: Signature = Signature([7; 64]);

fn check(world: &World, body: &Body, expected: Option<Concern>) {
    let envelope = world.sign(&validator(1), None, body).raw;
    assert_eq!(Concern::of_envelope(&envelope.bytes), expected, "{body:?}");
}

fn statements(height: u64) -> Vec<Statement> {
    let (round, block) = (3, Hash32([5; 32]));
    let vote = Vote { kind: VoteKind::Prevote, height, round, block: None, validator: 2 };
    let proposal = Proposal { height, round, polka_round: Some(1), block, validator: 2 };
    vec![
        Statement::Proposal(SignedProposal { proposal, signature: SIGNATURE }),
        Statement::Vote(SignedVote { vote, signature: SIGNATURE }),
        Statement::Polka(PolkaCertificate { height, round, block, signatures: vec![(1, SIGNATURE)] }),
        Statement::Round(RoundCertificate { height, round, reason: RoundReason::Skip, votes: Vec::new() }),
    ]
}

#[test]
fn every_message_shows_its_height_at_a_glance() {
    let world = World::new(1);
    let site = party(Role::Site, "s1");
    let (decided, _) = world.decide(&world.chain(), &[world.opened(&site, transfer(0, 5))]);
    let decided = ByteBuf::from(decided.encode().unwrap());
    let consensus = |message: ConsensusMessage| Body::Consensus(message.encode().unwrap().into());
    for height in [0, 1, 23, 24, 1_000_000, u64::MAX] {
        for statement in statements(height) {
            for block in [None, Some(ByteBuf::from(vec![9; 100_000]))] {
                let message = ConsensusMessage::Statement { statement: statement.clone(), block };
                check(&world, &consensus(message), Some(Concern::Statement(height)));
            }
        }
        let request = ConsensusMessage::Request { height, of: "v1".parse().unwrap() };
        check(&world, &consensus(request), Some(Concern::Request(height)));
    }
    check(&world, &consensus(ConsensusMessage::Decided(vec![decided.clone(); 2])), Some(Concern::Decided(1)));
    check(&world, &Body::Block(decided), Some(Concern::Decided(1)));
    check(&world, &Body::Consensus(ByteBuf::from(*b"no message")), None);
}

#[test]
fn questions_and_nothing_else_are_questions() {
    let of: wire::party::Id = "v1".parse().unwrap();
    let statement = statements(1).remove(0);
    let check = |message: ConsensusMessage, expected| {
        assert_eq!(Concern::is_question(&message.encode().unwrap()), expected, "{message:?}");
    };
    check(ConsensusMessage::Request { height: 1, of: of.clone() }, true);
    check(ConsensusMessage::SnapshotRequest { part: SnapshotPart::Manifest, of }, true);
    check(ConsensusMessage::Statement { statement, block: None }, false);
    check(ConsensusMessage::Decided(vec![ByteBuf::new()]), false);
    check(ConsensusMessage::Pruned { lowest: 1, tip: 2 }, false);
    check(ConsensusMessage::Manifest(ByteBuf::new()), false);
    check(ConsensusMessage::Chunk { height: 1, index: 0, bytes: ByteBuf::new() }, false);
    assert!(!Concern::is_question(b"no message"));
}

#[test]
fn bytes_that_are_no_envelope_concern_nothing() {
    for bytes in [&b""[..], b"\xd2", b"\xd2\x84\x40", b"{\"json\": 1}", &[0xff; 64]] {
        assert_eq!(Concern::of_envelope(bytes), None);
    }
}
