//! What an agent looks ahead with: the prices it expects and how far they may miss.

use super::hours;
use super::ladder::PriceRange;
use super::levels::{mean, LevelPrices, LevelStep};
use market::interval::{Interval, UnixSeconds};
use market::units::PicoEurPerWh;
use wire::message::Quantiles;

/// A price expected.
pub type PriceQuantiles = Quantiles<PicoEurPerWh>;

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
    pub prices: Vec<PriceQuantiles>,
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
        let sum: f64 = self.prices.iter().map(|price| mean(&level_prices(price))).sum();
        (!self.prices.is_empty()).then(|| sum / self.prices.len() as f64)
    }
    /// The price of the interval bid for at each level, where it is forecast.
    pub(super) fn level_prices(&self) -> Option<LevelPrices> {
        self.price.as_ref().map(level_prices)
    }
    /// The prices expected as steps, neighbours of the same price in one, as far as it is no longer
    /// than `longest_hours`. The first may be the rest of the interval's own run, as
    /// [`Outlook::run_under_way`] says.
    pub(super) fn steps(&self, longest_hours: f64) -> Vec<LevelStep> {
        let mut steps: Vec<LevelStep> = Vec::new();
        for price in &self.prices {
            let prices = level_prices(price);
            let fits = |last: &&mut LevelStep| {
                last.prices_pico_per_wh == prices && last.hours + self.hours() <= longest_hours + 1e-9
            };
            match steps.last_mut().filter(fits) {
                Some(last) => last.hours += self.hours(),
                None => steps.push(LevelStep { prices_pico_per_wh: prices, hours: self.hours() }),
            }
        }
        steps
    }
    /// Whether the price after the interval bid for is the interval's own: the rest of an hour of which
    /// it is a part, as a rule.
    pub(super) fn run_under_way(&self) -> bool {
        self.price.is_some_and(|price| self.prices.first() == Some(&price))
    }
}

fn level_prices(price: &PriceQuantiles) -> LevelPrices {
    price.rising().map(|price| price.0 as f64)
}
