//! What was forecast, kept until it comes true and then scored against persistence.

use crate::forecast::history::History;
use crate::forecast::score::{pinball_mean, Scores};
use std::collections::VecDeque;

/// Forecasts of one quantity that have not all come true yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pending {
    issued: VecDeque<Issued>,
    scores: Scores,
}

#[derive(Clone, Debug, PartialEq)]
struct Issued {
    first: i64,
    quantiles: Vec<[f64; 3]>,
    standstill: f64,
}

impl Pending {
    /// Keeps what is forecast for the day from step `first` on, when the last value known is
    /// `standstill`. What reaches farther is not scored: persistence has nothing to say of it.
    pub fn issue(&mut self, first: i64, quantiles: &[[f64; 3]], standstill: f64, per_day: usize) {
        let quantiles = quantiles.iter().take(per_day).copied().collect();
        self.issued.push_back(Issued { first, quantiles, standstill });
        while self.issued.len() > per_day {
            self.issued.pop_front();
        }
    }

    /// Scores every forecast made for `step`, whose value has come to `actual`; `before` ends just before it.
    pub fn came(&mut self, step: i64, actual: f64, before: &History) {
        let per_day = before.per_day() as i64;
        let Some(day_before) = before.at(step - per_day) else { return };
        for issued in &self.issued {
            let place = usize::try_from(step - issued.first).ok();
            let Some(quantiles) = place.and_then(|place| issued.quantiles.get(place)) else { continue };
            self.scores.forecaster.add(pinball_mean(quantiles, actual));
            self.scores.persistence.add(pinball_mean(&[day_before; 3], actual));
            self.scores.standstill.add(pinball_mean(&[issued.standstill; 3], actual));
        }
        self.issued.retain(|issued| issued.first + issued.quantiles.len() as i64 > step + 1);
    }

    /// The mean losses so far.
    pub fn scores(&self) -> Scores {
        self.scores
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_forecast_is_scored_when_it_comes_true() {
        let mut history = History::new(2);
        [3.0, 5.0].into_iter().enumerate().for_each(|(step, value)| history.push(step as i64, value));
        let mut pending = Pending::default();
        pending.issue(2, &[[4.0; 3], [5.0; 3], [9.0; 3]], 5.0, 2);
        pending.came(2, 4.0, &history);
        let scores = pending.scores();
        // Persistence said 3 and 5: one below and one above, at a mean pinball of a half each.
        assert_eq!(scores.forecaster.mean(), Some(0.0));
        assert!((scores.persistence.mean().unwrap() - 0.5).abs() < 1e-12);
        assert!((scores.standstill.mean().unwrap() - 0.5).abs() < 1e-12);
        history.push(2, 4.0);
        pending.came(3, 6.0, &history);
        assert!((pending.scores().forecaster.mean().unwrap() - 0.25).abs() < 1e-12);
        history.push(3, 6.0);
        pending.came(4, 1.0, &history);
        assert!((pending.scores().forecaster.mean().unwrap() - 0.25).abs() < 1e-12, "two steps are a day");
    }
}
