//! What of a session does not hold.

use crate::grid::certificate::CertificateError;
use thiserror::Error;

/// The first condition that fails.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DayAheadCertificateError {
    /// A list has not the length the session gives it.
    #[error("{what}: {count} given, {expected} needed")]
    Shape {
        /// Which list.
        what: &'static str,
        /// How many it has.
        count: usize,
        /// How many it needs.
        expected: usize,
    },
    /// Multipliers at a place that does not exist, twice, or out of order.
    #[error("limits that bind are not named once each, in order of place")]
    Binding,
    /// An order at a place that does not exist.
    #[error("an order stands at place {place}, which does not exist")]
    UnknownPlace {
        /// The place it names.
        place: usize,
    },
    /// An interval's own certificate.
    #[error("interval {interval}: {source}")]
    Interval {
        /// Counted from the session's first.
        interval: usize,
        /// What does not hold.
        #[source]
        source: CertificateError,
    },
    /// A storage order's schedule.
    #[error("storage order {index}: {source}")]
    Storage {
        /// Which order.
        index: usize,
        /// What does not hold.
        #[source]
        source: OrderRefused,
    },
    /// A deferrable order's schedule.
    #[error("deferrable order {index}: {source}")]
    Deferrable {
        /// Which order.
        index: usize,
        /// What does not hold.
        #[source]
        source: OrderRefused,
    },
}

/// What of one order's schedule does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("interval {interval}: {reason}")]
pub struct OrderRefused {
    /// Counted from the session's first; where it is about all of them, the first after.
    pub interval: usize,
    /// What does not hold.
    pub reason: &'static str,
}
