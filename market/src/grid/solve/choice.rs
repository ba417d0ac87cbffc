//! How much of a stretch is taken: a quantity between two bounds, each with its multiplier.

use super::model::Stretch;
use super::pair::reach;

/// How much of a step adds to the price asked for.
const PROXIMITY: f64 = 1e-6;

/// Least share of a stretch taken or left at the start.
const INSIDE: f64 = 1e-6;

/// Halvings to find the start of a steep stretch.
const HALVINGS: usize = 40;

/// One stretch within the iteration.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Choice {
    /// What is taken.
    pub taken: f64,
    /// What is left; kept by itself so that it stays exact where it is small.
    pub left: f64,
    /// Multiplier of taking nothing.
    pub low: f64,
    /// Multiplier of taking all.
    pub high: f64,
    /// One over the second derivative.
    pub give: f64,
    step: f64,
    low_step: f64,
    high_step: f64,
    low_second: f64,
    high_second: f64,
}

impl Choice {
    /// The choice that is best at `price` when the logarithmic barrier weighs `product`; for a
    /// stretch whose slope hardly counts beside the barrier, as if it were flat.
    pub(super) fn start(stretch: &Stretch, price: f64, product: f64) -> Self {
        let Stretch { width, cost, slope } = *stretch;
        let fraction = if slope * width * width > product {
            steep(stretch, price, product)
        } else {
            flat((cost + slope * width / 2.0 + price) * width, product)
        };
        let taken = width * fraction.clamp(INSIDE, 1.0 - INSIDE);
        let left = width - taken;
        Self { taken, left, low: product / taken, high: product / left, ..Self::default() }
    }

    /// What is taken and left, known otherwise.
    pub(super) fn at(taken: f64, left: f64) -> Self {
        Self { taken, left, ..Self::default() }
    }

    /// Forgets the last step and takes the barrier's second derivative.
    pub(super) fn prepare(&mut self, stretch: &Stretch) {
        self.give = 1.0 / (PROXIMITY + stretch.slope + self.low / self.taken + self.high / self.left);
        self.low_second = 0.0;
        self.high_second = 0.0;
    }

    /// How much of the stationarity condition at `price` is not met yet.
    pub(super) fn stationarity(&self, stretch: &Stretch, price: f64) -> f64 {
        stretch.cost + stretch.slope * self.taken + price - self.low + self.high
    }

    /// The step at an unchanged `price`, before it is multiplied by [`Choice::give`].
    pub(super) fn pull(&self, stretch: &Stretch, price: f64, target: f64) -> f64 {
        (target - self.low_second) / self.taken
            - (target - self.high_second) / self.left
            - (stretch.cost + stretch.slope * self.taken + price)
    }

    /// Takes the step that follows from a pull and a change of price together.
    pub(super) fn recover(&mut self, pull: f64, target: f64) {
        self.step = pull * self.give;
        self.low_step = (target - self.low_second - self.low * self.step) / self.taken - self.low;
        self.high_step = (target - self.high_second + self.high * self.step) / self.left - self.high;
    }

    /// Makes `share` of the products the present step leaves what the next one corrects.
    pub(super) fn predict(&mut self, share: f64) {
        self.low_second = share * self.step * self.low_step;
        self.high_second = -share * self.step * self.high_step;
    }

    /// Longest step that keeps all four positive.
    pub(super) fn reach(&self) -> f64 {
        let taken = reach(self.taken, self.step).min(reach(self.left, -self.step));
        taken.min(reach(self.low, self.low_step)).min(reach(self.high, self.high_step))
    }

    /// Both products' coefficients of no, one and two powers of the step's length, added.
    pub(super) fn products(&self) -> [f64; 3] {
        [
            self.taken * self.low + self.left * self.high,
            self.taken * self.low_step + self.low * self.step + self.left * self.high_step
                - self.high * self.step,
            self.step * (self.low_step - self.high_step),
        ]
    }

    pub(super) fn advance(&mut self, length: f64) {
        self.taken += length * self.step;
        self.left -= length * self.step;
        self.low += length * self.low_step;
        self.high += length * self.high_step;
    }
}

/// Share of a flat stretch taken where taking all of it would cost `cost`.
fn flat(cost: f64, product: f64) -> f64 {
    // Root of `c f^2 - (c + 2 m) f + m` between 0 and 1, written without cancellation.
    let root = cost.hypot(2.0 * product);
    if cost > 0.0 {
        2.0 * product / (cost + 2.0 * product + root)
    } else {
        1.0 - 2.0 * product / (2.0 * product - cost + root)
    }
}

/// Share of a steep stretch taken, by halving.
fn steep(stretch: &Stretch, price: f64, product: f64) -> f64 {
    let Stretch { width, cost, slope } = *stretch;
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let share = (low + high) / 2.0;
        let marginal = (cost + slope * share * width + price) * width;
        if marginal < product / share - product / (1.0 - share) {
            low = share;
        } else {
            high = share;
        }
    }
    (low + high) / 2.0
}
