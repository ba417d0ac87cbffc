//! Sessions by hand, and random ones against the whole curves.

use super::*;
use crate::curve::{Breakpoint, FlexCurve};
use crate::day_ahead::orders::{DeferrableOffer, Placed};
use crate::day_ahead::sample::{any_case, case, corners, load, storage, Case, EUR, INTERVAL_S, KWH};
use crate::units::{Millijoule, Milliwatt, PicoEurPerWh};
use proptest::prelude::*;

/// Clears with all that there is to know of the curves.
fn whole(case: &Case) -> Result<horizon::clearing::HorizonClearing, HorizonError> {
    let market = case.market();
    let corners = |(_, curves): &(usize, Vec<FlexCurve>)| curves.iter().map(corners).collect();
    let known: Vec<Vec<Samples>> = case.parties.iter().map(corners).collect();
    horizon::clear(&market.horizon(&market.problems(&case.told(&known)).unwrap()))
}

#[test]
fn storage_buys_where_it_is_cheap_and_relieves_the_line_where_it_is_not() {
    // 30 kW behind a line of 25 kVA, 3 kvar of it planned: without the storage nothing could be cleared.
    let loads = [5_000, 5_000, 30_000, 5_000].map(load).to_vec();
    let mut case = case(&[40, 60, 80, 60], &[25], 60, vec![(1, loads)]);
    let said = case.play().unwrap_err().to_string();
    assert!(said.contains("interval 2") && said.contains("more than its most"), "{said}");
    case.orders.storages.push(storage(1));
    let (cleared, _) = case.play().unwrap();
    let award = &cleared.clearing.storages[0];
    assert!(award.discharge[2] > Milliwatt(5_000_000) && award.charge[0] > Milliwatt(5_000_000), "{award:?}");
    // What is in store may be worth more than all prices but that behind the line.
    let price = |interval: usize| cleared.clearing.intervals[interval].prices[1].eur_per_mwh();
    assert!(price(0) < 45.0 && price(2) > 75.0, "{} and {}", price(0), price(2));
    assert_eq!(award.stored_values[0], award.stored_values[1], "neither empty nor full between");
}

#[test]
fn a_deferrable_order_takes_its_energy_where_it_is_cheapest() {
    let mut case = case(&[50, 40, 70, 30], &[100], 60, vec![(1, vec![load(1_000); 4])]);
    // 3 kWh at 8 kW or less before the last interval: one whole interval of 2 kWh, and half of another.
    let order =
        DeferrableOffer { energy: Millijoule(3 * KWH), power_max: Milliwatt(8 * EUR), start: 0, end: 3 };
    case.orders.deferrables.push(Placed { place: 1, order });
    let (cleared, rounds) = case.play().unwrap();
    let award = &cleared.clearing.deferrables[0];
    assert_eq!(award.power, [4 * EUR, 8 * EUR, 0].map(Milliwatt));
    assert!((award.energy_value.eur_per_mwh() - 50.0).abs() < 0.1, "{}", award.energy_value);
    assert_eq!(rounds, 1, "nobody's demand depends on the price");
}

#[test]
fn who_has_not_answered_is_named() {
    let case = case(&[50, 40], &[100], 60, vec![(1, vec![load(1_000); 2])]);
    let said = |samples: &[Samples]| {
        let party = SessionParty { bus: 1, samples };
        case.market().clear(&[party], 4).unwrap_err().to_string()
    };
    let answered = corners(&load(1_000));
    assert!(said(std::slice::from_ref(&answered)).contains("party 0 has answered 1 intervals of 2"));
    assert!(said(&[answered, Samples::default()]).contains("interval 1: party 0 has not answered"));
}

/// An import from nothing on, its first watts at a price of their own.
fn import(watts: i64, price: i64) -> SupplyCurve {
    let point = |price: i64, watts: i64| Breakpoint {
        price: PicoEurPerWh(price * EUR),
        power: Milliwatt(watts * 1_000),
    };
    SupplyCurve::new(vec![point(price, 0), point(price, watts), point(price + 5, 400_000)]).unwrap()
}

#[test]
fn where_nobody_bids_prices_stay_within_the_market_s_bounds() {
    // Import that stands at its least is explained by any price below its own.
    let check = |supplies: Vec<SupplyCurve>, expected: [f64; 2]| {
        let nobody = vec![(1, vec![load(0); supplies.len()])];
        let mut case = case(&vec![50; supplies.len()], &[100], 60, nobody);
        case.supplies = supplies;
        let (cleared, rounds) = case.play().unwrap();
        assert_eq!((case.imports(&cleared), rounds), (vec![0.0; case.supplies.len()], 1));
        for price in cleared.clearing.intervals.iter().flat_map(|published| &published.prices) {
            let eur = price.eur_per_mwh();
            assert!((expected[0]..=expected[1]).contains(&eur), "{eur} in {:?}", case.supplies);
        }
    };
    check(vec![import(100_000, 50); 2], [-500.0, 50.0]);
    check(vec![import(1, 50), import(400_000, 80)], [-500.0, 80.0]);
    check(vec![import(1, 4_000 - 5); 4], [-500.0, 3_995.0]);
    let export = |price: i64| SupplyCurve::flat(PicoEurPerWh(price * EUR), Milliwatt(-1_000), Milliwatt(0));
    check(vec![export(50).unwrap(), export(-100).unwrap()], [-100.0, 4_000.0]);
    check(vec![SupplyCurve::none(); 2], [-500.0, 4_000.0]);
}

/// Random sessions, as many as asked for.
fn cases(count: u32) -> ProptestConfig {
    ProptestConfig { cases: count, failure_persistence: None, ..Default::default() }
}

proptest! {
    #![proptest_config(cases(40))]
    /// As good, and no better, as what the solver makes of the whole curves.
    #[test]
    fn five_rounds_clear_as_well_as_the_whole_curves(case in any_case(4, 1..4, 6)) {
        for placed in &case.orders.storages {
            prop_assert_eq!(placed.order.validate(4, INTERVAL_S), Ok(()));
        }
        for placed in &case.orders.deferrables {
            prop_assert_eq!(placed.order.validate(4, INTERVAL_S), Ok(()));
        }
        match (case.play(), whole(&case)) {
            (Ok((cleared, _)), Ok(whole)) => {
                // What the supply asks rises with the import, so there is but one best import.
                for (import, whole) in case.imports(&cleared).iter().zip(&whole.intervals) {
                    // The tolerance of a price is worth 80 W of it, on either side.
                    let off = import - whole.import_kw;
                    prop_assert!(off.abs() < 0.2, "{} kW of import apart", off);
                }
            }
            (Err(SessionError::Unsolved(HorizonError::Infeasible(_))), Err(HorizonError::Infeasible(_))) => {}
            (got, whole) => prop_assert!(false, "{:?} against {:?}", got, whole.map(|_| ())),
        }
    }
}
