//! What meters of enrolled sites counted, and what an event owes by it.

use super::{day_of, empty_day, ResponseRefusal, SECONDS_PER_DAY};
use crate::contracts::delivered::Delivered;
use crate::contracts::rules::Rules;
use crate::contracts::span::latest;
use crate::state::receipt::Refusal;
use crate::state::records::Kept;
use crate::state::response::ResponseRecord;
use crate::state::{Changes, State};
use market::baseline::{
    alike, baseline, method, reduced, weekday, Windows, ADJUSTMENT_BEGINS_S, ADJUSTMENT_LASTS_S,
    FIRST_DAY_BEFORE, LAST_DAY_BEFORE,
};
use market::interval::Interval;
use market::units::{Millijoule, NanoEur};
use std::collections::BTreeMap;
use wire::hash::Hash32;
use wire::party::Id;

/// Adds what a delivery says of enrolled sites' meters.
///
/// # Errors
/// Where a record has no encoding.
pub fn meter(
    rules: &Rules,
    state: &State,
    interval: Interval,
    sites: &BTreeMap<&Id, Delivered>,
    changes: &mut Changes,
) -> Result<(), Refusal> {
    let kept = state.contracts();
    let (day, second) = day_of(interval);
    let interval_s = rules.parameters.interval_s;
    for (account, _) in kept.enrolments.iter() {
        let Some(energy) = sites.get(account).and_then(|delivered| delivered.metered) else { continue };
        let key = (account.clone(), day);
        let mut record = kept.meter_days.get(&key).cloned().unwrap_or_else(|| empty_day(interval_s));
        if record.interval_s != interval_s {
            // The market's intervals changed within the day: neither length makes a whole day of it.
            (record.interval_s, record.energies) = (interval_s, BTreeMap::new());
        }
        record.energies.insert(second, energy);
        changes.contracts.meter_days.insert(key, Some(Kept::new(record)?));
    }
    Ok(())
}

/// What settling an event changes.
pub(super) fn execute(rules: &Rules, state: &State, account: &Id, name: &Hash32) -> Result<Changes, Refusal> {
    let event = state.contracts().responses.get(name).ok_or(ResponseRefusal::Unknown { event: *name })?;
    if event.operator != *account && event.sites.binary_search(account).is_err() {
        return Err(ResponseRefusal::NotYours { event: *name }.into());
    }
    if event.settled {
        return Err(ResponseRefusal::Settled { event: *name }.into());
    }
    if !is_delivered(rules, state, event) {
        return Err(ResponseRefusal::NotDelivered { event: *name }.into());
    }
    let mut changes = Changes::default();
    for site in &event.sites {
        // A site whose baseline can't be drawn is owed nothing; the others don't wait for it.
        let Some(amount) = owed(rules, state, event, site) else { continue };
        changes.move_between(&event.operator, site, amount)?;
    }
    let settled = ResponseRecord { settled: true, ..event.clone() };
    changes.contracts.responses.insert(*name, Some(Kept::new(settled)?));
    Ok(changes)
}

/// An event's intervals.
fn intervals(rules: &Rules, event: &ResponseRecord) -> Vec<Interval> {
    starts(rules, event.first, event.end).collect()
}

fn starts(rules: &Rules, from: Interval, to: Interval) -> impl Iterator<Item = Interval> {
    let step_s = rules.parameters.interval_s;
    let mut next = from;
    std::iter::from_fn(move || {
        let here = (next < to).then_some(next)?;
        next = next.later(1, step_s);
        Some(here)
    })
}

/// Whether every interval is over, and every delivery there or too late.
fn is_delivered(rules: &Rules, state: &State, event: &ResponseRecord) -> bool {
    let aggregators = event.sites.iter().filter_map(|site| Some(&rules.sites.get(site)?.aggregator));
    let aggregators: Vec<&Id> = aggregators.collect();
    intervals(rules, event).into_iter().all(|interval| match state.intervals().get(&interval) {
        Some(record) => {
            let mut awards = aggregators.iter().filter_map(|aggregator| record.awards.get(*aggregator));
            awards.all(|award| award.settled)
        }
        None => latest(state) > Some(interval),
    })
}

/// What the operator owes a site; none where no baseline can be drawn.
fn owed(rules: &Rules, state: &State, event: &ResponseRecord, site: &Id) -> Option<NanoEur> {
    let at = intervals(rules, event);
    let begins = Interval(event.first.start().plus(-ADJUSTMENT_BEGINS_S));
    let ends = Interval(begins.start().plus(ADJUSTMENT_LASTS_S));
    let before: Vec<Interval> = starts(rules, begins, ends).collect();
    let reading = |interval: &Interval| read(rules, state, site, *interval, true);
    let today = |at: i64| weekday(at, event.ahead_of_utc_s.into());
    let on = today(event.first.start().0);
    let days = (FIRST_DAY_BEFORE..=LAST_DAY_BEFORE).map(|days| -days * SECONDS_PER_DAY);
    let like = days.filter(|shift_s| alike(on, today(event.first.start().0.saturating_add(*shift_s))));
    let windows = like.filter_map(|shift_s| {
        let usual = |interval: &Interval| read(rules, state, site, interval.later(1, shift_s), false);
        Some(Windows {
            event: at.iter().map(usual).collect::<Option<_>>()?,
            before: before.iter().map(usual).collect::<Option<_>>()?,
        })
    });
    let windows: Vec<Windows> = windows.collect();
    let used: Option<Vec<Millijoule>> = before.iter().map(reading).collect();
    let would = baseline(method(on), &windows, used.as_deref()).ok()?;
    let took: Vec<Option<Millijoule>> = at.iter().map(reading).collect();
    let less = reduced(&would, &took)?.into_iter().try_fold(Millijoule::ZERO, Millijoule::checked_add)?;
    event.price.cost_of(less)
}

/// What a site's meter counted in an interval; none where the ledger does not know, or, unless `asked` counts, the
/// site was asked to take less on that day.
fn read(rules: &Rules, state: &State, site: &Id, interval: Interval, asked: bool) -> Option<Millijoule> {
    let (day, second) = day_of(interval);
    let record = state.contracts().meter_days.get(&(site.clone(), day))?;
    let counts = record.interval_s == rules.parameters.interval_s && (asked || !record.asked);
    record.energies.get(&second).copied().filter(|_| counts)
}
