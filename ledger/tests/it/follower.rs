//! Following the registry and the validators from blocks alone: in order, over gaps, by a validator's word.

use crate::registry::{key, public, registration};
use crate::world::{id, party, transfer, validator, World, NOW_MS};
use ledger::block::{DecidedBlock, Header};
use ledger::execute::OpenedEntry;
use ledger::follower::{FollowError, Follower, Summary};
use ledger::store::Chain;
use proptest::prelude::*;
use std::sync::{Arc, OnceLock};
use wire::cbor;
use wire::entry::governance::{BallotEntry, GovernedChange, ProposalEntry};
use wire::entry::registry::{KeyRotation, ParticipantEntry};
use wire::entry::Entry;
use wire::envelope::Signer;
use wire::hash::Hash32;
use wire::party::Role;
use wire::possession::Possession;

/// A chain of five blocks: a transfer, a rotation of site 1's key, a change of half the validators proposed and voted
/// for, which holds from block 5 on, and a transfer under it.
struct Story {
    world: World,
    blocks: Vec<(DecidedBlock, Chain)>,
}

fn story() -> Story {
    let mut world = World::new(4);
    let newcomer =
        |n: usize| Signer::new(world.genesis.network.clone(), validator(n), key(70 + n as u8), NOW_MS);
    let newcomers = [5, 6].map(|n| (validator(n), Arc::new(newcomer(n))));
    world.signers.extend(newcomers);
    let site = party(Role::Site, "s1");
    let possession = Possession::prove(&key(90), &world.genesis.network, &site, 1);
    let rotation = KeyRotation { key: public(&key(90)), epoch: 1, possession };
    let rotate = Entry::Participant(Box::new(ParticipantEntry::Rotate(rotation)));
    let change = GovernedChange::Validators {
        admit: [5, 6].map(|n| registration(&world, &validator(n), 70 + n as u8)).to_vec(),
        dismiss: ["v1", "v2"].map(id).to_vec(),
    };
    let proposal = ProposalEntry { at_height: 5, change };
    let ballot = BallotEntry { proposal: proposal.id().unwrap(), approve: true };
    let votes = (1..=3).map(|by| world.opened(&validator(by), Entry::Ballot(ballot.clone())));
    let pays = |nonce| {
        world.opened(
            &party(Role::Site, "s2"),
            Entry::Transfer(match transfer(nonce, 5) {
                Entry::Transfer(entry) => wire::entry::TransferEntry { to: id("account-s3"), ..entry },
                other => panic!("{other:?}"),
            }),
        )
    };
    let entries: Vec<Vec<OpenedEntry>> = vec![
        vec![pays(0)],
        vec![world.opened(&site, rotate)],
        vec![world.opened(&validator(1), Entry::Proposal(Box::new(proposal)))],
        votes.collect(),
        vec![pays(1)],
    ];
    let mut chain = world.chain();
    let mut blocks = Vec::new();
    for entries in entries {
        let by = chain.rules.verifier.validators()[0].0.clone();
        let (decided, next) = world.decide_by(&by, &chain, &entries);
        chain = next;
        blocks.push((decided, chain.clone()));
    }
    Story { world, blocks }
}

static STORY: OnceLock<Story> = OnceLock::new();

fn take(follower: &mut Follower, decided: &DecidedBlock) -> Result<(), FollowError> {
    follower.check(decided)?;
    let entries: Vec<_> = decided.entries().collect();
    follower.advance(&decided.block.header, &entries)
}

fn governed_before(story: &Story, block: usize) -> ledger::governed::Governed {
    match block {
        0 => story.world.chain().state.governed().as_ref().clone(),
        _ => story.blocks[block - 1].1.state.governed().as_ref().clone(),
    }
}

/// What a validator would say of the rules of this block, counted from 0.
fn summary(story: &Story, block: usize) -> Summary {
    let decided = &story.blocks[block].0;
    Summary {
        header: decided.block.header.clone(),
        certificate: decided.certificate.clone(),
        governed: governed_before(story, block),
        entries: None,
    }
}

/// The same with the block's entries.
fn whole(story: &Story, block: usize) -> Summary {
    Summary { entries: Some(story.blocks[block].0.block.entries.clone()), ..summary(story, block) }
}

#[test]
fn with_the_blocks_entries_nothing_is_missing() {
    let story = story();
    for block in 0..5 {
        let mut follower = Follower::new(&story.world.genesis).unwrap();
        assert!(follower.take_summary(&whole(&story, block).encode().unwrap()).unwrap());
        assert_eq!(follower.rules().governed, *story.blocks[block].1.state.governed());
        assert!(!follower.take_summary(&whole(&story, block).encode().unwrap()).unwrap());
        for (decided, _) in &story.blocks[block + 1..] {
            take(&mut follower, decided).unwrap();
        }
        assert_eq!(follower.rules().governed, *story.blocks[4].1.state.governed());
    }
    let other = |error: &FollowError| matches!(error, FollowError::OtherEntries { .. });
    check_summary(|story, draft| draft.entries = whole(story, 3).entries, other);
    check_summary(|_, draft| draft.entries = Some(Vec::new()), other);
    check_summary(
        |story, draft| {
            *draft = whole(story, 0);
            draft.certificate.signatures.truncate(2);
        },
        |error| matches!(error, FollowError::Block(_)),
    );
}

#[test]
fn whoever_sees_every_block_knows_what_validators_know() {
    let story = story();
    let mut follower = Follower::new(&story.world.genesis).unwrap();
    for (decided, chain) in &story.blocks {
        take(&mut follower, decided).unwrap();
        assert_eq!(follower.rules().governed, *chain.state.governed());
        assert_eq!(follower.registry(), chain.rules.verifier.registry());
        assert_eq!(follower.rules().verifier.validators(), chain.rules.verifier.validators());
    }
    // Late copies are still checked, by the rules they were made under.
    for (decided, _) in &story.blocks {
        take(&mut follower, decided).unwrap();
        let mut spoilt = decided.clone();
        spoilt.certificate.signatures.truncate(2);
        assert!(follower.check(&spoilt).is_err());
    }
    assert_eq!(follower.rules().governed, *story.blocks[4].1.state.governed());
}

#[test]
fn a_gap_without_a_change_is_nothing_and_one_with_a_change_is_noticed() {
    let story = story();
    let mut follower = Follower::new(&story.world.genesis).unwrap();
    take(&mut follower, &story.blocks[1].0).unwrap();
    assert_eq!(follower.registry()[&party(Role::Site, "s1")].epoch.number, 1);
    let missed = take(&mut follower, &story.blocks[4].0).unwrap_err();
    assert_eq!(missed, FollowError::Behind { height: 5 });
    // Out of order, a change is made once what came before it is there.
    assert_eq!(take(&mut follower, &story.blocks[3].0).unwrap_err(), FollowError::Behind { height: 4 });
    for block in [2, 3, 4] {
        take(&mut follower, &story.blocks[block].0).unwrap();
    }
    assert_eq!(follower.rules().governed, *story.blocks[4].1.state.governed());
}

#[test]
fn a_validators_word_with_its_proof_brings_whoever_was_away_up_to_date() {
    let story = story();
    for block in 1..5 {
        let mut follower = Follower::new(&story.world.genesis).unwrap();
        let news = follower.take_summary(&summary(&story, block).encode().unwrap()).unwrap();
        assert_eq!(news, block > 1);
        for (decided, _) in &story.blocks[block..] {
            take(&mut follower, decided).unwrap();
        }
        assert_eq!(follower.rules().governed, *story.blocks[4].1.state.governed());
        // What is older than what is known is no news.
        assert!(!follower.take_summary(&summary(&story, 2).encode().unwrap()).unwrap());
    }
}

fn check_summary(spoil: impl FnOnce(&Story, &mut Summary), expected: fn(&FollowError) -> bool) {
    let story = story();
    let mut draft = summary(&story, 4);
    spoil(&story, &mut draft);
    let mut follower = Follower::new(&story.world.genesis).unwrap();
    let before = follower.rules().clone();
    let error = follower.take_summary(&cbor::to_vec(&draft).unwrap()).unwrap_err();
    assert!(expected(&error), "{error}");
    assert!(Arc::ptr_eq(&before, follower.rules()));
}

#[test]
fn a_summary_without_its_proof_is_not_believed() {
    check_summary(
        |story, draft| draft.governed = governed_before(story, 2),
        |error| matches!(error, FollowError::OtherGoverned { .. }),
    );
    check_summary(
        |_, draft| draft.certificate.signatures.truncate(2),
        |error| matches!(error, FollowError::Block(_)),
    );
    check_summary(
        |_, draft| draft.header.state_hash.0[0] ^= 1,
        |error| matches!(error, FollowError::Block(_)),
    );
    // Validators of their own making vote for whatever they like; of those known here, too few did.
    check_summary(
        |story, draft| {
            let mut governed = draft.governed.clone();
            governed.edit(|provisions| provisions.validators = ["v5", "v6"].map(id).into());
            draft.header = Header { governed: governed.hash(), proposer: id("v5"), ..draft.header.clone() };
            let rules = story.world.rules.after(&Arc::new(governed.clone()), NOW_MS).unwrap();
            draft.certificate = story.world.votes_by(&rules, &draft.header);
            draft.governed = governed;
        },
        |error| matches!(error, FollowError::Strangers { votes: 0, known: 4, .. }),
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn hostile_summaries_are_refused(place in any::<prop::sample::Index>(), flip in 1u8..) {
        let story = STORY.get_or_init(story);
        let mut bytes = whole(story, 4).encode().unwrap();
        let at = place.index(bytes.len());
        bytes[at] ^= flip;
        let mut follower = Follower::new(&story.world.genesis).unwrap();
        let before: Hash32 = follower.rules().governed.hash();
        prop_assert!(!matches!(follower.take_summary(&bytes), Ok(true)));
        prop_assert!(follower.take_summary(&bytes[..at]).is_err());
        prop_assert_eq!(follower.rules().governed.hash(), before);
    }
}
