//! Day-ahead positions at their delivery: the leaves that a session's root was made of, checked against it.

use super::delivery::{check_leaves, DeliveryRefusal};
use super::rules::{Rules, SiteRule};
use crate::state::day_ahead::DayAheadRecord;
use crate::state::State;
use market::settlement::SitePrices;
use market::units::{Millivar, Milliwatt};
use wire::entry::{DeliveryEntry, SitePosition};
use wire::merkle_sum::{SumLeaf, SumRoot};
use wire::party::Id;

/// What an aggregator's sites bought and sold day-ahead for one interval, and at which prices.
pub(super) struct Positions<'a> {
    record: Option<&'a DayAheadRecord>,
    /// In order of account.
    pub sites: Vec<(&'a Id, &'a SiteRule, Milliwatt)>,
}

impl<'a> Positions<'a> {
    /// The positions that `entry` states, each of a site of `aggregator`: all those under the root that it
    /// signed for the interval, and none where no session holds it.
    ///
    /// # Errors
    /// Names what is wrong with them.
    pub fn check(
        rules: &'a Rules,
        state: &'a State,
        aggregator: &Id,
        entry: &'a DeliveryEntry,
    ) -> Result<Self, DeliveryRefusal> {
        let stated = &entry.positions;
        let record = state.day_ahead().get(&entry.interval);
        let Some(signed) = record.and_then(|record| record.positions.get(aggregator)) else {
            return match stated.is_empty() {
                true => Ok(Self { record, sites: Vec::new() }),
                false => Err(DeliveryRefusal::NoSession { interval: entry.interval }),
            };
        };
        if let Some(pair) = stated.windows(2).find(|pair| pair[0].account >= pair[1].account) {
            return Err(DeliveryRefusal::Order { account: pair[1].account.clone() });
        }
        let rule = |account: &Id| {
            let rule = rules.sites.get(account).filter(|rule| rule.aggregator == *aggregator);
            rule.ok_or_else(|| DeliveryRefusal::OtherSite { account: account.clone() })
        };
        let found = stated.iter().map(|site| rule(&site.account)).collect::<Result<Vec<_>, _>>()?;
        let leaf = |site: &SitePosition| SumLeaf {
            account: site.account.clone(),
            bid_hash: site.bid_hash,
            allocation: site.position,
            reactive: Millivar::ZERO,
        };
        let leaves: Vec<SumLeaf> = stated.iter().map(leaf).collect();
        let root = SumRoot { hash: signed.allocations_root, import: signed.import, export: signed.export };
        check_leaves(rules, (&leaves, &found), (&root, &signed.bids_root), &signed.buses)?;
        let sites = stated.iter().zip(found).map(|(site, rule)| (&site.account, rule, site.position));
        Ok(Self { record, sites: sites.collect() })
    }

    /// The day-ahead prices at a bus and at the root; nothing where no session holds the interval, and no
    /// site a position.
    pub fn prices_at(&self, bus: usize, root: usize) -> SitePrices {
        let price = |bus: usize| self.record.and_then(|record| record.prices.get(bus)).copied();
        SitePrices { bus: price(bus).unwrap_or_default(), root: price(root).unwrap_or_default() }
    }
}
