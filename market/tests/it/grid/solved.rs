//! Random feeders: as cheap as a general conic solver finds them, and optimal by their own figures.

use crate::cases;
use crate::grid::conic;
use crate::grid::optimal::faults;
use crate::grid::random::{problem, Features};
use market::grid::{clear, GridError};
use proptest::prelude::*;

/// Nothing but places.
const PLAIN: Features = Features {
    places: 0,
    power: 0.0,
    apparent: 0.0,
    voltage: false,
    loss_price: false,
    deviation: false,
    reserve: false,
    carried: false,
    steps: false,
};

/// The same optimum as the conic solver's, or both without solution.
fn check(seeds: std::ops::Range<u64>, features: Features) {
    let mut solved = 0;
    for seed in seeds {
        let features = Features { places: 2 + (seed % 29) as usize, ..features };
        let problem = problem(seed, &features);
        let found = clear(&problem);
        // Where the conic solver is unsure, it says nothing.
        let Some(reference) = conic::optimum(&problem) else {
            continue;
        };
        match (found, reference) {
            (Ok(solution), Some(reference)) => {
                let off = solution.objective_eur_per_h - reference - conic::constant(&problem);
                let tolerance = 1e-6 * solution.objective_eur_per_h.abs().max(1.0);
                assert!(off.abs() < tolerance, "seed {seed}: {off} EUR/h off");
                solved += 1;
            }
            (Err(GridError::Infeasible { .. }), None) => {}
            (found, reference) => panic!("seed {seed}: {found:?}, the conic solver {reference:?}"),
        }
    }
    assert!(solved > 10, "only {solved} could be compared");
}

#[test]
fn limits_of_power_cost_as_the_conic_solver_says() {
    check(0..40, Features { power: 0.3, apparent: 0.4, ..PLAIN });
}

#[test]
fn voltage_limits_cost_as_the_conic_solver_says() {
    check(0..40, Features { power: 0.3, voltage: true, deviation: true, loss_price: true, ..PLAIN });
}

#[test]
fn reserve_costs_as_the_conic_solver_says() {
    check(0..40, Features { power: 0.3, voltage: true, reserve: true, ..PLAIN });
}

#[test]
fn steps_cost_as_the_conic_solver_says() {
    check(0..40, Features { power: 0.3, voltage: true, steps: true, ..PLAIN });
}

#[test]
fn losses_in_the_balance_cost_as_the_conic_solver_says() {
    check(0..40, Features { power: 0.3, voltage: true, carried: true, ..PLAIN });
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn every_party_and_line_is_content(
        seed in any::<u64>(),
        places in 2usize..40,
        power in 0.0..0.5,
        apparent in 0.0..0.5,
        flags in any::<[bool; 5]>(),
    ) {
        let [voltage, loss_price, deviation, reserve, steps] = flags;
        let features =
            Features { places, power, apparent, voltage, loss_price, deviation, reserve, carried: false, steps };
        let problem = problem(seed, &features);
        match clear(&problem) {
            Ok(solution) => prop_assert_eq!(faults(&problem, &solution), Vec::<String>::new()),
            Err(error) => prop_assert!(matches!(error, GridError::Infeasible { .. }), "{}", error),
        }
    }
}
