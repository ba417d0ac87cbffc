//! What orders do in small markets whose optimum is known, and what is refused.

use market::grid::problem::{Branch, Losses, Network, Piece, Reactive, Supply, VoltageBand};
use market::horizon::certificate::{check, Tolerance};
use market::horizon::clearing::HorizonClearing;
use market::horizon::error::{HorizonError, Unmet};
use market::horizon::problem::{DeferrableOrder, HorizonProblem, OfferCurve, ProfiledOffer, StorageOrder};
use market::horizon::{clear, MAX_INTERVALS};
use proptest::prelude::*;

/// A supply of one price, up to 100 kW either way.
fn supply(price: f64) -> Supply {
    let piece = Piece { width_kw: 200.0, price_high: price, price_low: price };
    Supply { import_min_kw: -100.0, pieces: vec![piece] }
}

/// Two buses; 10 kW are taken at the second at any price, which the supply sets in each interval.
fn market(prices: &[f64]) -> HorizonProblem {
    let branch = Branch {
        resistance_pu_per_kva: 1e-4,
        reactance_pu_per_kva: 1e-4,
        ratio_square: 1.0,
        power_min_kw: -50.0,
        power_max_kw: 50.0,
        apparent_max_kva: f64::INFINITY,
    };
    let load = OfferCurve { power_min_kw: 10.0, pieces: Vec::new() };
    HorizonProblem {
        network: Network {
            parent: vec![0, 0],
            branches: vec![branch; 2],
            bands: vec![VoltageBand { min_square_pu: 0.9, max_square_pu: 1.1 }; 2],
            root_voltage_square_pu: 1.0,
            losses: Losses::Neglected,
        },
        interval_hours: 1.0,
        supplies: prices.iter().map(|price| supply(*price)).collect(),
        offers: vec![ProfiledOffer {
            place: 1,
            reactive: Reactive::Fixed { reactive_kvar: 0.0 },
            curves: vec![load; prices.len()],
        }],
        storages: Vec::new(),
        deferrables: Vec::new(),
        loss_price: 0.0,
    }
}

/// 10 kWh, empty, 4 kW either way, losing a fifth on the way in.
fn storage() -> StorageOrder {
    StorageOrder {
        place: 1,
        charge_max_kw: 4.0,
        discharge_max_kw: 4.0,
        energy_min_kwh: 0.0,
        energy_max_kwh: 10.0,
        energy_start_kwh: 0.0,
        energy_end_min_kwh: 0.0,
        charge_efficiency: 0.8,
        discharge_efficiency: 1.0,
        wear_eur_per_mwh: 2.0,
    }
}

fn cleared(problem: &HorizonProblem) -> HorizonClearing {
    let clearing = clear(problem).unwrap();
    check(problem, &clearing, &Tolerance::default()).unwrap();
    clearing
}

fn close(found: &[f64], expected: &[f64]) {
    let near = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-5);
    assert!(near && found.len() == expected.len(), "{found:?}, not {expected:?}");
}

#[test]
fn storage_buys_low_and_sells_high_within_its_limits() {
    let mut problem = market(&[20.0, 30.0, 90.0, 25.0]);
    problem.storages.push(storage());
    let schedule = &cleared(&problem).storages[0];
    close(&schedule.charge_kw, &[4.0, 1.0, 0.0, 0.0]);
    close(&schedule.discharge_kw, &[0.0, 0.0, 4.0, 0.0]);
    close(&schedule.energy_kwh, &[3.2, 4.0, 0.0, 0.0]);
    // The last kWh in store was bought at 30 and 2 of wear, and a fifth of it was lost.
    assert!((schedule.stored_values[0] - 40.0).abs() < 1e-3, "{:?}", schedule.stored_values);
}

#[test]
fn storage_idles_where_the_spread_does_not_pay_its_losses_and_wear() {
    let mut problem = market(&[70.0, 90.0]);
    problem.storages.push(storage());
    let schedule = &cleared(&problem).storages[0];
    close(&schedule.charge_kw, &[0.0, 0.0]);
    close(&schedule.discharge_kw, &[0.0, 0.0]);
}

#[test]
fn wear_keeps_storage_from_charging_and_discharging_at_once() {
    let simultaneous = |price: f64, wear: f64| {
        let mut problem = market(&[price, price]);
        // Room for nothing, so that what is charged can only be burnt.
        let order = StorageOrder { energy_max_kwh: 0.0, wear_eur_per_mwh: wear, ..storage() };
        problem.storages.push(order);
        let schedule = cleared(&problem).storages.remove(0);
        schedule.charge_kw.iter().zip(&schedule.discharge_kw).map(|(c, d)| c.min(*d)).fold(0.0, f64::max)
    };
    // Burning a kWh earns a fifth of the negative price, and wears twice, less a fifth.
    assert!(simultaneous(-10.0, 2.0) < 1e-5);
    assert!(simultaneous(-17.0, 2.0) < 1e-5);
    assert!(simultaneous(-19.0, 2.0) > 1.0);
    assert!(simultaneous(-19.0, 4.0) < 1e-5);
}

#[test]
fn lossless_storage_without_wear_never_does_both() {
    let mut problem = market(&[20.0, 20.0, 20.0]);
    let lossless = StorageOrder { charge_efficiency: 1.0, wear_eur_per_mwh: 0.0, ..storage() };
    problem.storages.push(lossless);
    let schedule = &cleared(&problem).storages[0];
    assert!(schedule.charge_kw.iter().zip(&schedule.discharge_kw).all(|(c, d)| c * d == 0.0));
}

#[test]
fn deferrable_energy_is_taken_when_it_is_cheapest_in_its_window() {
    let mut problem = market(&[10.0, 50.0, 20.0, 30.0, 5.0]);
    let order = DeferrableOrder { place: 1, energy_kwh: 5.0, power_max_kw: 3.0, start: 1, end: 4 };
    problem.deferrables.push(order);
    let schedule = &cleared(&problem).deferrables[0];
    close(&schedule.power_kw, &[0.0, 0.0, 3.0, 2.0, 0.0]);
    assert!((schedule.energy_value - 30.0).abs() < 1e-3, "{}", schedule.energy_value);
}

#[test]
fn deferrable_energy_that_fills_its_window_or_is_none_is_what_it_must_be() {
    let mut problem = market(&[10.0, 50.0, 20.0]);
    let order = DeferrableOrder { place: 1, energy_kwh: 6.0, power_max_kw: 3.0, start: 0, end: 2 };
    problem.deferrables = vec![order, DeferrableOrder { energy_kwh: 0.0, ..order }];
    problem.deferrables.push(DeferrableOrder { energy_kwh: 0.0, end: 0, ..order });
    let deferrables = cleared(&problem).deferrables;
    close(&deferrables[0].power_kw, &[3.0, 3.0, 0.0]);
    close(&deferrables[1].power_kw, &[0.0, 0.0, 0.0]);
    close(&deferrables[2].power_kw, &[0.0, 0.0, 0.0]);
}

#[test]
fn a_full_line_makes_its_own_price() {
    let mut problem = market(&[20.0, 40.0]);
    problem.network.branches[1].power_max_kw = 12.0;
    let order = DeferrableOrder { place: 1, energy_kwh: 3.5, power_max_kw: 3.0, start: 0, end: 2 };
    problem.deferrables.push(order);
    let clearing = cleared(&problem);
    close(&clearing.deferrables[0].power_kw, &[2.0, 1.5]);
    let duals = clearing.intervals[0].duals[1];
    assert!((duals.power_max - 20.0).abs() < 1e-3, "{duals:?}");
    assert!((clearing.intervals[0].prices[1] - 40.0).abs() < 1e-3);
}

#[test]
fn what_cannot_be_met_is_named() {
    let unmet = |change: &dyn Fn(&mut HorizonProblem)| {
        let mut problem = market(&[20.0, 40.0]);
        change(&mut problem);
        match clear(&problem) {
            Err(HorizonError::Infeasible(unmet)) => unmet,
            other => panic!("{other:?}"),
        }
    };
    let found = unmet(&|problem| problem.network.branches[1].power_max_kw = 7.0);
    assert!(
        matches!(found, Unmet::PowerMax { place: 1, excess_kw, .. } if (excess_kw - 3.0).abs() < 1e-4),
        "{found:?}"
    );
    let found = unmet(&|problem| problem.network.branches[1].power_min_kw = 11.0);
    assert!(matches!(found, Unmet::PowerMin { place: 1, .. }), "{found:?}");
    let found = unmet(&|problem| problem.network.bands[1].min_square_pu = 0.999);
    assert!(matches!(found, Unmet::VoltageMin { place: 1, .. }), "{found:?}");
    let found = unmet(&|problem| problem.network.bands[1].max_square_pu = 0.997);
    assert!(matches!(found, Unmet::VoltageMax { place: 1, .. }), "{found:?}");
    let found = unmet(&|problem| problem.supplies[1].pieces[0].width_kw = 105.0);
    assert!(matches!(found, Unmet::SupplyMax { interval: 1, .. }), "{found:?}");
    let found = unmet(&|problem| problem.supplies[0].import_min_kw = 15.0);
    assert!(matches!(found, Unmet::SupplyMin { interval: 0, .. }), "{found:?}");
    let found = unmet(&|problem| {
        problem.storages.push(StorageOrder { energy_end_min_kwh: 8.0, ..storage() });
    });
    assert!(matches!(found, Unmet::StorageEnergy { storage: 0, interval: 1, .. }), "{found:?}");
    let found = unmet(&|problem| {
        problem.offers[0].reactive = Reactive::Fixed { reactive_kvar: 5.0 };
        problem.network.branches[1].apparent_max_kva = 8.0;
    });
    let Unmet::Apparent { place: 1, excess_kva, .. } = found else { panic!("{found:?}") };
    assert!((excess_kva - (f64::sqrt(125.0) - 8.0)).abs() < 1e-4, "{excess_kva}");
    let found = unmet(&|problem| {
        let order = DeferrableOrder { place: 1, energy_kwh: 5.0, power_max_kw: 2.0, start: 0, end: 2 };
        problem.deferrables.push(order);
    });
    assert!(matches!(found, Unmet::DeferrableEnergy { order: 0, .. }), "{found:?}");
}

#[test]
fn apparent_power_leaves_storage_what_reactive_power_does() {
    let mut problem = market(&[20.0, 90.0]);
    problem.offers[0].reactive = Reactive::Fixed { reactive_kvar: 6.0 };
    problem.network.branches[1].apparent_max_kva = 12.0;
    problem.storages.push(storage());
    let clearing = cleared(&problem);
    let room = f64::sqrt(12.0 * 12.0 - 6.0 * 6.0) - 10.0;
    close(&clearing.storages[0].charge_kw, &[room, 0.0]);
    // A kW more is worth 90 less wear on the way out, four fifths of a kW on the way in, less wear.
    let (real, reactive) = (clearing.intervals[0].prices[1], clearing.intervals[0].reactive_prices[1]);
    assert!((real - (0.8 * (90.0 - 2.0) - 2.0)).abs() < 1e-3, "{real}");
    assert!((reactive - (real - 20.0) * 6.0 / (10.0 + room)).abs() < 1e-3, "{reactive}");
}

#[test]
fn storage_stops_where_losses_take_what_more_would_gain() {
    let mut problem = market(&[20.0, 90.0]);
    (problem.loss_price, problem.network.branches[1].resistance_pu_per_kva) = (50.0, 1e-2);
    problem.network.bands[1] = VoltageBand { min_square_pu: f64::NEG_INFINITY, max_square_pu: f64::INFINITY };
    let large =
        StorageOrder { charge_max_kw: 40.0, discharge_max_kw: 40.0, energy_max_kwh: 100.0, ..storage() };
    problem.storages.push(large);
    let clearing = cleared(&problem);
    // A kW on the line adds a EUR/MWh to the price behind it, so 30 and 100 without the storage.
    let charged = (0.8 * (100.0 - 2.0) - 2.0 - 30.0) / (1.0 + 0.8 * 0.8);
    close(&clearing.storages[0].charge_kw, &[charged, 0.0]);
    for (interval, price) in [30.0 + charged, 100.0 - 0.8 * charged].into_iter().enumerate() {
        let found = clearing.intervals[interval].prices[1];
        assert!((found - price).abs() < 1e-3, "{found}, not {price}");
    }
}

#[test]
fn limits_met_exactly_are_met() {
    let mut problem = market(&[20.0, 40.0]);
    problem.network.branches[1].power_max_kw = 10.0;
    problem.network.branches[1].power_min_kw = 10.0;
    problem.network.bands[1].min_square_pu = 0.998;
    problem.network.branches[1].apparent_max_kva = 10.1;
    problem.storages.push(StorageOrder { energy_start_kwh: 10.0, energy_end_min_kwh: 10.0, ..storage() });
    let clearing = cleared(&problem);
    close(&clearing.storages[0].energy_kwh, &[10.0, 10.0]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let check = |change: &dyn Fn(&mut HorizonProblem), expected: &str| {
        let mut problem = market(&[20.0, 40.0]);
        problem.storages.push(storage());
        change(&mut problem);
        let error = clear(&problem).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(&|p| p.supplies.clear(), "supplies: 0 given");
    check(&|p| p.supplies = vec![supply(1.0); MAX_INTERVALS + 1], "intervals: 385");
    check(&|p| p.offers[0].curves.truncate(1), "curves of offer 0: 1 given, 2 needed");
    check(&|p| p.offers[0].place = 2, "offer 0: place is 2, which does not exist");
    check(&|p| p.network.parent[1] = 1, "place 1: parent is 1, which does not come before");
    check(&|p| p.network.losses = Losses::Carried, "losses in the balance");
    check(&|p| p.network.branches[1].apparent_max_kva = f64::NAN, "most apparent power is NaN");
    check(&|p| p.network.branches[1].power_min_kw = 60.0, "which lies above the most");
    check(&|p| p.network.branches[1].resistance_pu_per_kva = f64::NAN, "resistance is NaN");
    check(&|p| p.supplies[0].pieces[0].price_low = 1e300, "price is 1");
    check(&|p| p.supplies[0].pieces[0].width_kw = 0.0, "width of a piece is 0");
    check(&|p| p.storages[0].charge_efficiency = 0.0, "charge_efficiency is 0");
    check(&|p| p.storages[0].energy_max_kwh = f64::INFINITY, "energy_max_kwh is inf");
    check(&|p| p.interval_hours = f64::NAN, "interval_hours is NaN");
    check(&|p| p.loss_price = -1.0, "price of losses is -1");
    let many = |p: &mut HorizonProblem| {
        (p.loss_price, p.supplies) = (1.0, vec![supply(1.0); MAX_INTERVALS]);
        p.network.parent.resize(4, 1);
        p.network.branches.resize(4, p.network.branches[1]);
        p.network.bands.resize(4, p.network.bands[1]);
        p.offers.clear();
    };
    check(&many, "bends of priced losses: 2304");
}

/// Figures as hostile as they come.
fn hostile() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -50.0..50.0f64,
        2 => Just(0.0),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(1e300), Just(-1e300), Just(1e9), Just(1e-300)],
        1 => prop_oneof![Just(-1.0), Just(1e6), Just(1e-9), Just(-1e9)],
    ]
}

proptest! {
    #![proptest_config(crate::cases(400))]
    #[test]
    fn whatever_is_asked_is_refused_or_certified(
        prices in prop::collection::vec(-100.0..100.0f64, 1..5),
        figures in prop::collection::vec(hostile(), 12),
        window in (0usize..6, 0usize..6),
    ) {
        let mut problem = market(&prices);
        problem.storages.push(StorageOrder {
            charge_max_kw: figures[0].abs(),
            discharge_max_kw: figures[1].abs(),
            energy_min_kwh: figures[2],
            energy_max_kwh: figures[3],
            energy_start_kwh: figures[4],
            energy_end_min_kwh: figures[5],
            wear_eur_per_mwh: figures[6].abs(),
            ..storage()
        });
        let order = DeferrableOrder {
            place: 1,
            energy_kwh: figures[7].abs(),
            power_max_kw: figures[8].abs(),
            start: window.0,
            end: window.1,
        };
        problem.deferrables.push(order);
        problem.network.branches[1].power_max_kw = figures[9];
        problem.network.branches[1].resistance_pu_per_kva = figures[10].abs() * 1e-4;
        problem.offers[0].curves[0].power_min_kw = figures[11];
        if let Ok(clearing) = clear(&problem) {
            let verdict = check(&problem, &clearing, &Tolerance::default());
            prop_assert!(verdict.is_ok(), "{verdict:?}");
        }
    }
}
