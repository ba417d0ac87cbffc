//! Reserve: the TSO interface wants 3 kW upward, of which site 2 gives two at 3 EUR/MWh and site 1 one at 5.

use crate::play::{at, dso, site, Play};
use crate::world::{id, party};
use market::charges::Charges;
use market::units::{Milliwatt, PicoEurPerWh};
use wire::entry::{
    Direction, Entry, ReserveActivate, ReserveAward, ReserveEntry, ReserveOffer, ReserveTender,
};
use wire::hash::Hash32;
use wire::party::{PartyId, Role};

fn eur(price: i64) -> PicoEurPerWh {
    PicoEurPerWh(price * 1_000_000)
}

fn tso() -> PartyId {
    party(Role::Tso, "tso")
}

fn terms() -> ReserveTender {
    ReserveTender {
        direction: Direction::Up,
        first: at(1),
        intervals: 2,
        power: Milliwatt(3_000_000),
        price_max: eur(10),
        activation_price: eur(100),
        penalty_price: eur(300),
        number: 0,
    }
}

fn tender(terms: &ReserveTender) -> Entry {
    Entry::Reserve(ReserveEntry::Tender(*terms))
}

fn name(terms: &ReserveTender) -> Hash32 {
    terms.name(&id("account-tso")).unwrap()
}

fn offer(tender: Hash32, kw: i64, price: i64) -> Entry {
    let power = Milliwatt(kw * 1_000_000);
    Entry::Reserve(ReserveEntry::Offer(ReserveOffer { tender, power, price: eur(price) }))
}

fn award(tender: Hash32, price: i64, kw: &[i64]) -> Entry {
    let powers = kw.iter().map(|kw| Milliwatt(kw * 1_000_000)).collect();
    Entry::Reserve(ReserveEntry::Award(ReserveAward { tender, price: eur(price), powers }))
}

fn activate(tender: Hash32, later: i64, permille: u32) -> Entry {
    Entry::Reserve(ReserveEntry::Activate(ReserveActivate { tender, interval: at(later), permille }))
}

/// A tender with three offers, not awarded yet.
fn offered(terms: &ReserveTender) -> (Play, Hash32) {
    let mut play = Play::new(Charges::NONE);
    play.clear(0);
    play.check(&tso(), tender(terms), Ok(()));
    for (account, kw, price) in [("s1", 2, 5), ("s2", 2, 3), ("s3", 1, 8)] {
        play.check(&site(account), offer(name(terms), kw, price), Ok(()));
    }
    (play, name(terms))
}

fn awarded(terms: &ReserveTender) -> (Play, Hash32) {
    let (mut play, name) = offered(terms);
    play.check(&tso(), award(name, 5, &[1, 2, 0]), Ok(()));
    (play, name)
}

#[test]
fn what_is_held_ready_and_called_is_paid_and_what_is_not_delivered_costs() {
    let (mut play, name) = awarded(&terms());
    play.clear(1);
    play.check(&tso(), activate(name, 1, 500), Ok(()));
    // Site 1 took 150 Wh less than committed and was called for 125; site 2 100 less, called for 250.
    let paid = play.deliver(1, "agg-1", [Some(3.4), Some(1.6)]).unwrap();
    // In nano-euro. Held ready: 250 Wh and 500 Wh at 5 EUR/MWh. Called and delivered, at 100: 125 and 100 Wh. Missing:
    // 150 Wh of site 2 at 300. The market settles site 1 for 25 Wh less than committed, at 80 - 20, and site 2 as
    // committed.
    let of_market = [-80_000_000 - 2_000_000 + 1_500_000, -25_000_000 - 1_000_000];
    assert_eq!(paid[&id("account-s1")], of_market[0] + 1_250_000 + 12_500_000);
    assert_eq!(paid[&id("account-s2")], of_market[1] + 2_500_000 + 10_000_000 - 45_000_000);
    assert_eq!(paid[&id("penalties")], 45_000_000);
    assert_eq!(paid[&id("account-tso")], 50_000_000 - 1_500_000 + 25_000_000 - 3_750_000 - 22_500_000);
    // Nothing is called in the second interval, and nothing held in the third.
    play.clear(2);
    let paid = play.deliver(2, "agg-1", [Some(4.0), Some(2.0)]).unwrap();
    assert_eq!(paid[&id("account-s1")], -82_000_000 + 1_250_000);
    play.clear(3);
    let paid = play.deliver(3, "agg-1", [Some(4.0), Some(2.0)]).unwrap();
    assert_eq!(paid[&id("account-s1")], -82_000_000);
}

#[test]
fn a_silent_meter_shows_no_delivery() {
    let (mut play, name) = awarded(&terms());
    play.check(&tso(), activate(name, 1, 1_000), Ok(()));
    play.clear(1);
    let paid = play.deliver(1, "agg-1", [None, Some(0.0)]).unwrap();
    // 250 Wh at 300; site 2 delivered all its 500 Wh.
    assert_eq!(paid[&id("penalties")], 75_000_000);
    assert_eq!(paid[&id("account-s1")], -82_000_000 + 1_250_000 - 75_000_000);
    assert_eq!(paid[&id("account-s2")], -26_000_000 + 2_500_000 + 50_000_000);
}

#[test]
fn downward_reserve_is_delivered_by_taking_more() {
    let (mut play, name) = awarded(&ReserveTender { direction: Direction::Down, ..terms() });
    play.check(&tso(), activate(name, 1, 1_000), Ok(()));
    play.clear(1);
    let paid = play.deliver(1, "agg-1", [Some(5.0), Some(1.0)]).unwrap();
    assert_eq!(paid[&id("account-s1")], -82_000_000 + 1_250_000 + 25_000_000);
    assert_eq!(paid[&id("penalties")], 150_000_000);
}

#[test]
fn energy_is_delivered_to_one_call_only() {
    let (mut play, name) = awarded(&terms());
    let second = ReserveTender { number: 1, power: Milliwatt(1_000_000), ..terms() };
    let other = self::name(&second);
    play.check(&tso(), tender(&second), Ok(()));
    play.check(&site("s1"), offer(other, 1, 5), Ok(()));
    play.check(&tso(), award(other, 5, &[1]), Ok(()));
    play.check(&tso(), activate(name, 1, 1_000), Ok(()));
    play.check(&tso(), activate(other, 1, 1_000), Ok(()));
    play.clear(1);
    let paid = play.deliver(1, "agg-1", [Some(3.0), Some(0.0)]).unwrap();
    // 250 Wh are there for two calls of 250 each.
    assert_eq!(paid[&id("penalties")], 75_000_000);
    assert_eq!(paid[&id("account-s1")], -82_000_000 + 2 * 1_250_000 + 25_000_000 - 75_000_000);
}

#[test]
fn an_award_that_passes_over_a_cheaper_offer_is_refused() {
    let (mut play, name) = offered(&terms());
    play.check(&tso(), award(name, 8, &[1, 1, 1]), Err("merit"));
    play.check(&tso(), award(name, 5, &[2, 1, 0]), Err("merit"));
    play.check(&tso(), award(name, 3, &[1, 2, 0]), Err("merit"));
    play.check(&tso(), award(name, 5, &[1, 2]), Err("merit"));
    play.check(&tso(), award(name, 5, &[0, 2, 0]), Err("merit"));
    play.check(&dso(), award(name, 5, &[1, 2, 0]), Err("not-yours"));
    play.check(&tso(), award(Hash32::default(), 5, &[1, 2, 0]), Err("unknown-tender"));
    play.check(&tso(), award(name, 5, &[1, 2, 0]), Ok(()));
    play.check(&tso(), award(name, 5, &[1, 2, 0]), Err("awarded-before"));
    play.check(&site("s4"), offer(name, 1, 1), Err("awarded-before"));
}

#[test]
fn a_site_offers_once_and_not_more_than_it_can() {
    let (mut play, name) = offered(&terms());
    play.check(&site("s1"), offer(name, 1, 5), Err("exists"));
    play.check(&dso(), offer(name, 1, 5), Err("right"));
    play.check(&site("s4"), offer(name, 0, 5), Err("terms"));
    play.check(&site("s4"), offer(name, 1, 11), Err("terms"));
    play.check(&site("s4"), offer(name, 1, -1), Err("terms"));
    play.check(&site("s4"), offer(name, 11, 5), Err("connection"));
    // Elsewhere it holds what was taken of its offer, and all of it before the award.
    let second = ReserveTender { number: 1, ..terms() };
    play.check(&tso(), tender(&second), Ok(()));
    play.check(&site("s1"), offer(self::name(&second), 9, 5), Err("connection"));
    play.check(&tso(), award(name, 5, &[1, 2, 0]), Ok(()));
    play.check(&site("s1"), offer(self::name(&second), 9, 5), Ok(()));
    play.clear(1);
    play.check(&site("s2"), offer(self::name(&second), 1, 5), Err("gate-closed"));
}

#[test]
fn a_call_comes_before_the_next_gate_and_once() {
    let (mut play, name) = offered(&terms());
    play.check(&tso(), activate(name, 1, 500), Err("not-awarded"));
    play.check(&tso(), award(name, 5, &[1, 2, 0]), Ok(()));
    play.check(&dso(), activate(name, 1, 500), Err("not-yours"));
    play.check(&tso(), activate(name, 1, 0), Err("terms"));
    play.check(&tso(), activate(name, 1, 1_001), Err("terms"));
    play.check(&tso(), activate(name, 3, 500), Err("terms"));
    play.check(&tso(), activate(name, 1, 500), Ok(()));
    play.check(&tso(), activate(name, 1, 500), Err("called-before"));
    play.clear(2);
    play.deliver(2, "agg-2", [None, None]).unwrap();
    play.check(&tso(), activate(name, 2, 500), Err("too-late"));
    let (mut play, name) = awarded(&terms());
    play.clear(2);
    play.check(&tso(), activate(name, 1, 500), Err("too-late"));
    play.check(&tso(), activate(name, 2, 500), Ok(()));
}

fn check_tender(change: impl FnOnce(&mut ReserveTender), expected: Result<(), &'static str>) {
    let mut play = Play::new(Charges::NONE);
    play.clear(0);
    let mut terms = terms();
    change(&mut terms);
    play.check(&tso(), tender(&terms), expected);
}

#[test]
fn a_tender_that_cannot_be_meant_is_refused() {
    check_tender(|_| {}, Ok(()));
    check_tender(|terms| terms.power = Milliwatt(0), Err("terms"));
    check_tender(|terms| terms.power = Milliwatt(i64::MAX), Err("terms"));
    check_tender(|terms| terms.price_max = PicoEurPerWh(-1), Err("terms"));
    check_tender(|terms| terms.activation_price = PicoEurPerWh(i64::MAX), Err("terms"));
    check_tender(|terms| terms.penalty_price = PicoEurPerWh(i64::MIN), Err("terms"));
    check_tender(|terms| terms.first = at(0), Err("gate-closed"));
    check_tender(|terms| terms.intervals = 0, Err("span"));
    let (mut play, _) = offered(&terms());
    play.check(&tso(), tender(&terms()), Err("exists"));
    play.check(&site("s1"), tender(&ReserveTender { number: 1, ..terms() }), Err("right"));
    play.check(&dso(), tender(&terms()), Ok(()));
}
