//! The aggregator's part in the day-ahead market: takes bids until a session's gate closes, answers the DSO's
//! prices, splits its award over its sites, and sends their positions down.

use super::book::DayAheadBook;
use super::fixed::FixedSession;
use super::held::{Held, PositionsFile};
use super::trading::{DecidedSession, SessionTrading};
use crate::aggregator::act::AggregatorAct;
use crate::aggregator::said::{tag, Said};
use crate::chain::Decided;
use crate::core::{Effect, Incoming, Now};
use crate::missed::question;
use crate::roster::{self, RosterError, SiteEntry};
use crate::terms::Terms;
use market::day_ahead::rules::DayAheadRules;
use market::feeder::Tree;
use market::interval::Interval;
use market::parameters::MarketParameters;
use market::units::PicoEurPerWh;
use std::collections::{BTreeMap, HashMap};
use wire::entry::{DayAheadEntry, SitePosition};
use wire::message::day_ahead::{DayAheadCommitted, DayAheadFirm};
use wire::message::{Body, Decision};
use wire::party::{Id, PartyId, Role};

/// Sessions remembered, the one that is being delivered among them.
const KEPT_SESSIONS: usize = 4;

type Effects = Vec<Effect<AggregatorAct>>;

/// What a desk goes by.
pub(in crate::aggregator) struct DeskSettings {
    /// The day-ahead market's rules.
    pub rules: DayAheadRules,
    /// The market's.
    pub parameters: MarketParameters,
    /// How far from its price demand may reach.
    pub price_tolerance: PicoEurPerWh,
    /// Place of each bus in the feeder's.
    pub bus_index: HashMap<String, u32>,
    /// The feeder's order, in which sessions' prices stand.
    pub tree: Tree,
    /// The DSO.
    pub dso: PartyId,
    /// Secret from which bids' salts follow.
    pub seed: [u8; 32],
}

impl DeskSettings {
    /// What an aggregator goes by in a market of these terms; none where it has no day-ahead market.
    ///
    /// # Errors
    /// Where the feeder is no tree, or there is no DSO.
    pub fn of(terms: &Terms, seed: [u8; 32]) -> Result<Option<Self>, RosterError> {
        let Some(rules) = terms.day_ahead else { return Ok(None) };
        Ok(Some(Self {
            rules,
            parameters: terms.parameters,
            price_tolerance: terms.price_tolerance(),
            bus_index: terms.feeder.buses.iter().cloned().zip(0..).collect(),
            tree: terms.feeder.tree().map_err(RosterError::Feeder)?,
            dso: roster::only(terms, Role::Dso)?,
            seed,
        }))
    }
}

/// The aggregator's sessions.
pub(in crate::aggregator) struct DayAheadDesk {
    settings: DeskSettings,
    book: DayAheadBook,
    sessions: BTreeMap<Interval, SessionTrading>,
    held: Held,
    closed: Option<Interval>,
    /// Whether there are sessions to come. Where there are none any more, what was traded before is delivered still.
    trades: bool,
}

impl DayAheadDesk {
    /// A desk without bids, whose sites hold what an earlier start has written down.
    pub fn new(settings: DeskSettings, held: Vec<PositionsFile>) -> Self {
        let (book, sessions) = (DayAheadBook::default(), BTreeMap::new());
        Self { settings, book, sessions, held: Held::new(held), closed: None, trades: true }
    }

    /// Goes by other settings from now on, for sessions whose gate is still to close; by none where there are no sessions
    /// any more.
    pub fn turn_to(&mut self, settings: Option<DeskSettings>) {
        self.trades = settings.is_some();
        if let Some(settings) = settings {
            self.settings = settings;
        }
    }

    /// Time has passed: the next session's commitment, once its gate has closed; and questions about what should be
    /// decided by now.
    pub fn on_time(&mut self, now: Now, sites: &BTreeMap<Id, SiteEntry>) -> Effects {
        let asks = |(at, session): (&Interval, &mut SessionTrading)| session.asks(now.real_ms).then_some(*at);
        let asking = self.sessions.iter_mut().filter_map(asks);
        let mut effects: Effects = asking.map(|session| question(session, Decision::DayAhead)).collect();
        let Some((commitment, silent)) = self.close_when_due(now, sites) else { return effects };
        let session = commitment.session;
        effects.push(self.to_dso(session, Body::DayAheadCommitted(commitment)));
        if silent > 0 {
            let text = format!("{silent} of {} sites did not bid for the session of {session}", sites.len());
            effects.push(Effect::Note { event: "day-ahead-silent-sites", text });
        }
        effects
    }

    fn close_when_due(
        &mut self,
        now: Now,
        sites: &BTreeMap<Id, SiteEntry>,
    ) -> Option<(DayAheadCommitted, usize)> {
        let DeskSettings { rules, parameters, bus_index, seed, .. } = &self.settings;
        let here = rules.session_of(parameters, parameters.interval_at(now.market));
        let next = rules.next(parameters, here);
        let due = self.trades && now.market >= rules.gate_closure(next) && self.closed < Some(next);
        if !due || sites.is_empty() {
            return None;
        }
        self.closed = Some(next);
        let standing = self.book.close(next);
        let silent = sites.len().saturating_sub(standing.len());
        let fixed = FixedSession::fix((next, rules.intervals as usize), standing, sites, bus_index, seed);
        let commitment = fixed.commitment();
        self.sessions.insert(next, SessionTrading::new(fixed));
        while self.sessions.len() > KEPT_SESSIONS {
            self.sessions.pop_first();
        }
        Some((commitment, silent))
    }

    /// Takes a message about a session; `site` is its sender where that is one of ours.
    ///
    /// # Errors
    /// In words, why it is refused.
    pub fn on_message(
        &mut self,
        now: Now,
        site: Result<&SiteEntry, String>,
        message: &Incoming,
    ) -> Result<Effects, String> {
        let (sender, evidence) = (&message.id.sender, (&message.id, &message.raw));
        let DeskSettings { rules, parameters, .. } = &self.settings;
        match &message.body {
            Body::DayAheadBid(bid) => {
                let taken = self.book.take((rules, parameters), now.market, site?, bid, evidence);
                taken.map(|()| Vec::new()).map_err(|error| error.to_string())
            }
            said if *sender == self.settings.dso => {
                let (session, answer) = self.answer(now, said)?;
                Ok(vec![self.to_dso(session, answer)])
            }
            other => Err(format!("an aggregator takes no {} from {sender}", other.kind())),
        }
    }

    fn to_dso(&self, session: Interval, body: Body) -> Effect<AggregatorAct> {
        let dso = &self.settings.dso;
        Effect::Send {
            body,
            interval: session,
            recipient: Some(dso.clone()),
            acknowledged_by: vec![dso.clone()],
            tag: tag(Said::Session, session),
        }
    }

    /// What the DSO is answered to what it says about a session.
    fn answer(&mut self, now: Now, said: &Body) -> Result<(Interval, Body), String> {
        let DeskSettings { parameters, price_tolerance, .. } = &self.settings;
        let session = match said {
            Body::DayAheadQuestion(question) => question.session,
            Body::DayAheadAward(award) => award.session,
            other => return Err(format!("an aggregator takes no {} about a session", other.kind())),
        };
        let none = || format!("the session that begins with the {session} is not being traded");
        let trading = self.sessions.get_mut(&session).ok_or_else(none)?;
        let answer = match said {
            Body::DayAheadQuestion(question) => Body::DayAheadDemand(trading.answer(parameters, question)?),
            Body::DayAheadAward(award) => {
                Body::DayAheadFinalDemand(trading.award(parameters, *price_tolerance, award, now.real_ms)?)
            }
            _ => return Err(none()),
        };
        Ok((session, answer))
    }

    /// A session is decided by the entry at `index` of a block: each site is told what it bought and sold.
    pub fn on_decided(&mut self, decided: &Decided, index: usize, entry: &DayAheadEntry) -> Effects {
        let session = entry.session;
        let (firm, file) = match self.decide(decided, index, entry) {
            Err(text) => return vec![Effect::Note { event: "day-ahead-differs", text }],
            Ok(None) => return Vec::new(),
            Ok(Some(decided)) => (decided.firm, decided.positions.encode()),
        };
        let store = match file {
            Ok(bytes) => Effect::Own(AggregatorAct::StorePositions { session, bytes }),
            Err(error) => Effect::Note { event: "positions-not-stored", text: error.to_string() },
        };
        let send = |(site, firm): (PartyId, DayAheadFirm)| Effect::Send {
            interval: session,
            tag: tag(Said::Positions, session),
            body: Body::DayAheadFirm(Box::new(firm)),
            recipient: Some(site.clone()),
            acknowledged_by: vec![site],
        };
        std::iter::once(store).chain(firm.into_iter().map(send)).collect()
    }

    /// Each site's positions, the first time this is said of a session we were awarded.
    fn decide(
        &mut self,
        decided: &Decided,
        index: usize,
        entry: &DayAheadEntry,
    ) -> Result<Option<DecidedSession>, String> {
        let trading = self.sessions.get_mut(&entry.session).filter(|trading| trading.awaits_decision());
        let Some(trading) = trading else { return Ok(None) };
        let finality = decided.proof(index).map_err(|error| error.to_string())?;
        let place = &self.settings.tree.place;
        let price_at = |interval: usize, bus: u32| {
            let prices = &entry.clearing.intervals.get(interval)?.prices;
            prices.get(*place.get(bus as usize)?).copied()
        };
        let decided = trading.decide(price_at, &finality)?;
        self.held.put(decided.positions.clone(), KEPT_SESSIONS);
        Ok(Some(decided))
    }

    /// What the sites bought and sold day-ahead for one interval, in order of account.
    pub fn positions(&self, interval: Interval) -> Vec<SitePosition> {
        self.held.at(interval, self.settings.parameters.interval_s)
    }
}

/// Whether a message is about day-ahead sessions.
pub(in crate::aggregator) fn is_day_ahead(body: &Body) -> bool {
    matches!(body, Body::DayAheadBid(_) | Body::DayAheadQuestion(_) | Body::DayAheadAward(_))
}
