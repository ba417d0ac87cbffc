//! The TSO interface's decisions: what import costs in each interval, and what it is expected to cost.

use crate::core::{Effect, Input, Nothing, Now, RoleCore};
use market::curve::{Breakpoint, CurveError};
use market::interval::Interval;
use market::parameters::MarketParameters;
use market::supply::SupplyCurve;
use market::units::{Milliwatt, PicoEurPerWh};
use std::collections::BTreeMap;
use wire::message::{Body, Forecast, ForecastPrice, Supply, Verdict};
use wire::party::PartyId;

/// Most intervals one forecast states.
pub const FORECAST_INTERVALS: usize = 192;

/// What import costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportTerms {
    /// Day-ahead price of each interval.
    pub prices: Vec<ForecastPrice>,
    /// Least import (negative: most export).
    pub import_min: Milliwatt,
    /// Most import.
    pub import_max: Milliwatt,
    /// How much the price rises with each megawatt imported; zero or none is a flat price. The day-ahead
    /// price holds at no import.
    pub slope_per_megawatt: Option<PicoEurPerWh>,
}

/// The TSO interface.
pub struct TsoCore {
    parameters: MarketParameters,
    dso: PartyId,
    prices: BTreeMap<Interval, PicoEurPerWh>,
    terms: ImportTerms,
    forecast_at: Option<Interval>,
    supplied: Option<Interval>,
}

const MILLIWATT_PER_MEGAWATT: i128 = 1_000_000_000;

impl TsoCore {
    /// Sells import to `dso` on `terms`.
    pub fn new(parameters: MarketParameters, dso: PartyId, terms: ImportTerms) -> Self {
        let prices = terms.prices.iter().map(|p| (p.interval, p.price)).collect();
        Self { parameters, dso, prices, terms, forecast_at: None, supplied: None }
    }

    /// What import costs in `interval`; none where no price is known.
    ///
    /// # Errors
    /// As [`SupplyCurve::new`]: limits reversed, or a price or power out of bounds.
    pub fn curve(&self, interval: Interval) -> Option<Result<SupplyCurve, CurveError>> {
        let price = *self.prices.get(&interval)?;
        let at = |import: Milliwatt| {
            let slope = self.terms.slope_per_megawatt.unwrap_or_default();
            let rise = slope.0 as i128 * import.0 as i128 / MILLIWATT_PER_MEGAWATT;
            let price = i64::try_from(price.0 as i128 + rise).unwrap_or(i64::MAX);
            Breakpoint { price: PicoEurPerWh(price), power: import }
        };
        Some(SupplyCurve::new(vec![at(self.terms.import_min), at(self.terms.import_max)]))
    }

    fn on_time(&mut self, now: Now) -> Vec<Effect<Nothing>> {
        let mut effects = Vec::new();
        let here = self.parameters.interval_at(now.market);
        if self.forecast_at != Some(here) {
            self.forecast_at = Some(here);
            effects.extend(self.forecast(here));
        }
        let next = self.parameters.next(here);
        if now.market >= self.parameters.gate_closure(next) && self.supplied < Some(next) {
            self.supplied = Some(next);
            effects.push(self.supply(next));
        }
        effects
    }

    /// The gapless run of prices from `from` on.
    fn forecast(&self, from: Interval) -> Option<Effect<Nothing>> {
        let mut prices = Vec::new();
        let mut interval = from;
        while let Some(price) = self.prices.get(&interval).filter(|_| prices.len() < FORECAST_INTERVALS) {
            prices.push(ForecastPrice { interval, price: *price });
            interval = self.parameters.next(interval);
        }
        // A day's prices need not begin before its first interval.
        if prices.is_empty() && self.prices.contains_key(&self.parameters.next(from)) {
            return self.forecast(self.parameters.next(from));
        }
        (!prices.is_empty()).then(|| Effect::Send {
            body: Body::Forecast(Forecast { prices }),
            interval: from,
            recipient: None,
            acknowledged_by: Vec::new(),
            tag: 0,
        })
    }

    fn supply(&self, interval: Interval) -> Effect<Nothing> {
        let note = |text| Effect::Note { event: "no-supply", text };
        match self.curve(interval) {
            None => note(format!("{interval} has no day-ahead price, so nothing is offered for it")),
            Some(Err(error)) => note(format!("the import's curve for {interval}: {error}")),
            Some(Ok(curve)) => Effect::Send {
                body: Body::Supply(Supply { interval, curve }),
                interval,
                recipient: Some(self.dso.clone()),
                acknowledged_by: vec![self.dso.clone()],
                tag: 1,
            },
        }
    }
}

impl RoleCore for TsoCore {
    type Report = Nothing;
    type Act = Nothing;

    fn step(&mut self, now: Now, input: Input<Nothing>) -> Vec<Effect<Nothing>> {
        match input {
            Input::Poll => self.on_time(now),
            Input::Message(message) => vec![Effect::Acknowledge {
                of: message.id,
                verdict: Verdict::Refused(format!("a TSO interface takes no {}", message.body.kind())),
            }],
            Input::Answered { by, verdict: Verdict::Refused(reason), .. } => {
                vec![Effect::Note {
                    event: "supply-refused",
                    text: format!("{by} refused the supply: {reason}"),
                }]
            }
            Input::Answered { .. } => Vec::new(),
            Input::Own(never) => match never {},
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::interval::UnixSeconds;
    use wire::party::Role;

    fn core(prices: &[i64], slope: Option<i64>) -> TsoCore {
        let parameters = MarketParameters {
            interval_s: 900,
            bids_open_s: 600,
            gate_closure_s: 120,
            price_min: PicoEurPerWh(-1_000_000_000),
            price_max: PicoEurPerWh(4_000_000_000),
            imbalance_spread: PicoEurPerWh(0),
            aggregator_fee: PicoEurPerWh(0),
        };
        let price = |(i, p): (usize, &i64)| ForecastPrice {
            interval: Interval(UnixSeconds(900 * (i as i64 + 1))),
            price: PicoEurPerWh(*p),
        };
        let terms = ImportTerms {
            prices: prices.iter().enumerate().map(price).collect(),
            import_min: Milliwatt(-2_000_000_000),
            import_max: Milliwatt(5_000_000_000),
            slope_per_megawatt: slope.map(PicoEurPerWh),
        };
        TsoCore::new(parameters, PartyId::new(Role::Dso, "dso".parse().unwrap()), terms)
    }

    /// Each step: market time, and what is said then.
    fn check(core: &mut TsoCore, steps: &[(i64, &str)]) {
        for (at, expected) in steps {
            let now = Now { market: UnixSeconds(*at), real_ms: 0 };
            let said: Vec<String> = core
                .step(now, Input::Poll)
                .into_iter()
                .map(|effect| match effect {
                    Effect::Send { body: Body::Forecast(f), .. } => {
                        format!("forecast {}x{}", f.prices[0].interval.0 .0, f.prices.len())
                    }
                    Effect::Send { body: Body::Supply(s), .. } => format!("supply {}", s.interval.0 .0),
                    Effect::Note { event, .. } => event.to_owned(),
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(said.join(", "), *expected, "at {at}");
        }
    }

    #[test]
    fn each_interval_is_forecast_and_supplied_once() {
        check(
            &mut core(&[50, 60], None),
            &[
                (0, "forecast 900x2"),
                (779, ""),
                (780, "supply 900"),
                (780, ""),
                (900, "forecast 900x2"),
                (1_680, "supply 1800"),
                (1_800, "forecast 1800x1"),
                (2_580, "no-supply"),
                (2_581, ""),
            ],
        );
    }

    fn check_curve(slope: Option<i64>, expected: [(i64, i64); 2]) {
        let curve = core(&[50_000_000], slope).curve(Interval(UnixSeconds(900))).unwrap().unwrap();
        let import_at: Vec<(i64, i64)> = expected
            .iter()
            .map(|(price, _)| {
                let range = curve.import_at(PicoEurPerWh(*price));
                (*price, if slope.is_some() { range.low.0 } else { range.high.0 })
            })
            .collect();
        assert_eq!(import_at, expected);
    }

    #[test]
    fn the_day_ahead_price_holds_flat_or_at_no_import() {
        check_curve(None, [(49_999_999, -2_000_000_000), (50_000_000, 5_000_000_000)]);
        // 1 EUR/MWh dearer for each megawatt.
        check_curve(Some(1_000_000), [(50_000_000, 0), (53_000_000, 3_000_000_000)]);
    }
}
