//! Demand response: site 1 is asked on Thursday, 30 November 2023 at 22:15 UTC for half an hour. What it took before is
//! worked out by hand beside `market::baseline`.

use crate::play::{at, dso, site, Play};
use crate::world::{id, party};
use market::charges::Charges;
use market::units::PicoEurPerWh;
use std::collections::BTreeMap;
use wire::entry::{Entry, ResponseCall, ResponseEnrol, ResponseEntry, ResponseLeave, ResponseSettle};
use wire::hash::Hash32;
use wire::party::{Id, PartyId, Role};

/// Intervals of a day.
const DAY: i64 = 96;
/// The event's first interval.
const EVENT: i64 = 16 * DAY;
/// Ten weekdays before it, the latest first, as days after the first interval: what site 1 took in each interval of the
/// event's window and in each of the eight that begin four hours before it, in Wh.
const HISTORY: [(i64, [i64; 3]); 10] = [
    (14, [150, 150, 90]),
    (13, [200, 210, 100]),
    (10, [140, 150, 80]),
    (9, [240, 260, 150]),
    (8, [110, 110, 70]),
    (7, [190, 190, 110]),
    (6, [220, 230, 140]),
    (3, [150, 160, 95]),
    (2, [130, 140, 85]),
    (1, [160, 180, 100]),
];

fn enrol(operator: PartyId, nonce: u64) -> Entry {
    Entry::Response(ResponseEntry::Enrol(ResponseEnrol { operator, nonce }))
}

fn leave(nonce: u64) -> Entry {
    Entry::Response(ResponseEntry::Leave(ResponseLeave { nonce }))
}

fn terms(first: i64, sites: &[&str]) -> ResponseCall {
    ResponseCall {
        first: at(first),
        intervals: 2,
        price: PicoEurPerWh(200_000_000),
        ahead_of_utc_s: 0,
        sites: sites.iter().map(|site| id(&format!("account-{site}"))).collect(),
        number: 0,
    }
}

fn call(terms: &ResponseCall) -> Entry {
    Entry::Response(ResponseEntry::Call(terms.clone()))
}

fn name(terms: &ResponseCall) -> Hash32 {
    terms.name(&id("account-dso")).unwrap()
}

fn settle(event: Hash32) -> Entry {
    Entry::Response(ResponseEntry::Settle(ResponseSettle { event }))
}

/// Clears an interval and has both aggregators deliver; site 1 took so much.
fn day(play: &mut Play, later: i64, taken_wh: i64) {
    play.clear(later);
    deliver(play, later, taken_wh);
}

fn deliver(play: &mut Play, later: i64, taken_wh: i64) {
    // A watt-hour in a quarter of an hour is 4 W.
    play.deliver(later, "agg-1", [Some(taken_wh as f64 * 0.004), Some(2.0)]).unwrap();
    play.deliver(later, "agg-2", [None, None]).unwrap();
}

/// Site 1 enrolled with the DSO, ten weekdays gone by, and on the day of the event so much taken in each of the
/// intervals before it.
fn enrolled(before_wh: i64) -> Play {
    let mut play = Play::new(Charges::NONE);
    play.check(&site("s1"), enrol(dso(), 0), Ok(()));
    for (days, [first, second, before]) in HISTORY.into_iter().rev() {
        (-16..-8).for_each(|slot| day(&mut play, days * DAY + slot, before));
        day(&mut play, days * DAY, first);
        day(&mut play, days * DAY + 1, second);
    }
    (-16..-8).for_each(|slot| day(&mut play, EVENT + slot, before_wh));
    play
}

fn paid(play: &mut Play, terms: &ResponseCall) -> BTreeMap<Id, i64> {
    play.pays(&dso(), settle(name(terms))).unwrap()
}

#[test]
fn what_a_site_takes_below_its_baseline_is_paid_and_what_above_is_not_charged() {
    let mut play = enrolled(132);
    let terms = terms(EVENT, &["s1"]);
    play.check(&dso(), call(&terms), Ok(()));
    day(&mut play, EVENT, 100);
    day(&mut play, EVENT + 1, 250);
    // 202 and 214 Wh on the five highest of ten days, and a tenth more before the event than on these: 222.2 and 235.4.
    // 122.2 Wh less in the first interval, none in the second, at 0.2 mEUR.
    let paid = paid(&mut play, &terms);
    assert_eq!(paid, [(id("account-dso"), -24_440_000), (id("account-s1"), 24_440_000)].into());
    play.check(&dso(), settle(name(&terms)), Err("settled-before"));
}

#[test]
fn a_day_on_which_a_site_was_asked_says_nothing_of_what_is_usual() {
    let mut play = Play::new(Charges::NONE);
    play.check(&site("s1"), enrol(dso(), 0), Ok(()));
    for (days, [first, second, before]) in HISTORY.into_iter().rev() {
        (-16..-8).for_each(|slot| day(&mut play, days * DAY + slot, before));
        if days == 9 {
            play.check(&dso(), call(&terms(9 * DAY, &["s1"])), Ok(()));
        }
        day(&mut play, days * DAY, first);
        day(&mut play, days * DAY + 1, second);
    }
    let terms = terms(EVENT, &["s1"]);
    play.check(&dso(), call(&terms), Ok(()));
    day(&mut play, EVENT, 0);
    day(&mut play, EVENT + 1, 0);
    // Nine days are left, of which the five highest are now those with 450, 410, 380, 340 and 310: in the first
    // interval (220 + 200 + 190 + 160 + 150) / 5 = 184, in the second (230 + 210 + 190 + 180 + 160) / 5 = 194. Nothing
    // is known of the hours before the event, so there is no adjustment.
    assert_eq!(paid(&mut play, &terms)[&id("account-s1")], (184 + 194) * 200_000);
}

#[test]
fn who_has_no_baseline_is_paid_nothing() {
    let mut play = Play::new(Charges::NONE);
    play.check(&site("s1"), enrol(dso(), 0), Ok(()));
    play.clear(0);
    let terms = terms(1, &["s1"]);
    play.check(&dso(), call(&terms), Ok(()));
    day(&mut play, 1, 0);
    day(&mut play, 2, 0);
    assert_eq!(paid(&mut play, &terms), BTreeMap::new());
}

#[test]
fn an_event_settles_once_all_that_can_be_delivered_is() {
    let mut play = Play::new(Charges::NONE);
    play.check(&site("s1"), enrol(dso(), 0), Ok(()));
    play.clear(0);
    let terms = terms(1, &["s1"]);
    play.check(&dso(), call(&terms), Ok(()));
    let event = name(&terms);
    play.check(&dso(), settle(event), Err("not-delivered"));
    day(&mut play, 1, 0);
    play.check(&dso(), settle(event), Err("not-delivered"));
    play.clear(2);
    play.check(&dso(), settle(event), Err("not-delivered"));
    // Site 1 is the first aggregator's; nobody waits for the second.
    play.deliver(2, "agg-1", [Some(0.0), Some(2.0)]).unwrap();
    play.check(&site("s2"), settle(event), Err("not-yours"));
    play.check(&site("s1"), settle(Hash32::default()), Err("unknown-event"));
    play.check(&site("s1"), settle(event), Ok(()));
}

#[test]
fn an_interval_that_was_never_cleared_is_not_waited_for() {
    let mut play = Play::new(Charges::NONE);
    play.check(&site("s1"), enrol(dso(), 0), Ok(()));
    play.clear(0);
    let terms = terms(1, &["s1"]);
    play.check(&dso(), call(&terms), Ok(()));
    play.clear(3);
    play.check(&site("s1"), settle(name(&terms)), Ok(()));
}

#[test]
fn a_site_enrols_once_and_its_old_word_does_not_enrol_it_again() {
    let mut play = Play::new(Charges::NONE);
    play.check(&site("s1"), enrol(site("s2"), 0), Err("no-operator"));
    play.check(&site("s1"), enrol(party(Role::Aggregator, "nobody"), 0), Err("no-operator"));
    play.check(&dso(), enrol(dso(), 0), Err("right"));
    play.check(&site("s1"), leave(0), Err("not-enrolled"));
    play.check(&site("s1"), enrol(dso(), 0), Ok(()));
    play.check(&site("s1"), enrol(dso(), 1), Err("enrolled"));
    day(&mut play, 0, 500);
    assert_eq!(play.state.contracts().meter_days.len(), 1);
    play.check(&site("s1"), leave(1), Ok(()));
    assert!(play.state.contracts().meter_days.is_empty());
    play.check(&site("s1"), enrol(dso(), 0), Err("nonce-used"));
}

fn check_call(change: impl FnOnce(&mut ResponseCall), expected: Result<(), &'static str>) {
    let mut play = Play::new(Charges::NONE);
    play.clear(0);
    play.check(&site("s1"), enrol(dso(), 0), Ok(()));
    play.check(&site("s2"), enrol(party(Role::Aggregator, "agg-1"), 0), Ok(()));
    play.check(&site("s3"), enrol(dso(), 0), Ok(()));
    let mut terms = terms(1, &["s1", "s3"]);
    change(&mut terms);
    play.check(&dso(), call(&terms), expected);
}

#[test]
fn only_enrolled_sites_are_asked_in_time_and_one_event_at_a_time() {
    check_call(|_| {}, Ok(()));
    check_call(|terms| terms.sites.clear(), Err("sites"));
    check_call(|terms| terms.sites.reverse(), Err("sites"));
    check_call(|terms| terms.sites[1] = id("account-s1"), Err("sites"));
    check_call(|terms| terms.sites[0] = id("account-s2"), Err("not-enrolled"));
    check_call(|terms| terms.sites[1] = id("account-s4"), Err("not-enrolled"));
    check_call(|terms| terms.first = at(0), Err("gate-closed"));
    check_call(|terms| terms.intervals = 97, Err("span"));
    check_call(|terms| terms.intervals = u32::MAX, Err("span"));
    check_call(|terms| terms.price = PicoEurPerWh(0), Err("terms"));
    check_call(|terms| terms.price = PicoEurPerWh(i64::MAX), Err("terms"));
    check_call(|terms| terms.ahead_of_utc_s = i32::MIN, Err("terms"));
    let mut play = Play::new(Charges::NONE);
    play.clear(0);
    play.check(&site("s1"), enrol(dso(), 0), Ok(()));
    play.check(&site("s1"), call(&terms(1, &["s1"])), Err("right"));
    play.check(&party(Role::Aggregator, "agg-1"), call(&terms(1, &["s1"])), Err("not-enrolled"));
    play.check(&dso(), call(&terms(1, &["s1"])), Ok(()));
    play.check(&dso(), call(&terms(1, &["s1"])), Err("exists"));
    play.check(&dso(), call(&terms(2, &["s1"])), Err("asked-before"));
    play.check(&dso(), call(&terms(3, &["s1"])), Ok(()));
}
