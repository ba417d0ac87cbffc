//! Hostile figures: an error or a solution that holds, never a panic or an endless loop.

use crate::grid::hand::two_places;
use crate::grid::optimal::faults;
use crate::grid::random::{problem, Features, Random};
use market::grid::problem::{GridProblem, Reactive};
use market::grid::{clear, GridError};

/// Every figure of a problem, to be replaced one at a time.
fn figures(problem: &mut GridProblem) -> Vec<&mut f64> {
    let network = &mut problem.network;
    let mut figures = vec![&mut network.root_voltage_square_pu, &mut problem.supply.import_min_kw];
    for branch in &mut network.branches[1..] {
        figures.extend([&mut branch.resistance_pu_per_kva, &mut branch.reactance_pu_per_kva]);
        figures.extend([&mut branch.ratio_square, &mut branch.power_min_kw, &mut branch.power_max_kw]);
        figures.push(&mut branch.apparent_max_kva);
    }
    for band in &mut network.bands[1..] {
        figures.extend([&mut band.min_square_pu, &mut band.max_square_pu]);
    }
    for piece in &mut problem.supply.pieces {
        figures.extend([&mut piece.width_kw, &mut piece.price_high, &mut piece.price_low]);
    }
    for offer in &mut problem.offers {
        figures.push(&mut offer.power_min_kw);
        for piece in &mut offer.pieces {
            figures.extend([&mut piece.width_kw, &mut piece.price_high, &mut piece.price_low]);
        }
        match &mut offer.reactive {
            Reactive::Fixed { reactive_kvar } => figures.push(reactive_kvar),
            Reactive::Proportional { tan_phi } => figures.push(tan_phi),
            Reactive::Range { min_kvar, max_kvar, cost_eur_per_mvar2_h } => {
                figures.extend([min_kvar, max_kvar, cost_eur_per_mvar2_h]);
            }
        }
        for reserve in [&mut offer.reserve_up, &mut offer.reserve_down].into_iter().flatten() {
            figures.extend([&mut reserve.max_kw, &mut reserve.price]);
        }
    }
    let objective = &mut problem.objective;
    figures.extend([&mut objective.loss_price, &mut objective.voltage_deviation_price]);
    figures.extend([&mut objective.reserve_up_kw, &mut objective.reserve_down_kw]);
    figures
}

#[test]
fn not_a_number_is_refused_wherever_it_stands() {
    let features = Features {
        places: 4,
        reserve: true,
        voltage: true,
        power: 1.0,
        apparent: 1.0,
        ..Features::default()
    };
    let count = figures(&mut problem(7, &features)).len();
    for index in 0..count {
        for hostile in [f64::NAN, 1e300, -1e300] {
            let mut problem = problem(7, &features);
            *figures(&mut problem)[index] = hostile;
            let refused =
                matches!(clear(&problem), Err(GridError::Figure { .. } | GridError::Reversed { .. }));
            assert!(refused, "figure {index} as {hostile}");
        }
    }
}

#[test]
fn odd_figures_end_in_an_error_or_a_solution_that_holds() {
    let odd = [0.0, -0.0, 1e-300, 1e-9, 1.0, -1.0, 1e5, -1e5, f64::INFINITY, f64::NEG_INFINITY];
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let features = Features {
            places: 2 + random.below(6),
            power: random.unit(),
            apparent: random.unit(),
            voltage: random.chance(0.5),
            reserve: random.chance(0.3),
            ..Features::default()
        };
        let mut problem = problem(seed, &features);
        for _ in 0..1 + random.below(3) {
            let mut figures = figures(&mut problem);
            let index = random.below(figures.len());
            *figures[index] = odd[random.below(odd.len())];
        }
        if let Ok(solution) = clear(&problem) {
            assert!(solution.prices.iter().all(|price| price.is_finite()), "seed {seed}");
            assert!(solution.objective_eur_per_h.is_finite(), "seed {seed}");
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let refused = |change: &dyn Fn(&mut GridProblem)| {
        let mut problem = two_places();
        change(&mut problem);
        clear(&problem).unwrap_err()
    };
    let shape = |error| matches!(error, GridError::Shape { .. });
    assert!(shape(refused(&|p| p.network.parent.clear())));
    assert!(shape(refused(&|p| p.network.branches.truncate(1))));
    assert!(shape(refused(&|p| p.network.bands.truncate(1))));
    let looped = refused(&|p| p.network.parent[1] = 1);
    assert_eq!(looped, GridError::Parent { place: 1, parent: 1 });
    let lost = refused(&|p| p.offers[0].place = 2);
    assert_eq!(lost, GridError::UnknownPlace { offer: 0, place: 2 });
    let rising = refused(&|p| p.offers[0].pieces[0].price_low = 120.0);
    assert!(matches!(rising, GridError::Order { figure: "offer", .. }));
    let falling = refused(&|p| p.supply.pieces[0].price_low = 60.0);
    assert!(matches!(falling, GridError::Order { figure: "supply", .. }));
}

#[test]
fn a_line_without_impedance_and_a_market_without_offers_clear() {
    let mut problem = two_places();
    problem.network.branches[1].resistance_pu_per_kva = 0.0;
    problem.network.branches[1].reactance_pu_per_kva = 0.0;
    assert_eq!(faults(&problem, &clear(&problem).unwrap()), Vec::<String>::new());
    problem.offers.clear();
    assert!(clear(&problem).unwrap().import_kw.abs() < 1e-9);
}
