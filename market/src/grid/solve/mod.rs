//! The solver: a primal-dual interior point (Mehrotra's predictor and corrector, SIAM J. Optimization
//! 2(4), 1992) whose linear systems are eliminated along the tree, so that one iteration costs a few
//! passes over places and pieces. Large markets that have only limits of real power and voltage are
//! cleared by a search over prices ([`prices`]) where that gets there.

mod choice;
mod iterate;
mod line;
mod matrix;
mod model;
mod newton;
mod pair;
mod point;
mod prices;
mod report;
mod reserve;
mod standby;
mod tree;
mod unmet;

use super::check::check;
use super::error::GridError;
use super::problem::GridProblem;
use super::solution::GridSolution;
use iterate::{iterate, FINE, TOLERATED};
use model::Model;
use point::{Give, Point, Room};

/// Where the iteration starts, one after the other until one leads to a fine result: the product, and with
/// which slack limits begin that the first point passes. Most settle from the first, and nowhere more exactly.
/// Products that fall while a curved limit is still far from met leave no way back to the path between the
/// limits; a hundred times as much begins farther from them all.
const OPENINGS: [(f64, Room); 3] = [(1e-2, Room::Little), (1e-2, Room::AsMuch), (1.0, Room::AsMuch)];

/// Clears one interval.
///
/// # Errors
/// An unsound figure, a limit that cannot be met, or no result within the iterations.
pub fn clear(problem: &GridProblem) -> Result<GridSolution, GridError> {
    check(problem)?;
    let model = Model::new(problem);
    if let Some(point) = prices::clear(&model) {
        return Ok(report::solution(problem, &point));
    }
    let (mut best, mut iterations, mut kept) = (f64::INFINITY, 0, None);
    for (attempt, (product, room)) in OPENINGS.into_iter().enumerate() {
        let mut point = Point::start(&model, (model.opening_price(), product), Give::default(), room);
        let (made, residual) = iterate(&mut point);
        iterations += made;
        if residual < best {
            (best, kept) = (residual, Some(point));
        }
        if best <= FINE {
            break;
        }
        // Where limits cannot be met by little, the residual alone could be tolerated.
        if attempt == 0 {
            if let Some(unmet) = unmet::limit(&model) {
                return Err(unmet);
            }
        }
    }
    match kept {
        Some(point) if best <= TOLERATED => Ok(report::solution(problem, &point)),
        _ => Err(GridError::NotConverged { iterations, residual: best }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::problem::{
        Branch, Losses, Network, Objective, Offer, Piece, Reactive, Supply, VoltageBand,
    };

    /// A line of 1e-4 p.u. per kVA from a supply at 50 EUR/MWh to a load of 10 kW that is worth 100
    /// to 0 EUR/MWh.
    fn two_places(branch: Branch, min_square_pu: f64) -> GridProblem {
        let free = VoltageBand { min_square_pu: f64::NEG_INFINITY, max_square_pu: f64::INFINITY };
        GridProblem {
            network: Network {
                parent: vec![0, 0],
                branches: vec![branch; 2],
                bands: vec![free, VoltageBand { min_square_pu, ..free }],
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

    fn branch() -> Branch {
        Branch {
            resistance_pu_per_kva: 1e-4,
            reactance_pu_per_kva: 1e-4,
            ratio_square: 1.0,
            power_min_kw: f64::NEG_INFINITY,
            power_max_kw: f64::INFINITY,
            apparent_max_kva: f64::INFINITY,
        }
    }

    /// What flows, and the prices at both ends.
    fn check(problem: &GridProblem, power_kw: f64, price: f64) {
        let solution = clear(problem).unwrap();
        assert!((solution.import_kw - power_kw).abs() < 1e-6, "{solution:?}");
        assert!((solution.prices[0] - 50.0).abs() < 1e-6, "{solution:?}");
        assert!((solution.prices[1] - price).abs() < 1e-6, "{solution:?}");
    }

    #[test]
    fn two_places_are_as_worked_by_hand() {
        let free = f64::NEG_INFINITY;
        check(&two_places(branch(), free), 5.0, 50.0);
        check(&two_places(Branch { power_max_kw: 4.0, ..branch() }, free), 4.0, 60.0);
        check(&two_places(Branch { apparent_max_kva: 3.0, ..branch() }, free), 3.0, 70.0);
        // 1 - 2 r P = 0.9996 where P = 2.
        check(&two_places(branch(), 0.9996), 2.0, 80.0);
        // 50 + 2 c r P = 100 - 10 P with 2 c r = 2.5.
        let mut lossy = two_places(branch(), free);
        lossy.objective.loss_price = 12_500.0;
        check(&lossy, 4.0, 60.0);
    }
}
