//! What a site's core asks of its shell, and what it is told of it.

use super::figure::Figure;
use super::journal::Kept;
use super::schedule::Setpoint;
use crate::device::Reading;
use hw_adapters::device::MeterState;
use market::interval::Interval;

/// What the shell is to do. Actions are done in the order given, each after the one before is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SiteAction {
    /// Read the meter and every device, for the bid for this interval.
    ReadAll {
        /// The interval to bid for.
        interval: Interval,
    },
    /// Read the meter and every device, for the offer for this day-ahead session.
    ReadAhead {
        /// The session's first interval.
        session: Interval,
    },
    /// Read the meter's counters at this interval's start.
    ReadMeter {
        /// The interval that starts.
        boundary: Interval,
    },
    /// Read the meter and every device, to see whether they do what they took.
    Judge {
        /// The interval it is about.
        interval: Interval,
    },
    /// Show this in metrics.
    Show(Figure),
    /// Keep these on disk, and say so when they are there.
    Keep {
        /// In this order.
        records: Vec<Kept>,
    },
    /// Write setpoints and read them back.
    Write {
        /// The interval they are for.
        interval: Interval,
        /// Devices by their places, and what each is to do.
        setpoints: Vec<(usize, Setpoint)>,
        /// For how long, should nothing more be heard; a device that can then goes back to its own
        /// default.
        hold_s: u32,
    },
}

/// What the shell reports of it. Failures come as texts for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SiteReport {
    /// Meter and devices were read for a bid.
    AllRead {
        /// The interval to bid for.
        interval: Interval,
        /// The meter.
        meter: Result<MeterState, String>,
        /// Each device, in order.
        devices: Vec<Result<Reading, String>>,
    },
    /// Meter and devices were read for a day-ahead session.
    AheadRead {
        /// The session's first interval.
        session: Interval,
        /// The meter.
        meter: Result<MeterState, String>,
        /// Each device, in order.
        devices: Vec<Result<Reading, String>>,
    },
    /// The meter was read at an interval's start.
    MeterRead {
        /// The interval that started.
        boundary: Interval,
        /// The meter.
        meter: Result<MeterState, String>,
    },
    /// Meter and devices were read to be judged.
    Judged {
        /// The interval it is about.
        interval: Interval,
        /// The meter.
        meter: Result<MeterState, String>,
        /// Each device, in order.
        devices: Vec<Result<Reading, String>>,
    },
    /// What was given to be kept so far is on disk, or can't be had there.
    Kept,
    /// Setpoints were written and read back.
    Written {
        /// The interval they are for.
        interval: Interval,
        /// Devices by their places, and whether each took what was written.
        outcomes: Vec<(usize, Result<(), String>)>,
    },
}
