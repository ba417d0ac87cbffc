//! Who may write and read what: the table in code, held against one written by hand and against the contracts.

use crate::day::{clearing, delivery};
use crate::world::{id, party, transfer, World, AT, INTERVAL};
use ledger::contracts::apply;
use ledger::rights::{may_read, may_write, page, EntryKind, Query};
use ledger::state::receipt::Refusal;
use market::units::{Milliwatt, NanoEur, PicoEurPerWh};
use wire::entry::governance::{BallotEntry, GovernedChange, ProposalEntry};
use wire::entry::registry::ParticipantEntry;
use wire::entry::{
    BilateralEntry, BilateralOffer, BilateralStep, BurnEntry, DayAheadEntry, Direction, Entry, MintEntry,
    RedeemEntry, Redeemed, Reference, ReserveActivate, ReserveAward, ReserveEntry, ReserveOffer,
    ReserveTender, ResponseCall, ResponseEnrol, ResponseEntry, ResponseLeave, ResponseSettle, SignedEnvelope,
};
use wire::entry::{EvidenceEntry, Said, StatementKind};
use wire::hash::Hash32;
use wire::party::{PartyId, Role};
use wire::signature::Signature;

const READERS: [Role; 4] = [Role::Timekeeper, Role::Meter, Role::Auditor, Role::Regulator];

/// Who may write what, by hand.
fn writers(kind: EntryKind) -> Vec<Role> {
    let but = |others: &[Role]| Role::ALL.into_iter().filter(|role| !others.contains(role)).collect();
    match kind {
        EntryKind::Clearing | EntryKind::DayAhead => vec![Role::Dso],
        EntryKind::Delivery => vec![Role::Aggregator],
        EntryKind::Mint | EntryKind::Burn => vec![Role::Gateway],
        EntryKind::Transfer | EntryKind::Redeem => but(&READERS),
        EntryKind::BilateralOffer | EntryKind::BilateralAccept | EntryKind::ReserveOffer => vec![Role::Site],
        EntryKind::ResponseEnrol | EntryKind::ResponseLeave => vec![Role::Site],
        EntryKind::BilateralApprove => vec![Role::Dso],
        EntryKind::BilateralCancel => vec![Role::Site, Role::Dso],
        EntryKind::ReserveTender | EntryKind::ReserveAward | EntryKind::ReserveActivate => {
            vec![Role::Dso, Role::Tso]
        }
        EntryKind::ResponseCall => vec![Role::Dso, Role::Aggregator],
        EntryKind::ResponseSettle => vec![Role::Dso, Role::Aggregator, Role::Site],
        EntryKind::Participant | EntryKind::DoubleClearing => but(&[Role::Timekeeper]),
        EntryKind::Proposal => vec![Role::Dso, Role::Validator, Role::Regulator],
        EntryKind::Ballot | EntryKind::Evidence => vec![Role::Validator],
    }
}

const NOTHING: Hash32 = Hash32([0; 32]);
const PRICE: PicoEurPerWh = PicoEurPerWh(1);

fn bilateral(kind: EntryKind) -> BilateralEntry {
    let step = BilateralStep { contract: NOTHING };
    match kind {
        EntryKind::BilateralAccept => BilateralEntry::Accept(step),
        EntryKind::BilateralApprove => BilateralEntry::Approve(step),
        EntryKind::BilateralCancel => BilateralEntry::Cancel(step),
        _ => BilateralEntry::Offer(BilateralOffer {
            buyer: id("account-s2"),
            first: INTERVAL,
            intervals: 1,
            power: Milliwatt(1),
            price: PRICE,
            number: 0,
        }),
    }
}

fn reserve(kind: EntryKind) -> ReserveEntry {
    let (tender, price) = (NOTHING, PRICE);
    match kind {
        EntryKind::ReserveOffer => ReserveEntry::Offer(ReserveOffer { tender, power: Milliwatt(1), price }),
        EntryKind::ReserveAward => ReserveEntry::Award(ReserveAward { tender, price, powers: Vec::new() }),
        EntryKind::ReserveActivate => {
            ReserveEntry::Activate(ReserveActivate { tender, interval: INTERVAL, permille: 1 })
        }
        _ => ReserveEntry::Tender(ReserveTender {
            direction: Direction::Up,
            first: INTERVAL,
            intervals: 1,
            power: Milliwatt(1),
            price_max: PRICE,
            activation_price: PRICE,
            penalty_price: PRICE,
            number: 0,
        }),
    }
}

fn response(kind: EntryKind) -> ResponseEntry {
    match kind {
        EntryKind::ResponseLeave => ResponseEntry::Leave(ResponseLeave { nonce: 0 }),
        EntryKind::ResponseCall => ResponseEntry::Call(ResponseCall {
            first: INTERVAL,
            intervals: 1,
            price: PRICE,
            ahead_of_utc_s: 0,
            sites: Vec::new(),
            number: 0,
        }),
        EntryKind::ResponseSettle => ResponseEntry::Settle(ResponseSettle { event: NOTHING }),
        _ => ResponseEntry::Enrol(ResponseEnrol { operator: party(Role::Dso, "dso"), nonce: 0 }),
    }
}

fn entry(world: &World, kind: EntryKind, by: &PartyId) -> Entry {
    match kind {
        EntryKind::Clearing => clearing(world, |_| {}).entry,
        EntryKind::DayAhead => {
            let nothing = || SignedEnvelope { topic: String::new(), bytes: Vec::new().into() };
            Entry::DayAhead(DayAheadEntry {
                session: INTERVAL,
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
        EntryKind::BilateralOffer
        | EntryKind::BilateralAccept
        | EntryKind::BilateralApprove
        | EntryKind::BilateralCancel => Entry::Bilateral(bilateral(kind)),
        EntryKind::ReserveTender
        | EntryKind::ReserveOffer
        | EntryKind::ReserveAward
        | EntryKind::ReserveActivate => Entry::Reserve(reserve(kind)),
        EntryKind::ResponseEnrol
        | EntryKind::ResponseLeave
        | EntryKind::ResponseCall
        | EntryKind::ResponseSettle => Entry::Response(response(kind)),
        EntryKind::Evidence => {
            let said = |block| Said { block, polka_round: None, signature: Signature([0; 64]) };
            Entry::Evidence(Box::new(EvidenceEntry {
                validator: id("v1"),
                height: 0,
                round: 0,
                kind: StatementKind::Prevote,
                first: said(None),
                second: said(Some(NOTHING)),
            }))
        }
        EntryKind::DoubleClearing => Entry::DoubleClearing(Box::new(crate::double_clearing::proof(world))),
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
    assert_eq!(allowed, 71);
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
