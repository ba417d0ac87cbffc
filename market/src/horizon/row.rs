//! Equations over places as rows of one interval, and the bends of those that are circles.
//!
//! Apparent power is limited by `(P^2 + Q^2 - S^2) / 2 S <= 0`. Its slope `(P, Q) / S` is that of the present
//! point, and its multiplier times its second derivative, `1 / S` by `P` and by `Q`, is what makes a Newton
//! step see the circle: two more rows, each the flow's part of it by the root of that weight.

use super::limits::{LimitKind, LimitRow};
use super::model::{Equation, Model, Taken};

/// A pattern in an interval, its real and its reactive coefficients each by a factor.
#[derive(Clone, Copy)]
pub struct Row<'m> {
    pub interval: usize,
    pub pattern: &'m LimitRow,
    pub along: [f64; 2],
}

impl Row<'_> {
    pub fn real(&self, place: usize) -> f64 {
        self.along[0] * self.pattern.real[place]
    }

    pub fn reactive(&self, place: usize) -> f64 {
        self.along[1] * self.pattern.reactive[place]
    }

    /// Its sum over what is taken.
    pub fn left(&self, taken: &Taken, intervals: usize) -> f64 {
        let [real, reactive] = self.parts(taken, intervals);
        self.along[0] * real + self.along[1] * reactive
    }

    /// The pattern's own two sums.
    fn parts(&self, taken: &Taken, intervals: usize) -> [f64; 2] {
        let mut parts = [0.0; 2];
        for place in 0..self.pattern.real.len() {
            let at = place * intervals + self.interval;
            parts[0] += self.pattern.real[place] * taken.real[at];
            parts[1] += self.pattern.reactive[place] * taken.reactive[at];
        }
        parts
    }

    /// Adds the prices that its multiplier makes.
    pub fn add_prices(&self, multiplier: f64, prices: &mut Taken, intervals: usize) {
        for place in 0..self.pattern.real.len() {
            let at = place * intervals + self.interval;
            prices.real[at] += self.real(place) * multiplier;
            prices.reactive[at] += self.reactive(place) * multiplier;
        }
    }
}

impl Model<'_> {
    pub fn row(&self, equation: &Equation) -> Row<'_> {
        Row { interval: equation.interval, pattern: &self.patterns[equation.pattern], along: equation.along }
    }

    pub fn is_circle(&self, equation: &Equation) -> bool {
        self.limits[equation.pattern].is_some_and(|limit| limit.kind == LimitKind::Apparent)
    }

    /// Takes the circles' slopes at the present point.
    pub fn turn(&mut self) {
        if !self.equations.iter().any(|equation| self.is_circle(equation)) {
            return;
        }
        let mut taken = self.taken(&self.boxes.value);
        taken.real.iter_mut().zip(&self.base.real).for_each(|(sum, base)| *sum += base);
        taken.reactive.iter_mut().zip(&self.base.reactive).for_each(|(sum, base)| *sum += base);
        for index in 0..self.equations.len() {
            let equation = &self.equations[index];
            if self.is_circle(equation) {
                let row = self.row(equation);
                let radius = row.pattern.bound / self.scale.power;
                let along = row.parts(&taken, self.intervals()).map(|part| part / radius);
                self.equations[index].along = along;
            }
        }
    }

    /// The bends of the circles and of priced losses.
    pub fn bends(&self) -> Vec<Row<'_>> {
        let mut bends = Vec::new();
        for equation in self.equations.iter().filter(|equation| self.is_circle(equation)) {
            let row = self.row(equation);
            let weight = equation.multiplier.max(0.0) * self.scale.power / row.pattern.bound;
            let root = weight.sqrt();
            bends.extend([[root, 0.0], [0.0, root]].map(|along| Row { along, ..row }));
        }
        bends.extend(self.loss_bends());
        bends
    }
}
