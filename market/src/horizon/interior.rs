//! The interior point: predictor and corrector (Mehrotra, SIAM J. Optim. 2(4), 1992) on a convex
//! quadratic program, with limits of the feeder joining on the way.

use super::boxes::Target;
use super::model::Model;
use super::newton::{Direction, Newton};
use thiserror::Error;

/// Most steps.
const MAX_STEPS: usize = 200;

/// Relative gap at which no more is to be gained.
const GAP: f64 = 1e-11;

/// Relative gap that will do where rounding allows no less.
const GAP_ACCEPTED: f64 = 1e-8;

/// Scaled residual of equations and gradients.
const RESIDUAL: f64 = 1e-9;

/// Scaled residual that will do where rounding allows no less.
const RESIDUAL_ACCEPTED: f64 = 1e-6;

/// Relative gap below which limits that are passed join.
const GAP_TO_JOIN: f64 = 1.0;

/// Scaled power by which a limit must be passed to join.
const EXCESS: f64 = 1e-8;

/// Part of the longest step that is taken.
const STEP: f64 = 0.995;

/// Shortest step that gets anywhere.
const SHORTEST_STEP: f64 = 1e-9;

/// Products are raised to so much when limits join a point already near its optimum.
const PRODUCT_TO_JOIN: f64 = 1e-3;

/// The interior point came to no end.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("no optimum after {steps} steps: relative gap {gap:e}, residual {residual:e}")]
pub struct Stalled {
    /// Steps made.
    pub steps: usize,
    /// Gap between cost and bound by what is turned over.
    pub gap: f64,
    /// Largest residual of equations and gradients.
    pub residual: f64,
}

/// How far a point is from its optimum.
#[derive(Clone, Copy, Debug)]
struct Distance {
    /// Mean complementarity product.
    product: f64,
    /// Sum of the products by what is turned over.
    gap: f64,
    residual: f64,
}

impl Distance {
    fn of(model: &Model) -> Self {
        let boxes = &model.boxes;
        let (mut sum, mut count) = (0.0, 0.0);
        for i in 0..boxes.len() {
            if boxes.width[i] > 0.0 {
                sum += boxes.value[i] * boxes.low[i];
                count += 1.0;
            }
            if boxes.width[i] > 0.0 && boxes.width[i].is_finite() {
                sum += boxes.room[i] * boxes.high[i];
                count += 1.0;
            }
        }
        let cost =
            |i: usize| ((boxes.cost[i] + boxes.curvature[i] / 2.0 * boxes.value[i]) * boxes.value[i]).abs();
        let turnover = (0..boxes.len()).map(cost).fold(1.0, |sum, cost| sum + cost);
        let gradient = model.gradient();
        let slope = |(i, gradient): (usize, &f64)| {
            if boxes.width[i] > 0.0 {
                gradient - boxes.low[i] + boxes.high[i]
            } else {
                0.0
            }
        };
        let slopes = gradient.iter().enumerate().map(slope);
        let storages = model.storages.iter().flat_map(|storage| storage.shortfall(boxes));
        let deferrables = model.deferrables.iter().map(|order| order.shortfall(boxes));
        let all = slopes.chain(model.shortfalls()).chain(storages).chain(deferrables);
        let residual = all.map(f64::abs).fold(0.0, f64::max);
        Self { product: if count > 0.0 { sum / count } else { 0.0 }, gap: sum / turnover, residual }
    }

    fn within(&self, gap: f64, residual: f64) -> bool {
        self.gap <= gap && self.residual <= residual
    }
}

/// Moves the model's point to an optimum that keeps every limit of the feeder.
pub fn solve(model: &mut Model) -> Result<(), Stalled> {
    let mut stuck = false;
    for steps in 0..MAX_STEPS {
        let distance = Distance::of(model);
        let good_enough = stuck && distance.within(GAP_ACCEPTED, RESIDUAL_ACCEPTED);
        let optimal = good_enough || distance.within(GAP, RESIDUAL);
        if stuck && !good_enough {
            return Err(Stalled { steps, gap: distance.gap, residual: distance.residual });
        }
        if optimal || distance.gap < GAP_TO_JOIN {
            let product = distance.product.max(if optimal { PRODUCT_TO_JOIN } else { 0.0 });
            let joined = model.join(EXCESS, product);
            if joined == 0 && optimal {
                return Ok(());
            }
            if joined > 0 && optimal {
                model.boxes.recentre(PRODUCT_TO_JOIN);
            }
        }
        stuck = advance(model) < SHORTEST_STEP;
    }
    let distance = Distance::of(model);
    if distance.within(GAP_ACCEPTED, RESIDUAL_ACCEPTED) && model.join(EXCESS, distance.product) == 0 {
        return Ok(());
    }
    Err(Stalled { steps: MAX_STEPS, gap: distance.gap, residual: distance.residual })
}

/// Makes one step; which part of it was taken.
fn advance(model: &mut Model) -> f64 {
    let newton = Newton::new(model);
    let boxes = &model.boxes;
    let predicted = newton.direction(&Target { product: 0.0, predicted: None }).boxes;
    let (now, count) = boxes.products(&predicted, 0.0);
    let (then, _) = boxes.products(&predicted, boxes.longest(&predicted));
    let mean = if count > 0 { now / count as f64 } else { 0.0 };
    let centring = if now > 0.0 { (then / now).clamp(0.0, 1.0).powi(3) } else { 0.0 };
    let target = Target { product: centring * mean, predicted: Some(&predicted) };
    let direction = newton.direction(&target);
    let longest = model.boxes.longest(&direction.boxes);
    let part = if longest < 1.0 { STEP * longest } else { 1.0 };
    take(model, &direction, part);
    part
}

fn take(model: &mut Model, direction: &Direction, part: f64) {
    model.boxes.advance(&direction.boxes, part);
    let add = |sum: &mut f64, change: &f64| *sum += part * change;
    for (equation, change) in model.equations.iter_mut().zip(&direction.multipliers) {
        add(&mut equation.multiplier, change);
    }
    for (storage, change) in model.storages.iter_mut().zip(&direction.storage_values) {
        storage.values.iter_mut().zip(change).for_each(|(sum, change)| add(sum, change));
    }
    for (order, change) in model.deferrables.iter_mut().zip(&direction.deferrable_values) {
        add(&mut order.value, change);
    }
}
