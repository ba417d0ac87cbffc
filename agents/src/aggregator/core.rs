//! The aggregator's decisions: takes bids until the gate closes, answers the DSO's prices, splits its
//! award over its sites, sends firm prices down, and puts what was delivered on the ledger.

use super::act::{AggregatorAct, AggregatorReport};
use super::bids::BidBook;
use super::day_ahead::core::{is_day_ahead, DayAheadDesk, DeskSettings};
use super::day_ahead::held::PositionsFile;
use super::delivery::Filing;
use super::keeping::{keep, keep_bid, keep_question, keep_reading, keep_trading, restored};
use super::kept::{Keep, Kept, KeptReading, TakenBid};
use super::late::Late;
use super::market::Market;
use super::rounds::FixedBids;
use super::said::{refused, tag, Said};
use super::trading::{Due, Trading};
use crate::chain::Chain;
use crate::core::{Effect, Incoming, Input, Now, RoleCore};
use crate::price_parts::PriceParts;
use crate::roster::{RosterError, SiteEntry};
use crate::terms::{Terms, Turn};
use ledger::archive::location::Place;
use ledger::contracts::rules::Rules;
use market::interval::Interval;
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::entry::{DeliveryEntry, Entry};
use wire::message::{Bid, Body, MeterReading, PriceQuestion, SetpointReport, Verdict};
use wire::party::PartyId;

/// Intervals remembered after their start.
const KEPT_INTERVALS: i64 = 8;

/// What is particular to one aggregator.
#[derive(Clone, Debug)]
pub struct AggregatorSettings {
    /// Who it is.
    pub party: PartyId,
    /// Secret from which bids' salts follow: the same at every start, so that what was committed to can be fixed again.
    pub seed: [u8; 32],
    /// Milliseconds of real time after an interval's end in which readings are waited for.
    pub readings_grace_ms: u64,
    /// Where its batches will lie.
    pub archive: Place,
    /// What its sites hold day-ahead, as an earlier start has written it down.
    pub held: Vec<PositionsFile>,
    /// What it took, answered and owes, likewise.
    pub kept: Kept,
}

/// One aggregator.
pub struct AggregatorCore {
    pub(super) settings: AggregatorSettings,
    pub(super) market: Market,
    /// Whether it has done anything yet.
    pub(super) begun: bool,
    turn: Turn<Arc<Rules>>,
    /// What made up prices before the present terms, and the first interval that is traded by these.
    pub(super) before: Option<(Interval, PriceParts)>,
    pub(super) chain: Chain,
    pub(super) book: BidBook,
    /// Questions that a process before this one answered, of intervals whose bids are to be fixed again.
    pub(super) asked: BTreeMap<Interval, Vec<PriceQuestion>>,
    /// Bids kept since all that count were last written anew, and the interval in which that was.
    pub(super) kept_bids: usize,
    pub(super) renewed: Option<Interval>,
    pub(super) trading: BTreeMap<Interval, Trading>,
    pub(super) late: Late,
    pub(super) closed: Option<Interval>,
    /// Day-ahead sessions, where the market has any.
    pub(super) day_ahead: Option<DayAheadDesk>,
    /// What is to be told of how it began.
    notes: Vec<(&'static str, String)>,
}

pub(super) type Effects = Vec<Effect<AggregatorAct>>;

impl AggregatorCore {
    /// The aggregator `settings.party` of the ledger followed.
    ///
    /// # Errors
    /// Where its terms lack a DSO or say too little of a site.
    pub fn new(chain: Chain, mut settings: AggregatorSettings) -> Result<Self, RosterError> {
        let terms = Terms::of(chain.rules());
        let held = std::mem::take(&mut settings.held);
        let Kept { bids, asked, trading } = std::mem::take(&mut settings.kept);
        let (trading, mut notes) = restored(trading);
        let mut book = BidBook::new(terms.clears_reactive());
        if !bids.is_empty() {
            notes.push(("bids-restored", format!("{} bids that were taken", bids.len())));
        }
        let kept_bids = bids.len();
        bids.into_iter().for_each(|bid| book.restore(bid));
        let day_ahead =
            DeskSettings::of(&terms, settings.seed)?.map(|settings| DayAheadDesk::new(settings, held));
        Ok(Self {
            market: Market::of(&terms, &settings.party)?,
            begun: false,
            turn: Turn::default(),
            before: None,
            chain,
            book,
            asked,
            kept_bids,
            renewed: None,
            closed: trading.keys().last().copied(),
            trading,
            late: Late::default(),
            day_ahead,
            notes,
            settings,
        })
    }

    /// Turns to the rules heard of, where their time has come.
    fn turn(&mut self, here: Interval) -> Option<Effect<AggregatorAct>> {
        self.turn.enter(here);
        let terms = Terms::of(&*self.turn.take()?);
        let made = Market::of(&terms, &self.settings.party)
            .and_then(|market| Ok((market, DeskSettings::of(&terms, self.settings.seed)?)));
        let (market, sessions) = match made {
            Ok(made) => made,
            Err(error) => return Some(Effect::Note { event: "terms-unfit", text: error.to_string() }),
        };
        let before = std::mem::replace(&mut self.market, market);
        let first = self.market.parameters.next(here);
        self.before = Some((first, before.price_parts));
        self.book.clear_reactive(terms.clears_reactive());
        match (&mut self.day_ahead, sessions) {
            (Some(desk), sessions) => desk.turn_to(sessions),
            (None, Some(sessions)) => self.day_ahead = Some(DayAheadDesk::new(sessions, Vec::new())),
            (None, None) => {}
        }
        let text = format!("from the {first} on by other terms, with {} sites", self.market.sites.len());
        Some(Effect::Note { event: "terms-changed", text })
    }

    /// How many sites it has.
    pub fn site_count(&self) -> usize {
        self.market.sites.len()
    }

    pub(super) fn on_time(&mut self, now: Now) -> Effects {
        let here = self.market.parameters.interval_at(now.market);
        let next = self.market.parameters.next(here);
        let mut effects: Effects = self.turn(here).into_iter().collect();
        let notes = std::mem::take(&mut self.notes).into_iter();
        effects.extend(notes.map(|(event, text)| Effect::Note { event, text }));
        let due = now.market >= self.market.parameters.gate_closure(next) && self.closed < Some(next);
        if due && !self.market.sites.is_empty() {
            effects.extend(self.close_gate(next));
        }
        effects.extend(self.day_ahead.iter_mut().flat_map(|desk| desk.on_time(now, &self.market.sites)));
        let interval_s = self.market.parameters.interval_s;
        for trading in self.trading.values_mut() {
            if now.market >= trading.interval().end(interval_s) {
                trading.end(now.real_ms);
            }
        }
        let traded: Vec<Interval> = self.trading.keys().copied().collect();
        effects.extend(traded.into_iter().flat_map(|interval| self.deliver_when_due(now, interval)));
        effects.extend(self.forget(here));
        effects.extend(self.missed(now));
        effects.extend(self.renew_when_due(here));
        effects
    }

    pub(super) fn close_gate(&mut self, interval: Interval) -> Effects {
        self.closed = Some(interval);
        let silent = self.market.sites.len().saturating_sub(self.book.count(interval));
        let standing = self.book.close(interval);
        let fixed = FixedBids::fix(interval, standing, &self.market.sites, &self.settings.seed);
        let by = (self.market.parameters, self.market.price_tolerance);
        let body = Body::BidsCommitted(fixed.commitment());
        let asked = self.asked.remove(&interval).unwrap_or_default();
        let mut trading = Trading::new(fixed, by).after(&asked);
        let mut effects = vec![self.to_dso(Said::BidsCommitted, interval, body)];
        // The last answer of a process before this one may never have been heard.
        let again = asked.last().and_then(|question| trading.answer(question).ok());
        effects.extend(again.map(|(d, _)| self.to_dso(Said::Demand, interval, Body::Demand(d))));
        self.trading.insert(interval, trading);
        if silent > 0 {
            let text = format!("{silent} of {} sites did not bid for {interval}", self.market.sites.len());
            effects.push(Effect::Note { event: "silent-sites", text });
        }
        effects
    }

    fn on_message(&mut self, now: Now, message: Incoming) -> Effects {
        if let Body::MeterReading(reading) = &message.body {
            if let Some(late) = self.take_late(now, &message, reading) {
                return late;
            }
        }
        let sender = &message.id.sender;
        let answered = match &message.body {
            Body::Block(bytes) => return self.on_block(now, bytes),
            // These are acknowledged once they are kept.
            Body::Bid(bid) => {
                return or_refused(&message, self.on_bid(now, &message, bid));
            }
            Body::MeterReading(reading) => {
                return or_refused(&message, self.on_reading(now, &message, reading));
            }
            Body::PriceQuestion(question) if *sender == self.market.dso => self
                .trading(question.interval)
                .and_then(|trading| trading.answer(question))
                .map(|(d, first)| {
                    let said = self.to_dso(Said::Demand, question.interval, Body::Demand(d));
                    let kept = if first { keep_question(question) } else { Vec::new() };
                    kept.into_iter().chain([said]).collect()
                }),
            Body::Award(award) if *sender == self.market.dso => self
                .trading(award.interval)
                .and_then(|trading| Ok((trading.award(award, now.real_ms)?, keep_trading(trading))))
                .map(|(d, kept)| {
                    let said = self.to_dso(Said::FinalDemand, award.interval, Body::FinalDemand(d));
                    kept.into_iter().chain([said]).collect()
                }),
            body if is_day_ahead(body) => self.on_day_ahead(now, &message),
            Body::SetpointReport(report) => self.on_setpoints(sender, report),
            other => Err(format!("an aggregator takes no {} from {sender}", other.kind())),
        };
        let (verdict, effects) = match answered {
            Ok(effects) => (Verdict::Accepted, effects),
            Err(reason) => (Verdict::refused(&reason), Vec::new()),
        };
        // What is acknowledged is kept by then.
        let kept = |effect: &Effect<AggregatorAct>| matches!(effect, Effect::Own(AggregatorAct::Keep { .. }));
        let (kept, others): (Effects, Effects) = effects.into_iter().partition(kept);
        let acknowledged = Effect::Acknowledge { of: message.id, verdict };
        kept.into_iter().chain([acknowledged]).chain(others).collect()
    }

    pub(super) fn site(&self, party: &PartyId) -> Result<&SiteEntry, String> {
        let account = self.market.accounts.get(party);
        account
            .and_then(|account| self.market.sites.get(account))
            .ok_or_else(|| format!("{party} is no site of {}", self.settings.party))
    }

    fn trading(&mut self, interval: Interval) -> Result<&mut Trading, String> {
        let party = &self.settings.party;
        self.trading.get_mut(&interval).ok_or_else(|| format!("{interval} is not being traded by {party}"))
    }

    fn on_bid(&mut self, now: Now, message: &Incoming, bid: &Bid) -> Result<Effects, String> {
        let site = self.site(&message.id.sender)?.clone();
        let evidence = (&message.id, &message.raw);
        let taken = self.book.take(&self.market.parameters, now.market, &site, bid, evidence);
        let bid = taken.map_err(|error| error.to_string())?;
        self.kept_bids += 1;
        Ok(keep_bid(&message.id, &TakenBid { account: site.account, bid }))
    }

    fn on_day_ahead(&mut self, now: Now, message: &Incoming) -> Result<Effects, String> {
        let site = self.site(&message.id.sender).cloned();
        let none = || format!("this market has no day ahead, and {} is of one", message.body.kind());
        self.day_ahead.as_mut().ok_or_else(none)?.on_message(
            now,
            site.as_ref().map_err(Clone::clone),
            message,
        )
    }

    fn on_setpoints(&mut self, sender: &PartyId, report: &SetpointReport) -> Result<Effects, String> {
        self.site(sender)?;
        let fault = report.faults.first().map(|fault| {
            let (count, interval) = (report.faults.len(), report.interval);
            let first = format!("{}: {}", fault.device, fault.reason);
            let text = format!("{sender}, {interval}: {count} setpoints were not taken; {first}");
            Effect::Note { event: "setpoint-fault", text }
        });
        let unfirm = report.commitment.is_none().then(|| Effect::Note {
            event: "no-firm-price",
            text: format!("{sender} had no firm price in time for {}", report.interval),
        });
        Ok(fault.into_iter().chain(unfirm).collect())
    }

    fn on_reading(
        &mut self,
        now: Now,
        message: &Incoming,
        reading: &MeterReading,
    ) -> Result<Effects, String> {
        let site = self.site(&message.id.sender)?.clone();
        let interval_s = self.market.parameters.interval_s;
        let trading = self.trading(reading.interval)?;
        let first = trading.readings.take(&site, interval_s, reading, &message.raw);
        let (account, energy, raw) = (site.account, reading.energy, message.raw.clone());
        let kept = first.map_err(|error| error.to_string())?.then_some(KeptReading { account, energy, raw });
        let mut effects = vec![keep_reading(&message.id, reading.interval, kept)];
        effects.extend(self.deliver_when_due(now, reading.interval));
        Ok(effects)
    }

    fn deliver_when_due(&mut self, now: Now, interval: Interval) -> Effects {
        let grace_ms = self.settings.readings_grace_ms;
        let Some(trading) = self.trading.get_mut(&interval) else { return Vec::new() };
        let positions = || self.day_ahead.as_ref().map_or_else(Vec::new, |desk| desk.positions(interval));
        let filing = Filing {
            aggregator: &self.settings.party.id,
            place: &self.settings.archive,
            interval_s: self.market.parameters.interval_s,
        };
        match trading.due(now.real_ms, grace_ms, &filing, positions) {
            Ok(Due::Nothing) => Vec::new(),
            Ok(Due::SubmitAgain(entry)) => vec![self.submit(entry)],
            Ok(Due::Store { batches, complete }) => {
                let store = Effect::Own(AggregatorAct::StoreBatches { interval, batches });
                let text = format!("not every site's meter was read for {interval}");
                let missing = (!complete).then_some(Effect::Note { event: "readings-missing", text });
                missing.into_iter().chain([store]).collect()
            }
            Err(error) => {
                let text = format!("encoding the batches of {interval}: {error}");
                vec![Effect::Note { event: "batches-not-stored", text }]
            }
        }
    }

    fn on_report(&mut self, now: Now, report: AggregatorReport) -> Effects {
        match report {
            AggregatorReport::BatchesStored(interval) => {
                let entry = self.trading.get_mut(&interval).and_then(|t| t.stored(now.real_ms));
                entry.map(|entry| self.submit(entry)).into_iter().collect()
            }
            AggregatorReport::BatchesNotStored { interval, reason } => {
                if let Some(trading) = self.trading.get_mut(&interval) {
                    trading.not_stored(now.real_ms);
                }
                let text = format!("storing the batches of {interval}: {reason}");
                vec![Effect::Note { event: "batches-not-stored", text }]
            }
            // Unanswered, it is said again.
            AggregatorReport::LateStored { of, stored } => vec![match stored {
                Ok(()) => Effect::Acknowledge { of, verdict: Verdict::Accepted },
                Err(reason) => Effect::Note { event: "late-not-stored", text: reason },
            }],
            AggregatorReport::Kept(all) => {
                let accepted = |of| Effect::Acknowledge { of, verdict: Verdict::Accepted };
                all.into_iter().map(accepted).collect()
            }
            AggregatorReport::PositionsNotStored { session, reason } => {
                let text = format!("writing the positions of the session of {session}: {reason}");
                vec![Effect::Note { event: "positions-not-stored", text }]
            }
        }
    }

    fn submit(&self, entry: DeliveryEntry) -> Effect<AggregatorAct> {
        let interval = entry.interval;
        Effect::Send {
            body: Body::Submit(Entry::Delivery(entry)),
            interval,
            recipient: None,
            acknowledged_by: self.market.validators.clone(),
            tag: tag(Said::Delivery, interval),
        }
    }

    fn forget(&mut self, here: Interval) -> Effects {
        self.late.forget(here, self.market.parameters.interval_s);
        let oldest = here.later(-KEPT_INTERVALS, self.market.parameters.interval_s);
        let kept = self.trading.split_off(&oldest);
        let forgotten = std::mem::replace(&mut self.trading, kept);
        let later = self.asked.split_off(&oldest);
        let asked = std::mem::replace(&mut self.asked, later);
        let old = forgotten.keys().chain(asked.keys());
        let mut effects: Effects = old.map(|interval| keep(*interval, Keep::Forget)).collect();
        let owing = forgotten.values().filter(|trading| trading.owes_delivery());
        effects.extend(owing.map(|trading| Effect::Note {
            event: "delivery-lost",
            text: format!("{} was cleared, and its delivery never decided", trading.interval()),
        }));
        effects
    }

    pub(super) fn to_dso(&self, said: Said, interval: Interval, body: Body) -> Effect<AggregatorAct> {
        Effect::Send {
            body,
            interval,
            recipient: Some(self.market.dso.clone()),
            acknowledged_by: vec![self.market.dso.clone()],
            tag: tag(said, interval),
        }
    }
}

/// What is done about a message that is acknowledged later, or its refusal.
fn or_refused(message: &Incoming, done: Result<Effects, String>) -> Effects {
    done.unwrap_or_else(|reason| {
        vec![Effect::Acknowledge { of: message.id.clone(), verdict: Verdict::refused(&reason) }]
    })
}

impl RoleCore for AggregatorCore {
    type Report = AggregatorReport;
    type Act = AggregatorAct;

    fn chain(&mut self) -> Option<&mut Chain> {
        Some(&mut self.chain)
    }

    fn govern(&mut self, rules: &Arc<Rules>) {
        self.turn.hear(rules.clone());
    }

    fn step(&mut self, now: Now, input: Input<AggregatorReport>) -> Effects {
        let mut effects = self.resume(now);
        effects.extend(match input {
            Input::Poll => self.on_time(now),
            Input::Message(message) => self.on_message(now, message),
            Input::Answered { tag, by, verdict: Verdict::Refused(reason) } => refused(tag, &by, &reason),
            Input::Answered { verdict: Verdict::Accepted, .. } => Vec::new(),
            Input::Own(report) => self.on_report(now, report),
        });
        effects
    }
}
