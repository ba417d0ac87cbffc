//! Day-ahead clearing: many coupled intervals on one feeder, with storage and deferrable orders that the
//! market itself schedules, in floating point and to a tolerance.
//!
//! [`problem`] says what is cleared, [`clearing`] what comes out. The optimum is found by an interior
//! point in which every order eliminates its own variables; limits of the feeder join as they are passed.
//! Nobody need trust it: what comes out carries every multiplier.

mod boxes;
pub mod certificate;
mod cholesky;
pub mod clearing;
mod deferrable;
pub mod error;
mod interior;
mod limits;
mod losses;
mod model;
mod newton;
mod outcome;
mod prices;
pub mod problem;
mod row;
mod rows;
mod storage;
mod validate;
mod worth;

use certificate::{Tolerance, Verdict};
use clearing::HorizonClearing;
use error::{HorizonError, Unmet};
use interior::Pace;
pub use interior::Stalled;
use limits::LimitKind;
pub use losses::MAX_BENDS;
use model::{Model, Purpose};
use problem::HorizonProblem;
pub use validate::{MAX_INTERVALS, MAX_PLACES};

/// Scaled power by which limits are passed in all, above which they can't be met.
const EXCESS: f64 = 1e-6;

/// Clears all intervals together.
///
/// # Errors
/// [`HorizonError`] where the problem makes no sense, can't be met, or is not solved to the tolerance of
/// [`certificate::check`].
pub fn clear(problem: &HorizonProblem) -> Result<HorizonClearing, HorizonError> {
    clear_certified(problem).map(|(clearing, _)| clearing)
}

/// As [`clear`], with the verdict on the clearing's certificate.
///
/// # Errors
/// As [`clear`].
pub fn clear_certified(problem: &HorizonProblem) -> Result<(HorizonClearing, Verdict), HorizonError> {
    validate::validate(problem)?;
    let solved = |pace| {
        let mut model = Model::new(problem, Purpose::Optimum);
        interior::solve(&mut model, pace).map(|()| outcome::clearing(&model))
    };
    let solved = match solved(Pace::BOLD) {
        Ok(clearing) => Ok(clearing),
        Err(stalled) => match unmet(problem) {
            Some(unmet) => return Err(HorizonError::Infeasible(unmet)),
            // It can be met, so there is an optimum.
            None => solved(Pace::CAREFUL).map_err(|_| stalled),
        },
    };
    certified(problem, solved?)
}

/// Nothing goes out that the one who gets it would refuse.
fn certified(
    problem: &HorizonProblem,
    clearing: HorizonClearing,
) -> Result<(HorizonClearing, Verdict), HorizonError> {
    match certificate::check(problem, &clearing, &Tolerance::default()) {
        Ok(verdict) => Ok((clearing, verdict)),
        Err(error) => Err(HorizonError::Uncertified { reason: error.to_string() }),
    }
}

/// The limit that can't be met, if there is one: found by passing as little of them as possible.
fn unmet(problem: &HorizonProblem) -> Option<Unmet> {
    let mut model = Model::new(problem, Purpose::LeastExcess);
    interior::solve(&mut model, Pace::BOLD).ok()?;
    let power = model.scale.power;
    let mut worst = (EXCESS, None);
    let mut consider = |excess: f64, unmet: Unmet| {
        if excess > worst.0 {
            worst = (excess, Some(unmet));
        }
    };
    for (interval, first) in model.firsts.supplies.iter().enumerate() {
        let first = first + problem.supplies[interval].pieces.len();
        let (more, less) = (model.boxes.value[first], model.boxes.value[first + 1]);
        consider(more, Unmet::SupplyMax { interval, excess_kw: more * power });
        consider(less, Unmet::SupplyMin { interval, excess_kw: less * power });
    }
    for equation in &model.equations {
        let (Some(limit), Some(excess)) = (model.limits[equation.pattern], equation.excess) else {
            continue;
        };
        let (place, interval, excess) = (limit.place, equation.interval, model.boxes.value[excess]);
        let excess_kw = excess * power;
        let excess_square_pu = excess_kw * model.patterns[equation.pattern].unit;
        let unmet = match limit.kind {
            LimitKind::PowerMax => Unmet::PowerMax { place, interval, excess_kw },
            LimitKind::PowerMin => Unmet::PowerMin { place, interval, excess_kw },
            LimitKind::VoltageMin => Unmet::VoltageMin { place, interval, excess_square_pu },
            LimitKind::VoltageMax => Unmet::VoltageMax { place, interval, excess_square_pu },
            LimitKind::Apparent => {
                // What is found is `(s^2 - most^2) / 2 most`.
                let most = limits::apparent_max_kva(&problem.network.branches[place]);
                let excess_kva = (most * (most + 2.0 * excess_kw)).sqrt() - most;
                Unmet::Apparent { place, interval, excess_kva }
            }
        };
        consider(excess, unmet);
    }
    worst.1
}
