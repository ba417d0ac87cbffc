//! When a day-ahead session is: which intervals it clears, and when its bids are taken. They stand in the
//! ledger's genesis.

use crate::interval::{Interval, UnixSeconds};
use crate::parameters::{MarketParameters, ParameterError};
use serde::{Deserialize, Serialize};

/// Most intervals of a session: a day of quarter hours.
pub const MAX_SESSION_INTERVALS: u32 = 96;

/// The rules. A session starts where the Unix second of an interval's start is a multiple of
/// `intervals * interval_s`, or `offset_s` after one, so that 96 intervals of 900 s are a day in UTC or in
/// another time zone, and is named by its first interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayAheadRules {
    /// Intervals that are cleared together.
    pub intervals: u32,
    /// Seconds by which sessions start after those multiples: a whole number of intervals below a session's
    /// length.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub offset_s: i64,
    /// Bids for a session are taken from this many seconds before its first interval.
    pub bids_open_s: i64,
    /// The gate closes this many seconds before it.
    pub gate_closure_s: i64,
}

fn is_zero(offset_s: &i64) -> bool {
    *offset_s == 0
}

impl DayAheadRules {
    /// Checks that the figures make a market beside the one in real time.
    ///
    /// # Errors
    /// Names the first rule that does not hold.
    pub fn validate(&self, parameters: &MarketParameters) -> Result<(), ParameterError> {
        let session_s = self.session_s(parameters);
        let whole_intervals = self.offset_s % parameters.interval_s.max(1) == 0;
        let rules = [
            ((2..=MAX_SESSION_INTERVALS).contains(&self.intervals), "day_ahead.intervals must lie in 2..=96"),
            (
                whole_intervals && (0..session_s).contains(&self.offset_s),
                "day_ahead.offset_s must be whole intervals below a session's length",
            ),
            (
                self.gate_closure_s >= parameters.bids_open_s,
                "day_ahead.gate_closure_s must be at least the real-time market's bids_open_s",
            ),
            (
                self.bids_open_s > self.gate_closure_s,
                "day_ahead.bids_open_s must be more than its gate_closure_s",
            ),
            (self.bids_open_s <= session_s, "day_ahead.bids_open_s must be at most a session's length"),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, reason)) => Err(ParameterError { reason }),
            None => Ok(()),
        }
    }

    fn session_s(&self, parameters: &MarketParameters) -> i64 {
        i64::from(self.intervals) * parameters.interval_s
    }

    /// First interval of the session that `interval` belongs to: the session's name.
    pub fn session_of(&self, parameters: &MarketParameters, interval: Interval) -> Interval {
        let shifted = Interval::containing(interval.start().plus(-self.offset_s), self.session_s(parameters));
        Interval(shifted.start().plus(self.offset_s))
    }

    /// The session after `session`.
    pub fn next(&self, parameters: &MarketParameters, session: Interval) -> Interval {
        session.later(1, self.session_s(parameters))
    }

    /// A session's intervals in order.
    pub fn intervals_of(
        &self,
        parameters: &MarketParameters,
        session: Interval,
    ) -> impl Iterator<Item = Interval> {
        let interval_s = parameters.interval_s;
        (0..i64::from(self.intervals)).map(move |index| session.later(index, interval_s))
    }

    /// Place of an interval in its session, from 0.
    pub fn index_of(&self, parameters: &MarketParameters, interval: Interval) -> usize {
        let into = interval.start().0 - self.session_of(parameters, interval).start().0;
        (into / parameters.interval_s) as usize
    }

    /// When bids for `session` are first taken.
    pub fn bids_open(&self, session: Interval) -> UnixSeconds {
        session.start().plus(-self.bids_open_s)
    }

    /// When the gate closes for `session`.
    pub fn gate_closure(&self, session: Interval) -> UnixSeconds {
        session.start().plus(-self.gate_closure_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charges::Charges;
    use crate::units::PicoEurPerWh;

    fn parameters() -> MarketParameters {
        MarketParameters {
            interval_s: 900,
            bids_open_s: 600,
            gate_closure_s: 120,
            price_min: PicoEurPerWh(-500_000_000),
            price_max: PicoEurPerWh(4_000_000_000),
            imbalance_spread: PicoEurPerWh(20_000_000),
            aggregator_fee: PicoEurPerWh(1_000_000),
            charges: Charges::NONE,
        }
    }

    const DAY: DayAheadRules =
        DayAheadRules { intervals: 96, offset_s: 0, bids_open_s: 43_200, gate_closure_s: 36_000 };

    fn at(second: i64) -> Interval {
        Interval(UnixSeconds(second))
    }

    #[test]
    fn a_session_of_quarter_hours_is_a_day_in_utc() {
        // 2025-01-15T00:00:00Z and its last quarter of an hour.
        let (midnight, last) = (at(1_736_899_200), at(1_736_984_700));
        assert_eq!(DAY.session_of(&parameters(), last), midnight);
        assert_eq!(DAY.index_of(&parameters(), last), 95);
        assert_eq!(DAY.intervals_of(&parameters(), midnight).last(), Some(last));
        assert_eq!(DAY.next(&parameters(), midnight), last.later(1, 900));
        assert_eq!(DAY.bids_open(midnight), UnixSeconds(1_736_899_200 - 43_200));
        assert_eq!(DAY.gate_closure(midnight), UnixSeconds(1_736_899_200 - 36_000));
    }

    #[test]
    fn a_session_may_start_at_midnight_of_another_time_zone() {
        let rules = DayAheadRules { offset_s: 23 * 3_600, ..DAY };
        // 2025-01-14T23:00:00Z, midnight in Berlin, and the quarter of an hour before.
        let midnight = at(1_736_895_600);
        assert_eq!(rules.session_of(&parameters(), midnight), midnight);
        assert_eq!(rules.session_of(&parameters(), midnight.later(-1, 900)), midnight.later(-96, 900));
        assert_eq!(rules.index_of(&parameters(), at(1_736_899_200)), 4);
    }

    #[test]
    fn rules_that_make_no_market_are_refused_by_name() {
        let check = |spoil: &dyn Fn(&mut DayAheadRules), expected: &str| {
            let mut rules = DAY;
            spoil(&mut rules);
            let reason = rules.validate(&parameters()).err().map_or("", |error| error.reason);
            assert!(reason.contains(expected) && reason.is_empty() == expected.is_empty(), "{reason}");
        };
        check(&|_| {}, "");
        check(&|r| r.intervals = 1, "day_ahead.intervals");
        check(&|r| r.intervals = 97, "day_ahead.intervals");
        check(&|r| r.offset_s = 901, "day_ahead.offset_s");
        check(&|r| r.offset_s = 86_400, "day_ahead.offset_s");
        check(&|r| r.gate_closure_s = 599, "gate_closure_s must be at least");
        check(&|r| r.bids_open_s = 36_000, "must be more than its gate_closure_s");
        check(&|r| r.bids_open_s = 86_401, "at most a session's length");
    }
}
