//! Stated prices by interval: those of their own dates, and gone through over and over where that is wanted. Pure.

use market::interval::{Interval, UnixSeconds};
use market::units::PicoEurPerWh;
use std::collections::BTreeMap;
use wire::message::ForecastPrice;

/// Prices by interval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    known: BTreeMap<Interval, PicoEurPerWh>,
    /// Begin and length in seconds of what is gone through over and over, before and after its own dates.
    round: Option<(i64, i64)>,
}

impl Prices {
    /// `prices` at their own dates, or with `repeats` at all dates: `interval_s` after the last of them the first comes again.
    pub fn new(prices: &[ForecastPrice], repeats: bool, interval_s: i64) -> Self {
        let known: BTreeMap<_, _> = prices.iter().map(|p| (p.interval, p.price)).collect();
        let start = |at: Option<(&Interval, _)>| at.map(|(interval, _)| interval.start().0);
        let span = start(known.first_key_value()).zip(start(known.last_key_value()));
        let round = span.map(|(first, last)| (first, last - first + interval_s)).filter(|_| repeats);
        Self { known, round }
    }

    /// The price in `interval`; none where none is known.
    pub fn at(&self, interval: Interval) -> Option<PicoEurPerWh> {
        let stated = self.known.get(&interval);
        let again = || {
            let (begin, length_s) = self.round?;
            let into_s = (interval.start().0 - begin).checked_rem_euclid(length_s)?;
            self.known.get(&Interval(UnixSeconds(begin + into_s)))
        };
        stated.or_else(again).copied()
    }

    /// Adds prices that became known.
    pub fn learn(&mut self, prices: &[ForecastPrice]) {
        self.known.extend(prices.iter().map(|p| (p.interval, p.price)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_S: i64 = 86_400;

    /// Two half days from the second day on, 1 and 2.
    fn check(repeats: bool, at: i64, expected: Option<i64>) {
        let price = |n: i64| ForecastPrice {
            interval: Interval(UnixSeconds(DAY_S + n * DAY_S / 2)),
            price: PicoEurPerWh(n + 1),
        };
        let prices = Prices::new(&[price(0), price(1)], repeats, DAY_S / 2);
        assert_eq!(prices.at(Interval(UnixSeconds(at))), expected.map(PicoEurPerWh), "{repeats} {at}");
    }

    #[test]
    fn prices_hold_at_their_own_dates() {
        check(false, DAY_S, Some(1));
        check(false, DAY_S * 3 / 2, Some(2));
        check(false, DAY_S / 2, None);
        check(false, DAY_S * 2, None);
    }

    #[test]
    fn prices_that_repeat_hold_at_every_date() {
        check(true, DAY_S * 3 / 2, Some(2));
        check(true, 0, Some(1));
        check(true, -DAY_S / 2, Some(2));
        check(true, DAY_S * 40_000, Some(1));
        check(true, DAY_S * 40_000 + DAY_S / 2, Some(2));
        check(true, DAY_S * 40_000 + 900, None);
        assert_eq!(Prices::new(&[], true, 900).at(Interval(UnixSeconds(0))), None);
    }
}
