//! How good a forecast was: the pinball loss, and persistence to hold it against.

use super::history::History;
use super::model::forecast;
use super::{Quantity, QUANTILES};

/// What a quantile costs when `actual` comes true: its weight times what it missed by (Koenker and Bassett
/// 1978). Its expected value is least at the true quantile.
pub fn pinball(level: f64, quantile: f64, actual: f64) -> f64 {
    let missed = actual - quantile;
    (level * missed).max((level - 1.0) * missed)
}

/// Mean pinball loss over the three quantiles.
pub fn pinball_mean(quantiles: &[f64; 3], actual: f64) -> f64 {
    let sum: f64 =
        QUANTILES.iter().zip(quantiles).map(|(level, value)| pinball(*level, *value, actual)).sum();
    sum / QUANTILES.len() as f64
}

/// A running mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeanLoss {
    sum: f64,
    count: u64,
}

impl MeanLoss {
    /// Takes one more.
    pub fn add(&mut self, loss: f64) {
        self.sum += loss;
        self.count += 1;
    }
    /// The mean; none of nothing.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

/// The forecaster's loss and persistence's, on the same intervals.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    /// The forecaster's.
    pub forecaster: MeanLoss,
    /// That of expecting each step to be as it was at the same time the day before.
    pub persistence: MeanLoss,
    /// That of expecting everything to stay as it is.
    pub standstill: MeanLoss,
}

impl Scores {
    /// By how much the forecaster beats the better of the two, as a part of its loss: 0.3 is 30 % less loss.
    /// None where nothing was scored, or there was nothing to lose.
    pub fn skill(&self) -> Option<f64> {
        let reference = self.persistence.mean()?.min(self.standstill.mean()?);
        (reference > 0.0).then(|| 1.0 - self.forecaster.mean().unwrap_or(0.0) / reference)
    }
}

/// What would have been forecast a day ahead, once an hour from step `from` on, knowing only what came
/// before: scored on what came.
pub fn replay(quantity: Quantity, values: &[f64], per_day: usize, from: usize) -> Scores {
    let mut scores = Scores::default();
    let mut known = History::new(per_day);
    for (step, value) in values.iter().enumerate() {
        if step >= from && (step - from).is_multiple_of((per_day / 24).max(1)) {
            let forecasts = forecast(quantity, &known, per_day);
            for (lead, (quantiles, actual)) in forecasts.iter().zip(&values[step..]).enumerate() {
                let Some(day_before) = (step + lead).checked_sub(per_day) else { continue };
                scores.forecaster.add(pinball_mean(quantiles, *actual));
                scores.persistence.add(pinball_mean(&[values[day_before]; 3], *actual));
                scores.standstill.add(pinball_mean(&[values[step - 1]; 3], *actual));
            }
        }
        known.push(step as i64, *value);
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_costs_by_the_side_it_misses_on() {
        let check = |level, quantile, actual, expected: f64| {
            assert!((pinball(level, quantile, actual) - expected).abs() < 1e-12);
        };
        check(0.9, 10.0, 14.0, 3.6);
        check(0.9, 14.0, 10.0, 0.4);
        check(0.5, 10.0, 14.0, 2.0);
        check(0.1, 7.0, 7.0, 0.0);
    }

    #[test]
    fn what_repeats_costs_neither_a_model_nor_persistence_anything() {
        let wave: Vec<f64> = (0..24 * 5).map(|hour| (hour % 24) as f64).collect();
        let scores = replay(Quantity::Price, &wave, 24, 48);
        assert!(scores.forecaster.mean() < Some(1e-9) && scores.persistence.mean() == Some(0.0));
        assert!(scores.standstill.mean() > Some(1.0));
        assert_eq!(scores.skill(), None);
    }
}
