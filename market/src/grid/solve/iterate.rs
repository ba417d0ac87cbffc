//! The iteration: predictor, corrector, and when to stop.

use super::newton::Residuals;
use super::point::Point;

/// Most iterations.
const MAX_ITERATIONS: usize = 150;

/// Iterations without progress after which no more is expected.
const PATIENCE: usize = 20;

/// Iterations without progress after which steps are made with care.
///
/// Where a step of the prediction is short, what it leaves of the products says little about the corrected
/// step, which can then raise them, and so round in a circle (Cartis, Applied Numerical Mathematics 59, 2009).
/// Steps that correct nothing and centre more leave it.
const WARNING: usize = 8;

/// Least centring of a careful step.
const CENTRED: f64 = 0.1;

/// Part of the longest step that is gone with care.
const CARE: f64 = 0.9;

/// Residual, in the solver's units, at which the iteration ends at once.
const AIM: f64 = 1e-11;

/// Residual below which the iteration ends where no further progress is made; above it, it is asked
/// whether limits can be met at all.
pub(super) const FINE: f64 = 1e-8;

/// Residual that is tolerated in the end, in units of the largest party's power and of the highest
/// price.
pub(super) const TOLERATED: f64 = 1e-6;

/// Least product aimed for: below it, slacks drown in rounding.
const LEAST_PRODUCT: f64 = 1e-13;

/// How many times its length a predicted step is trusted to say what it leaves of the products.
const TRUST: f64 = 4.0;

/// Part of the longest step that is gone.
const CAUTION: f64 = 0.995;

/// Iterates until nothing is left to do or to hope for. Leaves the best point found. Gives how many
/// iterations that took, and the largest residual left.
pub(super) fn iterate(point: &mut Point) -> (usize, f64) {
    let (mut best, mut found) = (f64::INFINITY, 0);
    let mut kept = None;
    let mut iteration = 0;
    let mut careful = false;
    while let Some(residuals) = point.prepare() {
        let worst = residuals.worst();
        if worst < 0.9 * best {
            (best, found) = (worst, iteration);
            kept = (best <= TOLERATED).then(|| point.keep());
        }
        let hopeless = if best <= FINE { 3 } else { PATIENCE };
        if best <= AIM || iteration - found >= hopeless || iteration == MAX_ITERATIONS {
            break;
        }
        careful |= best > FINE && iteration - found >= WARNING;
        step(point, &residuals, careful);
        iteration += 1;
    }
    if let Some(kept) = kept {
        point.restore(kept);
    }
    (iteration, best)
}

/// One predictor and corrector; a careful one centres more and corrects nothing.
fn step(point: &mut Point, residuals: &Residuals, careful: bool) {
    point.solve(0.0);
    let (reach, [now, linear, square]) = point.reach();
    let length = reach.min(1.0);
    let after = (now + length * (linear + length * square)).max(0.0);
    let mut centring = (after / now).powi(3);
    if careful {
        centring = centring.max(CENTRED);
    } else {
        point.predict((TRUST * length).min(1.0));
    }
    let target = (centring * residuals.mean()).max(LEAST_PRODUCT);
    point.load(target);
    point.solve(target);
    let part = if careful { CARE } else { CAUTION };
    point.advance((part * point.reach().0).min(1.0));
}
