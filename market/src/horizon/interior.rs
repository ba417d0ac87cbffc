//! The interior point: predictor and corrector (Mehrotra, SIAM J. Optim. 2(4), 1992) on a convex
//! quadratic program, with limits of the feeder joining on the way.

use super::boxes::{Boxes, Target};
use super::model::{Model, Purpose};
use super::newton::{Direction, Newton};
use thiserror::Error;

/// Steps without a better point after which none is expected.
const PATIENCE: usize = 15;

/// The same where only [`PRODUCT`] is missing.
const PATIENCE_AT_LAST: usize = 2;

/// Most steps.
const MAX_STEPS: usize = 200;

/// Relative gap at which no more is to be gained.
const GAP: f64 = 1e-10;

/// Relative gap that will do where rounding allows no less.
const GAP_ACCEPTED: f64 = 1e-8;

/// Largest product of a power and what moving it would gain, in kW EUR/MWh, that leaves nothing for a certificate
/// to find: it takes a watt, or a thousandth of a EUR/MWh, for none. In large sessions the relative gap alone
/// says less of a single figure.
const PRODUCT: f64 = 1e-7;

/// Scaled residual of equations and gradients.
const RESIDUAL: f64 = 1e-9;

/// Scaled residual that will do where rounding allows no less.
const RESIDUAL_ACCEPTED: f64 = 1e-6;

/// Relative gap below which limits that are passed join.
const GAP_TO_JOIN: f64 = 1.0;

/// Scaled power by which a limit must be passed to join.
const EXCESS: f64 = 1e-8;

/// Shortest step that gets anywhere.
const SHORTEST_STEP: f64 = 1e-9;

/// Relative gap that a point goes back to when limits join, if it is nearer its optimum.
const GAP_JOINED: f64 = 1e-2;

/// The same where excess is sought, whose costs of 1 must be far from decided then.
const GAP_JOINED_EXCESS: f64 = 10.0;

/// Least product limits join with, where nothing else has any.
const PRODUCT_LEAST: f64 = 1e-9;

/// How boldly the way to the optimum is gone.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Part of the longest step that is taken.
    step: f64,
    /// Least part of the present mean product that a step aims at.
    centring_least: f64,
}

impl Pace {
    /// What takes the fewest steps, nearly always.
    pub const BOLD: Self = Self { step: 0.995, centring_least: 0.0 };

    /// Never far from the middle of the way, for where bold steps come to stand at the edge.
    pub const CAREFUL: Self = Self { step: 0.9, centring_least: 0.1 };
}

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
    /// The largest of them, in kW EUR/MWh.
    largest: f64,
    /// Sum of the products by what is turned over.
    gap: f64,
    residual: f64,
}

impl Distance {
    fn of(model: &Model) -> Self {
        let boxes = &model.boxes;
        let (mut sum, mut count, mut largest) = (0.0, 0.0, 0.0_f64);
        let mut meet = |product: f64| {
            sum += product;
            count += 1.0;
            largest = largest.max(product);
        };
        for i in 0..boxes.len() {
            if boxes.width[i] > 0.0 {
                meet(boxes.value[i] * boxes.low[i]);
            }
            if boxes.width[i] > 0.0 && boxes.width[i].is_finite() {
                meet(boxes.room[i] * boxes.high[i]);
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
        let largest = largest * model.scale.power * model.scale.price;
        Self { product: if count > 0.0 { sum / count } else { 0.0 }, largest, gap: sum / turnover, residual }
    }

    /// The largest of product, gap and residual, each by what is aimed at; less is better, and 1 will do.
    fn score(&self) -> f64 {
        let score = (self.gap / GAP).max(self.residual / RESIDUAL).max(self.largest / PRODUCT);
        if self.gap.is_finite() && self.residual.is_finite() {
            score
        } else {
            f64::INFINITY
        }
    }

    fn within(&self, gap: f64, residual: f64) -> bool {
        self.gap <= gap && self.residual <= residual
    }
}

/// Moves the model's point to an optimum that keeps every limit of the feeder.
pub fn solve(model: &mut Model, pace: Pace) -> Result<(), Stalled> {
    let mut best: Option<(Distance, Point)> = None;
    let mut since = 0;
    for steps in 0..MAX_STEPS {
        model.turn();
        let distance = Distance::of(model);
        if distance.gap < GAP_TO_JOIN && join(model, &distance) {
            (best, since) = (None, 0);
        } else if distance.score() <= 1.0 {
            return Ok(());
        } else if best.as_ref().is_none_or(|(best, _)| distance.score() < best.score()) {
            (best, since) = (Some((distance, Point::of(model))), 0);
        } else {
            since += 1;
        }
        let near = best.as_ref().is_some_and(|(best, _)| best.within(GAP, RESIDUAL));
        let patience = if near { PATIENCE_AT_LAST } else { PATIENCE };
        if advance(model, pace) < SHORTEST_STEP || since > patience {
            return settle(model, best, steps);
        }
    }
    settle(model, best, MAX_STEPS)
}

/// Lets limits join that are passed; whether there were any.
fn join(model: &mut Model, distance: &Distance) -> bool {
    let gap = match model.purpose {
        Purpose::Optimum => GAP_JOINED,
        Purpose::LeastExcess => GAP_JOINED_EXCESS,
    };
    let raised = distance.product * (gap / distance.gap.max(f64::MIN_POSITIVE)).max(1.0);
    let product = raised.clamp(PRODUCT_LEAST, 1.0);
    let joined = model.join(EXCESS, product) > 0;
    if joined {
        model.boxes.recentre(product);
        model.turn();
    }
    joined
}

/// Goes back to the best point there was, if it will do.
fn settle(model: &mut Model, best: Option<(Distance, Point)>, steps: usize) -> Result<(), Stalled> {
    let Some((distance, point)) = best else {
        return Err(Stalled { steps, gap: f64::INFINITY, residual: f64::INFINITY });
    };
    point.restore(model);
    if distance.within(GAP_ACCEPTED, RESIDUAL_ACCEPTED) {
        return Ok(());
    }
    Err(Stalled { steps, gap: distance.gap, residual: distance.residual })
}

/// What moves of a model.
struct Point {
    boxes: Boxes,
    multipliers: Vec<f64>,
    storage_values: Vec<Vec<f64>>,
    deferrable_values: Vec<f64>,
}

impl Point {
    fn of(model: &Model) -> Self {
        Self {
            boxes: model.boxes.clone(),
            multipliers: model.equations.iter().map(|equation| equation.multiplier).collect(),
            storage_values: model.storages.iter().map(|storage| storage.values.clone()).collect(),
            deferrable_values: model.deferrables.iter().map(|order| order.value).collect(),
        }
    }

    fn restore(self, model: &mut Model) {
        model.boxes = self.boxes;
        for (equation, multiplier) in model.equations.iter_mut().zip(self.multipliers) {
            equation.multiplier = multiplier;
        }
        for (storage, values) in model.storages.iter_mut().zip(self.storage_values) {
            storage.values = values;
        }
        for (order, value) in model.deferrables.iter_mut().zip(self.deferrable_values) {
            order.value = value;
        }
        model.turn();
    }
}

/// Makes one step; which part of it was taken.
fn advance(model: &mut Model, pace: Pace) -> f64 {
    let newton = Newton::new(model);
    let boxes = &model.boxes;
    let predicted = newton.direction(&Target { product: 0.0, predicted: None }).boxes;
    let (now, count) = boxes.products(&predicted, 0.0);
    let (then, _) = boxes.products(&predicted, boxes.longest(&predicted));
    let mean = if count > 0 { now / count as f64 } else { 0.0 };
    let centring = if now > 0.0 { (then / now).clamp(0.0, 1.0).powi(3) } else { 0.0 };
    let target = Target { product: centring.max(pace.centring_least) * mean, predicted: Some(&predicted) };
    let direction = newton.direction(&target);
    let longest = model.boxes.longest(&direction.boxes);
    let part = if longest < 1.0 { pace.step * longest } else { 1.0 };
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
