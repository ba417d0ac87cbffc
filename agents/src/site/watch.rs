//! What a site makes of the ledger: whether it was settled for what it was promised, and for nothing else. An
//! aggregator that drops its bid, or invents one while it is silent, shows here.

use super::standing::Standing;
use crate::chain::Chain;
use market::interval::Interval;
use market::units::Milliwatt;
use std::collections::BTreeMap;
use wire::entry::{DeliveryEntry, Entry};
use wire::hash::Hash32;
use wire::party::{Id, PartyId};

/// Intervals remembered.
const KEPT_INTERVALS: usize = 16;
/// Firm prices for so many intervals may have come before the site was started.
const UNKNOWN_INTERVALS: i64 = 2;

/// Whose copies of blocks a site listens to: one validator more than may be faulty, so that one of them is not,
/// and others at other sites. All copies would be a street's worth of the same bytes.
pub fn validators_heard<'a>(validators: &'a [PartyId], account: &Id) -> Vec<&'a PartyId> {
    let Some(faulty) = validators.len().checked_sub(1).map(|others| others / 3) else { return Vec::new() };
    let first = Hash32::of("gridpact validators heard", &[account.as_str().as_bytes()]).0[0];
    let in_turn = validators.iter().cycle().skip(usize::from(first) % validators.len());
    in_turn.take(faulty + 1).collect()
}

/// What a site knows of an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Known {
    /// Whether its aggregator took a bid for it.
    bid_taken: bool,
    /// What its firm price allocated.
    promised: Option<Milliwatt>,
}

/// Compares deliveries with what was bid and promised.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    first: Option<Interval>,
    known: BTreeMap<Interval, Known>,
}

/// A delivery that does not fit: the name of the event, and what it is in words.
pub type Suspicion = (&'static str, String);

impl Watch {
    /// An interval begins. Deliveries of the first ones may be of what was before the site's start.
    pub fn enter(&mut self, here: Interval, interval_s: i64) {
        self.first.get_or_insert(here.later(UNKNOWN_INTERVALS, interval_s));
        while self.known.len() > KEPT_INTERVALS {
            self.known.pop_first();
        }
    }

    /// The aggregator says that it has the bid for `interval`.
    pub fn bid_taken(&mut self, interval: Interval) {
        self.known.entry(interval).or_default().bid_taken = true;
    }

    /// A firm price was believed.
    pub fn promised(&mut self, interval: Interval, allocation: Milliwatt) {
        self.known.entry(interval).or_default().promised = Some(allocation);
    }

    /// A block, as it was broadcast: what of its deliveries does not fit, or that it is none.
    pub fn follow(&self, chain: &mut Chain, standing: &Standing, bytes: &[u8]) -> Vec<Suspicion> {
        let decided = match chain.take(bytes) {
            Ok(decided) => decided,
            Err(error) => return vec![("bad-block", error.to_string())],
        };
        let entries = decided.iter().flat_map(|decided| decided.entries());
        let deliveries = entries.filter_map(|(by, entry)| match entry {
            Entry::Delivery(delivery) if *by == standing.aggregator => Some(delivery),
            _ => None,
        });
        deliveries.filter_map(|delivery| self.settled(&standing.account, delivery)).collect()
    }

    /// Its aggregator's delivery is decided.
    pub fn settled(&self, account: &Id, delivery: &DeliveryEntry) -> Option<Suspicion> {
        let interval = delivery.interval;
        if self.first.is_none_or(|first| interval < first) {
            return None;
        }
        let Known { bid_taken, promised } = self.known.get(&interval).copied().unwrap_or_default();
        let settled = delivery.sites.iter().find(|site| site.account == *account).map(|site| site.commitment);
        match (settled, promised) {
            (Some(settled), Some(promised)) if settled == promised => None,
            (Some(settled), Some(promised)) => {
                let text = format!("settled for {settled} in the {interval}, and {promised} was promised");
                Some(("settled-otherwise", text))
            }
            (Some(settled), None) => {
                let text = format!("settled for {settled} in the {interval}, of which no firm price told us");
                Some(("settled-unpromised", text))
            }
            (None, Some(promised)) => {
                Some(("not-settled", format!("not settled for the {promised} promised in the {interval}")))
            }
            (None, None) if bid_taken => {
                let text = format!("our bid for the {interval} was taken, and is not among those settled");
                Some(("bid-dropped", text))
            }
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::interval::UnixSeconds;
    use market::units::Millivar;
    use wire::entry::SiteDelivery;

    const AT: i64 = 2_700;

    fn interval(start: i64) -> Interval {
        Interval(UnixSeconds(start))
    }

    fn check(taken: bool, promised: Option<i64>, settled: Option<i64>, expected: Option<&str>) {
        let mut watch = Watch::default();
        watch.enter(interval(0), 900);
        if taken {
            watch.bid_taken(interval(AT));
        }
        if let Some(promised) = promised {
            watch.promised(interval(AT), Milliwatt(promised));
        }
        let site = |(account, commitment): (&str, i64)| SiteDelivery {
            account: account.parse().unwrap(),
            bid_hash: Hash32::default(),
            commitment: Milliwatt(commitment),
            reactive: Millivar::ZERO,
            energy: None,
        };
        let sites = settled.map(|commitment| ("ours", commitment)).into_iter().chain([("other", 7)]);
        let sites = sites.map(site).collect();
        let mut delivery = DeliveryEntry {
            interval: interval(AT),
            readings: Box::default(),
            bids: Box::default(),
            sites,
            positions: Vec::new(),
        };
        let said = watch.settled(&"ours".parse().unwrap(), &delivery);
        assert_eq!(said.map(|(event, _)| event), expected, "{taken} {promised:?} {settled:?}");
        // What was before its start, a site cannot know.
        delivery.interval = interval(900);
        assert_eq!(watch.settled(&"ours".parse().unwrap(), &delivery), None);
    }

    #[test]
    fn a_site_hears_one_validator_more_than_may_be_faulty() {
        let check = |count: usize, heard: usize| {
            let validator = |n| PartyId::new(wire::party::Role::Validator, format!("v{n}").parse().unwrap());
            let validators: Vec<PartyId> = (0..count).map(validator).collect();
            let all: std::collections::BTreeSet<&PartyId> = (0..40)
                .flat_map(|site| {
                    let account = format!("site-{site}").parse().unwrap();
                    let of_site = validators_heard(&validators, &account);
                    assert_eq!(of_site.iter().collect::<std::collections::BTreeSet<_>>().len(), heard);
                    of_site
                })
                .collect();
            assert_eq!(all.len(), count, "some validator is heard by nobody");
        };
        check(0, 0);
        check(1, 1);
        check(4, 2);
        check(7, 3);
    }

    #[test]
    fn a_site_is_settled_for_what_it_was_promised_or_says_so() {
        check(true, Some(5), Some(5), None);
        check(false, Some(5), Some(5), None);
        check(false, None, None, None);
        check(true, None, None, Some("bid-dropped"));
        check(false, None, Some(5), Some("settled-unpromised"));
        check(true, None, Some(5), Some("settled-unpromised"));
        check(true, Some(5), Some(6), Some("settled-otherwise"));
        check(true, Some(5), None, Some("not-settled"));
    }
}
