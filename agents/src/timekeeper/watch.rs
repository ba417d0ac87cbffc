//! What the timekeeper has seen of the market's work, and what a phase still waits for. It overhears
//! messages between others; which of them count for which phase is said here and nowhere else.

use super::phases::Phase;
use crate::chain::Decided;
use market::interval::Interval;
use market::parameters::MarketParameters;
use std::collections::{BTreeMap, BTreeSet};
use wire::entry::Entry;
use wire::message::{Body, MessageRef, Verdict};
use wire::party::{PartyId, Role};

/// Intervals remembered before the one being worked on.
const KEPT_INTERVALS: i64 = 3;

/// What was seen of one interval, or of one day-ahead session.
#[derive(Clone, Debug, Default)]
struct Work {
    /// Bids under way, with the site each is of.
    sent: BTreeMap<MessageRef, PartyId>,
    /// Answers overheard before what they answer: a broker keeps no order between topics.
    answers: BTreeMap<MessageRef, Verdict>,
    /// Sites whose bid was accepted; they are owed a firm price.
    bids: BTreeSet<PartyId>,
    /// Sites whose bid was answered, either way.
    answered: BTreeSet<PartyId>,
    cleared: bool,
    /// Sites that answered their firm price.
    firms: BTreeSet<PartyId>,
    setpoints: BTreeSet<PartyId>,
    readings: BTreeSet<PartyId>,
    delivered: BTreeSet<PartyId>,
}

impl Work {
    fn bid(&mut self, id: &MessageRef, site: PartyId) {
        match self.answers.remove(id) {
            Some(verdict) => self.settle(site, &verdict),
            None => {
                self.sent.insert(id.clone(), site);
            }
        }
    }

    fn answered(&mut self, of: &MessageRef, verdict: &Verdict) {
        match self.sent.remove(of) {
            Some(site) => self.settle(site, verdict),
            None => {
                self.answers.insert(of.clone(), verdict.clone());
            }
        }
    }

    /// A refusal is an answer too: waiting longer would change nothing.
    fn settle(&mut self, site: PartyId, verdict: &Verdict) {
        if *verdict == Verdict::Accepted {
            self.bids.insert(site.clone());
        }
        self.answered.insert(site);
    }
}

/// What was seen of everything.
#[derive(Clone, Debug)]
pub struct Watch {
    sites: BTreeSet<PartyId>,
    aggregators: BTreeSet<PartyId>,
    /// Who was waited for in vain and has not been heard of since.
    absent: BTreeSet<PartyId>,
    forecast: bool,
    work: BTreeMap<Interval, Work>,
    sessions: BTreeMap<Interval, Work>,
    /// The session that is being cleared, where one is.
    clearing: Option<Interval>,
    /// Firm prices of sessions that sites have answered. An answer says no more of what it answers than the
    /// interval, and that is the session's first's as well.
    session_firms: BTreeSet<MessageRef>,
}

impl Watch {
    /// Expects these to do their part in every interval.
    pub fn new(sites: BTreeSet<PartyId>, aggregators: BTreeSet<PartyId>) -> Self {
        Self {
            sites,
            aggregators,
            absent: BTreeSet::new(),
            forecast: false,
            work: BTreeMap::new(),
            sessions: BTreeMap::new(),
            clearing: None,
            session_firms: BTreeSet::new(),
        }
    }

    /// Turns to the work of a phase, and drops what no phase from it on asks about.
    pub fn enter(&mut self, parameters: &MarketParameters, phase: Phase) {
        self.clearing = match phase {
            Phase::SessionOpen(session) => {
                self.session(session);
                None
            }
            Phase::SessionClosure(session) => Some(session),
            real_time => {
                self.forget_before(parameters, real_time.interval());
                None
            }
        };
    }

    /// Takes in a message between others.
    pub fn see(&mut self, id: &MessageRef, interval: Interval, body: &Body) {
        self.absent.remove(&id.sender);
        let site = || id.sender.clone();
        match body {
            Body::Forecast(_) => self.forecast = true,
            Body::Bid(bid) => {
                self.of(bid.interval).bid(id, site());
            }
            Body::DayAheadBid(bid) => {
                self.session(bid.session).bid(id, site());
            }
            Body::SetpointReport(report) => {
                self.of(report.interval).setpoints.insert(site());
            }
            Body::MeterReading(reading) => {
                self.of(reading.interval).readings.insert(site());
            }
            // A firm price is all an aggregator ever has a site answer. The answer tells enough: firm prices
            // carry their proofs, and a listener to all of them would slow the broker down.
            Body::Ack(ack) if ack.of.sender.role == Role::Aggregator => {
                if self.clearing == Some(interval) {
                    self.session_firms.insert(ack.of.clone());
                    self.session(interval).firms.insert(site());
                } else if !self.session_firms.contains(&ack.of) {
                    self.of(interval).firms.insert(site());
                }
            }
            // Whichever of both was sent under this name takes it.
            Body::Ack(ack) => {
                self.of(interval).answered(&ack.of, &ack.verdict);
                if let Some(session) = self.sessions.get_mut(&interval) {
                    session.answered(&ack.of, &ack.verdict);
                }
            }
            _ => {}
        }
    }

    /// Takes in a decided block.
    pub fn see_block(&mut self, decided: &Decided) {
        for (by, entry) in decided.entries() {
            match entry {
                Entry::Clearing(clearing) => self.of(clearing.interval).cleared = true,
                Entry::DayAhead(session) => self.session(session.session).cleared = true,
                Entry::Delivery(delivery) => {
                    self.of(delivery.interval).delivered.insert(by.clone());
                }
                _ => {}
            }
        }
    }

    fn of(&mut self, interval: Interval) -> &mut Work {
        self.work.entry(interval).or_default()
    }

    fn session(&mut self, first: Interval) -> &mut Work {
        self.sessions.entry(first).or_default()
    }

    fn forget_before(&mut self, parameters: &MarketParameters, interval: Interval) {
        let oldest = interval.later(-KEPT_INTERVALS, parameters.interval_s);
        self.work = self.work.split_off(&oldest);
        self.sessions = self.sessions.split_off(&oldest);
        if self.sessions.values().all(|session| session.firms.is_empty()) {
            self.session_firms.clear();
        }
    }

    /// What `phase` still waits for, in words; empty when its work is done.
    pub fn missing(&self, phase: Phase, parameters: &MarketParameters) -> Vec<Missing> {
        let before = |interval: Interval, count: i64| interval.later(-count, parameters.interval_s);
        match phase {
            Phase::Prelude(_) if self.forecast => Vec::new(),
            Phase::Prelude(_) => vec![Missing { what: "the forecast", of: None }],
            Phase::BidsOpen(interval) => {
                let work = self.work.get(&interval);
                let bids = self.sites_missing(work, "the answered bid", |work| &work.answered);
                // What ended at the last start is settled while the next bids come in.
                bids.into_iter().chain(self.deliveries_missing(before(interval, 2))).collect()
            }
            Phase::GateClosure(interval) => {
                self.prices_missing(self.work.get(&interval), "the decided clearing")
            }
            Phase::SessionOpen(session) => {
                let work = self.sessions.get(&session);
                self.sites_missing(work, "the answered day-ahead bid", |work| &work.answered)
            }
            Phase::SessionClosure(session) => {
                self.prices_missing(self.sessions.get(&session), "the decided day-ahead clearing")
            }
            Phase::Start(interval) => {
                let work = self.work.get(&interval);
                let setpoints = self.sites_missing(work, "the setpoint report", |work| &work.setpoints);
                setpoints.into_iter().chain(self.readings_missing(before(interval, 1))).collect()
            }
            Phase::Epilogue(interval) => self.deliveries_missing(before(interval, 1)),
        }
    }

    /// Nobody waits for these any more, until they are heard of again.
    pub fn give_up(&mut self, missing: &[Missing]) {
        self.absent.extend(missing.iter().filter_map(|missing| missing.of.clone()));
    }

    /// A clearing, and the firm prices that follow from it.
    fn prices_missing(&self, work: Option<&Work>, clearing: &'static str) -> Vec<Missing> {
        let Some(work) = work.filter(|work| work.cleared) else {
            return vec![Missing { what: clearing, of: None }];
        };
        let without = work.bids.iter().filter(|site| !work.firms.contains(site));
        self.present("the answered firm price", without)
    }

    fn sites_missing(
        &self,
        work: Option<&Work>,
        what: &'static str,
        seen: impl Fn(&Work) -> &BTreeSet<PartyId>,
    ) -> Vec<Missing> {
        let nothing = Work::default();
        let seen = seen(work.unwrap_or(&nothing));
        self.present(what, self.sites.iter().filter(|site| !seen.contains(site)))
    }

    /// Whoever set its devices at an interval's start reads its meter at its end.
    fn readings_missing(&self, ended: Interval) -> Vec<Missing> {
        match self.work.get(&ended) {
            Some(work) => self.present("the meter reading", work.setpoints.difference(&work.readings)),
            None => Vec::new(),
        }
    }

    fn deliveries_missing(&self, interval: Interval) -> Vec<Missing> {
        match self.work.get(&interval).filter(|work| work.cleared) {
            Some(work) => self.present("the decided delivery", self.aggregators.difference(&work.delivered)),
            None => Vec::new(),
        }
    }

    fn present<'a>(&self, what: &'static str, parties: impl Iterator<Item = &'a PartyId>) -> Vec<Missing> {
        let present = parties.filter(|party| !self.absent.contains(party));
        present.map(|party| Missing { what, of: Some(party.clone()) }).collect()
    }
}

/// Something a phase waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What it is.
    pub what: &'static str,
    /// Of whom, where it is one party's.
    pub of: Option<PartyId>,
}

/// Whose messages to others the watch needs to overhear, as (sender's role, kind).
pub const OVERHEARD: [(Role, &str); 6] = [
    (Role::Site, "bid"),
    (Role::Site, "day-ahead-bid"),
    (Role::Aggregator, "ack"),
    (Role::Site, "ack"),
    (Role::Site, "setpoint-report"),
    (Role::Site, "meter-reading"),
];
