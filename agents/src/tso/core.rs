//! The TSO interface's decisions: what import costs in each interval, and what it is expected to cost; from
//! stated prices, or from the wholesale market, to which it also takes what was cleared.

mod day_ahead;

use super::prices::Prices;
use super::question::{About, Question, TsoReport};
use super::session::{imports, Sessions};
use super::wholesale::{FeederAward, Wholesale};
use crate::chain::Chain;
use crate::core::{Effect, Incoming, Input, Now, RoleCore};
use crate::roster;
use crate::terms::{Terms, Turn};
use ledger::contracts::rules::Rules;
use market::curve::{Breakpoint, CurveError};
use market::day_ahead::rules::DayAheadRules;
use market::interval::Interval;
use market::parameters::MarketParameters;
use market::supply::SupplyCurve;
use market::units::{MicrogramPerWh, Milliwatt, PicoEurPerWh};
use std::sync::Arc;
use wire::entry::{ClearingEntry, Entry};
use wire::message::{Body, Forecast, ForecastPrice, Supply, Verdict};
use wire::party::{PartyId, Role};

/// Most intervals one forecast states.
pub const FORECAST_INTERVALS: usize = 192;

/// What import costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportTerms {
    /// Day-ahead price of each interval.
    pub prices: Vec<ForecastPrice>,
    /// Whether they are gone through over and over, before and after their own dates.
    pub repeats: bool,
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
    turn: Turn<Arc<Rules>>,
    parameters: MarketParameters,
    dso: PartyId,
    prices: Prices,
    terms: ImportTerms,
    forecast_at: Option<Interval>,
    supplied: Option<Interval>,
    sessions: Option<Sessions>,
    trading: Option<Trading>,
    emission: MicrogramPerWh,
    /// What the market's carbon price makes of that: expected on top of every price.
    carbon_adder: PicoEurPerWh,
}

/// Where import comes from a wholesale market.
struct Trading {
    wholesale: Arc<Wholesale>,
    chain: Chain,
    /// Import last awarded, which is expected to be taken again.
    import: Milliwatt,
}

/// What only the TSO interface's shell can do.
#[derive(Clone, Debug, PartialEq)]
pub enum TsoAct {
    /// Put this to the wholesale market and report the answer.
    Ask(Question),
    /// Show this in metrics, as what the last auction awarded.
    Show(FeederAward),
    /// Show this in metrics, as what was awarded day-ahead for the interval under way.
    ShowDayAhead(FeederAward),
}

type Effects = Vec<Effect<TsoAct>>;

const MILLIWATT_PER_MEGAWATT: i128 = 1_000_000_000;

impl TsoCore {
    /// Sells import to `dso` on `terms`.
    pub fn new(parameters: MarketParameters, dso: PartyId, terms: ImportTerms) -> Self {
        let prices = Prices::new(&terms.prices, terms.repeats, parameters.interval_s);
        Self {
            turn: Turn::default(),
            parameters,
            dso,
            prices,
            terms,
            forecast_at: None,
            supplied: None,
            sessions: None,
            trading: None,
            emission: MicrogramPerWh::ZERO,
            carbon_adder: PicoEurPerWh::ZERO,
        }
    }

    /// Sells day-ahead as well, where the market has such rules.
    pub fn and_day_ahead(self, rules: Option<DayAheadRules>) -> Self {
        Self { sessions: rules.map(Sessions::new), ..self }
    }

    /// States that a watt-hour of import emits so much, for which the market adds `carbon_adder` to what is
    /// offered, and forecasts prices as they will then be cleared.
    pub fn emitting(self, emission: MicrogramPerWh, carbon_adder: PicoEurPerWh) -> Self {
        Self { emission, carbon_adder, ..self }
    }

    /// Sells to `dso` what the wholesale market sells, and takes awards there for what `chain` decides.
    pub fn trading(parameters: MarketParameters, dso: PartyId, wholesale: Wholesale, chain: Chain) -> Self {
        let terms = ImportTerms {
            prices: Vec::new(),
            repeats: false,
            import_min: wholesale.import_min,
            import_max: wholesale.import_max,
            slope_per_megawatt: None,
        };
        let trading = Trading { wholesale: Arc::new(wholesale), chain, import: Milliwatt::ZERO };
        Self { trading: Some(trading), ..Self::new(parameters, dso, terms) }
    }

    /// Turns to the rules heard of, where their time has come.
    fn turn(&mut self, here: Interval) -> Option<Effect<TsoAct>> {
        self.turn.enter(here);
        let terms = Terms::of(&*self.turn.take()?);
        let unfit = |text: String| Some(Effect::Note { event: "terms-unfit", text });
        let adder = match &terms.grid {
            Some(grid) => grid.carbon_adder(self.emission),
            None => Some(PicoEurPerWh::ZERO),
        };
        let Some(adder) = adder else {
            return unfit("the carbon price of its import is beyond the market's".to_owned());
        };
        match roster::only(&terms, Role::Dso) {
            Ok(dso) => self.dso = dso,
            Err(error) => return unfit(error.to_string()),
        }
        self.carbon_adder = adder;
        self.parameters = terms.parameters;
        match (&mut self.sessions, terms.day_ahead) {
            (Some(sessions), Some(rules)) => sessions.turn_to(rules),
            (sessions, rules) => *sessions = rules.map(Sessions::new),
        }
        let text = format!("from the {} on by other terms", self.parameters.next(here));
        Some(Effect::Note { event: "terms-changed", text })
    }

    /// Whether import comes from a wholesale market.
    pub fn trades(&self) -> bool {
        self.trading.is_some()
    }

    /// What import costs in `interval` by the stated prices; none where no price is known.
    ///
    /// # Errors
    /// As [`SupplyCurve::new`]: limits reversed, or a price or power out of bounds.
    pub fn curve(&self, interval: Interval) -> Option<Result<SupplyCurve, CurveError>> {
        let price = self.prices.at(interval)?;
        let at = |import: Milliwatt| {
            let slope = self.terms.slope_per_megawatt.unwrap_or_default();
            let rise = slope.0 as i128 * import.0 as i128 / MILLIWATT_PER_MEGAWATT;
            let price = i64::try_from(price.0 as i128 + rise).unwrap_or(i64::MAX);
            Breakpoint { price: PicoEurPerWh(price), power: import }
        };
        Some(SupplyCurve::new(vec![at(self.terms.import_min), at(self.terms.import_max)]))
    }

    fn on_time(&mut self, now: Now) -> Effects {
        let mut effects = Vec::new();
        let here = self.parameters.interval_at(now.market);
        effects.extend(self.turn(here));
        if self.forecast_at != Some(here) {
            self.forecast_at = Some(here);
            effects.extend(self.expect(here));
            effects.extend(self.forecast(here));
            let held = self.sessions.as_mut().and_then(|sessions| sessions.award_of(here));
            effects.extend(held.map(|award| Effect::Own(TsoAct::ShowDayAhead(award))));
        }
        effects.extend(self.session_due(now));
        let next = self.parameters.next(here);
        if now.market >= self.parameters.gate_closure(next) && self.supplied < Some(next) {
            self.supplied = Some(next);
            effects.push(match &self.trading {
                None => self.supply(next),
                Some(trading) => trading.ask(About::Supply(next)),
            });
        }
        effects
    }

    /// Asks the wholesale market for the prices that a forecast from `from` on lacks.
    fn expect(&self, from: Interval) -> Option<Effect<TsoAct>> {
        let trading = self.trading.as_ref()?;
        let ahead = (0..FORECAST_INTERVALS as i64).map(|i| from.later(i, self.parameters.interval_s));
        let unknown: Vec<Interval> = ahead.filter(|at| self.prices.at(*at).is_none()).collect();
        (!unknown.is_empty()).then(|| trading.ask(About::Expected(unknown, trading.import)))
    }

    fn on_answer(&mut self, report: TsoReport) -> Effects {
        match report {
            TsoReport::Expected(prices) => {
                self.prices.learn(&prices);
                let from = self.forecast_at;
                from.and_then(|from| self.forecast(from)).into_iter().collect()
            }
            TsoReport::Supply(interval, Ok(curve)) => vec![self.offer(interval, curve)],
            TsoReport::SessionSupply(Ok(curves)) => {
                let Some((session, _)) = curves.first() else { return Vec::new() };
                vec![self.offer_session(*session, curves.iter().map(|(_, curve)| curve.clone()).collect())]
            }
            TsoReport::SessionAward(Ok(awards)) => self.awarded_day_ahead(&awards),
            TsoReport::Supply(_, Err(error))
            | TsoReport::SessionSupply(Err(error))
            | TsoReport::Award(Err(error))
            | TsoReport::SessionAward(Err(error)) => {
                vec![Effect::Note { event: "no-auction", text: error.to_string() }]
            }
            TsoReport::Award(Ok(award)) => {
                if let Some(trading) = &mut self.trading {
                    trading.import = award.import;
                }
                let (import_kw, price) = (award.import.kw(), award.price.eur_per_mwh());
                let text = format!("{}: {import_kw:.3} kW at {price:.3} EUR/MWh", award.interval);
                vec![Effect::Note { event: "awarded", text }, Effect::Own(TsoAct::Show(award))]
            }
        }
    }

    /// Takes what a block has cleared to the wholesale market.
    fn on_block(&mut self, bytes: &[u8]) -> Effects {
        let Some(trading) = &mut self.trading else { return Vec::new() };
        let decided = match trading.chain.take(bytes) {
            Ok(Some(decided)) => decided,
            Ok(None) => return Vec::new(),
            Err(error) => return vec![Effect::Note { event: "bad-block", text: error.to_string() }],
        };
        let mut effects = Vec::new();
        for (_, entry) in decided.entries() {
            match entry {
                Entry::Clearing(ClearingEntry { interval, import, .. }) => {
                    effects.push(trading.ask(About::Award(*interval, *import)));
                }
                Entry::DayAhead(session) => {
                    let imports = imports(session, &trading.chain, self.parameters.interval_s);
                    effects.push(trading.ask(About::SessionAward(imports)));
                }
                _ => {}
            }
        }
        effects
    }

    /// The gapless run of prices from `from` on.
    fn forecast(&self, from: Interval) -> Option<Effect<TsoAct>> {
        let mut prices = Vec::new();
        let mut interval = from;
        while let Some(price) = self.prices.at(interval).filter(|_| prices.len() < FORECAST_INTERVALS) {
            let price = PicoEurPerWh(price.0.saturating_add(self.carbon_adder.0));
            prices.push(ForecastPrice { interval, price });
            interval = self.parameters.next(interval);
        }
        // A day's prices need not begin before its first interval.
        if prices.is_empty() && self.prices.at(self.parameters.next(from)).is_some() {
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

    fn supply(&self, interval: Interval) -> Effect<TsoAct> {
        let note = |text| Effect::Note { event: "no-supply", text };
        match self.curve(interval) {
            None => note(format!("{interval} has no day-ahead price, so nothing is offered for it")),
            Some(Err(error)) => note(format!("the import's curve for {interval}: {error}")),
            Some(Ok(curve)) => self.offer(interval, curve),
        }
    }

    fn offer(&self, interval: Interval, curve: SupplyCurve) -> Effect<TsoAct> {
        Effect::Send {
            body: Body::Supply(Supply { interval, curve, emission: self.emission }),
            interval,
            recipient: Some(self.dso.clone()),
            acknowledged_by: vec![self.dso.clone()],
            tag: 1,
        }
    }
}

impl Trading {
    fn ask(&self, about: About) -> Effect<TsoAct> {
        Effect::Own(TsoAct::Ask(Question { wholesale: self.wholesale.clone(), about }))
    }
}

impl RoleCore for TsoCore {
    type Report = TsoReport;
    type Act = TsoAct;

    fn chain(&mut self) -> Option<&mut Chain> {
        self.trading.as_mut().map(|trading| &mut trading.chain)
    }

    fn govern(&mut self, rules: &Arc<Rules>) {
        self.turn.hear(rules.clone());
    }

    fn step(&mut self, now: Now, input: Input<TsoReport>) -> Effects {
        match input {
            Input::Poll => self.on_time(now),
            Input::Message(Incoming { body: Body::Block(bytes), .. }) => self.on_block(&bytes),
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
            Input::Own(report) => self.on_answer(report),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::charges::Charges;
    use market::interval::UnixSeconds;

    fn core(prices: &[i64], slope: Option<i64>) -> TsoCore {
        let parameters = MarketParameters {
            interval_s: 900,
            bids_open_s: 600,
            gate_closure_s: 120,
            price_min: PicoEurPerWh(-1_000_000_000),
            price_max: PicoEurPerWh(4_000_000_000),
            imbalance_spread: PicoEurPerWh(0),
            aggregator_fee: PicoEurPerWh(0),
            charges: Charges::NONE,
        };
        let price = |(i, p): (usize, &i64)| ForecastPrice {
            interval: Interval(UnixSeconds(900 * (i as i64 + 1))),
            price: PicoEurPerWh(*p),
        };
        let terms = ImportTerms {
            prices: prices.iter().enumerate().map(price).collect(),
            repeats: false,
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
                    Effect::Send { body: Body::DayAheadSupply(s), .. } => {
                        format!("day ahead {}x{}", s.session.0 .0, s.curves.len())
                    }
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

    #[test]
    fn a_session_is_supplied_once_when_its_gate_closes_if_all_its_prices_are_known() {
        let rules = DayAheadRules { intervals: 2, offset_s: 900, bids_open_s: 840, gate_closure_s: 660 };
        check(
            &mut core(&[50, 60, 70], None).and_day_ahead(Some(rules)),
            &[
                (239, "forecast 900x3"),
                (240, "day ahead 900x2"),
                (780, "supply 900"),
                (2_039, "forecast 1800x2"),
                (2_040, "no-supply"),
                (2_041, ""),
            ],
        );
    }

    #[test]
    fn a_price_is_forecast_with_the_carbon_price_and_offered_without() {
        let mut core = core(&[50], None).emitting(MicrogramPerWh(400_000), PicoEurPerWh(20));
        let now = Now { market: UnixSeconds(780), real_ms: 0 };
        let said = core.step(now, Input::Poll);
        let [Effect::Send { body: Body::Forecast(forecast), .. }, Effect::Send { body: Body::Supply(supply), .. }] =
            &said[..]
        else {
            panic!("{said:?}")
        };
        assert_eq!(forecast.prices[0].price, PicoEurPerWh(70));
        assert_eq!(supply.emission, MicrogramPerWh(400_000));
        assert_eq!(supply.curve.import_at(PicoEurPerWh(50)).high, Milliwatt(5_000_000_000));
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
