//! Statements and aggregates as they are asked for: the same lines, totals and balances that a walk through the whole
//! chain gives, of those whom the caller may see.

use crate::query::{look, scene, FROM, TO};
use crate::store::{drop_index, open};
use crate::world::{id, party, transfer, World, INTERVAL, NOW_MS};
use ledger::query::{Booked, PeriodOf, ReadError, Reader, View};
use ledger::statement::{Book, Period, Statement};
use ledger::store::Store;
use ledger::verify::replay;
use market::interval::UnixSeconds;
use std::path::Path;
use wire::party::{PartyId, Role};

/// The statement of a folder's whole chain over a period of block times.
fn walked(folder: &Path, period: Period) -> Statement {
    let mut ledger = replay(folder).unwrap();
    let mut book = Book::new(period, ledger.state());
    loop {
        let rules = ledger.rules().clone();
        let Some(block) = ledger.next() else { break };
        if !book.take(&block.unwrap(), &rules, ledger.state()) {
            break;
        }
    }
    book.close().unwrap()
}

fn asked(
    (view, history): (&View, &Store),
    caller: Option<PartyId>,
    (of, from, to): (PeriodOf, i64, i64),
    party: Option<&str>,
) -> Result<Statement, ReadError> {
    let (from, to, party) = (UnixSeconds(from), UnixSeconds(to), party.map(str::to_owned));
    Reader::new(view, history, caller).statement(&Booked { from, to, of, party })
}

fn auditor() -> Option<PartyId> {
    Some(party(Role::Auditor, "any"))
}

/// The second in which the tests' blocks are made.
const BLOCKS_S: i64 = (NOW_MS / 1_000) as i64;

/// A payment a second from site 1 to site 2, of rising amounts.
fn seconds_apart(count: u64) -> (tempfile::TempDir, View, Store) {
    let (world, folder) = (World::new(1), tempfile::tempdir().unwrap());
    let (mut store, mut chain) = open(&world, folder.path()).unwrap();
    for nonce in 0..count {
        chain.tip.time_ms = NOW_MS + nonce * 1_000;
        let (decided, mut next) = world
            .decide(&chain, &[world.opened(&party(Role::Site, "s1"), transfer(nonce, 5 + nonce as i64))]);
        store.append(&decided, &mut next.state).unwrap();
        chain = next;
    }
    drop(store);
    drop_index(folder.path());
    let (view, store) = look(&world, folder.path());
    (folder, view, store)
}

#[test]
fn a_statement_is_what_a_walk_through_the_chain_gives() {
    let (folder, view, history) = scene();
    let whole = walked(folder.path(), Period::default());
    let day = (PeriodOf::Booking, BLOCKS_S - 10, BLOCKS_S + 10);
    assert_eq!(asked((&view, &history), auditor(), day, None).unwrap(), whole);
    for total in &whole.totals {
        let account = total.account.to_string();
        let one = asked((&view, &history), auditor(), day, Some(&account)).unwrap();
        assert_eq!(one, whole.clone().of_account(&total.account));
    }
    let s1 = Some(party(Role::Site, "s1"));
    let own = whole.clone().of_account(&id("account-s1"));
    assert_eq!(own.lines.len(), 4);
    for named in [None, Some("account-s1"), Some("site/s1")] {
        assert_eq!(asked((&view, &history), s1.clone(), day, named).unwrap(), own);
    }
    let period = Period { from_ms: Some(FROM.0 as u64 * 1_000), to_ms: Some(TO.0 as u64 * 1_000) };
    let intervals = (PeriodOf::Interval, FROM.0, TO.0);
    assert_eq!(asked((&view, &history), auditor(), intervals, None).unwrap(), whole.of_intervals(&period));
    let later = (PeriodOf::Interval, TO.0, TO.0 + 900);
    assert_eq!(asked((&view, &history), auditor(), later, None).unwrap().lines, []);
}

/// Every period of whole seconds: lines, and the balances around it, of those whom it touches and those it doesn't.
#[test]
fn balances_around_any_period_are_the_chains() {
    let (folder, view, history) = seconds_apart(6);
    for from in 0..7 {
        for to in from + 1..9 {
            let period = |seconds: i64| Some(((BLOCKS_S + seconds) * 1_000) as u64);
            let whole = walked(folder.path(), Period { from_ms: period(from), to_ms: period(to) });
            let booked = (PeriodOf::Booking, BLOCKS_S + from, BLOCKS_S + to);
            assert_eq!(asked((&view, &history), auditor(), booked, None).unwrap(), whole, "{from} to {to}");
            let own = asked((&view, &history), Some(party(Role::Site, "s2")), booked, None).unwrap();
            assert_eq!(own, whole.of_account(&id("account-s2")), "{from} to {to}");
        }
    }
}

#[test]
fn who_may_not_see_others_statements_is_refused() {
    let (_folder, view, history) = scene();
    let day = (PeriodOf::Booking, BLOCKS_S - 10, BLOCKS_S + 10);
    let check = |caller: Option<PartyId>, named: Option<&str>, expected: &str| {
        let words = match asked((&view, &history), caller.clone(), day, named) {
            Ok(_) => "answered",
            Err(ReadError::NotAllowed { .. }) => "refused",
            Err(ReadError::NoSuch { .. }) => "unknown",
            Err(other) => panic!("{other}"),
        };
        assert_eq!(words, expected, "{caller:?} {named:?}");
    };
    let site = || Some(party(Role::Site, "s1"));
    check(None, None, "refused");
    check(None, Some("account-s1"), "refused");
    check(site(), Some("account-s2"), "refused");
    check(site(), Some("site/s2"), "refused");
    check(site(), Some("nobody"), "refused");
    check(site(), Some("no/body"), "refused");
    check(Some(party(Role::Aggregator, "agg-1")), Some("account-s1"), "answered");
    check(Some(party(Role::Aggregator, "agg-1")), Some("account-s3"), "refused");
    check(Some(party(Role::Dso, "dso")), Some("account-s3"), "answered");
    check(Some(party(Role::Dso, "dso")), None, "answered");
    check(auditor(), Some("rounding"), "answered");
    check(auditor(), Some("nobody"), "unknown");
    check(auditor(), Some("no/body"), "unknown");
}

#[test]
fn a_period_is_bounded() {
    let (_folder, view, history) = scene();
    let month = 31 * 86_400;
    let check = |from: i64, to: i64, expected: bool| {
        for of in [PeriodOf::Booking, PeriodOf::Interval] {
            let answer = asked((&view, &history), auditor(), (of, from, to), None);
            assert_eq!(answer.is_ok(), expected, "{from} to {to}: {answer:?}");
        }
    };
    check(BLOCKS_S, BLOCKS_S, false);
    check(BLOCKS_S, BLOCKS_S - 1, false);
    check(BLOCKS_S, BLOCKS_S + month, true);
    check(BLOCKS_S, BLOCKS_S + month + 1, false);
    check(-1, month - 1, false);
    check(0, month, true);
    check(BLOCKS_S + 1, BLOCKS_S + 2, true);
    check(i64::MIN, i64::MAX, false);
}

/// Three quarters of the hour are not cleared, so nothing of it is published.
#[test]
fn an_hour_that_can_still_change_is_not_published() {
    let (_folder, view, history) = scene();
    let hour = INTERVAL.start().0 - INTERVAL.start().0 % 3_600;
    let reader = |caller: Option<PartyId>| Reader::new(&view, &history, caller);
    let span = (UnixSeconds(hour), UnixSeconds(hour + 3_600));
    let data_service = || Some(party(Role::DataService, "any"));
    assert_eq!(reader(data_service()).aggregates(span.0, span.1).unwrap(), []);
    assert!(matches!(reader(None).aggregates(span.0, span.1), Err(ReadError::NotAllowed { .. })));
    let week = reader(data_service()).aggregates(span.0, UnixSeconds(hour + 700 * 900));
    assert!(matches!(week, Err(ReadError::Span { .. })));
}
