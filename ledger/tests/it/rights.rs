//! Who may write and read what: the table in code, held against one written by hand and against the contracts.

use crate::day::{clearing, delivery};
use crate::world::{id, party, transfer, World, AT};
use ledger::contracts::apply;
use ledger::rights::{may_read, may_write, page, EntryKind, Query};
use ledger::state::receipt::Refusal;
use market::units::NanoEur;
use wire::entry::governance::{BallotEntry, GovernedChange, ProposalEntry};
use wire::entry::registry::ParticipantEntry;
use wire::entry::{
    BurnEntry, DayAheadEntry, Entry, MintEntry, RedeemEntry, Redeemed, Reference, SignedEnvelope,
};
use wire::hash::Hash32;
use wire::party::{PartyId, Role};

const READERS: [Role; 4] = [Role::Timekeeper, Role::Meter, Role::Auditor, Role::Regulator];

/// Who may write what, by hand.
fn writers(kind: EntryKind) -> Vec<Role> {
    let but = |others: &[Role]| Role::ALL.into_iter().filter(|role| !others.contains(role)).collect();
    match kind {
        EntryKind::Clearing | EntryKind::DayAhead => vec![Role::Dso],
        EntryKind::Delivery => vec![Role::Aggregator],
        EntryKind::Mint | EntryKind::Burn => vec![Role::Gateway],
        EntryKind::Transfer | EntryKind::Redeem => but(&READERS),
        EntryKind::Participant => but(&[Role::Timekeeper]),
        EntryKind::Proposal => vec![Role::Dso, Role::Validator, Role::Regulator],
        EntryKind::Ballot => vec![Role::Validator],
    }
}

fn entry(world: &World, kind: EntryKind, by: &PartyId) -> Entry {
    match kind {
        EntryKind::Clearing => clearing(world, |_| {}).entry,
        EntryKind::DayAhead => {
            let nothing = || SignedEnvelope { topic: String::new(), bytes: Vec::new().into() };
            Entry::DayAhead(DayAheadEntry {
                session: crate::world::INTERVAL,
                rounds: 1,
                clearing: Default::default(),
                supply: nothing(),
                demands: Vec::new(),
            })
        }
        EntryKind::Delivery => delivery(world, "agg-1", |_| {}).entry,
        EntryKind::Transfer => transfer(0, 5),
        EntryKind::Mint => {
            let reference = Reference { day: 1, hash: Hash32::default() };
            Entry::Mint(MintEntry { to: id("account-s1"), amount: NanoEur(5), reference })
        }
        EntryKind::Redeem => {
            Entry::Redeem(RedeemEntry { gateway: id("gateway-1"), amount: NanoEur(5), nonce: 0 })
        }
        EntryKind::Burn => {
            Entry::Burn(BurnEntry { account: id("account-s1"), nonce: 0, outcome: Redeemed::Returned })
        }
        EntryKind::Participant => Entry::Participant(Box::new(ParticipantEntry::Revoke(by.clone()))),
        EntryKind::Proposal => Entry::Proposal(Box::new(ProposalEntry {
            at_height: 9,
            change: GovernedChange::Revoke(party(Role::Site, "s1")),
        })),
        EntryKind::Ballot => Entry::Ballot(BallotEntry { proposal: Hash32::default(), approve: true }),
    }
}

#[test]
fn every_role_writes_every_kind_of_entry_or_is_refused_for_want_of_the_right() {
    let world = World::with_every_role();
    let mut allowed = 0;
    for role in Role::ALL {
        let by = world.signers.keys().find(|party| party.role == role).unwrap();
        for kind in EntryKind::ALL {
            let mut state = world.chain().state;
            let before = state.hash();
            let entry = entry(&world, kind, by);
            assert_eq!(EntryKind::of(&entry), kind);
            let outcome = apply(&world.rules, &mut state, AT, by, &entry);
            let expected = writers(kind).contains(&role);
            assert_eq!(may_write(role, kind), expected, "{role:?}, {kind:?}");
            let right = !matches!(outcome, Err(Refusal::Right { .. }));
            assert_eq!(right, expected, "{role:?}, {kind:?}: {outcome:?}");
            assert_eq!(outcome.is_ok(), state.hash() != before, "{role:?}, {kind:?}");
            allowed += usize::from(right);
        }
    }
    assert_eq!(allowed, 39);
}

#[test]
fn strangers_have_no_rights() {
    let world = World::new(1);
    let mut state = world.chain().state;
    for kind in EntryKind::ALL {
        for role in writers(kind) {
            let stranger = party(role, "stranger");
            let entry = entry(&world, kind, &stranger);
            let refusal = apply(&world.rules, &mut state, AT, &stranger, &entry).unwrap_err();
            assert_eq!(refusal.reason(), "no-participant");
        }
    }
}

#[test]
fn who_may_read_what() {
    let all = |caller: Option<Role>| Query::ALL.into_iter().filter(move |query| may_read(caller, *query));
    assert_eq!(all(None).collect::<Vec<_>>(), [Query::Heads, Query::PublicPrices]);
    let overseers = [Role::Auditor, Role::Regulator];
    overseers.into_iter().for_each(|role| assert_eq!(all(Some(role)).count(), Query::ALL.len()));
    let others = [
        Query::Blocks,
        Query::Entries,
        Query::BlockStream,
        Query::AnyBalance,
        Query::AnyCommitments,
        Query::AnyProofs,
        Query::SettlementExport,
        Query::Participants,
        Query::ClearingHistory,
    ];
    for role in [Role::Site, Role::Meter, Role::DataService, Role::Timekeeper] {
        assert!(others.into_iter().all(|query| !may_read(Some(role), query)), "{role:?}");
        assert!(may_read(Some(role), Query::OwnBalance));
    }
    assert!(may_read(Some(Role::Site), Query::OwnCommitments));
    assert!(may_read(Some(Role::DataService), Query::Aggregates));
}

#[test]
fn the_page_of_rights_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/RIGHTS.md");
    let written = std::fs::read_to_string(path).unwrap();
    assert!(
        written == page::render(),
        "{path} is stale: write it again with `cargo run -- rights-doc > docs/RIGHTS.md`"
    );
    assert!(written.contains(&format!("| `{}` |", EntryKind::Ballot.word())));
}
