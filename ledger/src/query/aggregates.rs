//! Sums for third parties, hour by hour: of each hour one publication, the same for whoever asks, whenever. So nothing
//! can be held against another answer: hours share no contribution, what an hour is grouped by is fixed here, and an
//! hour is not published before nothing in it can change any more.

use super::{HistoryError, ReadError, Reader};
use crate::aggregates::{of_delivery, publish, Contribution, Key, Published};
use crate::rights::{EntryKind, Query};
use market::interval::{Interval, UnixSeconds};
use std::collections::BTreeSet;

/// Fewest sites behind any figure.
pub const K_ANONYMOUS: usize = 5;
/// What the sites of an hour are grouped by.
const GROUPED_BY: [Key; 2] = [Key::Bus, Key::Hour];
const SECONDS_PER_HOUR: i64 = 3_600;
/// Most contributions that one hour's figures are made of: some hundred thousand sites' quarter hours.
const MOST_CONTRIBUTIONS: usize = 500_000;

/// One hour's publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hour {
    /// When it starts, in UTC.
    pub start: UnixSeconds,
    /// Its figures.
    pub published: Published,
}

impl Reader<'_> {
    /// The hours that lie in a span of time and are complete: cleared, and settled for good.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn aggregates(&self, from: UnixSeconds, to: UnixSeconds) -> Result<Vec<Hour>, ReadError> {
        self.allow(Query::Aggregates)?;
        let intervals = self.intervals(from, to)?;
        let hour_of = |interval: &Interval| {
            let start = interval.start().0;
            start - start.rem_euclid(SECONDS_PER_HOUR)
        };
        let mut hours = Vec::new();
        for hour in intervals.chunk_by(|one, other| hour_of(one) == hour_of(other)) {
            let Some(start) = hour.first().map(hour_of) else { continue };
            let whole = start >= from.0 && start.checked_add(SECONDS_PER_HOUR).is_some_and(|end| end <= to.0);
            if whole && self.are_complete(hour)? {
                let by: BTreeSet<Key> = GROUPED_BY.into_iter().collect();
                let published = publish(&self.contributions(hour)?, &by, K_ANONYMOUS);
                hours.push(Hour { start: UnixSeconds(start), published });
            }
        }
        Ok(hours)
    }

    /// Whether intervals are cleared, as far as known here, and no delivery can come any more. Where the clearing is
    /// known, so is every delivery after it.
    fn are_complete(&self, intervals: &[Interval]) -> Result<bool, HistoryError> {
        let state = &self.view.state;
        for interval in intervals {
            let settled = match state.intervals().get(interval) {
                Some(record) => record.awards.values().all(|award| award.settled),
                None => state.forgotten_to() >= Some(*interval),
            };
            if !settled || self.history.about(*interval, Some(EntryKind::Clearing))?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn contributions(&self, intervals: &[Interval]) -> Result<Vec<Contribution>, ReadError> {
        let (rules, mut found) = (&self.view.rules, Vec::new());
        for interval in intervals {
            for place in self.history.about(*interval, Some(EntryKind::Delivery))? {
                let decided = self.block(place.height)?;
                let Some((_, entry)) = decided.entries().nth(place.index) else { continue };
                found.extend(of_delivery(rules, *interval, &place.entry.receipt(rules, &entry)));
                if found.len() > MOST_CONTRIBUTIONS {
                    return Err(ReadError::TooMuch { what: "sites' intervals", most: MOST_CONTRIBUTIONS });
                }
            }
        }
        Ok(found)
    }
}
