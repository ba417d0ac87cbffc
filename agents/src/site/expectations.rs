//! What a site expects: a forecaster's quantiles while they are fresh, and otherwise the prices the TSO
//! interface announced.

use crate::device::generator::Sun;
use crate::device::ladder::PriceRange;
use crate::device::{Outlook, PriceQuantiles};
use market::interval::{Interval, UnixSeconds};
use market::parameters::MarketParameters;
use market::units::PicoEurPerWh;
use std::collections::BTreeMap;
use wire::message::{Forecast, QuantileForecast, Quantiles};

/// A forecast older than this, in seconds, and than two intervals, is stale: its sun is another hour's.
const FRESH_S: i64 = 3_600;

/// What was told of times to come.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectations {
    announced: BTreeMap<Interval, PicoEurPerWh>,
    forecast: Option<QuantileForecast>,
}

/// The bid an outlook is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Occasion {
    /// The interval bid for.
    pub interval: Interval,
    /// When the devices were read.
    pub read_at: UnixSeconds,
    /// Most intervals to look ahead.
    pub horizon: usize,
}

impl Expectations {
    /// Takes the prices announced.
    pub fn announce(&mut self, forecast: &Forecast) {
        self.announced = forecast.prices.iter().map(|at| (at.interval, at.price)).collect();
    }

    /// Takes a forecaster's forecast; one older than that held came late.
    pub fn expect(&mut self, forecast: QuantileForecast) {
        if self.forecast.as_ref().is_none_or(|held| held.first <= forecast.first) {
            self.forecast = Some(forecast);
        }
    }

    /// Forgets what is over.
    pub fn forget_before(&mut self, here: Interval) {
        self.announced.retain(|interval, _| *interval >= here);
    }

    /// What to look ahead with when bidding.
    pub fn outlook(&self, occasion: &Occasion, parameters: &MarketParameters) -> Outlook {
        self.outlook_from(occasion, 0, parameters)
    }

    /// What to look ahead with in each of `count` intervals from that of `occasion` on, as it is expected
    /// now.
    pub fn outlooks(&self, occasion: &Occasion, count: usize, parameters: &MarketParameters) -> Vec<Outlook> {
        (0..count).map(|ahead| self.outlook_from(occasion, ahead, parameters)).collect()
    }

    /// The outlook `ahead` intervals after that of `occasion`.
    fn outlook_from(&self, occasion: &Occasion, ahead: usize, parameters: &MarketParameters) -> Outlook {
        let fresh = self.fresh(occasion.interval, parameters);
        let price = |at: Interval| -> Option<PriceQuantiles> {
            let forecast = fresh.and_then(|forecast| value_at(forecast, &forecast.prices, at, parameters));
            forecast.or_else(|| self.announced.get(&at).copied().map(Quantiles::certain))
        };
        let interval = occasion.interval.later(ahead as i64, parameters.interval_s);
        let later = (1..=occasion.horizon).map(|ahead| interval.later(ahead as i64, parameters.interval_s));
        Outlook {
            interval,
            interval_s: parameters.interval_s,
            // Later intervals are bid for as if read at their start.
            read_at: if ahead == 0 { occasion.read_at } else { interval.start() },
            price: price(interval),
            prices: later.map_while(price).collect(),
            hourly_persistence: fresh.map_or(0.0, |forecast| f64::from(forecast.persistence_permille) / 1e3),
            range: PriceRange { min: parameters.price_min, max: parameters.price_max },
        }
    }

    /// What PV could feed in at `at`, in millionths of its nameplate, as is expected on `occasion`; none where
    /// nobody says.
    pub fn sun_at(
        &self,
        occasion: &Occasion,
        at: Interval,
        parameters: &MarketParameters,
    ) -> Option<Quantiles<u32>> {
        let forecast = self.fresh(occasion.interval, parameters)?;
        value_at(forecast, &forecast.pv_ppm, at, parameters)
    }

    /// The feeder's load at `at` for each watt of it when the site was read, by the forecast's medians; none
    /// where it is not forecast or there is none.
    pub fn load_ratio(
        &self,
        occasion: &Occasion,
        at: Interval,
        parameters: &MarketParameters,
    ) -> Option<f64> {
        let forecast = self.fresh(occasion.interval, parameters)?;
        let load = |at| value_at(forecast, &forecast.loads, at, parameters);
        let read = load(parameters.interval_at(occasion.read_at))?.median();
        let expected = load(at)?.median();
        (read.0 > 0 && expected.0 >= 0).then(|| expected.0 as f64 / read.0 as f64)
    }

    /// What the sun does between the reading and the interval bid for, where that is forecast.
    pub fn sun(&self, occasion: &Occasion, parameters: &MarketParameters) -> Option<Sun> {
        let forecast = self.fresh(occasion.interval, parameters)?;
        let part = |at: Interval| value_at(forecast, &forecast.pv_ppm, at, parameters);
        Some(Sun {
            read_ppm: part(parameters.interval_at(occasion.read_at))?.median(),
            expected_ppm: part(occasion.interval)?,
        })
    }

    fn fresh(&self, interval: Interval, parameters: &MarketParameters) -> Option<&QuantileForecast> {
        let oldest = interval.start().0 - FRESH_S.max(2 * parameters.interval_s);
        self.forecast.as_ref().filter(|forecast| forecast.first.start().0 >= oldest)
    }
}

fn value_at<T: Copy>(
    forecast: &QuantileForecast,
    values: &[T],
    at: Interval,
    parameters: &MarketParameters,
) -> Option<T> {
    let ahead_s = at.start().0 - forecast.first.start().0;
    let place = usize::try_from(ahead_s).ok()? / usize::try_from(parameters.interval_s).ok()?.max(1);
    values.get(place).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::parameters;
    use market::units::Milliwatt;
    use wire::message::ForecastPrice;

    fn interval(n: i64) -> Interval {
        Interval(UnixSeconds(900 * n))
    }

    fn eur(eur: i64) -> PicoEurPerWh {
        PicoEurPerWh(eur * 1_000_000)
    }

    /// 50 EUR/MWh announced for intervals 0 to 19; a forecaster says 60 give or take 10 for eight from `first`.
    fn told(first: i64) -> Expectations {
        let mut told = Expectations::default();
        let at = |n| ForecastPrice { interval: interval(n), price: eur(50) };
        told.announce(&Forecast { prices: (0..20).map(at).collect() });
        told.expect(QuantileForecast {
            first: interval(first),
            persistence_permille: 900,
            prices: vec![Quantiles::new(eur(50), eur(60), eur(70)).unwrap(); 8],
            loads: Vec::new(),
            pv_ppm: (0..8).map(|n| Quantiles::certain(100_000 * n)).collect(),
        });
        told
    }

    /// Bidding for interval `bid`: the medians expected for it and after, and the persistence.
    fn check(told: &Expectations, bid: i64, expected: &[i64], persistence: f64) {
        let occasion =
            Occasion { interval: interval(bid), read_at: UnixSeconds(900 * bid - 600), horizon: 10 };
        let outlook = told.outlook(&occasion, &parameters());
        let all = outlook.price.iter().chain(outlook.prices.each()).map(|price| price.median().0 / 1_000_000);
        assert_eq!(all.collect::<Vec<_>>(), expected, "for {bid}");
        assert_eq!(outlook.hourly_persistence, persistence);
    }

    #[test]
    fn a_fresh_forecast_is_believed_as_far_as_it_goes_and_a_stale_one_not() {
        check(&told(2), 3, &[60, 60, 60, 60, 60, 60, 60, 50, 50, 50, 50], 0.9);
        check(&told(2), 6, &[60, 60, 60, 60, 50, 50, 50, 50, 50, 50, 50], 0.9);
        check(&told(2), 7, &[50; 11], 0.0);
        check(&Expectations::default(), 3, &[], 0.0);
    }

    #[test]
    fn outlooks_far_ahead_rest_on_what_is_told_now() {
        let occasion = Occasion { interval: interval(3), read_at: UnixSeconds(2_100), horizon: 2 };
        let outlooks = told(2).outlooks(&occasion, 12, &parameters());
        let at = |place: usize| {
            let outlook: &Outlook = &outlooks[place];
            let prices = outlook.price.iter().chain(outlook.prices.each());
            (outlook.read_at.0, prices.map(|price| price.median().0 / 1_000_000).collect::<Vec<_>>())
        };
        assert_eq!(at(0), (2_100, vec![60, 60, 60]));
        assert_eq!(at(5), (8 * 900, vec![60, 60, 50]));
        // Twelve intervals ahead the same forecast, three hours old by then, still counts.
        assert_eq!(at(11), (14 * 900, vec![50, 50, 50]));
        assert_eq!(told(2).sun_at(&occasion, interval(9), &parameters()), Some(Quantiles::certain(700_000)));
        assert_eq!(told(2).sun_at(&occasion, interval(10), &parameters()), None);
    }

    #[test]
    fn load_to_come_is_told_as_a_part_of_that_when_read() {
        let mut told = told(2);
        let kw = |kw: i64| Quantiles::certain(Milliwatt(kw * 1_000_000));
        let forecast = told.forecast.as_mut().unwrap();
        forecast.loads = vec![kw(20), kw(30), kw(0)];
        let check = |bid: i64, at: i64, expected| {
            let occasion =
                Occasion { interval: interval(bid), read_at: UnixSeconds(900 * bid - 600), horizon: 2 };
            assert_eq!(told.load_ratio(&occasion, interval(at), &parameters()), expected);
        };
        check(3, 3, Some(1.5));
        check(3, 4, Some(0.0));
        check(3, 5, None);
        check(5, 3, None);
    }

    #[test]
    fn a_late_forecast_does_not_undo_a_newer_one() {
        let mut told = told(2);
        let older = QuantileForecast { first: interval(1), ..told.forecast.clone().unwrap() };
        told.expect(older);
        assert_eq!(told.forecast.unwrap().first, interval(2));
    }

    #[test]
    fn the_sun_is_told_from_the_reading_to_the_interval() {
        let sun = |read_s, bid| {
            let occasion = Occasion { interval: interval(bid), read_at: UnixSeconds(read_s), horizon: 10 };
            told(2).sun(&occasion, &parameters())
        };
        let expected = Sun { read_ppm: 0, expected_ppm: Quantiles::certain(100_000) };
        assert_eq!(sun(2 * 900 + 300, 3), Some(expected));
        assert_eq!(sun(900, 3), None);
        assert_eq!(sun(9 * 900, 11), None);
    }
}
