//! What the state keeps of demand response: who is enrolled, what enrolled sites' meters counted, and events.

use super::records::Record;
use market::interval::Interval;
use market::units::{Millijoule, PicoEurPerWh};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wire::party::{Id, PartyId};

/// Most sites enrolled.
pub const MAX_ENROLLED: usize = 256;
/// Most events kept.
pub const MAX_EVENTS: usize = 64;
/// How long after the last forgotten interval a meter's day is kept: as long as baselines look back, and a week.
pub const KEPT_METER_DAYS: i64 = market::baseline::LAST_DAY_BEFORE + 7;
/// How long after its end an event can be settled, in seconds.
pub const KEPT_EVENT_S: i64 = 7 * 86_400;

/// That a site is enrolled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentRecord {
    /// Who may ask it.
    pub operator: PartyId,
}

/// What an enrolled site's meter counted on one day of UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeterDayRecord {
    /// Length of an interval in seconds then.
    pub interval_s: i64,
    /// By second of the day at which the interval starts.
    pub energies: BTreeMap<u32, Millijoule>,
    /// Whether the site was asked to take less, so that the day says nothing of what is usual.
    pub asked: bool,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseRecord {
    /// Account that asks and pays.
    pub operator: Id,
    /// First interval.
    pub first: Interval,
    /// The interval after the last one.
    pub end: Interval,
    /// What is paid for what a site took below its baseline.
    pub price: PicoEurPerWh,
    /// How far local time is ahead of UTC, in seconds.
    pub ahead_of_utc_s: i32,
    /// Accounts of the sites asked, in order.
    pub sites: Vec<Id>,
    /// Whether it was settled.
    pub settled: bool,
}

impl Record for EnrolmentRecord {
    const DOMAIN: &'static str = "gridpact enrolment";
}

impl Record for MeterDayRecord {
    const DOMAIN: &'static str = "gridpact meter day";
}

impl Record for ResponseRecord {
    const DOMAIN: &'static str = "gridpact response record";
}
