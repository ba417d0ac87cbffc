//! The value of stored energy where prices are uncertain: stochastic dynamic programming over three
//! price levels.
//!
//! A step's price is its 10, 50 or 90 % quantile with weights 0.3, 0.4 and 0.3 (Swanson's rule; Hurst,
//! Brown and Swanson 2000), and is seen before the step's decision is made. The level is a Markov
//! chain in continuous time: it stays for a while and is then drawn anew, so that of a departure from
//! the median a given part is left an hour later, as in the errors of real forecasts. Drawn anew every
//! step it would let a battery count on selling at a high quantile and buying at a low one within the
//! same hour, all day long, and nobody would ever sell to it at those prices.
//!
//! Each level's value function stays concave: a mean of concave functions is, and so is a step of
//! [`Value::before`]. Certain prices have one level, and then nothing is rounded.

use super::value::{Slope, Store, Value};

/// Number of levels.
pub const LEVELS: usize = 3;
/// Probability of each level.
pub const WEIGHTS: [f64; LEVELS] = [0.3, 0.4, 0.3];
/// Into how many equal parts a store is divided where prices are uncertain. Values are exact at their
/// bounds but for what earlier steps' parts took away, and always at most what they should be.
const CELLS: usize = 64;

/// A price at each level, rising, in 1e-12 EUR/Wh.
pub type LevelPrices = [f64; LEVELS];

/// One step of the horizon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LevelStep {
    /// Price at each level.
    pub prices_pico_per_wh: LevelPrices,
    /// Hours of it in which power can flow.
    pub hours: f64,
}

impl LevelStep {
    fn is_certain(&self) -> bool {
        self.prices_pico_per_wh[0] == self.prices_pico_per_wh[LEVELS - 1]
    }
}

/// Mean over the levels.
pub fn mean(levels: &[f64; LEVELS]) -> f64 {
    levels.iter().zip(WEIGHTS).map(|(value, weight)| value * weight).sum()
}

/// What energy in a store is worth at one instant, for each level the price may have from then on.
#[derive(Clone, Debug, PartialEq)]
pub struct LevelValues {
    /// One where the level makes no difference.
    by_level: Vec<Value>,
}

/// A run of stored energy with one marginal value at each level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Piece {
    /// What one more watt-hour is worth at each level, in 1e-12 EUR/Wh.
    pub values_pico_per_wh: [f64; LEVELS],
    /// How many watt-hours it is worth that for.
    pub length_wh: f64,
}

impl LevelValues {
    /// Worth the same whatever the price does.
    pub fn certain(value: Value) -> Self {
        Self { by_level: vec![value] }
    }

    /// The value at the start of `steps`, by the level of the first, where `self` is the value after
    /// them. `store` gives the store over a step of so many hours.
    pub fn before(
        mut self,
        store: impl Fn(f64) -> Store,
        steps: &[LevelStep],
        hourly_persistence: f64,
    ) -> Self {
        for (place, step) in steps.iter().enumerate().rev() {
            self = self.before_step(&store(step.hours), step);
            if let Some(earlier) = place.checked_sub(1).and_then(|place| steps.get(place)) {
                self = self.expected(hourly_persistence.powf(earlier.hours));
            }
        }
        self
    }

    /// By the level before a change that leaves the level as it is with the probability `stays`, and
    /// else draws it anew.
    pub fn expected(self, stays: f64) -> Self {
        if self.by_level.len() == 1 {
            return self;
        }
        let overall = Value::mean(&self.by_level, &WEIGHTS);
        let kept = [stays, 1.0 - stays];
        let by_level = self.by_level.into_iter().map(|value| Value::mean(&[value, overall.clone()], &kept));
        Self { by_level: by_level.collect() }
    }

    fn before_step(self, store: &Store, step: &LevelStep) -> Self {
        if step.is_certain() && self.by_level.len() == 1 {
            let price = step.prices_pico_per_wh[0];
            let value = self.by_level.into_iter().map(|after| after.before(store, price, step.hours));
            return Self { by_level: value.collect() };
        }
        let after = |level: usize| self.by_level.get(level).or(self.by_level.first()).cloned();
        let prices = step.prices_pico_per_wh.iter().enumerate();
        let by_level = prices.filter_map(|(level, price)| {
            let value = after(level)?.before(store, *price, step.hours);
            Some(value.in_cells(store.least_wh, store.most_wh, CELLS))
        });
        Self { by_level: by_level.collect() }
    }

    /// Adds the penalty of `store`'s band, as it counts at a step's end.
    pub fn penalise(&mut self, store: &Store) {
        self.by_level.iter_mut().for_each(|value| value.penalise(store));
    }

    /// The marginal values from `from_wh` to `to_wh`, in order of energy.
    pub fn between(&self, from_wh: f64, to_wh: f64) -> Vec<Piece> {
        let slopes: Vec<Vec<Slope>> =
            self.by_level.iter().map(|value| value.between(from_wh, to_wh)).collect();
        let mut at = [0usize; LEVELS];
        let mut used_wh = [0.0f64; LEVELS];
        let mut pieces = Vec::with_capacity(CELLS);
        loop {
            let mut values = [0.0; LEVELS];
            let mut length_wh = f64::INFINITY;
            for (level, value) in values.iter_mut().enumerate() {
                let own = level.min(slopes.len() - 1);
                let Some(slope) = slopes[own].get(at[own]) else { return pieces };
                *value = slope.value_pico_per_wh;
                length_wh = length_wh.min(slope.length_wh - used_wh[own]);
            }
            pieces.push(Piece { values_pico_per_wh: values, length_wh });
            for (own, slopes) in slopes.iter().enumerate() {
                used_wh[own] += length_wh;
                // What is left by rounding alone is no piece of its own.
                if slopes[at[own]].length_wh - used_wh[own] <= slopes[at[own]].length_wh * 1e-9 {
                    at[own] += 1;
                    used_wh[own] = 0.0;
                }
            }
        }
    }
}

/// The price up to which a piece is worth taking, where at each level of the price it is worth one of
/// `worths`.
///
/// What the interval's price tells of the level counts: a dear interval is the sooner followed by others.
/// Of all answers that take the piece up to some price, the one with the most expected gain is given; between
/// two levels the worth is taken to lie on a straight line. Without prices to tell levels by, the mean.
pub fn worth(worths: &[f64; LEVELS], prices: Option<LevelPrices>) -> f64 {
    let Some(prices) = prices.filter(|prices| prices[0] < prices[LEVELS - 1]) else { return mean(worths) };
    let (mut gain, mut best, mut taken) = (0.0, 0.0, 0);
    for level in 0..LEVELS {
        gain += WEIGHTS[level] * (worths[level] - prices[level]);
        if gain > best {
            (best, taken) = (gain, level + 1);
        }
    }
    if taken == 0 {
        return worths[0];
    }
    if taken == LEVELS {
        return worths[LEVELS - 1];
    }
    // The last level taken gains and the next would not, so the line crosses in between.
    let (above, below) = (worths[taken - 1] - prices[taken - 1], prices[taken] - worths[taken]);
    prices[taken - 1] + (prices[taken] - prices[taken - 1]) * above / (above + below)
}
