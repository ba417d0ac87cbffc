//! What the DSO's core asks of its shell, and what it is told of it.

use super::balance::Measured;
use super::day_ahead::problem::{Problem as SessionProblem, Solved as SolvedSession};
use super::measurement::Measurement;
use super::problem::{Problem, SolveError, Solved};
use market::day_ahead::rounds::SessionError;
use market::interval::Interval;

/// What only the DSO's shell can do.
#[derive(Clone, Debug)]
pub enum DsoAct {
    /// Solve this and report what comes out.
    Solve(Box<Problem>),
    /// Solve this day-ahead session and report what comes out.
    SolveSession(Box<SessionProblem>),
    /// Show this in metrics.
    Measure(Measurement),
    /// Report what is measured on the feeder from now on, as it comes in. Said once.
    Listen,
}

/// What only the DSO's shell reports.
#[derive(Clone, Debug)]
pub enum DsoReport {
    /// A problem is solved.
    Solved {
        /// Which interval.
        interval: Interval,
        /// After which round.
        round: u32,
        /// What came out.
        outcome: Result<Solved, SolveError>,
    },
    /// Something was measured on the feeder.
    Measured(Vec<Measured>),
    /// A day-ahead session's problem is solved.
    SessionSolved {
        /// Which session.
        session: Interval,
        /// After which round.
        round: u32,
        /// What came out.
        outcome: Result<SolvedSession, SessionError>,
    },
}
