//! What import costs interval by interval, and what was known of it before: the day-ahead price as the
//! median, and how far real time departs from it.
//!
//! The departure is that by which the agents look ahead ([`agents::device::levels`]): it lies at one of
//! three levels, stays there from one hour to the next with a given probability, and is else drawn anew.
//! So what agents expect of prices is true, which in real markets a forecaster must first achieve.

use super::PARAMETERS;
use crate::neighbourhood::day::INTERVAL_S as PRICE_INTERVAL_S;
use agents::device::levels::{LEVELS, WEIGHTS};
use agents::device::{PriceQuantiles, Prospect};
use market::units::PicoEurPerWh;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// How far the 10 and 90 % quantiles lie from the median: the order by which German intraday prices
/// depart from day-ahead ones.
const SPREAD: PicoEurPerWh = PicoEurPerWh(15_000_000);
/// Probability that the departure is the same an hour later.
pub const HOURLY_PERSISTENCE: f64 = 0.8;
/// Days of prices known: those of the day to come are taken to be like the day's own.
const DAYS_KNOWN: usize = 2;
/// Hours a forecast reaches beyond the one it is published in.
const HOURS_AHEAD: usize = 24;
const INTERVALS_PER_HOUR: usize = (3_600 / PARAMETERS.interval_s) as usize;

/// Prices of the day and the one after, one an interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Prices {
    expected: Vec<PriceQuantiles>,
    real: Vec<PicoEurPerWh>,
}

impl Prices {
    /// From the day-ahead price of each quarter-hour of the day; departures are drawn from `seed`.
    pub fn draw(day_ahead: &[PicoEurPerWh], seed: u64) -> Self {
        let per_price = (PRICE_INTERVAL_S / PARAMETERS.interval_s) as usize;
        let day: Vec<PicoEurPerWh> =
            day_ahead.iter().flat_map(|price| std::iter::repeat_n(*price, per_price)).collect();
        let expected: Vec<PriceQuantiles> =
            std::iter::repeat_n(day, DAYS_KNOWN).flatten().map(around).collect();
        let mut random = StdRng::seed_from_u64(seed);
        let mut level = draw_level(&mut random);
        let mut real = Vec::with_capacity(expected.len());
        for (number, price) in expected.iter().enumerate() {
            if number > 0 && number % INTERVALS_PER_HOUR == 0 && !random.random_bool(HOURLY_PERSISTENCE) {
                level = draw_level(&mut random);
            }
            real.push(price.rising()[level]);
        }
        Self { expected, real }
    }

    /// What import costs in the interval with this number.
    pub fn real(&self) -> &[PicoEurPerWh] {
        &self.real
    }

    /// What is expected of the interval with this number; none beyond what is known.
    pub fn expected(&self, number: usize) -> Option<PriceQuantiles> {
        self.expected.get(number).copied()
    }

    /// What is expected of the intervals after the one with this number, by the forecast of its hour.
    pub fn expected_after(&self, number: usize) -> Prospect {
        let end = (number / INTERVALS_PER_HOUR + 1 + HOURS_AHEAD) * INTERVALS_PER_HOUR;
        self.expected.iter().take(end).skip(number + 1).copied().collect()
    }
}

/// `median` with its spread; certain where that leaves what the market accepts.
fn around(median: PicoEurPerWh) -> PriceQuantiles {
    PriceQuantiles::new(median - SPREAD, median, median + SPREAD)
        .unwrap_or_else(|_| PriceQuantiles::certain(median))
}

fn draw_level(random: &mut StdRng) -> usize {
    let drawn: f64 = random.random();
    let mut below = 0.0;
    let reached = WEIGHTS.iter().position(|weight| {
        below += weight;
        drawn < below
    });
    reached.unwrap_or(LEVELS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day() -> Vec<PicoEurPerWh> {
        (0..96).map(|quarter| PicoEurPerWh(50_000_000 + quarter / 4 * 1_000_000)).collect()
    }

    #[test]
    fn departures_hold_for_whole_hours_and_are_as_often_as_expected() {
        let mut at = [0usize; LEVELS];
        for seed in 0..400 {
            let prices = Prices::draw(&day(), seed);
            assert_eq!(prices, Prices::draw(&day(), seed));
            for (number, price) in prices.real().iter().enumerate() {
                let rising = prices.expected(number).unwrap().rising();
                let level = rising.iter().position(|expected| expected == price).unwrap();
                at[level] += 1;
                let same_hour = number % INTERVALS_PER_HOUR != 0;
                assert!(!same_hour || prices.real()[number - 1] == *price, "{number}");
            }
        }
        let all: usize = at.iter().sum();
        for (count, weight) in at.iter().zip(WEIGHTS) {
            // 400 days of two days' chains of about ten draws: a standard deviation of 0.006 or less.
            assert!((*count as f64 / all as f64 - weight).abs() < 0.03, "{at:?}");
        }
    }

    #[test]
    fn a_forecast_reaches_a_day_beyond_its_hour() {
        let prices = Prices::draw(&day(), 1);
        for (number, expected) in [(0, 25 * 12 - 1), (11, 25 * 12 - 12), (12, 25 * 12 - 1)] {
            assert_eq!(prices.expected_after(number).each().len(), expected);
        }
    }
}
