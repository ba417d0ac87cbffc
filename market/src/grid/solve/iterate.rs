//! The iteration: predictor, corrector, and when to stop.

use super::newton::Residuals;
use super::point::Point;

/// Most iterations.
const MAX_ITERATIONS: usize = 150;

/// Iterations without progress after which no more is expected.
const PATIENCE: usize = 20;

/// Residual, in the solver's units, at which the iteration ends at once.
const AIM: f64 = 1e-11;

/// Residual below which the iteration ends where no further progress is made.
const FINE: f64 = 1e-8;

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
        step(point, &residuals);
        iteration += 1;
    }
    if let Some(kept) = kept {
        point.restore(kept);
    }
    (iteration, best)
}

/// One predictor and corrector.
fn step(point: &mut Point, residuals: &Residuals) {
    point.solve(0.0);
    let (reach, [now, linear, square]) = point.reach();
    let length = reach.min(1.0);
    let after = (now + length * (linear + length * square)).max(0.0);
    let centring = (after / now).powi(3);
    point.predict((TRUST * length).min(1.0));
    let target = (centring * residuals.mean()).max(LEAST_PRODUCT);
    point.load(target);
    point.solve(target);
    point.advance((CAUTION * point.reach().0).min(1.0));
}
