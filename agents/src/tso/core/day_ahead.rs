//! What the TSO interface offers for a day-ahead session, and what was awarded for it.

use super::{Effects, FeederAward, TsoAct, TsoCore};
use crate::core::{Effect, Now};
use crate::tso::question::About;
use market::interval::Interval;
use market::supply::SupplyCurve;
use wire::message::day_ahead::DayAheadSupply;
use wire::message::Body;

impl TsoCore {
    /// What is offered for a session whose gate has closed.
    pub(super) fn session_due(&mut self, now: Now) -> Option<Effect<TsoAct>> {
        let session = self.sessions.as_mut()?.due(&self.parameters, now.market)?;
        let intervals = self.sessions.as_ref()?.intervals(&self.parameters, session);
        if let Some(trading) = &self.trading {
            return Some(trading.ask(About::SessionSupply(intervals)));
        }
        let note = |text| Some(Effect::Note { event: "no-supply", text });
        let mut curves = Vec::with_capacity(intervals.len());
        for interval in intervals {
            match self.curve(interval) {
                None => return note(format!("day-ahead from {session}: {interval} has no price")),
                Some(Err(error)) => return note(format!("day-ahead from {session}: {interval}: {error}")),
                Some(Ok(curve)) => curves.push(curve),
            }
        }
        Some(self.offer_session(session, curves))
    }

    pub(super) fn offer_session(&self, session: Interval, curves: Vec<SupplyCurve>) -> Effect<TsoAct> {
        Effect::Send {
            body: Body::DayAheadSupply(DayAheadSupply { session, curves, emission: self.emission }),
            interval: session,
            recipient: Some(self.dso.clone()),
            acknowledged_by: vec![self.dso.clone()],
            tag: 1,
        }
    }

    /// Keeps awards to show each when its interval begins.
    pub(super) fn awarded_day_ahead(&mut self, awards: &[FeederAward]) -> Effects {
        let (Some(sessions), Some(first)) = (&mut self.sessions, awards.first()) else { return Vec::new() };
        sessions.take(awards);
        let interval_s = self.parameters.interval_s;
        let energy_kwh: f64 = awards.iter().map(|award| award.import.over_seconds(interval_s).kwh()).sum();
        let prices = || awards.iter().map(|award| award.price);
        let (low, high) = (prices().min().unwrap_or_default(), prices().max().unwrap_or_default());
        let (low, high) = (low.eur_per_mwh(), high.eur_per_mwh());
        let (count, from) = (awards.len(), first.interval);
        let text =
            format!("{count} intervals from {from}: {energy_kwh:.3} kWh at {low:.3} to {high:.3} EUR/MWh");
        vec![Effect::Note { event: "awarded-day-ahead", text }]
    }
}
