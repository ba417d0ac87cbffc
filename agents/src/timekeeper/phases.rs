//! The order in which simulated time visits each interval: bids open, gate closure, start; and each day-ahead
//! session: its bids open, its gate closes.

use market::day_ahead::rules::DayAheadRules;
use market::interval::{Interval, UnixSeconds};
use market::parameters::MarketParameters;

/// What simulated time stops for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before the first interval's bids open: roles wake up, the first forecast goes out.
    Prelude(Interval),
    /// Bids for this interval open.
    BidsOpen(Interval),
    /// The gate for this interval closes.
    GateClosure(Interval),
    /// This interval starts, and the one before it ends.
    Start(Interval),
    /// The last interval's deliveries are put on the ledger.
    Epilogue(Interval),
    /// Bids for the day-ahead session named by this interval open.
    SessionOpen(Interval),
    /// The gate for the day-ahead session named by this interval closes.
    SessionClosure(Interval),
}

impl Phase {
    /// Its word in progress and logs.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Prelude(_) => "prelude",
            Phase::BidsOpen(_) => "bids-open",
            Phase::GateClosure(_) => "gate-closure",
            Phase::Start(_) => "start",
            Phase::Epilogue(_) => "epilogue",
            Phase::SessionOpen(_) => "day-ahead-open",
            Phase::SessionClosure(_) => "day-ahead-closure",
        }
    }

    /// The interval it is about.
    pub fn interval(self) -> Interval {
        match self {
            Phase::Prelude(interval)
            | Phase::BidsOpen(interval)
            | Phase::GateClosure(interval)
            | Phase::Start(interval)
            | Phase::Epilogue(interval)
            | Phase::SessionOpen(interval)
            | Phase::SessionClosure(interval) => interval,
        }
    }
}

/// One stop of simulated time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// What for.
    pub phase: Phase,
    /// When, in market time.
    pub at: UnixSeconds,
}

/// Every stop from the prelude on, in order of time; a real-time one before a session's at the same instant.
#[derive(Clone, Debug)]
pub struct Timetable {
    parameters: MarketParameters,
    day_ahead: Option<DayAheadRules>,
    /// The first interval not traded any more; none for no end.
    end: Option<Interval>,
    real_time: Option<Stop>,
    session: Option<Stop>,
}

impl Timetable {
    /// The stops for trading `count` intervals from `first` on; for ever where there is no count. Sessions whose
    /// bids open before the prelude are left out: nobody is there to bid.
    pub fn new(
        parameters: MarketParameters,
        day_ahead: Option<DayAheadRules>,
        first: Interval,
        count: Option<u32>,
    ) -> Self {
        let end = count.map(|count| first.later(i64::from(count), parameters.interval_s));
        let prelude = Stop { phase: Phase::Prelude(first), at: first.start().plus(-parameters.interval_s) };
        let mut timetable = Self { parameters, day_ahead, end, real_time: Some(prelude), session: None };
        timetable.session = timetable.first_session(first, prelude.at);
        timetable
    }

    /// The first interval not traded any more; none for no end.
    pub fn end(&self) -> Option<Interval> {
        self.end
    }

    fn first_session(&self, first: Interval, prelude: UnixSeconds) -> Option<Stop> {
        let rules = self.day_ahead?;
        let mut session = rules.session_of(&self.parameters, first);
        if rules.bids_open(session) < prelude {
            session = rules.next(&self.parameters, session);
        }
        self.open(session)
    }

    fn open(&self, session: Interval) -> Option<Stop> {
        let at = self.day_ahead?.bids_open(session);
        let traded = self.end.is_none_or(|end| session < end);
        traded.then_some(Stop { phase: Phase::SessionOpen(session), at })
    }

    fn after_session(&self, stop: Stop) -> Option<Stop> {
        let rules = self.day_ahead?;
        match stop.phase {
            Phase::SessionOpen(session) => {
                Some(Stop { phase: Phase::SessionClosure(session), at: rules.gate_closure(session) })
            }
            phase => self.open(rules.next(&self.parameters, phase.interval())),
        }
    }

    fn after_real_time(&self, stop: Stop) -> Option<Stop> {
        let parameters = &self.parameters;
        let bids_open =
            |interval| Stop { phase: Phase::BidsOpen(interval), at: parameters.bids_open(interval) };
        let start = |interval: Interval| Stop { phase: Phase::Start(interval), at: interval.start() };
        match stop.phase {
            Phase::Prelude(first) => Some(bids_open(first)),
            Phase::BidsOpen(interval) => {
                let at = parameters.gate_closure(interval);
                Some(Stop { phase: Phase::GateClosure(interval), at })
            }
            Phase::GateClosure(interval) => Some(start(interval)),
            Phase::Start(interval) if Some(interval) == self.end => {
                Some(Stop { phase: Phase::Epilogue(interval), at: stop.at })
            }
            Phase::Start(interval) => {
                let next = parameters.next(interval);
                // Nothing is bid for the end itself; time only walks up to it.
                Some(if Some(next) == self.end { start(next) } else { bids_open(next) })
            }
            Phase::Epilogue(_) | Phase::SessionOpen(_) | Phase::SessionClosure(_) => None,
        }
    }
}

impl Iterator for Timetable {
    type Item = Stop;

    /// The next stop; none after the epilogue.
    fn next(&mut self) -> Option<Stop> {
        let real_time = self.real_time?;
        match self.session.filter(|session| session.at < real_time.at) {
            Some(session) => {
                self.session = self.after_session(session);
                Some(session)
            }
            None => {
                self.real_time = self.after_real_time(real_time);
                Some(real_time)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene;

    fn check(day_ahead: Option<DayAheadRules>, first: i64, count: u32, expected: &[(&str, i64)]) {
        let first = Interval(UnixSeconds(first));
        let stops = Timetable::new(scene::parameters(), day_ahead, first, Some(count));
        let stops: Vec<(&str, i64)> = stops.map(|stop| (stop.phase.word(), stop.at.0)).collect();
        assert_eq!(stops, expected);
    }

    #[test]
    fn two_intervals_are_walked_through_stop_by_stop() {
        check(
            None,
            9_000,
            2,
            &[
                ("prelude", 8_100),
                ("bids-open", 8_400),
                ("gate-closure", 8_880),
                ("start", 9_000),
                ("bids-open", 9_300),
                ("gate-closure", 9_780),
                ("start", 9_900),
                ("start", 10_800),
                ("epilogue", 10_800),
            ],
        );
    }

    #[test]
    fn sessions_open_and_close_between_the_stops_of_real_time() {
        let rules = DayAheadRules { intervals: 2, offset_s: 0, bids_open_s: 840, gate_closure_s: 600 };
        check(
            Some(rules),
            9_000,
            2,
            &[
                ("prelude", 8_100),
                ("day-ahead-open", 8_160),
                ("bids-open", 8_400),
                ("day-ahead-closure", 8_400),
                ("gate-closure", 8_880),
                ("start", 9_000),
                ("bids-open", 9_300),
                ("gate-closure", 9_780),
                ("start", 9_900),
                ("start", 10_800),
                ("epilogue", 10_800),
            ],
        );
    }

    #[test]
    fn a_session_nobody_could_bid_for_is_left_out() {
        // From 9 900 on; that from 9 000 is under way, and for the one from 10 800 bids open at 9 000.
        let rules = DayAheadRules { intervals: 2, offset_s: 0, bids_open_s: 1_800, gate_closure_s: 900 };
        check(
            Some(rules),
            9_900,
            2,
            &[
                ("prelude", 9_000),
                ("day-ahead-open", 9_000),
                ("bids-open", 9_300),
                ("gate-closure", 9_780),
                ("start", 9_900),
                ("day-ahead-closure", 9_900),
                ("bids-open", 10_200),
                ("gate-closure", 10_680),
                ("start", 10_800),
                ("start", 11_700),
                ("epilogue", 11_700),
            ],
        );
    }
}
