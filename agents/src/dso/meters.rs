//! What meters counted, added up from the deliveries on the ledger: an interval's sum is known once all aggregators have
//! delivered.

use market::interval::Interval;
use market::units::Milliwatt;
use std::collections::{BTreeMap, BTreeSet};
use wire::entry::DeliveryEntry;
use wire::party::PartyId;

/// Intervals whose deliveries are waited for.
const KEPT: usize = 16;

/// Sums so far, in millijoules, with whose they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Meters {
    sums: BTreeMap<Interval, (BTreeSet<PartyId>, i64)>,
}

impl Meters {
    /// A delivery by one of so many aggregators. The mean import of all sites, where it was the last one missing. Who was
    /// not read counts as committed.
    pub fn take(
        &mut self,
        by: &PartyId,
        delivery: &DeliveryEntry,
        aggregators: usize,
        interval_s: i64,
    ) -> Option<Milliwatt> {
        let counted = delivery.sites.iter().map(|site| {
            let committed = || site.commitment.0.saturating_mul(interval_s);
            site.energy.map_or_else(committed, |energy| energy.0)
        });
        let (whose, sum) = self.sums.entry(delivery.interval).or_default();
        if whose.insert(by.clone()) {
            *sum = counted.fold(*sum, i64::saturating_add);
        }
        let complete = (whose.len() >= aggregators).then_some(Milliwatt(*sum / interval_s.max(1)));
        if complete.is_some() || self.sums.len() > KEPT {
            // What is older is of no interest any more.
            let from =
                if complete.is_some() { delivery.interval.later(1, interval_s) } else { self.second() };
            self.sums = self.sums.split_off(&from);
        }
        complete
    }

    fn second(&self) -> Interval {
        self.sums.keys().nth(1).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::interval::UnixSeconds;
    use market::units::{Millijoule, Millivar};
    use wire::entry::{BatchReference, SiteDelivery};

    fn delivery(start: i64, sites: &[(i64, Option<i64>)]) -> DeliveryEntry {
        let batch = BatchReference { sha256: Default::default(), location: String::new() };
        let site = |(commitment, energy): &(i64, Option<i64>)| SiteDelivery {
            account: "s".parse().unwrap(),
            bid_hash: Default::default(),
            commitment: Milliwatt(*commitment),
            reactive: Millivar(0),
            energy: energy.map(Millijoule),
        };
        DeliveryEntry {
            interval: Interval(UnixSeconds(start)),
            readings: Box::new(batch.clone()),
            bids: Box::new(batch),
            sites: sites.iter().map(site).collect(),
            positions: Vec::new(),
        }
    }

    #[test]
    fn an_intervals_import_is_known_once_all_have_delivered() {
        let mut meters = Meters::default();
        let mut check = |by: &str, start, sites: &[_], expected: Option<i64>| {
            let taken = meters.take(&by.parse().unwrap(), &delivery(start, sites), 2, 900);
            assert_eq!(taken, expected.map(Milliwatt), "{by} {start}");
        };
        check("aggregator/a1", 0, &[(5, Some(900_000)), (7, None)], None);
        check("aggregator/a1", 0, &[(5, Some(900_000))], None);
        check("aggregator/a2", 0, &[(0, Some(-90_000))], Some(907));
        for start in 1..=40 {
            check("aggregator/a1", start * 900, &[], None);
        }
        check("aggregator/a2", 40 * 900, &[(0, Some(1_800))], Some(2));
        assert!(meters.sums.is_empty());
    }
}
