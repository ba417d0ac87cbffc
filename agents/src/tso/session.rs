//! The TSO interface's part in the day-ahead market: when a session's supply is due, and what was awarded for it.

use super::wholesale::FeederAward;
use crate::chain::Chain;
use market::day_ahead::rules::DayAheadRules;
use market::interval::{Interval, UnixSeconds};
use market::parameters::MarketParameters;
use market::units::Milliwatt;
use std::collections::BTreeMap;
use wire::entry::DayAheadEntry;
use wire::message::Body;

/// Sessions, as the interface sees them.
#[derive(Clone, Debug)]
pub struct Sessions {
    rules: DayAheadRules,
    supplied: Option<Interval>,
    awards: BTreeMap<Interval, FeederAward>,
}

impl Sessions {
    /// No session yet.
    pub fn new(rules: DayAheadRules) -> Self {
        Self { rules, supplied: None, awards: BTreeMap::new() }
    }

    /// Goes by other rules from now on.
    pub fn turn_to(&mut self, rules: DayAheadRules) {
        self.rules = rules;
    }

    /// The session whose gate has closed and that has not begun, once.
    pub fn due(&mut self, parameters: &MarketParameters, now: UnixSeconds) -> Option<Interval> {
        let next = self.next_session(parameters, now);
        let due = self.rules.gate_closure(next) <= now && self.supplied < Some(next);
        due.then(|| {
            self.supplied = Some(next);
            next
        })
    }

    fn next_session(&self, parameters: &MarketParameters, now: UnixSeconds) -> Interval {
        let current = self.rules.session_of(parameters, parameters.interval_at(now));
        self.rules.next(parameters, current)
    }

    /// A session's intervals, in order.
    pub fn intervals(&self, parameters: &MarketParameters, session: Interval) -> Vec<Interval> {
        self.rules.intervals_of(parameters, session).collect()
    }

    /// Keeps what was awarded.
    pub fn take(&mut self, awards: &[FeederAward]) {
        self.awards.extend(awards.iter().map(|award| (award.interval, *award)));
    }

    /// What was awarded day-ahead for `here`, whose start makes earlier awards history.
    pub fn award_of(&mut self, here: Interval) -> Option<FeederAward> {
        self.awards = self.awards.split_off(&here);
        self.awards.get(&here).copied()
    }
}

/// The import of each of a session's intervals: what all aggregators' signed demands come to.
pub fn imports(entry: &DayAheadEntry, chain: &Chain, interval_s: i64) -> Vec<(Interval, Milliwatt)> {
    let demand = |envelope| match chain.evidence(envelope) {
        Some(Body::DayAheadFinalDemand(demand)) => Some(demand),
        _ => None,
    };
    let demands: Vec<_> = entry.demands.iter().filter_map(demand).collect();
    let import = |place: usize| {
        let of = demands.iter().filter_map(|demand| demand.intervals.get(place));
        let import = of.map(|demand| demand.import - demand.export).sum();
        (entry.session.later(place as i64, interval_s), import)
    };
    (0..entry.clearing.intervals.len()).map(import).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene;

    #[test]
    fn a_session_s_supply_is_due_once_when_its_gate_closes() {
        let rules = DayAheadRules { intervals: 4, offset_s: 0, bids_open_s: 1_800, gate_closure_s: 900 };
        let mut sessions = Sessions::new(rules);
        let mut check = |now: i64, expected: Option<i64>| {
            let due = sessions.due(&scene::parameters(), UnixSeconds(now));
            assert_eq!(due, expected.map(|start| Interval(UnixSeconds(start))), "at {now}");
        };
        check(2_699, None);
        check(2_700, Some(3_600));
        check(3_000, None);
        check(3_600, None);
        check(6_400, Some(7_200));
    }
}
