//! Readings that come when their interval is settled, as a site sends them that was offline: too late for the ledger, and kept
//! beside the batches as evidence of what its meter counted. Pure.

use super::delivery::{Readings, StoredBatch};
use crate::roster::SiteEntry;
use market::interval::Interval;
use market::units::Millijoule;
use std::collections::BTreeMap;
use wire::cbor;
use wire::entry::SignedEnvelope;
use wire::hash::Hash32;
use wire::message::MeterReading;
use wire::party::Id;

/// Intervals after which nobody's reading is taken any more: a week of quarter hours, as long as sites keep them.
pub const OLDEST_INTERVALS: i64 = 672;

/// What came late since the start. The first reading of a site's interval stands.
#[derive(Clone, Debug, Default)]
pub struct Late(BTreeMap<(Interval, Id), Millijoule>);

impl Late {
    /// Whether an interval lies as far back from `here` as readings are still taken.
    pub fn reaches(interval: Interval, here: Interval, interval_s: i64) -> bool {
        let oldest = here.later(-OLDEST_INTERVALS, interval_s);
        oldest <= interval && interval < here && (here.start().0 - interval.start().0) % interval_s == 0
    }

    /// Takes a reading, and gives what is to be stored of it: its signed envelope.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn take(
        &mut self,
        aggregator: &Id,
        (site, interval_s): (&SiteEntry, i64),
        reading: &MeterReading,
        raw: &SignedEnvelope,
    ) -> Result<StoredBatch, String> {
        // Held against the connection as one that is in time.
        let checked = Readings::default().take(site, interval_s, reading, raw);
        checked.map_err(|error| error.to_string())?;
        let first = self.0.entry((reading.interval, site.account.clone())).or_insert(reading.energy);
        if *first != reading.energy {
            return Err(format!("another reading for this interval, {first}, came before"));
        }
        let bytes = cbor::to_vec(raw).map_err(|error| error.to_string())?;
        // One file for each, however often it comes.
        let path = format!("late/{aggregator}/{}-{}.cbor", reading.interval.start().0, site.account);
        Ok(StoredBatch { path, sha256: Hash32::plain(&bytes), bytes })
    }

    /// Forgets what reaches back too far.
    pub fn forget(&mut self, here: Interval, interval_s: i64) {
        let oldest = here.later(-OLDEST_INTERVALS, interval_s);
        self.0.retain(|(interval, _), _| *interval >= oldest);
    }
}
