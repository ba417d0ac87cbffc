//! Bilateral contracts: site 3 at bus b sells to site 1 at bus a, whose line carries 4 kW and whose price is
//! 80 EUR/MWh.

use crate::play::{at, dso, site, Play};
use crate::world::{id, party};
use ledger::state::bilateral::MAX_BILATERALS_PER_SELLER;
use market::charges::Charges;
use market::interval::{Interval, UnixSeconds};
use market::units::{Milliwatt, NanoEur, PicoEurPerWh};
use wire::entry::{BilateralEntry, BilateralOffer, BilateralStep, Entry};
use wire::hash::Hash32;
use wire::party::Role;

fn terms() -> BilateralOffer {
    BilateralOffer {
        buyer: id("account-s1"),
        first: at(1),
        intervals: 2,
        power: Milliwatt(1_000_000),
        price: PicoEurPerWh(60_000_000),
        number: 0,
    }
}

fn offer(terms: &BilateralOffer) -> Entry {
    Entry::Bilateral(BilateralEntry::Offer(terms.clone()))
}

fn name(terms: &BilateralOffer) -> Hash32 {
    terms.name(&id("account-s3")).unwrap()
}

fn accept(contract: Hash32) -> Entry {
    Entry::Bilateral(BilateralEntry::Accept(BilateralStep { contract }))
}

fn approve(contract: Hash32) -> Entry {
    Entry::Bilateral(BilateralEntry::Approve(BilateralStep { contract }))
}

fn cancel(contract: Hash32) -> Entry {
    Entry::Bilateral(BilateralEntry::Cancel(BilateralStep { contract }))
}

fn play() -> Play {
    let mut play = Play::new(Charges::NONE);
    play.clear(0);
    play
}

/// A contract with these terms, approved.
fn approved(play: &mut Play, terms: &BilateralOffer) -> Hash32 {
    let name = name(terms);
    play.check(&site("s3"), offer(terms), Ok(()));
    play.check(&site("s1"), accept(name), Ok(()));
    play.check(&dso(), approve(name), Ok(()));
    name
}

#[test]
fn what_was_delivered_of_it_costs_the_contract_s_price_and_the_rest_the_market_s() {
    let mut play = play();
    let free = play.deliver(0, "agg-1", [Some(4.2), Some(2.0)]).unwrap();
    let free_seller = play.deliver(0, "agg-2", [Some(-0.8), None]).unwrap();
    approved(&mut play, &terms());
    play.clear(1);
    // The buyer's aggregator comes first: what the seller fed in is not known yet.
    assert_eq!(play.deliver(1, "agg-1", [Some(4.2), Some(2.0)]).unwrap(), free);
    let paid = play.deliver(1, "agg-2", [Some(-0.8), None]).unwrap();
    // 200 of 250 Wh were fed in. At 80 the buyer has paid 16 mEUR for them, and 12 were agreed.
    assert_eq!(paid[&id("account-s1")], 4_000_000);
    assert_eq!(paid[&id("account-s3")], free_seller[&id("account-s3")] - 4_000_000);
    // In the second interval the seller's meter is silent, which counts as its commitment of 250 Wh, and the buyer
    // took 100.
    play.clear(2);
    play.deliver(2, "agg-2", [None, None]).unwrap();
    let paid = play.deliver(2, "agg-1", [Some(0.4), Some(2.0)]).unwrap();
    assert_eq!(paid[&id("account-s3")], -2_000_000);
    // The third is none of its.
    play.clear(3);
    play.deliver(3, "agg-2", [Some(-0.8), None]).unwrap();
    assert_eq!(play.deliver(3, "agg-1", [Some(4.2), Some(2.0)]).unwrap(), free);
    assert!(play.state.contracts().bilaterals.iter().all(|(_, contract)| contract.half_settled.is_empty()));
}

#[test]
fn a_site_that_takes_instead_of_feeding_in_has_sold_nothing() {
    let mut play = play();
    approved(&mut play, &terms());
    play.clear(1);
    play.deliver(1, "agg-1", [Some(4.2), Some(2.0)]).unwrap();
    let paid = play.deliver(1, "agg-2", [Some(0.8), None]).unwrap();
    assert_eq!(paid.get(&id("account-s1")), Some(&0));
}

#[test]
fn energy_goes_to_contracts_in_the_order_they_were_approved() {
    let mut play = play();
    let first = BilateralOffer { power: Milliwatt(600_000), ..terms() };
    let second = BilateralOffer { power: Milliwatt(600_000), price: PicoEurPerWh(70_000_000), ..terms() };
    approved(&mut play, &first);
    approved(&mut play, &second);
    play.clear(1);
    play.deliver(1, "agg-1", [Some(4.2), Some(2.0)]).unwrap();
    let paid = play.deliver(1, "agg-2", [Some(-0.8), None]).unwrap();
    // 150 Wh at 20 less than 80, and what is left, 50 Wh, at 10 less.
    assert_eq!(paid[&id("account-s1")], 3_000_000 + 500_000);
}

/// An offer changed in one of its terms.
fn check_offer(change: impl FnOnce(&mut BilateralOffer), expected: Result<(), &'static str>) {
    let mut play = play();
    let mut terms = terms();
    change(&mut terms);
    play.check(&site("s3"), offer(&terms), expected);
}

#[test]
fn an_offer_that_nobody_could_keep_is_refused() {
    check_offer(|_| {}, Ok(()));
    check_offer(|terms| terms.buyer = id("account-s3"), Err("with-itself"));
    check_offer(|terms| terms.buyer = id("account-dso"), Err("no-site"));
    check_offer(|terms| terms.first = at(0), Err("gate-closed"));
    check_offer(|terms| terms.first = Interval(UnixSeconds(at(1).start().0 + 1)), Err("no-interval"));
    check_offer(|terms| terms.first = Interval(UnixSeconds(i64::MIN)), Err("no-interval"));
    check_offer(|terms| terms.first = Interval(UnixSeconds(i64::MAX / 900 * 900)), Err("too-far"));
    check_offer(|terms| terms.intervals = 0, Err("span"));
    check_offer(|terms| terms.intervals = 673, Err("span"));
    check_offer(|terms| terms.first = at(32 * 96), Err("too-far"));
    check_offer(|terms| terms.power = Milliwatt(0), Err("terms"));
    check_offer(|terms| terms.power = Milliwatt(i64::MIN), Err("terms"));
    check_offer(|terms| terms.power = Milliwatt(i64::MAX), Err("terms"));
    check_offer(|terms| terms.power = Milliwatt(10_000_001), Err("connection"));
    check_offer(|terms| terms.price = PicoEurPerWh(i64::MAX), Err("terms"));
    check_offer(|terms| terms.price = PicoEurPerWh(-500_000_001), Err("terms"));
}

#[test]
fn each_step_is_its_party_s_and_comes_in_order() {
    let mut play = Play::new(Charges::NONE);
    let (terms, name) = (terms(), name(&terms()));
    play.check(&site("s3"), offer(&terms), Err("nothing-cleared"));
    play.clear(0);
    play.check(&dso(), offer(&terms), Err("right"));
    play.check(&site("s1"), accept(name), Err("unknown-contract"));
    play.check(&site("s3"), offer(&terms), Ok(()));
    play.check(&site("s3"), offer(&terms), Err("exists"));
    play.check(&dso(), approve(name), Err("stage"));
    play.check(&site("s2"), accept(name), Err("not-yours"));
    play.check(&site("s3"), accept(name), Err("not-yours"));
    play.check(&site("s1"), accept(name), Ok(()));
    play.check(&site("s1"), accept(name), Err("stage"));
    play.check(&site("s1"), approve(name), Err("right"));
    play.check(&party(Role::Aggregator, "agg-1"), cancel(name), Err("right"));
    play.check(&site("s2"), cancel(name), Err("not-yours"));
    play.check(&dso(), approve(name), Ok(()));
    play.check(&dso(), approve(name), Err("stage"));
    // With another number the same terms are another contract.
    for number in 1..MAX_BILATERALS_PER_SELLER as u64 {
        let terms = BilateralOffer { number, ..terms.clone() };
        play.check(&site("s3"), offer(&terms), Ok(()));
    }
    play.check(&site("s3"), offer(&BilateralOffer { number: 99, ..terms.clone() }), Err("contracts-full"));
}

#[test]
fn the_gate_closes_on_every_step() {
    let mut play = play();
    let (terms, name) = (terms(), name(&terms()));
    play.check(&site("s3"), offer(&terms), Ok(()));
    play.clear(1);
    play.check(&site("s1"), accept(name), Err("gate-closed"));
    let later = BilateralOffer { first: at(2), ..terms };
    let name = self::name(&later);
    play.check(&site("s3"), offer(&later), Ok(()));
    play.check(&site("s1"), accept(name), Ok(()));
    play.clear(2);
    play.check(&dso(), approve(name), Err("gate-closed"));
}

#[test]
fn the_dso_can_approve_only_what_the_feeder_carries() {
    let mut play = play();
    let most = BilateralOffer { power: Milliwatt(4_000_000), ..terms() };
    let name = approved(&mut play, &most);
    let more = BilateralOffer { power: Milliwatt(1), first: at(2), number: 1, ..terms() };
    let beyond = self::name(&more);
    play.check(&site("s3"), offer(&more), Ok(()));
    play.check(&site("s1"), accept(beyond), Ok(()));
    play.check(&dso(), approve(beyond), Err("line"));
    // Once the other's end is before it, there is room.
    play.check(&dso(), cancel(name), Ok(()));
    play.check(&dso(), approve(beyond), Ok(()));
}

#[test]
fn nobody_sells_more_than_passes_the_connection() {
    let mut play = play();
    // Site 2 is at the seller's bus, so that no line is in the way.
    let to_s2 = |power, number| BilateralOffer { buyer: id("account-s2"), power, number, ..terms() };
    let most = to_s2(Milliwatt(10_000_000), 0);
    play.check(&site("s3"), offer(&most), Ok(()));
    play.check(&site("s2"), accept(name(&most)), Ok(()));
    play.check(&site("s3"), offer(&to_s2(Milliwatt(1), 1)), Err("connection"));
    let elsewhen = BilateralOffer { first: at(3), ..to_s2(Milliwatt(10_000_000), 2) };
    play.check(&site("s3"), offer(&elsewhen), Ok(()));
}

#[test]
fn before_approval_either_ends_it_and_afterwards_both_must() {
    let mut play = play();
    let (terms, name) = (terms(), name(&terms()));
    play.check(&site("s3"), offer(&terms), Ok(()));
    play.check(&site("s1"), cancel(name), Ok(()));
    // Whoever kept the offer and its acceptance can't bring it back.
    play.check(&site("s3"), offer(&terms), Err("exists"));
    play.check(&site("s1"), accept(name), Err("stage"));
    play.check(&site("s3"), cancel(name), Err("stage"));
    let second = BilateralOffer { number: 1, ..terms.clone() };
    play.check(&site("s3"), offer(&second), Ok(()));
    play.check(&site("s1"), accept(self::name(&second)), Ok(()));
    play.check(&site("s3"), cancel(self::name(&second)), Ok(()));
    play.check(&dso(), approve(self::name(&second)), Err("stage"));

    let third = BilateralOffer { number: 2, ..terms };
    let name = approved(&mut play, &third);
    play.check(&site("s3"), cancel(name), Ok(()));
    play.check(&site("s3"), cancel(name), Err("stage"));
    play.clear(1);
    play.check(&site("s1"), cancel(name), Ok(()));
    // What was cleared stays: the first interval settles, the second does not.
    play.deliver(1, "agg-1", [Some(4.2), Some(2.0)]).unwrap();
    let paid = play.deliver(1, "agg-2", [Some(-0.8), None]).unwrap();
    assert_eq!(paid[&id("account-s1")], 4_000_000);
    play.clear(2);
    play.deliver(2, "agg-1", [Some(4.2), Some(2.0)]).unwrap();
    assert_eq!(play.deliver(2, "agg-2", [Some(-0.8), None]).unwrap().get(&id("account-s1")), None);
    play.check(&site("s1"), cancel(name), Err("over"));
}

#[test]
fn offers_cost_the_fee_and_the_approval_is_free() {
    let mut play = Play::new(Charges { entry_fee: NanoEur(1_000_000_000), ..Charges::NONE });
    play.clear(0);
    approved(&mut play, &terms());
    assert_eq!((play.eur("account-s3"), play.eur("account-s1"), play.eur("fees")), (999, 999, 2));
}

#[test]
fn what_was_forgotten_takes_its_contracts_with_it() {
    let mut play = play();
    approved(&mut play, &terms());
    for later in 1..=193 {
        play.clear(later);
    }
    assert_eq!(play.state.contracts().bilaterals.len(), 1);
    play.clear(194);
    play.clear(195);
    assert!(play.state.contracts().bilaterals.is_empty());
}
