//! Feeders large enough that prices are searched for: optimal by their own figures, and certified.

use crate::grid::optimal::faults;
use crate::grid::random::{problem, Features};
use market::grid::certificate::Tolerances;
use market::grid::rounding::certified;
use market::grid::{clear, GridError};

const PLACES: usize = 1_200;

fn check(seeds: std::ops::Range<u64>, features: Features) {
    for seed in seeds {
        let problem = problem(seed, &Features { places: PLACES, ..features });
        match clear(&problem) {
            Ok(solution) => {
                assert_eq!(faults(&problem, &solution), Vec::<String>::new(), "seed {seed}");
                let published = certified(&problem, &solution, Tolerances::default());
                assert!(published.is_ok(), "seed {seed}: {:?}", published.err());
            }
            Err(error) => assert!(matches!(error, GridError::Infeasible { .. }), "seed {seed}: {error}"),
        }
    }
}

#[test]
fn large_feeders_with_voltage_are_certified() {
    check(0..6, Features { power: 0.05, voltage: true, ..Features::default() });
}

#[test]
fn large_feeders_of_steps_are_certified() {
    check(0..6, Features { power: 0.05, voltage: true, steps: true, ..Features::default() });
}

#[test]
fn large_feeders_with_limits_of_power_are_certified() {
    check(0..6, Features { power: 0.3, ..Features::default() });
}

#[test]
fn large_feeders_with_apparent_power_are_certified() {
    check(0..4, Features { apparent: 0.02, voltage: true, ..Features::default() });
}
