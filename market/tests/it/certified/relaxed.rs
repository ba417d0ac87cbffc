//! Branch flow as its relaxation: where more losses would be worth having, lines lose more than their
//! currents make. Such a clearing is the relaxation's optimum and certified as that, never as one of
//! real lines.

use super::made::Made;
use super::moved::move_all;
use super::problems::{problem, KINDS};
use super::random::Random;
use market::grid::certificate::{CertificateError, Tolerances};
use market::grid::clear;
use market::grid::dlmp::excess_loss_kva;
use market::grid::problem::{
    Branch, GridProblem, Losses, Network, Objective, Offer, Reactive, Supply, VoltageBand,
};
use market::grid::rounding::{certified, RoundingError};
use std::collections::BTreeMap;

/// 20 kW come in at the end of one line whatever happens, and 5 kW can leave at its beginning.
fn surplus(losses: Losses) -> GridProblem {
    let branch = Branch {
        resistance_pu_per_kva: 1e-4,
        reactance_pu_per_kva: 5e-5,
        ratio_square: 1.0,
        power_min_kw: f64::NEG_INFINITY,
        power_max_kw: f64::INFINITY,
        apparent_max_kva: f64::INFINITY,
    };
    let offer = Offer {
        place: 1,
        power_min_kw: -20.0,
        pieces: Vec::new(),
        reactive: Reactive::Fixed { reactive_kvar: 0.0 },
        reserve_up: None,
        reserve_down: None,
    };
    let free = VoltageBand { min_square_pu: f64::NEG_INFINITY, max_square_pu: f64::INFINITY };
    GridProblem {
        network: Network {
            parent: vec![0, 0],
            branches: vec![branch; 2],
            bands: vec![free; 2],
            root_voltage_square_pu: 1.0,
            losses,
        },
        offers: vec![offer],
        supply: Supply { import_min_kw: -5.0, pieces: Vec::new() },
        objective: Objective::default(),
    }
}

#[test]
fn a_surplus_that_nobody_takes_is_lost_where_lines_may_lose_anything() {
    let problem = surplus(Losses::Relaxed);
    let solution = clear(&problem).unwrap();
    let published = certified(&problem, &solution, Tolerances::default()).unwrap();
    assert!((solution.flows[1].loss_kw - 15.0).abs() < 1e-5, "{solution:?}");
    // 25 kVA squared are what the flow of 5 kW makes.
    assert!((excess_loss_kva(&problem.network, &solution, 1) - (15.0 - 25e-4)).abs() < 1e-2, "{solution:?}");
    assert_eq!(published.clearing.import.kw(), -5.0);
}

#[test]
fn a_real_line_is_not_said_to_lose_what_its_current_does_not_make() {
    let problem = surplus(Losses::Carried);
    let refused = certified(&problem, &clear(&problem).unwrap(), Tolerances::default());
    assert!(matches!(refused, Err(RoundingError::LossesWelcome { place: 1, .. })), "{refused:?}");
    // Nor is it where somebody publishes it all the same.
    let relaxed = surplus(Losses::Relaxed);
    let published = certified(&relaxed, &clear(&relaxed).unwrap(), Tolerances::default()).unwrap();
    let made = Made {
        network: problem.network,
        objective: problem.objective,
        supply: published.supply,
        clearing: published.clearing,
        parties: published.parties,
    };
    assert!(matches!(made.verdict(), Err(CertificateError::Loss { place: 1, .. })), "{:?}", made.verdict());
}

#[test]
fn every_figure_of_a_relaxed_clearing_matters() {
    let (mut refused, mut loose) = (BTreeMap::new(), 0);
    for (name, kind) in KINDS.into_iter().filter(|(_, kind)| kind.carried) {
        for seed in 0..120 {
            let mut problem = problem(seed, kind);
            // Much comes in and little can leave.
            problem.offers.iter_mut().for_each(|offer| offer.power_min_kw -= 20.0);
            problem.network.losses = Losses::Relaxed;
            let Ok(solution) = clear(&problem) else { continue };
            let beyond = |place: usize| excess_loss_kva(&problem.network, &solution, place) > 0.0;
            if !(1..solution.flows.len()).any(beyond) {
                continue;
            }
            loose += 1;
            let published = certified(&problem, &solution, Tolerances::default())
                .unwrap_or_else(|error| panic!("{name}, seed {seed}: {error}"));
            let made = Made {
                network: problem.network,
                objective: problem.objective,
                supply: published.supply,
                clearing: published.clearing,
                parties: published.parties,
            };
            move_all(&mut Random::new(seed), &made, &format!("{name}, seed {seed}"), &mut refused);
        }
    }
    let count: usize = refused.values().sum();
    println!("{loose} clearings, {count} refused: {refused:#?}");
    assert!(loose > 20 && count > 2_000, "{loose} clearings, {count} refused");
}
