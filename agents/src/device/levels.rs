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
//! [`Cells::before`]. Certain prices have one level, and then nothing is rounded ([`Value::before`]).

use super::cells::Cells;
use super::value::{Slope, Store, Value};

/// Number of levels.
pub const LEVELS: usize = 3;
/// Probability of each level.
pub const WEIGHTS: [f64; LEVELS] = [0.3, 0.4, 0.3];
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
pub struct LevelValues(Levels);

#[derive(Clone, Debug, PartialEq)]
enum Levels {
    /// The level makes no difference.
    Alike(Value),
    /// By level.
    Apart(Box<[Cells; LEVELS]>),
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
        Self(Levels::Alike(value))
    }

    /// The value at the start of `steps`, by the level of the first, where `self` is the value after
    /// them. `store` gives the store over a step of so many hours.
    pub fn before(
        mut self,
        store: impl Fn(f64) -> Store,
        steps: &[LevelStep],
        hourly_persistence: f64,
    ) -> Self {
        // As a rule all steps are as long as each other.
        let mut last: Option<(f64, Store, f64)> = None;
        for (place, step) in steps.iter().enumerate().rev() {
            let (hours, over_step, stays) = match last {
                Some(last) if last.0 == step.hours => last,
                _ => (step.hours, store(step.hours), hourly_persistence.powf(step.hours)),
            };
            last = Some((hours, over_step, stays));
            if place + 1 < steps.len() {
                self = self.expected(stays);
            }
            self = self.before_step(&over_step, step);
        }
        self
    }

    /// By the level before a change that leaves the level as it is with the probability `stays`, and
    /// else draws it anew.
    pub fn expected(mut self, stays: f64) -> Self {
        if let Levels::Apart(by_level) = &mut self.0 {
            Cells::approach_mean(&mut by_level[..], &WEIGHTS, 1.0 - stays);
        }
        self
    }

    fn before_step(self, store: &Store, step: &LevelStep) -> Self {
        let LevelStep { prices_pico_per_wh: prices, hours } = *step;
        let mut by_level = match self.0 {
            Levels::Alike(after) if step.is_certain() => {
                return Self::certain(after.before(store, prices[0], hours));
            }
            Levels::Alike(after) => {
                let after = Cells::of(&after, store.least_wh, store.most_wh);
                Box::new([after.clone(), after.clone(), after])
            }
            Levels::Apart(by_level) => by_level,
        };
        for (value, price) in by_level.iter_mut().zip(prices) {
            *value = value.before(store, price, hours);
        }
        Self(Levels::Apart(by_level))
    }

    /// The marginal values from `from_wh` to `to_wh`, in order of energy, less the penalty of `store`'s
    /// band as it counts at a step's end.
    pub fn between(&self, store: &Store, from_wh: f64, to_wh: f64) -> Vec<Piece> {
        match &self.0 {
            Levels::Alike(value) => {
                let mut value = value.clone();
                value.penalise(store);
                let piece = |slope: &Slope| Piece {
                    values_pico_per_wh: [slope.value_pico_per_wh; LEVELS],
                    length_wh: slope.length_wh,
                };
                value.between(from_wh, to_wh).iter().map(piece).collect()
            }
            Levels::Apart(by_level) => {
                let (band, mut pieces, mut at_wh) = (store.band.as_ref(), Vec::new(), from_wh);
                while at_wh < to_wh {
                    let end_wh = by_level[0].next_turn(band, at_wh, to_wh);
                    let middle_wh = at_wh + (end_wh - at_wh) / 2.0;
                    let outside = band.map_or(0.0, |band| band.slope_at(middle_wh));
                    let cell = by_level[0].cell_at(middle_wh);
                    let values = by_level.each_ref().map(|value| value.slope_in(cell) + outside);
                    pieces.push(Piece { values_pico_per_wh: values, length_wh: end_wh - at_wh });
                    at_wh = end_wh;
                }
                pieces
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 10 kWh, 3 kW, 0.95 each way, worn by 10 EUR/MWh each way. Here a price of 1 is 1 EUR/MWh and
    /// energy is in kWh.
    fn battery() -> Store {
        Store {
            least_wh: 0.0,
            most_wh: 10.0,
            charge_max_w: 3.0,
            discharge_max_w: 3.0,
            charge_efficiency: 0.95,
            discharge_efficiency: 0.95,
            wear_pico_per_wh: 10.0,
            retention: 1.0,
            gain_wh: 0.0,
            band: None,
        }
    }

    fn steps(prices: &[LevelPrices]) -> Vec<LevelStep> {
        prices.iter().map(|p| LevelStep { prices_pico_per_wh: *p, hours: 1.0 }).collect()
    }

    fn values(store: &Store, prices: &[LevelPrices], persistence: f64, left: f64) -> LevelValues {
        let left = LevelValues::certain(Value::flat(store.least_wh, store.most_wh, left));
        left.before(|_| *store, &steps(prices), persistence)
    }

    /// Mean marginal values of the quarters of the store, at one level.
    fn quarters(values: &LevelValues, level: usize) -> [f64; 4] {
        [0.0, 2.5, 5.0, 7.5].map(|from| {
            let pieces = values.between(&battery(), from, from + 2.5);
            pieces.iter().map(|piece| piece.values_pico_per_wh[level] * piece.length_wh).sum::<f64>() / 2.5
        })
    }

    fn check(values: &LevelValues, level: usize, expected: [f64; 4], within: f64) {
        let got = quarters(values, level);
        let close = got.iter().zip(expected).all(|(got, expected)| (got - expected).abs() < within);
        assert!(close, "level {level}: {got:?}, not {expected:?}");
    }

    /// The 24 hours of 2024-01-10 in Germany and Luxembourg (SMARD.de), as a linear programme in the
    /// powers of every hour, solved by HiGHS 1.12 for five first states of charge.
    #[test]
    fn with_certain_prices_it_is_the_linear_programme_s_optimum() {
        let day = [
            89.29, 86.76, 86.73, 86.09, 86.3, 89.05, 108.88, 126.29, 141.28, 130.39, 118.56, 109.13, 102.21,
            105.61, 112.91, 123.8, 134.64, 143.79, 140.0, 132.15, 120.0, 109.76, 104.49, 96.03,
        ];
        let values = values(&battery(), &day.map(|price| [price; LEVELS]), 0.0, 75.0);
        check(&values, 0, [101.313053, 101.168, 100.811158, 100.621053], 1e-5);
    }

    /// Four hours in which each level may follow each, as a linear programme over the tree of all of
    /// them, solved by HiGHS 1.12. What differs is the division of the store into cells.
    #[test]
    fn with_uncertain_prices_it_is_the_optimum_over_the_tree_of_them() {
        let prices = [[60.0, 80.0, 110.0], [40.0, 90.0, 130.0], [20.0, 70.0, 150.0], [50.0, 85.0, 100.0]];
        let independent = values(&battery(), &prices, 0.0, 75.0);
        check(&independent, 0, [80.491, 74.3851, 71.8127, 67.8497], 0.25);
        check(&independent, 1, [94.061, 82.9454, 73.4846, 67.8497], 0.25);
        check(&independent, 2, [95.1558, 94.2635, 87.559, 75.2261], 0.25);
        let persistent = values(&battery(), &prices, 0.6, 75.0);
        check(&persistent, 0, [74.6444, 70.3741, 60.4123, 52.3477], 0.25);
        check(&persistent, 1, [85.8163, 80.4032, 75.1968, 71.2436], 0.25);
        check(&persistent, 2, [106.0843, 102.4371, 97.4224, 90.619], 0.25);
    }

    /// What the policy read from the values earns over every path of levels, weighted; starts half full.
    fn earned(prices: &[LevelPrices], persistence: f64, left: f64) -> f64 {
        let store = battery();
        let after: Vec<LevelValues> = (0..prices.len())
            .map(|stage| values(&store, &prices[stage + 1..], persistence, left).expected(persistence))
            .collect();
        let mut earned = 0.0;
        for path in 0..LEVELS.pow(prices.len() as u32) {
            let level = |stage: usize| path / LEVELS.pow(stage as u32) % LEVELS;
            let (mut chance, mut energy, mut sum) = (1.0, 5.0, 0.0);
            for (stage, after) in after.iter().enumerate() {
                let now = level(stage);
                let drawn = WEIGHTS[now];
                chance *= match stage.checked_sub(1).map(level) {
                    Some(before) if before == now => persistence + (1.0 - persistence) * drawn,
                    Some(_) => (1.0 - persistence) * drawn,
                    None => drawn,
                };
                let price = prices[stage][now];
                let worth = |from: f64, to: f64, yes: &dyn Fn(f64) -> bool| -> f64 {
                    let pieces = after.between(&store, from, to);
                    pieces.iter().filter(|p| yes(p.values_pico_per_wh[now])).map(|p| p.length_wh).sum()
                };
                let most = (energy + store.intake_wh(1.0)).min(store.most_wh);
                let least = (energy - store.outtake_wh(1.0)).max(store.least_wh);
                let bought = worth(energy, most, &|value| (value - 10.0) * 0.95 > price);
                let sold = worth(least, energy, &|value| (value + 10.0) / 0.95 < price);
                sum += sold * (price * 0.95 - 10.0) - bought * (price / 0.95 + 10.0);
                energy += bought - sold;
            }
            earned += chance * (sum + left * energy);
        }
        earned
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// For a policy that sees levels, earnings are linear in the spread; the best of all policies is
        /// therefore convex in it. At no spread its slope is that of the best policy for medians, whose
        /// trades don't depend on the level, and so zero where departures have mean zero. Convex and flat
        /// at its start, it can only rise: a battery is an option on the spread.
        #[test]
        fn wider_spread_never_earns_less(
            medians in prop::collection::vec(40.0f64..120.0, 1..=4),
            spread in 0.0f64..40.0,
            wider in 1.0f64..3.0,
            persistence in 0.0f64..=1.0,
        ) {
            let spread_by = |by: f64| -> Vec<LevelPrices> {
                medians.iter().map(|median| [median - by, *median, median + by]).collect()
            };
            let narrow = earned(&spread_by(spread), persistence, 70.0);
            let wide = earned(&spread_by(spread * wider), persistence, 70.0);
            // The cells of the store are a part of 64 of its worth.
            prop_assert!(wide >= narrow - 3.0, "{wide} where {narrow} was earned with less spread");
        }

        #[test]
        fn marginal_values_fall_at_every_level(
            prices in prop::collection::vec((-100.0f64..200.0, 0.0f64..80.0, 0.0f64..80.0), 1..30),
            persistence in 0.0f64..=1.0,
        ) {
            let prices: Vec<LevelPrices> = prices.iter().map(|(p, up, more)| [*p, p + up, p + up + more]).collect();
            let values = values(&battery(), &prices, persistence, 50.0).expected(persistence);
            let pieces = values.between(&battery(), 0.0, 10.0);
            for two in pieces.windows(2) {
                for level in 0..LEVELS {
                    prop_assert!(two[0].values_pico_per_wh[level] >= two[1].values_pico_per_wh[level] - 1e-9);
                }
            }
            let covered: f64 = pieces.iter().map(|piece| piece.length_wh).sum();
            prop_assert!((covered - 10.0).abs() < 1e-6);
        }

        /// Held against every answer there is: to take the piece at no level, at the lowest, ...
        #[test]
        fn a_worth_is_the_answer_of_most_expected_gain(
            worths in prop::array::uniform3(-50.0f64..150.0),
            low in -50.0f64..100.0,
            rises in prop::array::uniform2(0.1f64..60.0),
        ) {
            let prices = [low, low + rises[0], low + rises[0] + rises[1]];
            let gain = |taken: usize| -> f64 {
                (0..taken).map(|level| WEIGHTS[level] * (worths[level] - prices[level])).sum()
            };
            let worth = worth(&worths, Some(prices));
            let taken = prices.iter().filter(|price| **price <= worth).count();
            for other in 0..=LEVELS {
                prop_assert!(gain(taken) >= gain(other) - 1e-9, "{taken} and not {other} levels at {worth}");
            }
        }
    }

    #[test]
    fn a_price_that_tells_of_the_next_is_answered_less() {
        let check = |worths: [f64; LEVELS], expected: f64| {
            let got = worth(&worths, Some([40.0, 60.0, 80.0]));
            assert!((got - expected).abs() < 1e-9, "{got}, not {expected}");
        };
        // Worth the same whatever the level: taken up to just that.
        check([70.0; LEVELS], 70.0);
        // Worth more where it is dearer: half way between the lower two, 50 and 55 are met at 53.33.
        check([50.0, 55.0, 60.0], 40.0 + 20.0 * 10.0 / 15.0);
        check([30.0, 35.0, 40.0], 30.0);
        check([90.0, 95.0, 99.0], 99.0);
        assert_eq!(worth(&[10.0, 20.0, 60.0], None), 0.3 * 10.0 + 0.4 * 20.0 + 0.3 * 60.0);
    }
}
