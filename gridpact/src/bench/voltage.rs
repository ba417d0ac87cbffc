//! Clearing with voltage and reactive power: merged curves on the 33-bus feeder in rounds of price
//! windows.

use super::figure::{Figure, Target};
use super::stopwatch::{milliseconds, timed};
use super::town::Town;
use super::BenchError;
use market::curve::Breakpoint;
use market::grid::problem::{Branch, GridProblem, Losses, Network, Objective, Piece, Supply, VoltageBand};
use market::grid::zoom::merged::MergedCurve;
use market::grid::zoom::{HiddenCurve, Step, Zoom};
use std::time::Duration;

const RUNS: usize = 7;
/// Rounds the market allows.
const ROUNDS: usize = 5;
/// Reactive power per real power of every other site; the rest have none.
const TAN_PHI: f64 = 0.33;
const PLACES: usize = 33;

/// Rounds on merged curves of `sites` sites.
///
/// # Errors
/// Where the market cannot be cleared, or not within five rounds.
pub fn measure(sites: usize) -> Result<Figure, BenchError> {
    let town = Town::new(sites, PLACES - 1);
    let (hidden, merged) = merged(&town);
    let problem = problem(sites as f64);
    let (mut taken, mut rounds) = (Duration::MAX, 0);
    for _ in 0..RUNS {
        let (run, played) = timed(|| play(Zoom::new(problem.clone(), hidden.clone()), &merged));
        (taken, rounds) = (taken.min(run), played?);
    }
    let breakpoints: usize = merged.iter().map(|curve| curve.points().len()).sum();
    Ok(Figure {
        name: format!("clearing {sites} curves on 33 buses with voltage, after the merge"),
        measured: milliseconds(taken),
        unit: "ms",
        target: Target::AtMost(20.0),
        detail: format!("{rounds} rounds over {} curves of {breakpoints} breakpoints", merged.len()),
    })
}

/// The sites of each bus, those without reactive power and those with it.
fn merged(town: &Town) -> (Vec<HiddenCurve>, Vec<MergedCurve>) {
    let mut by_curve: Vec<Vec<&[Breakpoint]>> = vec![Vec::new(); 2 * (PLACES - 1)];
    for (site, points) in town.sites.iter().enumerate() {
        by_curve[2 * town.bus(site) + site % 2].push(points);
    }
    let hidden = |curve: usize| HiddenCurve { place: 1 + curve / 2, tan_phi: (curve % 2) as f64 * TAN_PHI };
    let hidden = (0..by_curve.len()).map(hidden).collect();
    (hidden, by_curve.into_iter().map(MergedCurve::of).collect())
}

/// The shape of the 33-bus feeder (Baran and Wu, 1989), its impedance such that the sites' voltages
/// would pass their limits, and one lateral of little capacity.
fn problem(sites: f64) -> GridProblem {
    let parent = |place: usize| match place {
        0 => 0,
        18 => 1,
        22 => 2,
        25 => 5,
        _ => place - 1,
    };
    let branch = |place: usize| Branch {
        resistance_pu_per_kva: 0.01 / sites,
        reactance_pu_per_kva: 0.007 / sites,
        ratio_square: 1.0,
        power_min_kw: f64::NEG_INFINITY,
        power_max_kw: f64::INFINITY,
        apparent_max_kva: if place == 22 { 0.1 * sites } else { f64::INFINITY },
    };
    let import = Piece { width_kw: 40.0 * sites, price_low: -100.0, price_high: 400.0 };
    GridProblem {
        network: Network {
            parent: (0..PLACES).map(parent).collect(),
            branches: (0..PLACES).map(branch).collect(),
            bands: vec![VoltageBand { min_square_pu: 0.9025, max_square_pu: 1.1025 }; PLACES],
            root_voltage_square_pu: 1.0,
            losses: Losses::Neglected,
        },
        offers: Vec::new(),
        supply: Supply { import_min_kw: -20.0 * sites, pieces: vec![import] },
        objective: Objective::default(),
    }
}

/// How many rounds it took.
fn play(mut zoom: Zoom, merged: &[MergedCurve]) -> Result<usize, BenchError> {
    while zoom.rounds() < ROUNDS {
        let asked = zoom.questions().iter();
        let answers: Vec<_> = asked.map(|question| merged[question.curve].sampled(question.window)).collect();
        if let Step::Cleared(_) = zoom.step(&answers)? {
            return Ok(zoom.rounds());
        }
    }
    Err(BenchError::Rounds { most: ROUNDS })
}
