//! The forecaster's decisions: what has come true, what is expected now, and whether it was any good.

use super::scoring::Pending;
use crate::core::{Effect, Incoming, Input, Now, RoleCore};
use crate::forecast::history::History;
use crate::forecast::model::{forecast, quantile};
use crate::forecast::score::Scores;
use crate::forecast::{Quantity, QUANTILES};
use market::interval::Interval;
use market::parameters::MarketParameters;
use market::units::{Milliwatt, PicoEurPerWh};
use std::collections::BTreeMap;
use wire::message::{Body, QuantileForecast, Quantiles, Verdict, MAX_FORECAST};

const DAY_S: i64 = 86_400;
/// What the market's price departed from the day-ahead price by is judged from this many intervals at least.
const SURPRISES_MIN: usize = 8;
/// Departures kept: a week of quarter-hours.
const SURPRISES_KEPT: usize = 672;

/// What was measured over one interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// The interval.
    pub interval: Interval,
    /// Mean load besides what the market steers, in milliwatts, where it was measured.
    pub load_milliwatt: Option<f64>,
    /// What PV could feed in, as a part of its nameplate.
    pub pv_fraction: Option<f64>,
    /// Price at the grid supply point, in 1e-12 EUR/Wh.
    pub price_pico_per_wh: Option<f64>,
}

impl Observation {
    fn of(&self, quantity: Quantity) -> Option<f64> {
        match quantity {
            Quantity::Price => self.price_pico_per_wh,
            Quantity::Load => self.load_milliwatt,
            Quantity::Pv => self.pv_fraction,
        }
    }
}

/// What the forecaster's own shell is to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Act {
    /// Look up what was measured.
    Observe,
    /// Show how good forecasts were.
    Show(Quantity, Scores),
}

/// What its shell reports: everything measured that it knows of, in order of time, or why there is nothing.
pub type Observed = Result<Vec<Observation>, String>;

/// One quantity's past and its forecasts.
#[derive(Clone, Debug)]
struct Track {
    history: History,
    pending: Pending,
}

/// The forecaster.
#[derive(Clone, Debug)]
pub struct ForecasterCore {
    parameters: MarketParameters,
    horizon: usize,
    here: Option<Interval>,
    tracks: BTreeMap<Quantity, Track>,
    /// Prices that were announced: certain but for what the market makes of them.
    announced: BTreeMap<Interval, PicoEurPerWh>,
    /// By how much prices came out above what was announced.
    surprises: Vec<f64>,
}

type Effects = Vec<Effect<Act>>;

impl ForecasterCore {
    /// Forecasts so many intervals ahead, by the market's rules.
    pub fn new(parameters: MarketParameters, horizon: usize) -> Self {
        let per_day = usize::try_from(DAY_S / parameters.interval_s.max(1)).unwrap_or(1);
        let track = || Track { history: History::new(per_day), pending: Pending::default() };
        Self {
            parameters,
            horizon: horizon.min(MAX_FORECAST),
            here: None,
            tracks: Quantity::ALL.into_iter().map(|quantity| (quantity, track())).collect(),
            announced: BTreeMap::new(),
            surprises: Vec::new(),
        }
    }

    /// The interval's number since 1970, by which histories count.
    fn step_of(&self, interval: Interval) -> i64 {
        interval.start().0.div_euclid(self.parameters.interval_s.max(1))
    }

    fn on_time(&mut self, now: Now, out: &mut Effects) {
        let here = self.parameters.interval_at(now.market);
        if self.here < Some(here) {
            self.here = Some(here);
            out.push(Effect::Own(Act::Observe));
        }
    }

    fn hear(&mut self, message: Incoming, out: &mut Effects) {
        match message.body {
            Body::Forecast(forecast) => {
                self.announced.extend(forecast.prices.iter().map(|at| (at.interval, at.price)));
            }
            body => out.push(Effect::Acknowledge {
                of: message.id,
                verdict: Verdict::Refused(format!("a forecaster takes no {}", body.kind())),
            }),
        }
    }

    /// Takes in what has been measured up to now, and says what is expected next.
    fn observed(&mut self, observed: Observed, out: &mut Effects) {
        let Some(here) = self.here else { return };
        match observed {
            Ok(rows) => rows.iter().filter(|row| row.interval < here).for_each(|row| self.take(row)),
            Err(text) => out.push(Effect::Note { event: "no-observations", text }),
        }
        let shown = self.tracks.iter().map(|(quantity, track)| (*quantity, track.pending.scores()));
        out.extend(shown.map(|(quantity, scores)| Effect::Own(Act::Show(quantity, scores))));
        self.announced.retain(|interval, _| *interval >= here);
        let body = self.forecast(here);
        if body.prices.is_empty() && body.loads.is_empty() && body.pv_ppm.is_empty() {
            let text = format!("nothing is known to forecast from the {here} on");
            return out.push(Effect::Note { event: "no-forecast", text });
        }
        out.push(Effect::Send {
            body: Body::QuantileForecast(body),
            interval: here,
            recipient: None,
            acknowledged_by: Vec::new(),
            tag: 0,
        });
    }

    fn take(&mut self, row: &Observation) {
        let step = self.step_of(row.interval);
        let announced = self.announced.get(&row.interval).map(|price| price.0 as f64);
        for (quantity, track) in &mut self.tracks {
            let Some(value) = row.of(*quantity).filter(|_| step >= track.history.next()) else { continue };
            if let (Quantity::Price, Some(announced)) = (quantity, announced) {
                self.surprises.push(value - announced);
            }
            track.pending.came(step, value, &track.history);
            track.history.push(step, value);
        }
        let old = self.surprises.len().saturating_sub(SURPRISES_KEPT);
        self.surprises.drain(..old);
    }

    /// What is expected from `first` on; kept to be scored.
    fn forecast(&mut self, first: Interval) -> QuantileForecast {
        let prices = self.prices(first);
        let loads = self.told(Quantity::Load, first);
        let pv = self.told(Quantity::Pv, first);
        self.keep(Quantity::Price, first, &prices);
        self.keep(Quantity::Load, first, &loads);
        self.keep(Quantity::Pv, first, &pv);
        QuantileForecast {
            first,
            persistence_permille: (Quantity::Price.hourly_persistence() * 1e3) as u16,
            prices: prices.iter().map_while(|q| in_order(*q, |price| PicoEurPerWh(price as i64))).collect(),
            loads: loads.iter().map_while(|q| in_order(*q, |load| Milliwatt(load as i64))).collect(),
            pv_ppm: pv.iter().map_while(|q| in_order(*q, |part| (part * 1e6) as u32)).collect(),
        }
    }

    fn keep(&mut self, quantity: Quantity, first: Interval, quantiles: &[[f64; 3]]) {
        let step = self.step_of(first);
        let Some(Track { history, pending }) = self.tracks.get_mut(&quantity) else { return };
        // Before anything was measured there is nothing to hold a forecast against.
        if let Some(last) = history.values().last() {
            pending.issue(step, quantiles, *last, history.per_day());
        }
    }

    /// What the series tells from `first` on; nothing where none was ever measured, or not for a day.
    fn told(&self, quantity: Quantity, first: Interval) -> Vec<[f64; 3]> {
        let Some(Track { history, .. }) = self.tracks.get(&quantity) else { return Vec::new() };
        // The series may end some intervals ago; what lies before `first` is forecast and passed over.
        let late = usize::try_from(self.step_of(first) - history.next()).unwrap_or(0);
        if history.values().is_empty() || late > history.per_day() {
            return Vec::new();
        }
        forecast(quantity, history, late + self.horizon).split_off(late)
    }

    /// Where a price is announced it is expected, with the spread by which announced prices were missed
    /// before; beyond, what the series tells.
    fn prices(&self, first: Interval) -> Vec<[f64; 3]> {
        let told = self.told(Quantity::Price, first);
        let mut surprises = self.surprises.clone();
        surprises.sort_unstable_by(f64::total_cmp);
        let surprise = match surprises.len() {
            0..SURPRISES_MIN => [0.0; 3],
            _ => QUANTILES.map(|level| quantile(&surprises, level)),
        };
        let expected = |ahead: usize| {
            let interval = first.later(ahead as i64, self.parameters.interval_s);
            let announced = self.announced.get(&interval).map(|price| surprise.map(|by| price.0 as f64 + by));
            announced.or_else(|| told.get(ahead).copied())
        };
        (0..self.horizon).map_while(expected).collect()
    }
}

/// Quantiles in the message's units; none where they are out of all bounds.
fn in_order<T: Copy + Ord>(quantiles: [f64; 3], unit: impl Fn(f64) -> T) -> Option<Quantiles<T>> {
    let [low, median, high] = quantiles.map(|value| unit(value.round_ties_even()));
    Quantiles::new(low, median, high).ok()
}

impl RoleCore for ForecasterCore {
    type Report = Observed;
    type Act = Act;

    fn step(&mut self, now: Now, input: Input<Observed>) -> Effects {
        let mut out = Vec::new();
        self.on_time(now, &mut out);
        match input {
            Input::Poll | Input::Answered { .. } => {}
            Input::Message(message) => self.hear(message, &mut out),
            Input::Own(observed) => self.observed(observed, &mut out),
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::parameters;
    use market::interval::UnixSeconds;
    use wire::entry::SignedEnvelope;
    use wire::message::{Forecast, ForecastPrice, MessageRef};
    use wire::party::{PartyId, Role};

    fn interval(n: i64) -> Interval {
        Interval(UnixSeconds(900 * n))
    }

    fn now(n: i64) -> Now {
        Now { market: UnixSeconds(900 * n), real_ms: 0 }
    }

    /// Load of 1 kW by day and 0.4 kW by night, no sun, and a price that is always 50.
    fn rows(count: i64) -> Vec<Observation> {
        let row = |n: i64| Observation {
            interval: interval(n),
            load_milliwatt: Some(if n % 96 < 48 { 400_000.0 } else { 1_000_000.0 }),
            pv_fraction: Some(0.0),
            price_pico_per_wh: Some(50e6),
        };
        (0..count).map(row).collect()
    }

    fn announced(from: i64, eur: &[i64]) -> Input<Observed> {
        let at = |(n, eur): (usize, &i64)| ForecastPrice {
            interval: interval(from + n as i64),
            price: PicoEurPerWh(eur * 1_000_000),
        };
        let prices = eur.iter().enumerate().map(at).collect();
        let sender = PartyId::new(Role::Tso, "t".parse().unwrap());
        Input::Message(Incoming {
            id: MessageRef { sender, boot: 1, sequence: 1 },
            interval: interval(from),
            body: Body::Forecast(Forecast { prices }),
            raw: SignedEnvelope { topic: String::new(), bytes: Default::default() },
        })
    }

    fn said(effects: &Effects) -> Option<&QuantileForecast> {
        effects.iter().find_map(|effect| match effect {
            Effect::Send { body: Body::QuantileForecast(forecast), .. } => Some(forecast),
            _ => None,
        })
    }

    fn shown(effects: &Effects, of: Quantity) -> Scores {
        let scores = effects.iter().find_map(|effect| match effect {
            Effect::Own(Act::Show(quantity, scores)) if *quantity == of => Some(*scores),
            _ => None,
        });
        scores.unwrap()
    }

    #[test]
    fn it_looks_once_an_interval_and_sees_no_future() {
        let mut core = ForecasterCore::new(parameters(), 4);
        assert_eq!(core.step(now(96 * 2 + 46), Input::Poll), [Effect::Own(Act::Observe)]);
        assert_eq!(core.step(now(96 * 2 + 46), Input::Poll), []);
        // The file has everything; the load's step up two intervals on is expected because it came every day.
        let effects = core.step(now(96 * 2 + 46), Input::Own(Ok(rows(1_000))));
        let forecast = said(&effects).unwrap();
        assert_eq!(forecast.first, interval(96 * 2 + 46));
        let loads: Vec<i64> = forecast.loads.iter().map(|load| load.median().0).collect();
        assert_eq!(loads, [400_000, 400_000, 1_000_000, 1_000_000]);
        assert_eq!(shown(&effects, Quantity::Load), Scores::default());
        assert_eq!(core.tracks[&Quantity::Load].history.next(), 96 * 2 + 46);
    }

    #[test]
    fn what_came_true_is_scored() {
        let mut core = ForecasterCore::new(parameters(), 96);
        for n in 96 * 2..96 * 3 {
            core.step(now(n), Input::Poll);
            let effects = core.step(now(n), Input::Own(Ok(rows(96 * 3))));
            assert_eq!(shown(&effects, Quantity::Load).forecaster.mean().is_some(), n > 96 * 2);
        }
        let scores = core.tracks[&Quantity::Load].pending.scores();
        assert!(scores.forecaster.mean() < Some(1.0) && scores.standstill.mean() > Some(100_000.0));
    }

    #[test]
    fn an_announced_price_is_believed_as_far_as_it_came_true_before() {
        let mut core = ForecasterCore::new(parameters(), 4);
        core.step(now(200), announced(200, &[40; 12]));
        let effects = core.step(now(200), Input::Own(Ok(rows(1_000))));
        let prices: Vec<i64> = said(&effects).unwrap().prices.iter().map(|price| price.median().0).collect();
        assert_eq!(prices, [40_000_000; 4]);
        // Ten intervals later it always was ten dearer than announced.
        core.step(now(210), announced(211, &[70]));
        let effects = core.step(now(210), Input::Own(Ok(rows(1_000))));
        let prices: Vec<i64> = said(&effects).unwrap().prices.iter().map(|price| price.median().0).collect();
        assert_eq!(prices, [50_000_000, 80_000_000, 50_000_000, 50_000_000]);
    }

    #[test]
    fn what_is_scored_is_what_was_published() {
        let mut core = ForecasterCore::new(parameters(), 4);
        core.step(now(200), announced(200, &[50, 90]));
        core.step(now(200), Input::Own(Ok(rows(200))));
        core.step(now(202), Input::Poll);
        let effects = core.step(now(202), Input::Own(Ok(rows(202))));
        // Announced at 50 and 90 where 50 and 50 came: half of 40 is lost in the second interval.
        let loss = shown(&effects, Quantity::Price).forecaster.mean().unwrap();
        assert!((loss - 10e6).abs() < 1.0, "{loss}");
    }

    #[test]
    fn without_a_measurement_nothing_is_said() {
        let mut core = ForecasterCore::new(parameters(), 4);
        core.step(now(5), Input::Poll);
        let effects = core.step(now(5), Input::Own(Err("no file".into())));
        let notes: Vec<&str> = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Note { event, .. } => Some(*event),
                _ => None,
            })
            .collect();
        assert_eq!((notes, said(&effects)), (vec!["no-observations", "no-forecast"], None));
    }
}
