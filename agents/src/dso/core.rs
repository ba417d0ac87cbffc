//! The DSO's decisions: gathers an interval's commitments and supply, asks prices in rounds, clears, awards,
//! gathers final demands, checks its own certificate, and puts the clearing before the validators.

use super::act::{DsoAct, DsoReport};
use super::award::{apportion, award, check_final, parts_given};
use super::balance::Desk;
use super::day_ahead::core::{is_day_ahead, DayAheadDesk};
use super::entry::entry;
use super::market::Market;
use super::measurement::{Cleared, Measurement, Metered};
use super::meters::Meters;
use super::problem::{Dispatch, Problem, SolveError, Solved};
use super::question::questions;
use super::reactive;
use super::session::{Session, Stage};
use crate::chain::Chain;
use crate::core::{Effect, Incoming, Input, Now, RoleCore};
use crate::missed::{self, Asking};
use crate::roster::RosterError;
use crate::terms::{Terms, Turn};
use ledger::contracts::rules::Rules;
use market::balance::Accuracy;
use market::clearing::sampled::Question;
use market::interval::Interval;
use market::supply::SupplyCurve;
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::entry::{ClearingEntry, Entry, SignedEnvelope};
use wire::message::{BidsCommitted, Body, Decision, Demand, FinalDemand, PriceQuestion, Supply, Verdict};
use wire::party::PartyId;

/// Intervals remembered after their start.
const KEPT_INTERVALS: i64 = 8;

type Effects = Vec<Effect<DsoAct>>;

/// The DSO.
pub struct DsoCore {
    market: Market,
    turn: Turn<Arc<Rules>>,
    chain: Chain,
    round_timeout_ms: u64,
    sessions: BTreeMap<Interval, Session>,
    gate_closed: Option<Interval>,
    meters: Meters,
    /// Day-ahead sessions, where the market has any.
    day_ahead: Option<DayAheadDesk>,
    /// The feeder's balance, where it is measured.
    balance: Option<Desk>,
    listening: bool,
}

impl DsoCore {
    /// The DSO of the ledger followed, which waits at most `round_timeout_ms` of real time at each stage.
    ///
    /// # Errors
    /// Where its terms make no market.
    pub fn new(chain: Chain, round_timeout_ms: u64) -> Result<Self, RosterError> {
        let (market, setting) = Market::of(&Terms::of(chain.rules()))?;
        let day_ahead = setting.map(|setting| DayAheadDesk::new(setting, &market, round_timeout_ms));
        Ok(Self {
            market,
            turn: Turn::default(),
            chain,
            round_timeout_ms,
            sessions: BTreeMap::new(),
            gate_closed: None,
            meters: Meters::default(),
            day_ahead,
            balance: None,
            listening: false,
        })
    }

    /// The same, where the feeder is measured and meters are as exact as this.
    #[must_use]
    pub fn measuring(mut self, accuracy: Accuracy) -> Self {
        self.balance = Some(Desk::with(accuracy));
        self
    }

    /// Turns to the rules heard of, where their time has come and nothing is being cleared by those before.
    fn turn(&mut self, here: Interval, next: Interval) -> Option<Effect<DsoAct>> {
        self.turn.enter(here);
        let idle = self.sessions.values().all(|session| session.stage.is_over());
        let idle = idle && self.day_ahead.as_ref().is_none_or(DayAheadDesk::is_idle);
        if !idle || self.gate_closed >= Some(next) {
            return None;
        }
        let rules = self.turn.take()?;
        let (market, setting) = match Market::of(&Terms::of(&rules)) {
            Ok(made) => made,
            Err(error) => return Some(Effect::Note { event: "terms-unfit", text: error.to_string() }),
        };
        self.market = market;
        match (setting, &mut self.day_ahead) {
            (Some(setting), Some(desk)) => desk.turn_to(setting, &self.market),
            (Some(setting), None) => {
                self.day_ahead = Some(DayAheadDesk::new(setting, &self.market, self.round_timeout_ms));
            }
            (None, _) => self.day_ahead = None,
        }
        let text = format!("from the {next} on by other terms");
        Some(Effect::Note { event: "terms-changed", text })
    }

    fn on_time(&mut self, now: Now) -> Effects {
        let here = self.market.parameters.interval_at(now.market);
        let next = self.market.parameters.next(here);
        let mut effects: Effects = self.turn(here, next).into_iter().collect();
        if now.market >= self.market.parameters.gate_closure(next) && self.gate_closed < Some(next) {
            self.gate_closed = Some(next);
            self.sessions.entry(next).or_insert_with(|| Session::new(now.real_ms));
        }
        let oldest = here.later(-KEPT_INTERVALS, self.market.parameters.interval_s);
        self.sessions.retain(|interval, session| {
            if *interval < oldest && matches!(session.stage, Stage::Submitted { .. }) {
                let text = format!("the clearing of {interval} was submitted and never decided");
                effects.push(Effect::Note { event: "clearing-lost", text });
            }
            *interval >= oldest
        });
        for (interval, session) in &mut self.sessions {
            let waited_ms = now.real_ms.saturating_sub(session.stage_began_ms);
            if session.stage.waits() && waited_ms >= self.round_timeout_ms {
                let missing = session.missing(self.market.aggregators.keys(), &self.market.tso).join(", ");
                let why = format!("nothing came in {waited_ms} ms from {missing}");
                effects.push(fail(session, *interval, "party-silent", why, now));
            }
            if let Stage::Submitted { asking, .. } = &mut session.stage {
                let due = asking.is_due(now.real_ms);
                effects.extend(due.then(|| missed::question(*interval, Decision::Clearing)));
            }
        }
        effects.extend(self.day_ahead.iter_mut().flat_map(|desk| desk.on_time(now)));
        effects
    }

    fn on_message(&mut self, now: Now, message: &Incoming) -> Effects {
        if let Some(desk) = self.day_ahead.as_mut().filter(|_| is_day_ahead(&message.body)) {
            return desk.on_message(now, message);
        }
        let sender = &message.id.sender;
        let answered = match &message.body {
            Body::Block(bytes) => return self.on_block(now, bytes),
            Body::Supply(supply) if *sender == self.market.tso => self
                .dearer(supply)
                .and_then(|curve| Ok((self.session(now, supply.interval)?, curve)))
                .and_then(|(session, curve)| session.supply(supply, curve, &message.raw))
                .map(|()| supply.interval),
            Body::BidsCommitted(committed) if self.market.aggregators.contains_key(sender) => self
                .check_commitment(sender, committed)
                .and_then(|()| self.session(now, committed.interval))
                .and_then(|session| session.commit(sender, committed))
                .map(|()| committed.interval),
            Body::Demand(demand) if self.market.aggregators.contains_key(sender) => {
                self.on_demand(sender, demand).map(|()| demand.interval)
            }
            Body::FinalDemand(demand) if self.market.aggregators.contains_key(sender) => {
                self.on_final_demand(sender, demand, &message.raw).map(|()| demand.interval)
            }
            other => Err(format!("a DSO takes no {} from {sender}", other.kind())),
        };
        let of = message.id.clone();
        match answered {
            Ok(interval) => std::iter::once(Effect::Acknowledge { of, verdict: Verdict::Accepted })
                .chain(self.go_on(now, interval))
                .collect(),
            Err(reason) => {
                let verdict = Verdict::refused(&reason);
                vec![Effect::Acknowledge { of, verdict }]
            }
        }
    }

    /// The supply's curve with what the carbon price adds to it.
    fn dearer(&self, supply: &Supply) -> Result<SupplyCurve, String> {
        let beyond = || "with the carbon price its price is beyond the market's".to_owned();
        supply.curve.with_carbon(self.market.carbon_price, supply.emission).map_err(|_| beyond())
    }

    fn check_commitment(&self, sender: &PartyId, committed: &BidsCommitted) -> Result<(), String> {
        let clears = self.market.grid.terms.as_ref().is_some_and(|terms| terms.reactive_full_price.is_some());
        let buses = self.market.aggregators.get(sender).ok_or_else(|| format!("{sender} has no sites"))?;
        reactive::check(clears, buses, committed)
    }

    /// The session of `interval`, which may begin before our own clock closes its gate.
    fn session(&mut self, now: Now, interval: Interval) -> Result<&mut Session, String> {
        let here = self.market.parameters.interval_at(now.market);
        let last = here.later(2, self.market.parameters.interval_s);
        if interval != self.market.parameters.interval_at(interval.start())
            || interval < here
            || interval > last
        {
            return Err(format!("{interval} is not about to be cleared"));
        }
        Ok(self.sessions.entry(interval).or_insert_with(|| Session::new(now.real_ms)))
    }

    fn on_demand(&mut self, sender: &PartyId, demand: &Demand) -> Result<(), String> {
        let late = || format!("{} is not being asked about", demand.interval);
        let session = self.sessions.get_mut(&demand.interval).ok_or_else(late)?;
        let buses = self.market.aggregators.get(sender).ok_or_else(late)?;
        // An answer to an earlier round, or given twice, is old news and no fault.
        let Stage::Asking { asked, answered } = &mut session.stage else { return Ok(()) };
        if demand.round != session.rounds || answered.contains(sender) {
            return Ok(());
        }
        let question = asked.get(sender).ok_or_else(late)?;
        session.answers.take(sender, buses, question, &demand.buses).map_err(|error| error.to_string())?;
        answered.insert(sender.clone());
        Ok(())
    }

    fn on_final_demand(
        &mut self,
        sender: &PartyId,
        demand: &FinalDemand,
        raw: &SignedEnvelope,
    ) -> Result<(), String> {
        let late = || format!("{} is not awarded", demand.interval);
        let session = self.sessions.get_mut(&demand.interval).ok_or_else(late)?;
        let Stage::Awarded { parts, reactive, finals, .. } = &mut session.stage else { return Ok(()) };
        let committed = session.commitments.get(sender).ok_or_else(late)?;
        let part = parts.get(sender).ok_or_else(late)?;
        let asked = session.asked_last.get(sender).copied().unwrap_or(0);
        check_final(&committed.bids_root, asked, (part, self.market.price_tolerance), demand)
            .map_err(|error| error.to_string())?;
        if reactive.get(sender).map_or(&[][..], Vec::as_slice) != demand.reactive {
            return Err("the final demand's reactive power is not what was awarded".to_owned());
        }
        finals.entry(sender.clone()).or_insert_with(|| raw.clone());
        Ok(())
    }

    /// Whatever `interval` has now all it waited for: the next thing.
    fn go_on(&mut self, now: Now, interval: Interval) -> Effects {
        let Some(session) = self.sessions.get_mut(&interval) else { return Vec::new() };
        if !session.stage.waits()
            || !session.missing(self.market.aggregators.keys(), &self.market.tso).is_empty()
        {
            return Vec::new();
        }
        match &session.stage {
            Stage::Gathering => {
                let Some((supply, _)) = &session.supply else { return Vec::new() };
                let question = self.market.grid.first_question(supply);
                self.ask(now, interval, &question)
            }
            Stage::Asking { .. } => self.solve(now, interval),
            Stage::Awarded { .. } => self.submit(now, interval),
            _ => Vec::new(),
        }
    }

    fn ask(&mut self, now: Now, interval: Interval, question: &Question) -> Effects {
        let Some(session) = self.sessions.get_mut(&interval) else { return Vec::new() };
        session.rounds += 1;
        let asked = questions(&self.market.aggregators, interval, session.rounds, question);
        session.asked_last.extend(asked.keys().map(|aggregator| (aggregator.clone(), session.rounds)));
        let send = |(a, question): (&PartyId, &PriceQuestion)| {
            to_one(a, interval, Body::PriceQuestion(question.clone()))
        };
        let questions: Effects = asked.iter().map(send).collect();
        session.enter(Stage::Asking { asked, answered: Default::default() }, now.real_ms);
        // Without anyone to ask there is nothing to wait for.
        if questions.is_empty() {
            self.solve(now, interval)
        } else {
            questions
        }
    }

    fn solve(&mut self, now: Now, interval: Interval) -> Effects {
        let Some(session) = self.sessions.get_mut(&interval) else { return Vec::new() };
        let Some((supply, _)) = &session.supply else { return Vec::new() };
        let problem = Problem {
            grid: self.market.grid.clone(),
            interval,
            round: session.rounds,
            supply: supply.clone(),
            parties: session.answers.parties(&self.market.aggregators),
            reactive: reactive::offers(&self.market.aggregators, &session.commitments),
        };
        session.enter(Stage::Solving, now.real_ms);
        vec![Effect::Own(DsoAct::Solve(Box::new(problem)))]
    }

    fn on_solved(
        &mut self,
        now: Now,
        interval: Interval,
        round: u32,
        outcome: Result<Solved, SolveError>,
    ) -> Effects {
        let Some(session) = self.sessions.get_mut(&interval) else { return Vec::new() };
        if !matches!(session.stage, Stage::Solving) || session.rounds != round {
            return Vec::new();
        }
        match outcome {
            Err(error) => vec![fail(session, interval, error.event(), error.to_string(), now)],
            Ok(Solved::Ask(question)) => self.ask(now, interval, &question),
            Ok(Solved::Cleared(dispatch)) => self.award(now, interval, dispatch),
        }
    }

    fn award(&mut self, now: Now, interval: Interval, dispatch: Box<Dispatch>) -> Effects {
        let Some(session) = self.sessions.get_mut(&interval) else { return Vec::new() };
        let parts = match &dispatch.grid {
            None => apportion(&self.market.aggregators, &session.answers, &dispatch.clearing),
            Some(grid) => Ok(parts_given(&self.market.aggregators, &dispatch.clearing, &grid.demands)),
        };
        match parts {
            Err(error) => vec![fail(session, interval, "demand-unsound", error.to_string(), now)],
            Ok(parts) => {
                let reactive = reactive::awards(&session.commitments, &dispatch);
                let of = |a: &PartyId| reactive.get(a).cloned().unwrap_or_default();
                let said = |(a, part)| to_one(a, interval, Body::Award(award(interval, part, of(a))));
                let awards = parts.iter().map(said).collect();
                let finals = BTreeMap::new();
                session.enter(Stage::Awarded { dispatch, parts, reactive, finals }, now.real_ms);
                awards
            }
        }
    }

    fn submit(&mut self, now: Now, interval: Interval) -> Effects {
        let Some(session) = self.sessions.get_mut(&interval) else { return Vec::new() };
        let entry = match entry(&self.market.grid, &self.market.aggregators, interval, session) {
            Ok(entry) => entry,
            Err(error) => return vec![fail(session, interval, "certificate-fails", error.to_string(), now)],
        };
        let Stage::Awarded { dispatch, .. } = &session.stage else { return Vec::new() };
        let rounds = session.rounds;
        let took_ms = now.real_ms.saturating_sub(session.began_ms);
        let cleared = Cleared::of(&self.market.grid, dispatch, rounds, took_ms);
        let asking = Asking::later(now.real_ms);
        session.enter(Stage::Submitted { at_ms: now.real_ms, asking }, now.real_ms);
        vec![
            Effect::Note { event: "cleared", text: format!("{interval}: {cleared}") },
            Effect::Own(DsoAct::Measure(Measurement::Cleared(cleared))),
            Effect::Send {
                body: Body::Submit(Entry::Clearing(entry)),
                interval,
                recipient: None,
                acknowledged_by: self.market.validators.clone(),
                tag: 0,
            },
        ]
    }

    fn on_block(&mut self, now: Now, bytes: &[u8]) -> Effects {
        let decided = match self.chain.take(bytes) {
            Ok(Some(decided)) => decided,
            Ok(None) => return Vec::new(),
            Err(error) => return vec![Effect::Note { event: "bad-block", text: error.to_string() }],
        };
        let mut effects = Vec::new();
        for (by, entry) in decided.entries() {
            if let (Entry::Delivery(delivery), Some(desk)) = (entry, &mut self.balance) {
                desk.delivered(self.chain.rules(), &by.id, delivery);
            }
            if let (Entry::DayAhead(entry), Some(desk)) = (entry, &mut self.day_ahead) {
                effects.extend(desk.on_decided(now, decided.height(), entry));
            }
            if let Entry::Delivery(delivery) = entry {
                let (of, interval_s) = (self.market.aggregators.len(), self.market.parameters.interval_s);
                let import = self.meters.take(by, delivery, of, interval_s);
                let metered = import.map(|import| Metered::of(&self.market.grid.feeder, import));
                effects.extend(metered.map(|it| Effect::Own(DsoAct::Measure(Measurement::Metered(it)))));
            }
            let Entry::Clearing(ClearingEntry { interval, .. }) = entry else { continue };
            let Some(session) = self.sessions.get_mut(interval) else { continue };
            if let Stage::Submitted { at_ms, .. } = session.stage {
                let finality_ms = now.real_ms.saturating_sub(at_ms);
                let text = format!("{interval}: final after {finality_ms} ms at height {}", decided.height());
                effects.push(Effect::Note { event: "final", text });
                effects.push(Effect::Own(DsoAct::Measure(Measurement::Final { finality_ms })));
            }
            session.enter(Stage::Decided, now.real_ms);
        }
        effects.extend(self.draw_balances());
        effects
    }

    /// Shows every balance that can be drawn by now.
    fn draw_balances(&mut self) -> Effects {
        let Some(desk) = &mut self.balance else { return Vec::new() };
        let (grid, parameters) = (&self.market.grid, &self.market.parameters);
        let by = (self.market.aggregators.len(), parameters.interval_s);
        let mut effects = Vec::new();
        for drawn in desk.draw((&grid.feeder, &grid.tree), by) {
            match drawn {
                Err(text) => effects.push(Effect::Note { event: "unknown-point", text }),
                Ok(balance) => {
                    if balance.out_of_balance().next().is_some() {
                        effects.push(Effect::Note { event: "imbalance", text: balance.to_string() });
                    }
                    effects.push(Effect::Own(DsoAct::Measure(Measurement::Balance(balance))));
                }
            }
        }
        effects
    }
}

impl RoleCore for DsoCore {
    type Report = DsoReport;
    type Act = DsoAct;

    fn chain(&mut self) -> Option<&mut Chain> {
        Some(&mut self.chain)
    }

    fn govern(&mut self, rules: &Arc<Rules>) {
        self.turn.hear(rules.clone());
    }

    fn step(&mut self, now: Now, input: Input<DsoReport>) -> Effects {
        match input {
            Input::Poll => {
                let mut effects = self.on_time(now);
                if self.balance.is_some() && !std::mem::replace(&mut self.listening, true) {
                    effects.push(Effect::Own(DsoAct::Listen));
                }
                effects
            }
            Input::Message(message) => self.on_message(now, &message),
            Input::Answered { by, verdict: Verdict::Refused(reason), .. } => {
                vec![Effect::Note { event: "refused", text: format!("{by}: {reason}") }]
            }
            Input::Answered { .. } => Vec::new(),
            Input::Own(DsoReport::Solved { interval, round, outcome }) => {
                self.on_solved(now, interval, round, outcome)
            }
            Input::Own(DsoReport::Measured(all)) => {
                if let Some(desk) = &mut self.balance {
                    all.into_iter().for_each(|measured| desk.measured(measured));
                }
                self.draw_balances()
            }
            Input::Own(DsoReport::SessionSolved { session, round, outcome }) => match &mut self.day_ahead {
                Some(desk) => desk.on_solved(now, (session, round), outcome),
                None => Vec::new(),
            },
        }
    }
}

/// A message to one party, who must acknowledge it.
pub(super) fn to_one(recipient: &PartyId, interval: Interval, body: Body) -> Effect<DsoAct> {
    Effect::Send {
        body,
        interval,
        recipient: Some(recipient.clone()),
        acknowledged_by: vec![recipient.clone()],
        tag: 0,
    }
}

fn fail(
    session: &mut Session,
    interval: Interval,
    event: &'static str,
    why: String,
    now: Now,
) -> Effect<DsoAct> {
    let text = format!("{interval} is not cleared: {why}");
    session.enter(Stage::Failed(why), now.real_ms);
    Effect::Note { event, text }
}
