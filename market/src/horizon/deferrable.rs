//! A deferrable order inside a Newton step: one sum over its window ties its powers together, so its
//! answer to prices is a diagonal less a matrix of rank one.

use super::boxes::Boxes;

/// A deferrable order, scaled. Its energy is divided by an interval's length, so it is a power.
#[derive(Clone, Debug)]
pub struct DeferrableBlock {
    pub place: usize,
    /// First of its variables, one for each interval of its window.
    pub first: usize,
    pub start: usize,
    pub end: usize,
    pub energy: f64,
    /// What one unit of energy less would save.
    pub value: f64,
}

impl DeferrableBlock {
    /// Its part of a column of all variables.
    pub fn column<'a>(&self, column: &'a [f64]) -> &'a [f64] {
        &column[self.first..self.first + self.end - self.start]
    }

    fn column_mut<'a>(&self, column: &'a mut [f64]) -> &'a mut [f64] {
        &mut column[self.first..self.first + self.end - self.start]
    }

    /// Adds the gradient by its variables.
    pub fn add_gradient(&self, prices: &[f64], gradient: &mut [f64]) {
        for (own, price) in self.column_mut(gradient).iter_mut().zip(&prices[self.start..]) {
            *own += price - self.value;
        }
    }

    /// What its powers lack of its energy.
    pub fn shortfall(&self, boxes: &Boxes) -> f64 {
        self.energy - self.column(&boxes.value).iter().sum::<f64>()
    }

    /// Adds to a row-major square of intervals, at and below its diagonal, by how much power falls in one
    /// interval when the price rises in another.
    pub fn add_response(&self, mobility: &[f64], response: &mut [f64], intervals: usize) {
        let own = self.column(mobility);
        let all: f64 = own.iter().sum();
        if all == 0.0 {
            return;
        }
        for (j, at) in own.iter().enumerate() {
            let row = &mut response[(self.start + j) * intervals + self.start..];
            for (i, other) in own[..j].iter().enumerate() {
                row[i] -= at / all * other;
            }
            // Summed afresh, not taken from the whole, which may be nothing but this one.
            let others: f64 = own[..j].iter().sum::<f64>() + own[j + 1..].iter().sum::<f64>();
            row[j] += at * (others / all);
        }
    }

    /// The step of its powers, into `step`, and of its value at a step of the prices.
    pub fn step(
        &self,
        mobility: &[f64],
        prices: &[f64],
        pull: &[f64],
        lacking: f64,
        step: &mut [f64],
    ) -> f64 {
        let (own, pull) = (self.column(mobility), self.column(pull));
        let prices = &prices[self.start..self.end];
        let all: f64 = own.iter().sum();
        let drawn: f64 = own.iter().zip(pull).zip(prices).map(|((a, pull), price)| a * (pull - price)).sum();
        let value = if all > 0.0 { (lacking - drawn) / all } else { 0.0 };
        for (i, moved) in self.column_mut(step).iter_mut().enumerate() {
            *moved = own[i] * (pull[i] - prices[i] + value);
        }
        value
    }
}
