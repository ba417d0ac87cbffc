//! The site's desk in the day-ahead market: when devices are read for a session, what is offered then, and what
//! is held of it once it is decided.

use super::firm::{check_day_ahead, DayAheadFirmError, Held, OwnSession};
use super::offer::make_offer;
use super::Setting;
use crate::device::ahead::Ahead;
use crate::device::base_load::BaseLoad;
use crate::device::{DeviceAgent, Reading};
use crate::site::bidding::LeftOut;
use crate::site::core::SiteConfig;
use crate::site::expectations::{Expectations, Occasion};
use crate::site::load_history::LoadHistory;
use crate::site::standing::Standing;
use ledger::block::verifier::Verifier;
use market::curve::CurveError;
use market::interval::{Interval, UnixSeconds};
use market::parameters::MarketParameters;
use market::units::{Millijoule, Milliwatt};
use std::collections::BTreeMap;
use thiserror::Error;
use wire::entry::SignedEnvelope;
use wire::message::day_ahead::{DayAheadBid, DayAheadFirm};

/// The desk.
#[derive(Clone, Debug)]
pub struct Desk {
    setting: Setting,
    /// Whether there are sessions to come.
    trades: bool,
    asked: Option<(Interval, UnixSeconds)>,
    /// Bids by session.
    bids: BTreeMap<Interval, OwnSession>,
    /// Positions by interval.
    held: BTreeMap<Interval, Held>,
}

/// Why positions are not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TakeError {
    /// Nothing was bid for the session.
    #[error("we bid nothing for the day ahead from {session} on")]
    NoBid {
        /// The session's first interval.
        session: Interval,
    },
    /// They are not what was bid for and decided.
    #[error(transparent)]
    Firm(#[from] DayAheadFirmError),
}

/// What a session came to for the site.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SessionSum {
    /// Energy bought, over all intervals that import.
    pub bought: Millijoule,
    /// Energy sold, over all that export.
    pub sold: Millijoule,
    /// What it costs, negative where it earns, in EUR.
    pub cost_eur: f64,
}

/// What an offer is made from.
#[derive(Clone, Copy, Debug)]
pub struct Knowledge<'a> {
    /// The site and its devices.
    pub config: &'a SiteConfig,
    /// Their agents.
    pub agents: &'a [DeviceAgent],
    /// Prices, sun and load to come.
    pub expectations: &'a Expectations,
    /// Base loads as they were.
    pub loads: &'a LoadHistory,
    /// The base load now.
    pub base_load: Milliwatt,
}

impl Desk {
    /// A desk that has offered nothing yet.
    pub fn new(setting: Setting) -> Self {
        Self { setting, trades: true, asked: None, bids: BTreeMap::new(), held: BTreeMap::new() }
    }

    /// Goes by another setting from now on, or by none where there are no sessions any more: what is held stays held.
    pub fn turn_to(&mut self, setting: Option<Setting>) {
        self.trades = setting.is_some();
        if let Some(setting) = setting {
            self.setting = setting;
        }
    }

    /// The session whose bids are open, once: devices are to be read for it.
    pub fn due(&mut self, parameters: &MarketParameters, now: UnixSeconds) -> Option<Interval> {
        let current = self.setting.rules.session_of(parameters, parameters.interval_at(now));
        let next = self.setting.rules.next(parameters, current);
        let open = self.setting.rules.bids_open(next) <= now && now < self.setting.rules.gate_closure(next);
        let due = self.trades && open && self.asked.is_none_or(|(asked, _)| asked < next);
        due.then(|| {
            self.asked = Some((next, now));
            next
        })
    }

    /// Whether the gate for `session` is still open.
    pub fn is_open(&self, session: Interval, now: UnixSeconds) -> bool {
        now < self.setting.rules.gate_closure(session)
    }

    /// The bid for `session` from what the devices said; kept to check against what comes of it.
    ///
    /// # Errors
    /// As [`make_offer`].
    pub fn offer(
        &mut self,
        session: Interval,
        devices: &[Result<Reading, String>],
        known: &Knowledge<'_>,
    ) -> Result<(DayAheadBid, Vec<LeftOut>), CurveError> {
        let SiteConfig { parameters, tariff, horizon, standing, .. } = known.config;
        let read_at = self.asked.map_or(session.start(), |(_, at)| at);
        let next = parameters.next(parameters.interval_at(read_at)).min(session);
        let lead = (session.start().0 - next.start().0) / parameters.interval_s;
        let lead = usize::try_from(lead).unwrap_or(0);
        let occasion = Occasion { interval: next, read_at, horizon: *horizon };
        let intervals: Vec<Interval> = self.setting.rules.intervals_of(parameters, session).collect();
        let ahead = Ahead {
            outlooks: known.expectations.outlooks(&occasion, lead + intervals.len(), parameters),
            lead,
            suns: intervals.iter().map(|at| known.expectations.sun_at(&occasion, *at, parameters)).collect(),
        };
        let base = |at: &Interval| {
            let ratio = known.expectations.load_ratio(&occasion, *at, parameters);
            let power = known.loads.expect(*at, known.base_load, ratio);
            BaseLoad { power, answers: tariff.as_ref().and_then(|tariff| tariff.at(at.start())) }
        };
        let bases: Vec<BaseLoad> = intervals.iter().map(base).collect();
        let (offer, left_out) = make_offer(known.agents, devices, &bases, standing.connection, &ahead)?;
        let (curves, storages, deferrables) = (offer.curves, offer.storages, offer.deferrables);
        let bid = DayAheadBid { session, curves, storages, deferrables };
        self.bids.insert(session, OwnSession { bid: bid.clone(), envelope: None });
        Ok((bid, left_out))
    }

    /// Takes note of the envelope in which the bid for `session` went out.
    pub fn sent(&mut self, session: Interval, envelope: &SignedEnvelope) {
        if let Some(own) = self.bids.get_mut(&session) {
            own.envelope = Some(envelope.clone());
        }
    }

    /// Checks what came of a session and keeps it. The ledger holds one clearing of a session, so what is told
    /// again is the same again.
    ///
    /// # Errors
    /// [`TakeError`] with what does not hold.
    pub fn take(
        &mut self,
        firm: &DayAheadFirm,
        standing: &Standing,
        verifier: &Verifier,
        parameters: &MarketParameters,
    ) -> Result<SessionSum, TakeError> {
        let own = self.bids.get(&firm.session).ok_or(TakeError::NoBid { session: firm.session })?;
        let held = check_day_ahead(standing, verifier, &self.setting.terms, (firm, own))?;
        let mut sum = SessionSum::default();
        for (interval, held) in self.setting.rules.intervals_of(parameters, firm.session).zip(held) {
            let energy = held.power.over_seconds(parameters.interval_s);
            let side = if energy > Millijoule::ZERO { &mut sum.bought } else { &mut sum.sold };
            *side += Millijoule(energy.0.abs());
            sum.cost_eur += energy.kwh() / 1e3 * held.price.eur_per_mwh();
            self.held.insert(interval, held);
        }
        Ok(sum)
    }

    /// What is held of an interval; none where no session gave any.
    pub fn held(&self, interval: Interval) -> Option<Held> {
        self.held.get(&interval).copied()
    }

    /// Forgets what is over.
    pub fn forget_before(&mut self, here: Interval, parameters: &MarketParameters) {
        self.held = self.held.split_off(&here);
        self.bids = self.bids.split_off(&self.setting.rules.session_of(parameters, here));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene;

    #[test]
    fn devices_are_read_once_while_a_session_is_open() {
        let mut desk = Desk::new(scene::day_ahead());
        let mut check = |now: i64, expected: Option<i64>| {
            let due = desk.due(&scene::parameters(), UnixSeconds(now));
            assert_eq!(due, expected.map(|start| Interval(UnixSeconds(start))), "at {now}");
        };
        check(1_799, None);
        check(1_800, Some(3_600));
        check(2_000, None);
        check(2_700, None);
        // Too late for the one from 7 200 on, and in time for the next.
        check(6_300, None);
        check(9_500, Some(10_800));
    }
}
