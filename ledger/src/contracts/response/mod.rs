//! Demand response: a site enrols with an operator and has its meter remembered; the operator asks enrolled sites to
//! take less over some intervals; once these are delivered, anyone concerned has the event settled. Baselines are
//! drawn by every validator from what meters counted on the ledger, so an entry names none.

mod refusal;
mod settle;

pub use refusal::ResponseRefusal;
pub(super) use settle::meter;

use super::rules::Rules;
use super::span::Span;
use super::transfer::check_nonce;
use crate::state::receipt::Refusal;
use crate::state::records::{Edits, Kept};
use crate::state::response::{EnrolmentRecord, MeterDayRecord, ResponseRecord, MAX_ENROLLED, MAX_EVENTS};
use crate::state::{Changes, State};
use market::interval::Interval;
use market::units::PicoEurPerWh;
use std::collections::BTreeMap;
use wire::entry::{ResponseCall, ResponseEnrol, ResponseEntry};
use wire::party::{Id, PartyId, Role};

pub(super) const SECONDS_PER_DAY: i64 = 86_400;
/// Local time is at most so far ahead of UTC or behind it.
const AHEAD_S: std::ops::RangeInclusive<i32> = -50_400..=50_400;

/// What an entry of a party, given with its account, changes.
pub(super) fn execute(
    rules: &Rules,
    state: &State,
    (party, account): (&PartyId, &Id),
    entry: &ResponseEntry,
) -> Result<Changes, Refusal> {
    match entry {
        ResponseEntry::Enrol(enrolment) => enrol(rules, state, account, enrolment),
        ResponseEntry::Leave(leave) => self::leave(state, account, leave.nonce),
        ResponseEntry::Call(event) => call(rules, state, (party, account), event),
        ResponseEntry::Settle(settle) => settle::execute(rules, state, account, &settle.event),
    }
}

fn enrol(rules: &Rules, state: &State, site: &Id, entry: &ResponseEnrol) -> Result<Changes, Refusal> {
    let mut changes = counted(state, site, entry.nonce)?;
    if !rules.sites.contains_key(site) {
        return Err(ResponseRefusal::NoSite { account: site.clone() }.into());
    }
    let operates = [Role::Dso, Role::Aggregator].contains(&entry.operator.role);
    if !operates || !rules.verifier.registry().contains_key(&entry.operator) {
        return Err(ResponseRefusal::NoOperator { party: entry.operator.clone() }.into());
    }
    let enrolled = &state.contracts().enrolments;
    if enrolled.get(site).is_some() {
        return Err(ResponseRefusal::Enrolled.into());
    }
    if enrolled.len() >= MAX_ENROLLED {
        return Err(ResponseRefusal::Full.into());
    }
    let record = EnrolmentRecord { operator: entry.operator.clone() };
    changes.contracts.enrolments.insert(site.clone(), Some(Kept::new(record)?));
    Ok(changes)
}

fn leave(state: &State, site: &Id, nonce: u64) -> Result<Changes, Refusal> {
    let mut changes = counted(state, site, nonce)?;
    let kept = state.contracts();
    if kept.enrolments.get(site).is_none() {
        return Err(ResponseRefusal::NotEnrolled { account: site.clone() }.into());
    }
    changes.contracts.enrolments.insert(site.clone(), None);
    let days = kept.meter_days.range((site.clone(), i64::MIN), (site.clone(), i64::MAX));
    changes.contracts.meter_days.extend(days.map(|(key, _)| (key.clone(), None)));
    Ok(changes)
}

/// Changes by an entry that counts with its account's transfers, so that it is not made twice.
fn counted(state: &State, from: &Id, nonce: u64) -> Result<Changes, Refusal> {
    let account = state.accounts().get(from).ok_or_else(|| Refusal::NoAccount { account: from.clone() })?;
    check_nonce(account, nonce)?;
    Ok(Changes { transfer_by: Some(from.clone()), ..Changes::default() })
}

fn call(
    rules: &Rules,
    state: &State,
    (party, account): (&PartyId, &Id),
    event: &ResponseCall,
) -> Result<Changes, Refusal> {
    let interval_s = rules.parameters.interval_s;
    let span = Span::check(rules, state, event.first, event.intervals)?;
    if SECONDS_PER_DAY % interval_s != 0 || i64::from(event.intervals) * interval_s > SECONDS_PER_DAY {
        return Err(ResponseRefusal::Length.into());
    }
    let prices = PicoEurPerWh(1)..=rules.parameters.price_max;
    if !prices.contains(&event.price) || !AHEAD_S.contains(&event.ahead_of_utc_s) {
        return Err(ResponseRefusal::Terms.into());
    }
    let events = &state.contracts().responses;
    let name = event.name(account)?;
    if events.get(&name).is_some() {
        return Err(ResponseRefusal::Exists { event: name }.into());
    }
    if events.len() >= MAX_EVENTS {
        return Err(ResponseRefusal::Full.into());
    }
    check_sites(state, party, &event.sites, span)?;
    let mut changes = Changes::default();
    for site in &event.sites {
        changes.contracts.meter_days.extend(asked(rules, state, site, span)?);
    }
    let record = ResponseRecord {
        operator: account.clone(),
        first: span.first,
        end: span.end,
        price: event.price,
        ahead_of_utc_s: event.ahead_of_utc_s,
        sites: event.sites.clone(),
        settled: false,
    };
    changes.contracts.responses.insert(name, Some(Kept::new(record)?));
    Ok(changes)
}

/// Sites in order, all enrolled with this operator, none asked twice at a time.
fn check_sites(state: &State, operator: &PartyId, sites: &[Id], span: Span) -> Result<(), ResponseRefusal> {
    if sites.is_empty() {
        return Err(ResponseRefusal::Nobody);
    }
    if let Some(pair) = sites.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(ResponseRefusal::Order { account: pair[1].clone() });
    }
    let kept = state.contracts();
    let at_once = |event: &ResponseRecord| event.first < span.end && span.first < event.end;
    let events: Vec<&ResponseRecord> =
        kept.responses.iter().map(|(_, event)| event).filter(|event| at_once(event)).collect();
    for site in sites {
        let enrolment = kept.enrolments.get(site).filter(|enrolment| enrolment.operator == *operator);
        if enrolment.is_none() {
            return Err(ResponseRefusal::NotEnrolled { account: site.clone() });
        }
        if events.iter().any(|event| event.sites.binary_search(site).is_ok()) {
            return Err(ResponseRefusal::AskedBefore { account: site.clone() });
        }
    }
    Ok(())
}

/// Days on which a site is asked, marked so.
fn asked(
    rules: &Rules,
    state: &State,
    site: &Id,
    span: Span,
) -> Result<Edits<(Id, i64), MeterDayRecord>, Refusal> {
    let last = Interval(span.end.start().plus(-1));
    let days = day_of(span.first).0..=day_of(last).0;
    let marked = days.map(|day| {
        let key = (site.clone(), day);
        let record = state.contracts().meter_days.get(&key).cloned();
        let record = record.unwrap_or_else(|| empty_day(rules.parameters.interval_s));
        Ok((key, Some(Kept::new(MeterDayRecord { asked: true, ..record })?)))
    });
    marked.collect()
}

fn empty_day(interval_s: i64) -> MeterDayRecord {
    MeterDayRecord { interval_s, energies: BTreeMap::new(), asked: false }
}

/// The day of UTC on which an interval starts, and at which of its seconds.
fn day_of(interval: Interval) -> (i64, u32) {
    let start = interval.start().0;
    // Within a day's seconds, which fit.
    (start.div_euclid(SECONDS_PER_DAY), start.rem_euclid(SECONDS_PER_DAY) as u32)
}
