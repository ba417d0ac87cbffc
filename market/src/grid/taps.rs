//! On-load tap changers: which position of each transformer's taps makes a clearing cheapest.
//!
//! A clearing is convex for given taps and proven by its certificate; positions are few and whole. So
//! one changer is tried at each of its positions, which finds the best whatever the feeder. Several are
//! tried in turn until none of them gains by moving alone; where a feeder needs two to move at once,
//! that can miss the best pair.

use super::solution::GridSolution;

/// Most positions of one tap changer.
pub const MOST_POSITIONS: usize = 99;

/// Rounds over all changers after which the best found so far is taken.
const MOST_ROUNDS: usize = 20;

/// Part of an objective, or of 1 EUR/h, that is no gain.
const NO_GAIN: f64 = 1e-9;

/// A transformer's tap changer.
#[derive(Clone, Debug, PartialEq)]
pub struct TapChanger {
    /// Place that its transformer feeds.
    pub place: usize,
    /// Ratio at each position: voltage behind it over voltage before it.
    pub ratios: Vec<f64>,
}

/// A clearing with each changer at its best position.
#[derive(Clone, Debug, PartialEq)]
pub struct Tapped {
    /// Position of each changer.
    pub positions: Vec<usize>,
    /// The clearing there.
    pub solution: GridSolution,
}

impl TapChanger {
    /// Its positions, those nearest a ratio of 1 first, so that of two as good the nearer is kept.
    fn middle_first(&self) -> Vec<usize> {
        let off = |position: &usize| (self.ratios[*position] - 1.0).abs();
        let mut positions: Vec<usize> = (0..self.ratios.len()).collect();
        positions.sort_by(|a, b| off(a).total_cmp(&off(b)));
        positions
    }
}

/// Clears by `clear`, which takes each changer's position, and moves changers to where it is cheapest. A
/// position that does not clear is passed over.
///
/// # Errors
/// Where no position that was tried clears, why the one nearest a ratio of 1 does not.
pub fn choose<E>(
    changers: &[TapChanger],
    mut clear: impl FnMut(&[usize]) -> Result<GridSolution, E>,
) -> Result<Tapped, E> {
    let orders: Vec<Vec<usize>> = changers.iter().map(TapChanger::middle_first).collect();
    let mut positions: Vec<usize> =
        orders.iter().map(|order| order.first().copied().unwrap_or_default()).collect();
    let mut best = clear(&positions);
    for _ in 0..MOST_ROUNDS {
        let mut moved = false;
        for (changer, order) in orders.iter().enumerate() {
            let held = positions[changer];
            let mut here = held;
            for position in order.iter().filter(|position| **position != held) {
                positions[changer] = *position;
                let Ok(solution) = clear(&positions) else { continue };
                if gains(&solution, best.as_ref().ok()) {
                    (best, here, moved) = (Ok(solution), *position, true);
                }
            }
            positions[changer] = here;
        }
        // A second look at a single changer finds nothing new.
        if !moved || changers.len() == 1 {
            break;
        }
    }
    best.map(|solution| Tapped { positions, solution })
}

fn gains(solution: &GridSolution, best: Option<&GridSolution>) -> bool {
    best.is_none_or(|best| {
        let least = best.objective_eur_per_h;
        solution.objective_eur_per_h < least - NO_GAIN * least.abs().max(1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::error::GridError;
    use crate::grid::problem::GridProblem;
    use crate::grid::{clear, sample};

    fn at(problem: &GridProblem, changers: &[TapChanger], positions: &[usize]) -> GridProblem {
        let mut problem = problem.clone();
        for (changer, position) in changers.iter().zip(positions) {
            let ratio = changer.ratios[*position];
            problem.network.branches[changer.place].ratio_square = ratio * ratio;
        }
        problem
    }

    fn taps(place: usize, ratios: &[f64]) -> TapChanger {
        TapChanger { place, ratios: ratios.to_vec() }
    }

    fn check(problem: &GridProblem, changers: &[TapChanger], expected: &[usize]) {
        let chosen = choose(changers, |positions| clear(&at(problem, changers, positions))).unwrap();
        assert_eq!(chosen.positions, expected, "{changers:?}");
        // No other choice is cheaper: all of them, one by one.
        let every = changers.iter().fold(vec![Vec::new()], |choices: Vec<Vec<usize>>, changer| {
            let longer = |choice: &Vec<usize>| {
                (0..changer.ratios.len()).map(|p| [choice.clone(), vec![p]].concat()).collect::<Vec<_>>()
            };
            choices.iter().flat_map(longer).collect()
        });
        for positions in every {
            let Ok(other) = clear(&at(problem, changers, &positions)) else { continue };
            assert!(!gains(&other, Some(&chosen.solution)), "{positions:?} is better");
        }
    }

    /// Loads whose end would sag below 0.98 p.u. if all that is worth having were taken.
    fn sagging() -> GridProblem {
        let mut problem = sample::loaded();
        problem.network.bands.iter_mut().for_each(|band| {
            band.min_square_pu = 0.98 * 0.98;
            band.max_square_pu = 1.06 * 1.06;
        });
        problem
    }

    #[test]
    fn taps_lift_a_voltage_that_would_bind() {
        check(&sagging(), &[taps(1, &[0.95, 0.975, 1.0, 1.025, 1.05])], &[4]);
    }

    #[test]
    fn taps_that_gain_nothing_stay_in_the_middle() {
        check(&sample::loaded(), &[taps(1, &[0.95, 1.0, 1.05])], &[1]);
    }

    #[test]
    fn two_changers_are_moved_in_turn() {
        let changers = [taps(1, &[0.98, 1.0, 1.02]), taps(3, &[0.98, 1.0, 1.02])];
        check(&sagging(), &changers, &[2, 2]);
    }

    #[test]
    fn where_no_position_clears_the_middle_one_s_limit_is_named() {
        let mut problem = sagging();
        problem.network.bands[3].min_square_pu = 1.3;
        problem.network.bands[3].max_square_pu = 1.4;
        let changers = [taps(1, &[0.95, 1.0, 1.05])];
        let unmet = choose(&changers, |positions| clear(&at(&problem, &changers, positions)));
        assert_eq!(unmet.unwrap_err(), clear(&problem).unwrap_err());
        assert!(matches!(clear(&problem), Err(GridError::Infeasible { place: 3, .. })));
    }
}
