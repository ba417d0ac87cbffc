//! Tokens for money, and what entries cost: every reference backs one entry, what is asked for waits, and balances
//! add up to what was issued.

use crate::contracts::run;
use crate::day::{clearing, delivery};
use crate::play::{town, Play};
use crate::store::holding;
use crate::world::{id, party, transfer, NOW_MS};
use ledger::governed::Governed;
use ledger::store::Store;
use ledger::verify::{verify_dir, VerifyReport};
use market::charges::Charges;
use market::units::{NanoEur, PicoEurPerWh};
use std::sync::Arc;
use wire::entry::{BurnEntry, Entry, MintEntry, RedeemEntry, Redeemed, Reference};
use wire::hash::Hash32;
use wire::party::{PartyId, Role};

const EUR: i64 = 1_000_000_000;
/// The day of the test interval.
const TODAY: i64 = 1_700_000_100 / 86_400;

fn reference(day: i64, booking: u8) -> Reference {
    Reference { day, hash: Hash32([booking; 32]) }
}

fn mint(to: &str, amount: i64, reference: Reference) -> Entry {
    Entry::Mint(MintEntry { to: id(to), amount: NanoEur(amount), reference })
}

fn redeem(gateway: &str, amount: i64, nonce: u64) -> Entry {
    Entry::Redeem(RedeemEntry { gateway: id(gateway), amount: NanoEur(amount), nonce })
}

fn burn(nonce: u64, outcome: Redeemed) -> Entry {
    Entry::Burn(BurnEntry { account: id("account-s1"), nonce, outcome })
}

fn bank() -> PartyId {
    party(Role::Gateway, "bank")
}

fn payer() -> PartyId {
    party(Role::Site, "s1")
}

#[test]
fn a_reference_backs_one_entry() {
    let mut play = Play::new(Charges::NONE);
    let paid = reference(TODAY, 1);
    play.check(&bank(), mint("account-s1", 5 * EUR, paid), Ok(()));
    assert_eq!((play.eur("account-s1"), play.state.issued().0), (1_005, 9_005 * EUR));
    play.check(&bank(), mint("account-s1", 5 * EUR, paid), Err("reference-used"));
    play.check(&bank(), mint("account-s2", EUR, paid), Err("reference-used"));
    // Another bank has bookings of its own.
    play.check(&party(Role::Gateway, "other-bank"), mint("account-s2", EUR, paid), Ok(()));
    play.check(&bank(), mint("account-s2", EUR, reference(TODAY, 2)), Ok(()));
    play.check(&bank(), mint("account-s2", 0, reference(TODAY, 3)), Err("no-amount"));
    play.check(&bank(), mint("account-s2", i64::MIN, reference(TODAY, 3)), Err("no-amount"));
    play.check(&bank(), mint("account-s2", i64::MAX, reference(TODAY, 3)), Err("overflow"));
    play.check(&bank(), mint("nobody", EUR, reference(TODAY, 3)), Err("no-account"));
    play.check(&bank(), mint("fees", EUR, reference(TODAY, 3)), Err("no-owner"));
    for role in [Role::Dso, Role::Tso] {
        play.check(&party(role, role.word()), mint("account-s2", EUR, reference(TODAY, 3)), Err("right"));
    }
}

#[test]
fn all_balances_together_stay_within_64_bits() {
    let mut play = Play::new(Charges::NONE);
    let room = i64::MAX - 9_000 * EUR;
    // It fits the account, which holds 1 000 EUR, and not all of them together.
    play.check(&bank(), mint("account-s1", room + 1, reference(TODAY, 1)), Err("supply"));
    play.check(&bank(), mint("account-s1", room, reference(TODAY, 1)), Ok(()));
    play.check(&bank(), mint("account-s2", 1, reference(TODAY, 2)), Err("supply"));
}

#[test]
fn what_is_too_old_to_be_remembered_backs_nothing() {
    let mut play = Play::new(Charges::NONE);
    play.check(&bank(), mint("account-s1", EUR, reference(TODAY - 99, 1)), Ok(()));
    play.check(&bank(), mint("account-s1", EUR, reference(TODAY, 2)), Ok(()));
    play.check(&bank(), mint("account-s1", EUR, reference(TODAY - 99, 1)), Err("reference-used"));
    play.check(&bank(), mint("account-s1", EUR, reference(TODAY - 99, 3)), Ok(()));
    // The next day's first reference ends those of a hundred days before.
    play.check(&bank(), mint("account-s1", EUR, reference(TODAY + 1, 4)), Ok(()));
    play.check(&bank(), mint("account-s1", EUR, reference(TODAY - 99, 1)), Err("reference-day"));
    assert_eq!(play.state.contracts().references.len(), 2);
    for day in [-1, i64::MIN, i64::MAX] {
        play.check(&bank(), mint("account-s1", EUR, reference(day, 5)), Err("reference-day"));
    }
    // Once something was cleared, bookings from far ahead would end all others.
    let opened = clearing(&play.world, |_| {});
    run(&play.world, &mut play.state, &opened).unwrap();
    play.check(&bank(), mint("account-s1", EUR, reference(TODAY + 8, 5)), Err("reference-day"));
    play.check(&bank(), mint("account-s1", EUR, reference(TODAY + 7, 5)), Ok(()));
}

#[test]
fn who_asks_is_paid_out_or_gets_the_tokens_back() {
    let mut play = Play::new(Charges::NONE);
    play.check(&payer(), redeem("bank", 0, 0), Err("no-amount"));
    play.check(&payer(), redeem("dso", EUR, 0), Err("no-gateway"));
    play.check(&payer(), redeem("bank", 1_001 * EUR, 0), Err("overdraft"));
    play.check(&payer(), redeem("bank", EUR, 1), Err("nonce-ahead"));
    play.check(&payer(), redeem("bank", 600 * EUR, 0), Ok(()));
    play.check(&payer(), redeem("bank", EUR, 0), Err("nonce-used"));
    play.check(&payer(), transfer(1, 401 * EUR), Err("overdraft"));
    play.check(&payer(), redeem("bank", 300 * EUR, 1), Ok(()));
    assert_eq!((play.eur("account-s1"), play.eur("redemptions")), (100, 900));

    play.check(&party(Role::Gateway, "other-bank"), burn(0, Redeemed::Returned), Err("other-gateway"));
    play.check(&payer(), burn(0, Redeemed::Returned), Err("right"));
    play.check(&bank(), burn(2, Redeemed::Returned), Err("no-request"));
    play.check(&bank(), mint("account-s1", EUR, reference(TODAY, 1)), Ok(()));
    play.check(&bank(), burn(0, Redeemed::Paid(reference(TODAY, 1))), Err("reference-used"));
    play.check(&bank(), burn(0, Redeemed::Paid(reference(TODAY, 2))), Ok(()));
    assert_eq!((play.eur("redemptions"), play.state.issued().0), (300, (9_000 + 1 - 600) * EUR));
    play.check(&bank(), burn(0, Redeemed::Returned), Err("no-request"));
    play.check(&bank(), burn(1, Redeemed::Returned), Ok(()));
    assert_eq!((play.eur("account-s1"), play.eur("redemptions")), (401, 0));
    for nonce in 2..18 {
        play.check(&payer(), redeem("bank", EUR, nonce), Ok(()));
    }
    play.check(&payer(), redeem("bank", EUR, 18), Err("redemptions-full"));
}

#[test]
fn nobody_pays_into_an_account_without_an_owner() {
    let mut play = Play::new(Charges::NONE);
    for account in ["fees", "penalties", "redemptions", "rounding", "carbon"] {
        let to = wire::entry::TransferEntry { to: id(account), amount: NanoEur(EUR), nonce: 0 };
        play.check(&payer(), Entry::Transfer(to), Err("no-owner"));
        let mut genesis = play.world.genesis.clone();
        genesis.participants[0].account = id(account);
        assert!(genesis.validate().is_err());
    }
}

#[test]
fn an_entry_whose_fee_cannot_be_paid_is_refused() {
    let charges = Charges { transfer_fee: NanoEur(10 * EUR), entry_fee: NanoEur(EUR), ..Charges::NONE };
    let mut play = Play::new(charges);
    play.check(&payer(), transfer(0, 991 * EUR), Err("fee"));
    play.check(&payer(), transfer(0, 500 * EUR), Ok(()));
    play.check(&payer(), redeem("bank", 481 * EUR, 1), Err("fee"));
    play.check(&payer(), redeem("bank", 480 * EUR, 1), Ok(()));
    assert_eq!((play.eur("account-s1"), play.eur("fees")), (0, 20));
    // A mint is the gateway's duty, and free.
    play.check(&bank(), mint("account-s1", EUR, reference(TODAY, 1)), Ok(()));
    assert_eq!(play.eur("fees"), 20);
}

#[test]
fn a_deviation_beyond_the_band_is_penalised_besides_the_imbalance_price() {
    let charges =
        Charges { penalty_price: PicoEurPerWh(100_000_000), penalty_band_permille: 20, ..Charges::NONE };
    let mut play = Play::new(charges);
    let opened = clearing(&play.world, |_| {});
    run(&play.world, &mut play.state, &opened).unwrap();
    let delivered = delivery(&play.world, "agg-1", |_| {});
    let paid = run(&play.world, &mut play.state, &delivered).unwrap();
    // Site 1 took 1 050 Wh for 1 000: 30 Wh beyond the band at 0.1 mEUR.
    assert_eq!(paid[&id("penalties")], 3_000_000);
    assert_eq!(paid[&id("account-s1")], -80_000_000 - 2_000_000 - 5_000_000 - 3_000_000);
    // Site 3 fed in 200 Wh for 250; site 4's meter is silent.
    let delivered = delivery(&play.world, "agg-2", |_| {});
    let paid = run(&play.world, &mut play.state, &delivered).unwrap();
    assert_eq!(paid[&id("penalties")], 4_500_000);
    assert_eq!(paid[&id("account-s4")], -6_250_000 - 250_000);
}

#[test]
fn a_version_that_this_program_does_not_know_is_not_guessed() {
    let mut play = Play::new(Charges::NONE);
    for version in [0, 2] {
        let mut governed = Governed::genesis(&play.world.genesis);
        governed.edit(|provisions| provisions.contracts = [("issuance".to_owned(), version)].into());
        play.world.rules = play.world.rules.after(&Arc::new(governed), NOW_MS).unwrap();
        play.check(&bank(), mint("account-s1", EUR, reference(TODAY, 1)), Err("version"));
    }
    play.check(&payer(), transfer(0, EUR), Ok(()));
}

#[test]
fn a_chain_with_mints_and_burns_verifies_and_survives_its_index() {
    let world = town(Charges { transfer_fee: NanoEur(7), ..Charges::NONE });
    let folder = tempfile::tempdir().unwrap();
    let blocks = [
        vec![world.opened(&bank(), mint("account-s1", 5 * EUR, reference(TODAY, 1)))],
        vec![
            world.opened(&payer(), redeem("bank", 2 * EUR, 0)),
            world.opened(&payer(), redeem("bank", EUR, 1)),
        ],
        vec![world.opened(&bank(), burn(0, Redeemed::Paid(reference(TODAY, 2))))],
    ];
    let chain = holding(&world, folder.path(), blocks);
    let report = verify_dir(folder.path(), &mut |_, _| {}).unwrap();
    let expected = VerifyReport {
        minted_nano_eur: i128::from(5 * EUR),
        burned_nano_eur: i128::from(2 * EUR),
        total_nano_eur: i128::from(9_003 * EUR),
        ..report.clone()
    };
    assert_eq!(report, expected);
    let (_, reopened) = Store::open(folder.path(), &world.genesis, &world.rules).unwrap();
    assert_eq!(reopened.state.hash(), chain.state.hash());
    assert_eq!(reopened.state.contracts().redemptions.len(), 1);
}
