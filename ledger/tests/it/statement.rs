//! Statements: figures worked out by hand, sums that are what balances changed by, and a refusal where they are not.

use crate::day::{clearing, delivery};
use crate::store::filled;
use crate::world::{id, World, INTERVAL};
use ledger::statement::{Book, Line, Period, Quantity, Statement, StatementError};
use ledger::store::Store;
use ledger::verify::replay;
use market::units::{Millijoule, NanoEur};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

/// The statement of a folder over a period, its receipts first spoilt.
fn statement(
    folder: &Path,
    period: Period,
    spoil: impl Fn(u64, &mut NanoEur),
) -> Result<Statement, StatementError> {
    let mut ledger = replay(folder).unwrap();
    let mut book = Book::new(period, ledger.state());
    loop {
        let rules = ledger.rules().clone();
        let Some(block) = ledger.next() else { break };
        let mut block = block.unwrap();
        let height = block.decided.height();
        for payment in block.receipts.iter_mut().flat_map(|(_, receipt)| &mut receipt.payments) {
            spoil(height, &mut payment.amount);
        }
        if !book.take(&block, &rules, ledger.state()) {
            break;
        }
    }
    book.close()
}

fn of_account(statement: &Statement, account: &str) -> Vec<(&'static str, Quantity, i64)> {
    let line = |line: &Line| (line.item, line.quantity, line.amount.0);
    statement.lines.iter().filter(|line| line.account == id(account)).map(line).collect()
}

/// The balances that a period's totals name, by account.
fn balances(statement: &Statement) -> BTreeMap<String, (i64, i64)> {
    let of = |total: &ledger::statement::Total| {
        let (opening, closing) = total.balances.unwrap();
        (total.account.to_string(), (opening.0, closing.0))
    };
    statement.totals.iter().map(of).collect()
}

#[test]
fn a_sites_lines_are_its_energy_fee_and_deviation() {
    let (world, folder) = (World::new(4), tempfile::tempdir().unwrap());
    filled(&world, folder.path());
    let all = statement(folder.path(), Period::default(), |_, _| {}).unwrap();
    let energy = |millijoule| Quantity::Energy(Millijoule(millijoule));
    // 1 kWh at 80 EUR/MWh, its fee at 2, and 0.05 kWh more at 80 + 20; then a transfer of 5 nEUR.
    let expected = [
        ("energy", energy(3_600_000_000), -80_000_000),
        ("aggregator-fee", energy(3_600_000_000), -2_000_000),
        ("deviation", energy(180_000_000), -5_000_000),
        ("transfer", Quantity::None, -5),
    ];
    assert_eq!(of_account(&all, "account-s1"), expected);
    // 0.25 kWh fed in at 50, the fee on it, and 0.05 kWh fed in too little, at 50 + 20.
    let expected = [
        ("energy", energy(-900_000_000), 12_500_000),
        ("aggregator-fee", energy(900_000_000), -500_000),
        ("deviation", energy(180_000_000), -3_500_000),
    ];
    assert_eq!(of_account(&all, "account-s3"), expected);
    let line = all.lines.iter().find(|line| line.item == "transfer").unwrap();
    assert_eq!((line.reference.height, line.reference.index, line.interval), (3, 0, None));
    assert_eq!(all.parties[&id("account-s1")].to_string(), "site/s1");
}

#[test]
fn a_period_is_a_run_of_blocks_with_the_balances_around_it() {
    let (world, folder) = (World::new(4), tempfile::tempdir().unwrap());
    let chain = filled(&world, folder.path());
    let time = |height: u64| crate::world::NOW_MS + height - 1;
    let period = |from: Option<u64>, to: Option<u64>| {
        let period = Period { from_ms: from.map(time), to_ms: to.map(time) };
        statement(folder.path(), period, |_, _| {}).unwrap()
    };
    let (whole, second, third) = (period(None, None), period(Some(2), Some(3)), period(Some(3), None));
    assert!(second.lines.iter().all(|line| line.reference.height == 2));
    assert_eq!(third.lines.len(), 2);
    assert_eq!(second.lines.len() + third.lines.len(), whole.lines.len());
    let (whole, second, third) = (balances(&whole), balances(&second), balances(&third));
    for (account, of) in chain.state.accounts().iter() {
        let account = account.to_string();
        assert_eq!(third[&account].1, of.balance.0);
        assert_eq!(second[&account].1, third[&account].0);
        assert_eq!(whole[&account], (second[&account].0, third[&account].1));
    }
    assert!(period(Some(9), None).lines.is_empty());
}

#[test]
fn lines_of_intervals_are_a_selection_of_lines_that_reconcile() {
    let (world, folder) = (World::new(4), tempfile::tempdir().unwrap());
    filled(&world, folder.path());
    let all = statement(folder.path(), Period::default(), |_, _| {}).unwrap();
    let start_ms = INTERVAL.start().0 as u64 * 1_000;
    let within = Period { from_ms: Some(start_ms), to_ms: Some(start_ms + 1) };
    let of = all.clone().of_intervals(&within).of_account(&id("account-s1"));
    assert_eq!(of.lines.len(), 3);
    assert_eq!(of.totals.iter().map(|total| total.amount).collect::<Vec<_>>(), [-87_000_000]);
    let later = Period { from_ms: Some(start_ms + 1), to_ms: None };
    assert_eq!(all.of_intervals(&later).lines, []);
}

#[test]
fn what_does_not_add_up_is_refused() {
    let (world, folder) = (World::new(4), tempfile::tempdir().unwrap());
    filled(&world, folder.path());
    let spoilt = statement(folder.path(), Period::default(), |height, amount| {
        if height == 3 && amount.0 < 0 {
            amount.0 -= 1;
        }
    });
    let Err(StatementError::Differs { account, lines, opening, closing }) = spoilt else {
        panic!("{spoilt:?}")
    };
    assert_eq!(account, id("account-s1"));
    assert_eq!(lines + 1, i128::from(closing.0) - i128::from(opening.0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    // Readings up to ten times what connections carry, where rounding leaves something almost always.
    #[test]
    fn lines_add_up_to_the_change_of_balance_to_the_nano_euro(
        energies in prop::array::uniform4(prop::option::of(-90_000_000_000i64..90_000_000_000)),
    ) {
        let (world, folder) = (World::new(1), tempfile::tempdir().unwrap());
        let (mut store, mut chain) = Store::open(folder.path(), &world.genesis, &world.rules).unwrap();
        let started = chain.state.clone();
        let read = |aggregator, read: &[Option<i64>]| delivery(&world, aggregator, |entry| {
            for (site, energy) in entry.sites.iter_mut().zip(read) {
                site.energy = energy.map(Millijoule);
            }
        });
        let deliveries = vec![read("agg-1", &energies[..2]), read("agg-2", &energies[2..])];
        for entries in [vec![clearing(&world, |_| {})], deliveries] {
            let (decided, mut next) = world.decide(&chain, &entries);
            store.append(&decided, &mut next.state).unwrap();
            chain = next;
        }
        drop(store);
        let all = statement(folder.path(), Period::default(), |_, _| {}).unwrap();
        for total in &all.totals {
            let balance = |state: &ledger::state::State| i128::from(state.balance(&total.account).0);
            prop_assert_eq!(total.amount, balance(&chain.state) - balance(&started));
            let lines = all.lines.iter().filter(|line| line.account == total.account);
            prop_assert_eq!(lines.map(|line| i128::from(line.amount.0)).sum::<i128>(), total.amount);
        }
        prop_assert_eq!(all.totals.iter().map(|total| total.amount).sum::<i128>(), 0);
        for (site, energy) in ["account-s1", "account-s2", "account-s3", "account-s4"].iter().zip(energies) {
            // Every site's payment is told in parts, with a line for whatever its meter counted otherwise.
            let items: Vec<&str> = of_account(&all, site).iter().map(|(item, ..)| *item).collect();
            prop_assert!(items.starts_with(&["energy", "aggregator-fee"]), "{:?}", items);
            prop_assert!(energy.is_some() || items.len() == 2, "{:?}", items);
        }
    }
}
