//! Feeders of two places, worked by hand.

use market::grid::error::Limit;
use market::grid::problem::{
    Branch, GridProblem, Losses, Network, Objective, Offer, Piece, Reactive, ReserveOffer, Supply,
    VoltageBand,
};
use market::grid::{clear, GridError};

/// 10 kW behind a line of 1e-4 + j1e-4 p.u. per kVA, worth 100 falling to 0 EUR/MWh, and a supply at
/// 50 EUR/MWh.
pub fn two_places() -> GridProblem {
    let branch = Branch {
        resistance_pu_per_kva: 1e-4,
        reactance_pu_per_kva: 1e-4,
        ratio_square: 1.0,
        power_min_kw: f64::NEG_INFINITY,
        power_max_kw: f64::INFINITY,
        apparent_max_kva: f64::INFINITY,
    };
    let free = VoltageBand { min_square_pu: f64::NEG_INFINITY, max_square_pu: f64::INFINITY };
    GridProblem {
        network: Network {
            parent: vec![0, 0],
            branches: vec![branch; 2],
            bands: vec![free; 2],
            root_voltage_square_pu: 1.0,
            losses: Losses::Neglected,
        },
        offers: vec![Offer {
            place: 1,
            power_min_kw: 0.0,
            pieces: vec![Piece { width_kw: 10.0, price_high: 100.0, price_low: 0.0 }],
            reactive: Reactive::Fixed { reactive_kvar: 0.0 },
            reserve_up: None,
            reserve_down: None,
        }],
        supply: Supply {
            import_min_kw: -1e6,
            pieces: vec![Piece { width_kw: 2e6, price_high: 50.0, price_low: 50.0 }],
        },
        objective: Objective::default(),
    }
}

/// What flows and the price behind the line.
fn check(change: impl Fn(&mut GridProblem), power_kw: f64, price: f64) {
    let mut problem = two_places();
    change(&mut problem);
    let solution = clear(&problem).unwrap();
    assert!((solution.flows[1].power_kw - power_kw).abs() < 1e-6, "{power_kw} kW: {solution:?}");
    assert!((solution.prices[1] - price).abs() < 1e-5, "{price} EUR/MWh: {solution:?}");
}

#[test]
fn an_open_line_carries_what_is_worth_its_price() {
    check(|_| {}, 5.0, 50.0);
}

#[test]
fn limits_hold_back_power_and_raise_the_price() {
    check(|p| p.network.branches[1].power_max_kw = 4.0, 4.0, 60.0);
    check(|p| p.network.branches[1].power_min_kw = 6.0, 6.0, 40.0);
    check(|p| p.network.branches[1].apparent_max_kva = 3.0, 3.0, 70.0);
    // 1 - 2 r P = 0.9996 where P = 2; with the ratio 1.0002 where P = 3.
    check(|p| p.network.bands[1].min_square_pu = 0.9996, 2.0, 80.0);
    let raised = |p: &mut GridProblem| {
        p.network.bands[1].min_square_pu = 0.9996;
        p.network.branches[1].ratio_square = 1.0002;
    };
    check(raised, 3.0, 70.0);
}

#[test]
fn apparent_power_shares_its_limit_with_vars() {
    // sqrt(5^2 - 4^2) = 3.
    let shared = |p: &mut GridProblem| {
        p.network.branches[1].apparent_max_kva = 5.0;
        p.offers[0].reactive = Reactive::Fixed { reactive_kvar: 4.0 };
    };
    check(shared, 3.0, 70.0);
    // An inverter gives its vars up for free.
    let given = |p: &mut GridProblem| {
        p.network.branches[1].apparent_max_kva = 4.0;
        p.offers[0].reactive = Reactive::Range { min_kvar: -3.0, max_kvar: 3.0, cost_eur_per_mvar2_h: 0.0 };
    };
    check(given, 4.0, 60.0);
}

#[test]
fn losses_priced_raise_the_price_by_twice_their_mean() {
    // 50 + 2 c r P = 100 - 10 P with 2 c r = 2.5.
    check(|p| p.objective.loss_price = 12_500.0, 4.0, 60.0);
}

#[test]
fn losses_carried_are_those_of_the_flow() {
    let mut problem = two_places();
    problem.network.losses = Losses::Carried;
    problem.offers[0].pieces.clear();
    problem.offers[0].power_min_kw = 10.0;
    let solution = clear(&problem).unwrap();
    // P = 10 + r P^2 at a squared voltage of 1, the reactive flow x P^2 among it:
    // l = P^2 + Q^2, P = 10 + r l, Q = x l.
    let (mut real, mut reactive) = (10.0f64, 0.0f64);
    for _ in 0..60 {
        let current = real * real + reactive * reactive;
        (real, reactive) = (10.0 + 1e-4 * current, 1e-4 * current);
    }
    assert!((solution.import_kw - real).abs() < 1e-7, "{real}: {solution:?}");
    assert!((solution.import_kvar - reactive).abs() < 1e-7, "{reactive}: {solution:?}");
    // One more kW at the end costs 1 / (1 - dloss/dP) at the supply, whatever the price is.
    let more = |step: f64| {
        let mut problem = problem.clone();
        problem.offers[0].power_min_kw += step;
        clear(&problem).unwrap().objective_eur_per_h
    };
    let slope = (more(1e-3) - more(-1e-3)) / 2e-3 * 1e3;
    assert!((solution.prices[1] - slope).abs() < 1e-4, "{slope}: {solution:?}");
}

#[test]
fn reserve_is_paid_what_holding_back_costs() {
    let mut problem = two_places();
    problem.objective.reserve_up_kw = 6.0;
    problem.offers[0].reserve_up = Some(ReserveOffer { max_kw: 8.0, price: 3.0 });
    // 6 kW ready need 6 kW taken, the last worth 40 and paid 50: the reserve costs 3 + 10.
    let solution = clear(&problem).unwrap();
    assert!((solution.awards[0].power_kw - 6.0).abs() < 1e-6, "{solution:?}");
    assert!((solution.awards[0].reserve_up_kw - 6.0).abs() < 1e-6, "{solution:?}");
    assert!((solution.reserve_up_price - 13.0).abs() < 1e-5, "{solution:?}");
}

#[test]
fn a_limit_met_exactly_by_load_that_cannot_move_has_finite_prices() {
    let mut problem = two_places();
    problem.offers[0].pieces.clear();
    problem.offers[0].power_min_kw = 4.0;
    problem.network.branches[1].power_max_kw = 4.0;
    problem.network.branches[1].power_min_kw = 4.0;
    let solution = clear(&problem).unwrap();
    assert!(solution.prices.iter().all(|price| price.is_finite()), "{solution:?}");
    assert!((solution.import_kw - 4.0).abs() < 1e-9);
}

/// The limit named, what it needs and allows.
fn unmet(change: impl Fn(&mut GridProblem), limit: Limit, needed: f64, allowed: f64) {
    let mut problem = two_places();
    problem.offers[0].pieces.clear();
    problem.offers[0].power_min_kw = 10.0;
    change(&mut problem);
    match clear(&problem) {
        Err(GridError::Infeasible { limit: found, needed: need, allowed: allow, .. }) => {
            assert_eq!(found, limit);
            assert!((need - needed).abs() < 1e-3 * needed, "{need} needed, not {needed}");
            assert!((allow - allowed).abs() < 1e-9, "{allow} allowed, not {allowed}");
        }
        other => panic!("{limit}: {other:?}"),
    }
}

#[test]
fn what_cannot_be_met_is_named() {
    unmet(|p| p.network.branches[1].power_max_kw = 8.0, Limit::PowerMax, 10.0, 8.0);
    unmet(|p| p.network.branches[1].power_min_kw = 12.0, Limit::PowerMin, 10.0, 12.0);
    unmet(|p| p.network.branches[1].apparent_max_kva = 8.0, Limit::Apparent, 10.0, 8.0);
    unmet(|p| p.network.bands[1].min_square_pu = 0.999, Limit::VoltageMin, 0.998, 0.999);
    unmet(|p| p.network.bands[1].max_square_pu = 0.99, Limit::VoltageMax, 0.998, 0.99);
    let short = |p: &mut GridProblem| {
        p.supply.import_min_kw = 0.0;
        p.supply.pieces[0].width_kw = 7.0;
    };
    unmet(short, Limit::ImportMax, 10.0, 7.0);
    unmet(|p| p.supply.import_min_kw = 11.0, Limit::ImportMin, 10.0, 11.0);
    let mut problem = two_places();
    problem.objective.reserve_up_kw = 6.0;
    problem.offers[0].reserve_up = Some(ReserveOffer { max_kw: 2.0, price: 3.0 });
    let refused = clear(&problem).unwrap_err();
    assert!(matches!(refused, GridError::Infeasible { limit: Limit::ReserveUp, .. }), "{refused}");
}
