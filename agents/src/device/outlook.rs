//! What an agent looks ahead with: the prices it expects and how far they may miss.

use super::hours;
use super::ladder::PriceRange;
use super::levels::{mean, LevelPrices, LevelStep};
use market::interval::{Interval, UnixSeconds};
use market::units::PicoEurPerWh;
use wire::message::Quantiles;

/// A price expected.
pub type PriceQuantiles = Quantiles<PicoEurPerWh>;

/// Prices expected of one interval after the other, with what every agent asks of them worked out once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prospect {
    each: Vec<PriceQuantiles>,
    /// Neighbours of the same price, and how many.
    runs: Vec<(LevelPrices, usize)>,
    mean: Option<f64>,
}

impl Prospect {
    /// Every interval's price, in order.
    pub fn each(&self) -> &[PriceQuantiles] {
        &self.each
    }
    /// Whether nothing is expected.
    pub fn is_empty(&self) -> bool {
        self.each.is_empty()
    }
}

impl FromIterator<PriceQuantiles> for Prospect {
    fn from_iter<I: IntoIterator<Item = PriceQuantiles>>(prices: I) -> Self {
        let each: Vec<PriceQuantiles> = prices.into_iter().collect();
        let mut runs: Vec<(LevelPrices, usize)> = Vec::new();
        for price in each.iter().map(level_prices) {
            match runs.last_mut() {
                Some((last, count)) if *last == price => *count += 1,
                _ => runs.push((price, 1)),
            }
        }
        let sum: f64 = runs.iter().map(|(price, count)| mean(price) * *count as f64).sum();
        let mean = (!each.is_empty()).then(|| sum / each.len() as f64);
        Self { each, runs, mean }
    }
}

/// What an agent looks ahead with.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    /// The interval bid for.
    pub interval: Interval,
    /// Length of every interval in seconds.
    pub interval_s: i64,
    /// When the devices were read.
    pub read_at: UnixSeconds,
    /// Price expected for the interval bid for; none where it is not forecast.
    pub price: Option<PriceQuantiles>,
    /// Prices expected for the intervals after the one bid for, in order, without gaps.
    pub prices: Prospect,
    /// How much of a price's departure from its median is left an hour later, 0 to 1.
    pub hourly_persistence: f64,
    /// What the market can clear at.
    pub range: PriceRange,
}

impl Outlook {
    /// Length of an interval in hours.
    pub fn hours(&self) -> f64 {
        hours(self.interval_s)
    }
    /// Hours from the reading to the start of the interval bid for.
    pub fn hours_until_start(&self) -> f64 {
        hours((self.interval.start().0 - self.read_at.0).max(0))
    }
    /// Mean of the prices expected; none where there are none.
    pub fn mean_price(&self) -> Option<f64> {
        self.prices.mean
    }
    /// The price of the interval bid for at each level, where it is forecast.
    pub(super) fn level_prices(&self) -> Option<LevelPrices> {
        self.price.as_ref().map(level_prices)
    }
    /// The prices expected as steps, neighbours of the same price in one, as far as it is no longer
    /// than `longest_hours`. The first may be the rest of the interval's own run, as
    /// [`Outlook::run_under_way`] says.
    pub(super) fn steps(&self, longest_hours: f64) -> Vec<LevelStep> {
        // The cast saturates, so that without a longest a run stays one.
        let most = (((longest_hours + 1e-9) / self.hours()) as usize).max(1);
        let mut steps = Vec::with_capacity(self.prices.runs.len() + 1);
        for (prices_pico_per_wh, count) in &self.prices.runs {
            let mut left = *count;
            while left > 0 {
                let taken = left.min(most);
                let hours = hours(taken as i64 * self.interval_s);
                steps.push(LevelStep { prices_pico_per_wh: *prices_pico_per_wh, hours });
                left -= taken;
            }
        }
        steps
    }
    /// Whether the price after the interval bid for is the interval's own: the rest of an hour of which
    /// it is a part, as a rule.
    pub(super) fn run_under_way(&self) -> bool {
        self.price.is_some_and(|price| self.prices.each.first() == Some(&price))
    }
}

fn level_prices(price: &PriceQuantiles) -> LevelPrices {
    price.rising().map(|price| price.0 as f64)
}
