//! Spans of intervals that contracts are about, against what was cleared. The ledger has no clock: an interval's gate
//! is closed once it, or a later one, is cleared on the ledger.

use super::rules::Rules;
use crate::state::State;
use market::interval::Interval;
use thiserror::Error;

/// Most intervals of one contract: a week of quarter hours.
pub const MAX_SPAN: u32 = 672;
/// How far after the latest interval cleared a contract may reach, in seconds: 32 days.
pub const HORIZON_S: i64 = 32 * 86_400;

/// Intervals one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The first.
    pub first: Interval,
    /// The one after the last.
    pub end: Interval,
}

/// Why a span can't be dealt in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SpanRefusal {
    /// It does not start where intervals do.
    #[error("{first} is not one of the market's")]
    NotAnInterval {
        /// Its first.
        first: Interval,
    },
    /// No intervals, or more than [`MAX_SPAN`].
    #[error("{intervals} intervals, and 1 to {MAX_SPAN} are allowed")]
    Length {
        /// How many.
        intervals: u32,
    },
    /// Nothing was cleared, so that the ledger can't tell what lies ahead.
    #[error("nothing was cleared yet")]
    NothingCleared,
    /// It, or an interval after it, was cleared.
    #[error("the gate of the {first} is closed")]
    Closed {
        /// Its first.
        first: Interval,
    },
    /// It reaches further ahead than [`HORIZON_S`].
    #[error("the {first} and what follows reach too far ahead")]
    TooFar {
        /// Its first.
        first: Interval,
    },
}

impl SpanRefusal {
    /// A word for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            SpanRefusal::NotAnInterval { .. } => "no-interval",
            SpanRefusal::Length { .. } => "span",
            SpanRefusal::NothingCleared => "nothing-cleared",
            SpanRefusal::Closed { .. } => "gate-closed",
            SpanRefusal::TooFar { .. } => "too-far",
        }
    }
}

impl Span {
    /// The span, where all of it is still open.
    pub fn check(rules: &Rules, state: &State, first: Interval, intervals: u32) -> Result<Self, SpanRefusal> {
        let interval_s = rules.parameters.interval_s;
        if !rules.parameters.is_interval(first) {
            return Err(SpanRefusal::NotAnInterval { first });
        }
        if !(1..=MAX_SPAN).contains(&intervals) {
            return Err(SpanRefusal::Length { intervals });
        }
        let latest = latest(state).ok_or(SpanRefusal::NothingCleared)?;
        Self::check_open(state, first)?;
        let end = first.later(intervals.into(), interval_s);
        if end.start() > latest.start().plus(HORIZON_S) {
            return Err(SpanRefusal::TooFar { first });
        }
        Ok(Self { first, end })
    }

    /// Checks that an interval's gate is open.
    pub fn check_open(state: &State, first: Interval) -> Result<(), SpanRefusal> {
        match latest(state) {
            Some(latest) if first <= latest => Err(SpanRefusal::Closed { first }),
            _ => Ok(()),
        }
    }

    /// The first interval whose gate is open; none where nothing was cleared.
    pub fn first_open(rules: &Rules, state: &State) -> Option<Interval> {
        latest(state).map(|latest| rules.parameters.next(latest))
    }
}

/// The latest interval cleared.
pub(super) fn latest(state: &State) -> Option<Interval> {
    state.intervals().keys().next_back().copied()
}
