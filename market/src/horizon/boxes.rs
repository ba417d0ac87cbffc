//! Variables between zero and a width, under the logarithmic barrier of an interior point: their slacks
//! and multipliers, and what is left of a Newton step once these are eliminated.
//!
//! What the variables mean and what couples them is not known here.

/// Bounded variables, by column. `value` and `room` add up to the width; each is kept on its own so that
/// both are exact near their bound. A variable of no width stays at zero; one of infinite width has no
/// upper bound.
#[derive(Clone, Debug, Default)]
pub struct Boxes {
    /// Cost of the first unit.
    pub cost: Vec<f64>,
    /// Rise of the cost of one unit by unit.
    pub curvature: Vec<f64>,
    pub width: Vec<f64>,
    pub value: Vec<f64>,
    pub room: Vec<f64>,
    pub low: Vec<f64>,
    pub high: Vec<f64>,
}

/// A Newton step: of the values, and of the multipliers.
#[derive(Clone, Debug, Default)]
pub struct Step {
    pub value: Vec<f64>,
    pub low: Vec<f64>,
    pub high: Vec<f64>,
}

/// What the complementarity products are driven to: a common target, less the second-order terms of a
/// predicted step.
pub struct Target<'a> {
    pub product: f64,
    pub predicted: Option<&'a Step>,
}

impl Boxes {
    pub fn len(&self) -> usize {
        self.width.len()
    }

    /// Adds a variable at the middle of its width, or at `start` where it has no upper bound, with
    /// products of `product`.
    pub fn push(&mut self, width: f64, (cost, curvature): (f64, f64), start: f64, product: f64) -> usize {
        let finite = width.is_finite();
        let value = if finite { width / 2.0 } else { start };
        let positive = value > 0.0;
        self.cost.push(cost);
        self.curvature.push(curvature);
        self.width.push(width);
        self.value.push(value);
        self.room.push(if finite { value } else { f64::INFINITY });
        self.low.push(if positive { product / value } else { 0.0 });
        self.high.push(if positive && finite { product / value } else { 0.0 });
        self.len() - 1
    }

    fn fixed(&self, i: usize) -> bool {
        self.width[i] == 0.0
    }

    fn bounded(&self, i: usize) -> bool {
        self.width[i].is_finite()
    }

    /// How far each value moves for a unit of price: the inverse of curvature and barrier together.
    pub fn mobility(&self) -> Vec<f64> {
        let of = |i: usize| {
            if self.fixed(i) {
                return 0.0;
            }
            let upper = if self.bounded(i) { self.high[i] / self.room[i] } else { 0.0 };
            1.0 / (self.curvature[i] + self.low[i] / self.value[i] + upper)
        };
        (0..self.len()).map(of).collect()
    }

    /// What draws each value, given the gradient of everything but its bounds.
    pub fn pull(&self, gradient: &[f64], target: &Target) -> Vec<f64> {
        let of = |i: usize| {
            if self.fixed(i) {
                return 0.0;
            }
            let (low, high) = self.driven(i, target);
            low - high - gradient[i]
        };
        (0..self.len()).map(of).collect()
    }

    /// The multipliers that a value standing still would be given.
    fn driven(&self, i: usize, target: &Target) -> (f64, f64) {
        let (mut low, mut high) = (target.product, target.product);
        if let Some(step) = target.predicted {
            low -= step.value[i] * step.low[i];
            high += step.value[i] * step.high[i];
        }
        (low / self.value[i], if self.bounded(i) { high / self.room[i] } else { 0.0 })
    }

    /// The step of the multipliers that goes with a step of the values.
    pub fn complete(&self, value: Vec<f64>, target: &Target) -> Step {
        let mut step = Step { low: vec![0.0; value.len()], high: vec![0.0; value.len()], value };
        for i in 0..self.len() {
            if self.fixed(i) {
                continue;
            }
            let (low, high) = self.driven(i, target);
            let moved = step.value[i];
            step.low[i] = low - self.low[i] - self.low[i] / self.value[i] * moved;
            if self.bounded(i) {
                step.high[i] = high - self.high[i] + self.high[i] / self.room[i] * moved;
            }
        }
        step
    }

    /// The longest part of a step that leaves every slack and multiplier at least zero: 1, or less where one of
    /// them would be nothing. At nothing a variable is lost, since it can't move any more; that is where a whole
    /// step leads at once if an equation leaves a variable but one value, and that a bound.
    pub fn longest(&self, step: &Step) -> f64 {
        let mut longest = 1.0f64;
        let mut within = |now: f64, change: f64| {
            if change < 0.0 && now + longest * change <= 0.0 {
                longest = (-now / change).min(1.0 - f64::EPSILON);
            }
        };
        for i in 0..self.len() {
            if self.fixed(i) {
                continue;
            }
            within(self.value[i], step.value[i]);
            within(self.low[i], step.low[i]);
            if self.bounded(i) {
                within(self.room[i], -step.value[i]);
                within(self.high[i], step.high[i]);
            }
        }
        longest
    }

    /// Sum of the complementarity products after `part` of a step, and how many there are.
    pub fn products(&self, step: &Step, part: f64) -> (f64, usize) {
        let (mut sum, mut count) = (0.0, 0);
        for i in 0..self.len() {
            if self.fixed(i) {
                continue;
            }
            let moved = part * step.value[i];
            sum += (self.value[i] + moved) * (self.low[i] + part * step.low[i]);
            count += 1;
            if self.bounded(i) {
                sum += (self.room[i] - moved) * (self.high[i] + part * step.high[i]);
                count += 1;
            }
        }
        (sum, count)
    }

    /// Takes `part` of a step.
    pub fn advance(&mut self, step: &Step, part: f64) {
        for i in 0..self.len() {
            if self.fixed(i) {
                continue;
            }
            let moved = part * step.value[i];
            self.value[i] += moved;
            self.low[i] += part * step.low[i];
            if self.bounded(i) {
                self.room[i] -= moved;
                self.high[i] += part * step.high[i];
            }
        }
    }

    /// Raises every product to at least `product`: the multiplier where it is the smaller factor, else
    /// the slack. Meant for figures scaled to about one.
    pub fn recentre(&mut self, product: f64) {
        for i in 0..self.len() {
            if self.fixed(i) {
                continue;
            }
            let half = self.width[i] / 2.0;
            if self.value[i] * self.low[i] < product {
                if self.value[i] < self.low[i] {
                    self.value[i] = (product / self.low[i]).min(half);
                    self.room[i] = self.width[i] - self.value[i];
                }
                self.low[i] = self.low[i].max(product / self.value[i]);
            }
            if self.bounded(i) && self.room[i] * self.high[i] < product {
                if self.room[i] < self.high[i] {
                    self.room[i] = (product / self.high[i]).min(half);
                    self.value[i] = self.width[i] - self.room[i];
                }
                self.high[i] = self.high[i].max(product / self.room[i]);
            }
        }
    }
}
