//! The quick way to a clearing: a search over prices and over the multipliers of the few limits that
//! bind.
//!
//! At given prices every stretch answers by itself, so the dual is a function of the root's price and
//! of one multiplier for each limit that was passed so far. It is climbed by Newton steps along the
//! tree (semismooth, inside a proximal point method, as in Li, Sun and Toh, SIAM J. Optimization
//! 28(1), 2018). A limit joins when a dispatch passes it, and leaves when its multiplier is gone. One
//! look at the market is a pass over stretches, and no barrier keeps off thousands of limits that
//! nobody comes near.
//!
//! It knows limits of real power and voltage. Where more counts, or where it doesn't get there in
//! time, it gives nothing, and the interior point clears.

mod asks;
mod limits;
mod outcome;
mod paths;
mod search;
mod step;
#[cfg(test)]
mod tests;

use super::model::Model;
use super::point::Point;
use outcome::Outcome;
use search::Search;
use step::FINE;

/// Stretches from which on this way is taken. The interior point clears smaller markets as quickly, and
/// where prices are not unique it gives one from the midst of them.
const LEAST_STRETCHES: usize = 2_000;

/// Looks at the market after which the interior point is the quicker.
const MAX_LOOKS: usize = 400;

/// Limits that may be in at once, and places for each of them: beyond both, too much of the feeder lies
/// on paths.
const MANY: usize = 100;
const SHARE: usize = 8;

/// What a limit may be passed by in the end, in units of power or squared voltage.
const PASSED: f64 = 1e-9;

/// Share of what is unsettled that may be left when limits join or holds settle.
const ROUGH: f64 = 0.1;

/// What of a price holds may make up in the end, in units of price.
const PULLED: f64 = 1e-10;

/// Share of the usual distance between value and price over which the first hold spreads a step.
const FIRST_HOLD: f64 = 0.05;

/// What the hold becomes whenever it is settled, down to the least share of the first.
const TIGHTER: f64 = 0.5;
const LEAST_HOLD: f64 = 1e-3;

/// How many stretches say which distance is usual.
const SAMPLE: usize = 500;

/// The cleared point of a large market, where this way leads to it.
pub(super) fn clear(model: &Model) -> Option<Point<'_>> {
    (model.stretches.len() >= LEAST_STRETCHES && suits(model)).then(|| search(model)).flatten()
}

/// The cleared point of a market that suits, where the search finds it in time.
fn search(model: &Model) -> Option<Point<'_>> {
    let price = model.opening_price();
    let first = FIRST_HOLD * distance(model, price);
    let mut hold = first;
    let mut search = Search::new(model, price, hold);
    let mut outcome = Outcome::new(model);
    while search.looks < MAX_LOOKS {
        search.climb(ROUGH)?;
        search.find(&mut outcome);
        if search.join(&outcome.passed(model, PASSED)) {
            if search.joined.len() > MANY.max(model.parent.len() / SHARE) {
                return None;
            }
            continue;
        }
        if search.unsettled() <= FINE && search.pulled(&outcome) <= PULLED && search.passed() <= PASSED {
            return outcome.keeps_apparent(model, PASSED).then(|| outcome.point(&search));
        }
        hold = (hold * TIGHTER).max(first * LEAST_HOLD);
        search.settle(&outcome, hold);
    }
    None
}

/// Whether the model has nothing that this way doesn't know.
fn suits(model: &Model) -> bool {
    let lossy = model.carried || model.lines.iter().any(|line| line.loss_cost > 0.0);
    !lossy && model.deviation == 0.0 && model.reserve == [0.0; 2]
}

/// How far from a price the costs of stretches usually lie.
fn distance(model: &Model, price: f64) -> f64 {
    let parties = &model.stretches[..model.supply.start];
    let sampled = parties.iter().step_by(parties.len() / SAMPLE + 1);
    let mut distances: Vec<f64> = sampled.map(|stretch| (stretch.cost + price).abs()).collect();
    distances.sort_by(f64::total_cmp);
    distances.get(distances.len() / 2).copied().unwrap_or_default().max(1e-6)
}
