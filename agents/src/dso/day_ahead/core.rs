//! The DSO's part in the day-ahead market: gathers a session's commitments and supply, asks prices in rounds
//! for all its intervals at once, clears, awards, gathers final demands, and puts the clearing before the
//! validators.

use super::award::{award, check_final, parts};
use super::entry::{entry, orders};
use super::measurement::ClearedSession;
use super::problem::{market, Problem, Solved};
use super::question::questions;
use super::session::{Session, Stage};
use super::{Buses, Setting};
use crate::core::{Effect, Incoming, Now};
use crate::dso::act::DsoAct;
use crate::dso::answers;
use crate::dso::core::to_one;
use crate::dso::market::Market;
use crate::dso::measurement::Measurement;
use crate::missed::{question, Asking};
use market::clearing::sampled::{Question, MAX_ROUNDS};
use market::day_ahead::rounds::{SessionCleared, SessionError};
use market::horizon::error::HorizonError;
use market::interval::Interval;
use market::supply::SupplyCurve;
use market::units::MicroEurPerTonne;
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::entry::{DayAheadEntry, Entry, SignedEnvelope};
use wire::message::day_ahead::{
    DayAheadCommitted, DayAheadDemand, DayAheadFinalDemand, DayAheadQuestion, DayAheadSupply,
};
use wire::message::{Body, Decision, Verdict};
use wire::party::PartyId;

/// Sessions remembered, the one that is being delivered among them.
const KEPT_SESSIONS: usize = 4;

/// How often the real-time market's patience a stage of a session has: its messages are as many times longer.
const PATIENCE: u64 = 4;

type Effects = Vec<Effect<DsoAct>>;

/// The DSO's sessions.
pub(in crate::dso) struct DayAheadDesk {
    setting: Arc<Setting>,
    tso: PartyId,
    validators: Vec<PartyId>,
    /// Aggregators with sites, in order, and their buses.
    aggregators: BTreeMap<PartyId, Buses>,
    /// Real time waited at most at each stage.
    patience_ms: u64,
    sessions: BTreeMap<Interval, Session>,
}

/// Aggregators' buses by place in the feeder's.
fn by_place(aggregators: &BTreeMap<PartyId, answers::Buses>) -> BTreeMap<PartyId, Buses> {
    let placed = |buses: &answers::Buses| -> Buses {
        buses.values().filter_map(|(bus, limit)| Some((u32::try_from(*bus).ok()?, *limit))).collect()
    };
    aggregators.iter().map(|(aggregator, buses)| (aggregator.clone(), placed(buses))).collect()
}

impl DayAheadDesk {
    /// A desk that waits as often as long at each stage as the market in real time does.
    pub fn new(setting: Setting, market: &Market, round_timeout_ms: u64) -> Self {
        Self {
            setting: Arc::new(setting),
            tso: market.tso.clone(),
            validators: market.validators.clone(),
            aggregators: by_place(&market.aggregators),
            patience_ms: PATIENCE * round_timeout_ms,
            sessions: BTreeMap::new(),
        }
    }

    /// Goes by another setting from now on.
    pub fn turn_to(&mut self, setting: Setting, market: &Market) {
        self.setting = Arc::new(setting);
        self.tso = market.tso.clone();
        self.validators = market.validators.clone();
        self.aggregators = by_place(&market.aggregators);
    }

    /// Whether no session is being cleared.
    pub fn is_idle(&self) -> bool {
        self.sessions.values().all(|session| session.stage.is_idle())
    }

    /// Time has passed.
    pub fn on_time(&mut self, now: Now) -> Effects {
        let mut effects = Vec::new();
        let next = self.setting.next_session(now.market);
        if now.market >= self.setting.rules.gate_closure(next) {
            let session = self.sessions.entry(next).or_insert_with(|| Session::new(next, now.real_ms));
            session.close(now.real_ms);
            effects.extend(self.go_on(now, next));
        }
        while self.sessions.len() > KEPT_SESSIONS {
            self.sessions.pop_first();
        }
        for session in self.sessions.values_mut() {
            let waited_ms = now.real_ms.saturating_sub(session.stage_began_ms);
            if session.stage.waits() && waited_ms >= self.patience_ms {
                let missing = session.missing(self.aggregators.keys(), &self.tso).join(", ");
                let why = format!("nothing came in {waited_ms} ms from {missing}");
                effects.push(fail(session, "day-ahead-silent", why, now));
            }
            if let Stage::Submitted { asking, .. } = &mut session.stage {
                let due = asking.is_due(now.real_ms);
                effects.extend(due.then(|| question(session.session, Decision::DayAhead)));
            }
        }
        effects
    }

    /// Takes a message about a session, and answers it.
    pub fn on_message(&mut self, now: Now, message: &Incoming) -> Effects {
        let sender = &message.id.sender;
        let known = self.aggregators.contains_key(sender);
        let answered = match &message.body {
            Body::DayAheadSupply(supply) if *sender == self.tso => {
                let (count, price) = (self.setting.intervals(), self.setting.carbon_price);
                dearer(supply, price)
                    .and_then(|curves| Ok((self.gathering(now, supply.session)?, curves)))
                    .and_then(|(session, curves)| session.supply(curves, &message.raw, count))
                    .map(|()| supply.session)
            }
            Body::DayAheadCommitted(committed) if known => {
                self.on_commitment(now, sender, committed).map(|()| committed.session)
            }
            Body::DayAheadDemand(demand) if known => self.on_demand(sender, demand).map(|()| demand.session),
            Body::DayAheadFinalDemand(demand) if known => {
                self.on_final_demand(sender, demand, &message.raw).map(|()| demand.session)
            }
            other => Err(format!("a DSO takes no {} from {sender}", other.kind())),
        };
        let of = message.id.clone();
        match answered {
            Ok(session) => std::iter::once(Effect::Acknowledge { of, verdict: Verdict::Accepted })
                .chain(self.go_on(now, session))
                .collect(),
            Err(reason) => {
                let verdict = Verdict::refused(&reason);
                vec![Effect::Acknowledge { of, verdict }]
            }
        }
    }

    /// The session, if it is one whose bids are taken or which is about to be cleared: supply and commitments
    /// may come before our own clock closes its gate.
    fn gathering(&mut self, now: Now, session: Interval) -> Result<&mut Session, String> {
        let Setting { rules, parameters, .. } = &*self.setting;
        let aligned = parameters.interval_at(session.start()) == session;
        let opens = rules.bids_open(session).plus(-parameters.interval_s);
        let about_to = aligned
            && rules.session_of(parameters, session) == session
            && (opens..session.start()).contains(&now.market);
        if !about_to {
            return Err(format!("no session that begins with the {session} is about to be cleared"));
        }
        Ok(self.sessions.entry(session).or_insert_with(|| Session::new(session, now.real_ms)))
    }

    /// One order that can't be met would make the whole session infeasible.
    fn on_commitment(
        &mut self,
        now: Now,
        sender: &PartyId,
        committed: &DayAheadCommitted,
    ) -> Result<(), String> {
        let Setting { rules, parameters, .. } = &*self.setting;
        let (intervals, interval_s) = (rules.intervals, parameters.interval_s);
        let buses = self.aggregators.get(sender);
        let ours = |bus: &u32| buses.is_some_and(|buses| buses.contains_key(bus));
        for (bus, order) in &committed.orders.storages {
            order.validate(intervals, interval_s).map_err(|error| error.to_string())?;
            ours(bus)
                .then_some(())
                .ok_or_else(|| format!("an order stands at bus {bus}, which has no sites"))?;
        }
        for (bus, order) in &committed.orders.deferrables {
            order.validate(intervals, interval_s).map_err(|error| error.to_string())?;
            ours(bus)
                .then_some(())
                .ok_or_else(|| format!("an order stands at bus {bus}, which has no sites"))?;
        }
        self.gathering(now, committed.session)?.commit(sender, committed)
    }

    fn on_demand(&mut self, sender: &PartyId, demand: &DayAheadDemand) -> Result<(), String> {
        let late = || format!("the session of {} is not being asked about", demand.session);
        let session = self.sessions.get_mut(&demand.session).ok_or_else(late)?;
        let buses = self.aggregators.get(sender).ok_or_else(late)?;
        // An answer to an earlier round, or given twice, is old news and no fault.
        let Stage::Asking { asked, answered } = &mut session.stage else { return Ok(()) };
        if demand.round != session.rounds || answered.contains(sender) {
            return Ok(());
        }
        let question = asked.get(sender).ok_or_else(late)?;
        let known = (buses, self.setting.intervals());
        let taken = session.answers.take(sender, known, question, &demand.answers);
        taken.map_err(|error| error.to_string())?;
        answered.insert(sender.clone());
        Ok(())
    }

    fn on_final_demand(
        &mut self,
        sender: &PartyId,
        demand: &DayAheadFinalDemand,
        raw: &SignedEnvelope,
    ) -> Result<(), String> {
        let late = || format!("the session of {} is not awarded", demand.session);
        let session = self.sessions.get_mut(&demand.session).ok_or_else(late)?;
        let Stage::Awarded { clearing, parts, finals } = &mut session.stage else { return Ok(()) };
        let committed = session.commitments.get(sender).ok_or_else(late)?;
        let part = parts.get(sender).ok_or_else(late)?;
        let asked = session.asked_last.get(sender).copied().unwrap_or(0);
        check_final(committed, asked, (part, clearing), demand).map_err(|error| error.to_string())?;
        finals.entry(sender.clone()).or_insert_with(|| raw.clone());
        Ok(())
    }

    /// Whatever a session has now all it waited for: the next thing.
    fn go_on(&mut self, now: Now, at: Interval) -> Effects {
        let Some(session) = self.sessions.get_mut(&at) else { return Vec::new() };
        if !session.stage.waits() || !session.missing(self.aggregators.keys(), &self.tso).is_empty() {
            return Vec::new();
        }
        match &session.stage {
            Stage::Gathering => {
                let Some((supplies, _)) = &session.supply else { return Vec::new() };
                let orders = orders(&self.aggregators, &session.commitments, &self.setting.grid.tree);
                let first = market(&self.setting, supplies, &orders).first_question();
                self.ask(now, at, &first)
            }
            Stage::Asking { .. } => self.solve(now, at, false),
            Stage::Awarded { .. } => self.submit(now, at),
            _ => Vec::new(),
        }
    }

    fn ask(&mut self, now: Now, at: Interval, intervals: &[Question]) -> Effects {
        let Some(session) = self.sessions.get_mut(&at) else { return Vec::new() };
        let asked = match questions(&self.aggregators, at, session.rounds + 1, intervals) {
            Ok(asked) => asked,
            Err(error) => return vec![fail(session, "day-ahead-unsolved", error.to_string(), now)],
        };
        // Without anyone to ask nothing new will be known: solved as after the last round, it says why.
        if asked.is_empty() {
            return self.solve(now, at, true);
        }
        session.rounds += 1;
        session.asked_last.extend(asked.keys().map(|aggregator| (aggregator.clone(), session.rounds)));
        let send = |(aggregator, question): (&PartyId, &DayAheadQuestion)| {
            to_one(aggregator, at, Body::DayAheadQuestion(question.clone()))
        };
        let questions: Effects = asked.iter().map(send).collect();
        session.enter(Stage::Asking { asked, answered: Default::default() }, now.real_ms);
        questions
    }

    fn solve(&mut self, now: Now, at: Interval, last: bool) -> Effects {
        let Some(session) = self.sessions.get_mut(&at) else { return Vec::new() };
        let Some((supplies, _)) = &session.supply else { return Vec::new() };
        let parties = session.answers.parties();
        let problem = Problem {
            setting: self.setting.clone(),
            session: at,
            round: session.rounds,
            rounds_left: if last { 0 } else { MAX_ROUNDS.saturating_sub(session.rounds) },
            supplies: supplies.clone(),
            orders: orders(&self.aggregators, &session.commitments, &self.setting.grid.tree),
            parties: parties.map(|(_, bus, samples)| (bus as usize, samples.clone())).collect(),
        };
        session.enter(Stage::Solving, now.real_ms);
        vec![Effect::Own(DsoAct::SolveSession(Box::new(problem)))]
    }

    /// A session is solved.
    pub fn on_solved(
        &mut self,
        now: Now,
        (at, round): (Interval, u32),
        outcome: Result<Solved, SessionError>,
    ) -> Effects {
        let Some(session) = self.sessions.get_mut(&at) else { return Vec::new() };
        if !matches!(session.stage, Stage::Solving) || session.rounds != round {
            return Vec::new();
        }
        match outcome {
            Err(error) => vec![fail(session, event(&error), error.to_string(), now)],
            Ok(Solved::Ask(intervals)) => self.ask(now, at, &intervals),
            Ok(Solved::Cleared(cleared)) => self.award(now, at, *cleared),
        }
    }

    fn award(&mut self, now: Now, at: Interval, cleared: SessionCleared) -> Effects {
        let Some(session) = self.sessions.get_mut(&at) else { return Vec::new() };
        let parts = parts(&self.aggregators, &session.commitments, &self.setting.grid.tree, &cleared);
        let clearing = Box::new(cleared.clearing);
        let awards = parts.iter().map(|(aggregator, part)| {
            to_one(aggregator, at, Body::DayAheadAward(award(at, part, &clearing)))
        });
        let awards = awards.collect();
        session.enter(Stage::Awarded { clearing, parts, finals: BTreeMap::new() }, now.real_ms);
        awards
    }

    fn submit(&mut self, now: Now, at: Interval) -> Effects {
        let Some(session) = self.sessions.get_mut(&at) else { return Vec::new() };
        let (entry, imports) = match entry(&self.setting, &self.aggregators, session) {
            Ok(entry) => entry,
            Err(error) => return vec![fail(session, "day-ahead-uncertified", error.to_string(), now)],
        };
        let took_ms = now.real_ms.saturating_sub(session.began_ms);
        let asking = Asking::later(now.real_ms);
        session.enter(Stage::Submitted { at_ms: now.real_ms, asking }, now.real_ms);
        let cleared = ClearedSession::of(&entry, imports, self.setting.parameters.interval_s, took_ms);
        vec![
            Effect::Note { event: "day-ahead-cleared", text: format!("session of {at}: {cleared}") },
            Effect::Own(DsoAct::Measure(Measurement::Session(cleared))),
            Effect::Send {
                body: Body::Submit(Entry::DayAhead(entry)),
                interval: at,
                recipient: None,
                acknowledged_by: self.validators.clone(),
                tag: 0,
            },
        ]
    }

    /// A session is on the ledger, in the block at this height.
    pub fn on_decided(&mut self, now: Now, height: u64, entry: &DayAheadEntry) -> Effects {
        let Some(session) = self.sessions.get_mut(&entry.session) else { return Vec::new() };
        let mut effects = Vec::new();
        if let Stage::Submitted { at_ms, .. } = session.stage {
            let finality_ms = now.real_ms.saturating_sub(at_ms);
            let text =
                format!("session of {}: final after {finality_ms} ms at height {height}", entry.session);
            effects.push(Effect::Note { event: "day-ahead-final", text });
        }
        session.enter(Stage::Decided, now.real_ms);
        effects
    }
}

/// Whether a message is about day-ahead sessions.
pub(in crate::dso) fn is_day_ahead(body: &Body) -> bool {
    matches!(
        body,
        Body::DayAheadSupply(_)
            | Body::DayAheadCommitted(_)
            | Body::DayAheadDemand(_)
            | Body::DayAheadFinalDemand(_)
    )
}

/// A word for why a session is not cleared.
fn event(error: &SessionError) -> &'static str {
    match error {
        SessionError::Unsolved(HorizonError::Infeasible(_)) => "day-ahead-infeasible",
        SessionError::NotCleared { .. } | SessionError::Uncertified(_) => "day-ahead-too-many-rounds",
        SessionError::Price { .. } => "day-ahead-out-of-bounds",
        _ => "day-ahead-unsolved",
    }
}

/// A supply's curves with what the carbon price adds to them.
fn dearer(supply: &DayAheadSupply, price: MicroEurPerTonne) -> Result<Vec<SupplyCurve>, String> {
    let beyond = |_| "with the carbon price its prices are beyond the market's".to_owned();
    supply.curves.iter().map(|curve| curve.with_carbon(price, supply.emission).map_err(beyond)).collect()
}

fn fail(session: &mut Session, event: &'static str, why: String, now: Now) -> Effect<DsoAct> {
    let text = format!("the session of {} is not cleared: {why}", session.session);
    session.enter(Stage::Failed(why), now.real_ms);
    Effect::Note { event, text }
}
