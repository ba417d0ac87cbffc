//! What contracts take and refuse, and that a refused entry leaves no trace.

use crate::day::{
    absurd_energy, bids_root, clearing, delivery, leaves, next_interval, with_grid_figures, Draft,
};
use crate::world::{id, party, transfer, World, AT};
use ledger::contracts::apply;
use ledger::execute::OpenedEntry;
use ledger::state::State;
use market::grid::certificate::GridClearing;
use market::interval::{Interval, UnixSeconds};
use market::units::{Millivar, Milliwatt, NanoEur, PicoEurPerWh};
use proptest::prelude::*;
use std::collections::BTreeMap;
use wire::entry::{ClearingEntry, DeliveryEntry, Entry, TransferEntry};
use wire::merkle_sum::SumLeaf;
use wire::party::{Id, Role};

pub fn run(
    world: &World,
    state: &mut State,
    opened: &OpenedEntry,
) -> Result<BTreeMap<Id, i64>, &'static str> {
    let before = state.clone();
    match apply(&world.rules, state, AT, &opened.submitter, &opened.entry) {
        Ok(receipt) => {
            let issued = i128::from(state.issued().0) - i128::from(before.issued().0);
            assert_eq!(state.total_nano_eur() - before.total_nano_eur(), issued);
            assert_ne!(state.hash(), before.hash());
            assert_eq!(receipt.payments.iter().map(|p| i128::from(p.amount.0)).sum::<i128>(), issued);
            Ok(receipt.payments.into_iter().map(|p| (p.account, p.amount.0)).collect())
        }
        Err(refusal) => {
            assert_eq!(*state, before, "{refusal} left a trace");
            Err(refusal.reason())
        }
    }
}

fn check_clearing(spoil: impl FnOnce(&mut Draft), expected: Result<(), &'static str>) {
    let world = World::new(1);
    let mut state = world.chain().state;
    let opened = clearing(&world, spoil);
    assert_eq!(run(&world, &mut state, &opened).map(|_| ()), expected);
}

#[test]
fn a_clearing_holds_only_with_its_evidence() {
    check_clearing(|_| {}, Ok(()));
    check_clearing(|draft| draft.entry.interval = next_interval(), Err("evidence"));
    check_clearing(|draft| draft.entry.interval = Interval(UnixSeconds(7)), Err("no-interval"));
    check_clearing(|draft| draft.supply.interval = next_interval(), Err("evidence"));
    check_clearing(|draft| draft.demands[0].1.interval = next_interval(), Err("evidence"));
    check_clearing(|draft| draft.demands.swap(0, 1), Err("evidence"));
    check_clearing(|draft| drop(draft.demands.pop()), Err("evidence"));
    check_clearing(|draft| draft.demands[1].0 = party(Role::Aggregator, "agg-1"), Err("evidence"));
    check_clearing(|draft| drop(draft.demands[0].1.buses.pop()), Err("evidence"));
    check_clearing(|draft| draft.entry.prices.truncate(2), Err("evidence"));
    check_clearing(|draft| draft.entry.rounds = 2, Err("evidence"));
    check_clearing(|draft| draft.demands[1].1.rounds = 2, Ok(()));
    check_clearing(|draft| draft.demands[1].1.rounds = 4, Err("evidence"));
    for (rounds, expected) in [(0, Err("evidence")), (5, Ok(())), (6, Err("evidence"))] {
        let all = |draft: &mut Draft| {
            draft.entry.rounds = rounds;
            draft.demands.iter_mut().for_each(|(_, demand)| demand.rounds = rounds);
        };
        check_clearing(all, expected);
    }
    check_clearing(|draft| draft.demands[0].1.buses[1].0.bus = "grid".to_owned(), Err("evidence"));
    check_clearing(|draft| draft.demands[0].1.import += Milliwatt(1), Err("evidence"));
    // Import and export raised together keep their difference, and are the tree's to refuse later.
    check_clearing(|draft| draft.demands[0].1.export = Milliwatt(-1), Err("evidence"));
    check_clearing(|draft| draft.demands[0].1.buses[0].1.high = Milliwatt(10_000_001), Err("evidence"));
}

#[test]
fn a_clearing_holds_only_with_its_certificate() {
    let a_tick = PicoEurPerWh(1);
    check_clearing(|draft| draft.entry.import += Milliwatt(1), Err("certificate"));
    check_clearing(|draft| draft.entry.flows[0] += Milliwatt(1), Err("certificate"));
    check_clearing(|draft| draft.entry.prices.push(a_tick), Err("certificate"));
    check_clearing(|draft| draft.entry.flows.truncate(1), Err("certificate"));
    check_clearing(|draft| draft.entry.prices[0] += a_tick, Err("certificate"));
    check_clearing(|draft| draft.entry.prices[0] = PicoEurPerWh(i64::MAX), Err("certificate"));
    // A price that rises along a line that is not full, which everyone involved has signed.
    check_clearing(
        |draft| {
            draft.entry.prices[2] += a_tick;
            draft.demands[0].1.buses[1].0.price += a_tick;
            draft.demands[1].1.buses[0].0.price += a_tick;
        },
        Err("certificate"),
    );
    // An allocation outside what the bids allow.
    check_clearing(|draft| draft.demands[0].1.buses[0].1.high = Milliwatt(3_999_999), Err("certificate"));
    // More over the line than it carries, which everyone involved has signed.
    check_clearing(
        |draft| {
            let more = Milliwatt(1);
            draft.demands[0].1.buses[0].0.allocation += more;
            draft.demands[0].1.import += more;
            draft.entry.flows[0] += more;
            draft.entry.import += more;
        },
        Err("certificate"),
    );
}

fn check_grid_clearing(spoil: impl FnOnce(&mut ClearingEntry), expected: Result<(), &'static str>) {
    let world = World::with_grid();
    let mut state = world.chain().state;
    let opened = clearing(&world, |draft| {
        with_grid_figures(draft);
        spoil(&mut draft.entry);
    });
    assert_eq!(run(&world, &mut state, &opened).map(|_| ()), expected);
}

#[test]
fn where_the_grid_is_known_its_figures_must_prove_the_clearing() {
    let figures = |spoil: fn(&mut GridClearing), expected| {
        check_grid_clearing(|entry| spoil(entry.grid.as_mut().unwrap()), expected);
    };
    figures(|_| {}, Ok(()));
    figures(|grid| grid.multipliers[1].congestion.0 -= 2_000, Err("certificate"));
    figures(|grid| grid.multipliers[2].voltage.0 = 1, Err("certificate"));
    figures(|grid| grid.reactive_prices[2].0 = 2_000, Err("certificate"));
    figures(|grid| grid.flows[2].reactive.0 += 1, Err("certificate"));
    figures(|grid| grid.import_reactive.0 += 1, Err("certificate"));
    // What stands in the clearing and in the grid's figures must be one.
    figures(|grid| grid.prices[1].0 += 1, Err("certificate"));
    figures(|grid| grid.prices.truncate(2), Err("certificate"));
    figures(|grid| grid.flows[1].power.0 += 1, Err("certificate"));
    figures(|grid| grid.flows.truncate(2), Err("certificate"));
    figures(|grid| grid.import.0 += 1, Err("certificate"));
    check_grid_clearing(|entry| entry.flows.push(Milliwatt(0)), Err("certificate"));
    check_grid_clearing(|entry| entry.prices.push(PicoEurPerWh(0)), Err("certificate"));
    check_grid_clearing(|entry| entry.grid = None, Err("certificate"));
    // And a market that doesn't know its grid has none.
    check_clearing(with_grid_figures, Err("certificate"));
}

#[test]
fn an_interval_is_cleared_once_and_by_the_dso() {
    let world = World::new(1);
    let mut state = world.chain().state;
    let opened = clearing(&world, |_| {});
    let by_tso = OpenedEntry { submitter: party(Role::Tso, "tso"), ..opened.clone() };
    assert_eq!(run(&world, &mut state, &by_tso), Err("right"));
    assert!(run(&world, &mut state, &opened).is_ok());
    assert_eq!(run(&world, &mut state, &opened), Err("cleared-before"));
}

/// The state after the interval was cleared.
fn cleared(world: &World) -> State {
    let mut state = world.chain().state;
    run(world, &mut state, &clearing(world, |_| {})).unwrap();
    state
}

#[test]
fn a_delivery_settles_every_site_to_zero() {
    let world = World::new(1);
    let mut state = cleared(&world);
    let paid = run(&world, &mut state, &delivery(&world, "agg-1", |_| {})).unwrap();
    // By hand, in nano-euro, for a quarter of an hour (1 kW is 250 Wh; 1 EUR/MWh is 1000 nEUR/Wh).
    // s1: 1000 Wh at 80, the fee of 2 on them, and 50 Wh more than committed at 80 + 20.
    // s2: 500 Wh at 50, the fee of 2 on them.
    let expected = [
        ("account-agg-1", 2_000_000 + 1_000_000),
        ("account-dso", 30_000_000),
        ("account-s1", -80_000_000 - 2_000_000 - 5_000_000),
        ("account-s2", -25_000_000 - 1_000_000),
        ("account-tso", 50_000_000 + 5_000_000 + 25_000_000),
        ("rounding", 0),
    ];
    assert_eq!(paid, expected.map(|(account, amount)| (id(account), amount)).into());
    let paid = run(&world, &mut state, &delivery(&world, "agg-2", |_| {})).unwrap();
    // s3: -250 Wh at 50, the fee, and 50 Wh less fed in than committed at 50 + 20. s4: as committed.
    assert_eq!(paid[&id("account-s3")], 12_500_000 - 500_000 - 3_500_000);
    assert_eq!(paid[&id("account-s4")], -6_250_000 - 250_000);
    assert_eq!(run(&world, &mut state, &delivery(&world, "agg-1", |_| {})), Err("settled-before"));
}

fn check_delivery(spoil: impl FnOnce(&mut DeliveryEntry), expected: &'static str) {
    let world = World::new(1);
    let mut state = cleared(&world);
    assert_eq!(run(&world, &mut state, &delivery(&world, "agg-1", spoil)), Err(expected));
}

#[test]
fn a_delivery_that_is_not_what_was_signed_is_refused() {
    check_delivery(|entry| entry.interval = next_interval(), "not-cleared");
    check_delivery(|entry| entry.sites.swap(0, 1), "sites");
    check_delivery(|entry| entry.sites[1].account = id("account-s3"), "sites");
    check_delivery(|entry| entry.sites[1].account = id("account-dso"), "sites");
    check_delivery(|entry| drop(entry.sites.pop()), "root");
    check_delivery(|entry| entry.sites[0].commitment += Milliwatt(1), "root");
    check_delivery(|entry| entry.sites[0].bid_hash.0[0] ^= 1, "root");
    check_delivery(|entry| entry.sites[0].energy = Some(absurd_energy()), "implausible-reading");
}

/// Bids as they were fixed before the prices; agg-1 then allocates to those of sites 1 and 2.
fn check_bids(fixed: impl FnOnce(&mut Vec<SumLeaf>), expected: Result<(), &'static str>) {
    let world = World::new(1);
    let mut state = world.chain().state;
    let mut bids = leaves("agg-1");
    fixed(&mut bids);
    let by_dso = clearing(&world, |draft| draft.demands[0].1.bids_root = bids_root(&bids));
    run(&world, &mut state, &by_dso).unwrap();
    let delivered = run(&world, &mut state, &delivery(&world, "agg-1", |_| {}));
    assert_eq!(delivered.map(|_| ()), expected);
}

#[test]
fn validators_notice_bids_that_changed_after_they_were_fixed() {
    check_bids(|_| {}, Ok(()));
    // Site 4's was dropped afterwards, site 2's invented, site 1's replaced, and both exchanged.
    check_bids(|bids| bids.push(leaves("agg-2")[1].clone()), Err("bids"));
    check_bids(|bids| drop(bids.pop()), Err("bids"));
    check_bids(|bids| bids[0].bid_hash.0[0] ^= 1, Err("bids"));
    check_bids(|bids| bids.reverse(), Err("bids"));
}

#[test]
fn a_commitment_cannot_be_moved_to_a_bus_with_another_price() {
    let world = World::new(1);
    let mut state = world.chain().state;
    // The aggregator signs a tree in which site 2 carries what was allocated at site 1's bus.
    let moved = |site: &mut wire::merkle_sum::SumLeaf, power| site.allocation = Milliwatt(power);
    let mut sites: Vec<wire::merkle_sum::SumLeaf> = Vec::new();
    let opened = delivery(&world, "agg-1", |entry| {
        for (site, power) in entry.sites.iter_mut().zip([2_000_000, 4_000_000]) {
            site.commitment = Milliwatt(power);
            let (account, bid_hash) = (site.account.clone(), site.bid_hash);
            let (allocation, reactive) = (Milliwatt(0), Millivar(0));
            sites.push(SumLeaf { account, bid_hash, allocation, reactive });
        }
        moved(&mut sites[0], 2_000_000);
        moved(&mut sites[1], 4_000_000);
    });
    let root = wire::merkle_sum::SumTree::build(&sites).root();
    let by_dso = clearing(&world, |draft| draft.demands[0].1.allocations_root = root.hash);
    run(&world, &mut state, &by_dso).unwrap();
    assert_eq!(run(&world, &mut state, &opened), Err("root"));
}

#[test]
fn transfers_move_what_is_there_once() {
    let world = World::new(1);
    let mut state = world.chain().state;
    let payer = party(Role::Site, "s1");
    let mut check = |entry: Entry, expected: Result<(), &'static str>| {
        let opened = world.opened(&payer, entry);
        assert_eq!(run(&world, &mut state, &opened).map(|_| ()), expected);
    };
    let to = |account: &str, amount| {
        Entry::Transfer(TransferEntry { to: id(account), amount: NanoEur(amount), nonce: 0 })
    };
    check(to("account-s2", 0), Err("transfer-of-nothing"));
    check(to("account-s2", -5), Err("transfer-of-nothing"));
    check(to("account-s1", 5), Err("transfer-of-nothing"));
    check(to("nobody", 5), Err("no-account"));
    check(to("account-s2", 1_000_000_000_001), Err("overdraft"));
    check(transfer(1, 5), Err("nonce-ahead"));
    check(transfer(0, 5), Ok(()));
    check(transfer(0, 5), Err("nonce-used"));
    check(transfer(1, 1_000_000_000_000 - 5), Ok(()));
    check(transfer(2, 1), Err("overdraft"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn no_sequence_of_transfers_makes_or_loses_money(
        moves in prop::collection::vec((0usize..4, 0usize..4, -5i64..2_000_000_000_000, 0u64..4), 1..30),
    ) {
        let world = World::new(1);
        let mut state = world.chain().state;
        let total = state.total_nano_eur();
        for (from, to, amount, nonce) in moves {
            let [from, to] = [from, to].map(|place| format!("s{}", place + 1));
            let entry = TransferEntry { to: id(&format!("account-{to}")), amount: NanoEur(amount), nonce };
            let submitter = party(Role::Site, &from);
            let before = state.clone();
            if apply(&world.rules, &mut state, AT, &submitter, &Entry::Transfer(entry)).is_err() {
                prop_assert_eq!(&state, &before);
            }
            prop_assert_eq!(state.total_nano_eur(), total);
            prop_assert!(state.accounts().values().all(|account| account.balance >= NanoEur::ZERO));
        }
    }
}
