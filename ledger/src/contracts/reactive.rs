//! Reactive power in a clearing and its delivery: ranges within what the sites' connections carry, prices the
//! clearing's own, and commitments that add up to what was allocated. That a range gives the right answer to
//! its price is the certificate's to check.

use super::rules::{Rules, SiteRule};
use crate::state::{AwardRecord, ReactiveRecord};
use market::grid::volt_var::{PlacedReactive, RANGE_MIN};
use market::units::Millivar;
use std::collections::BTreeMap;
use wire::entry::{ClearingEntry, SiteDelivery};
use wire::message::FinalDemand;
use wire::party::Id;

/// Checks what one aggregator says of reactive power, and adds it to what the certificate is checked with.
///
/// # Errors
/// What is wrong.
pub(super) fn check(
    rules: &Rules,
    entry: &ClearingEntry,
    aggregator: &Id,
    demand: &FinalDemand,
    offered: &mut Vec<PlacedReactive>,
) -> Result<BTreeMap<u32, ReactiveRecord>, &'static str> {
    let mut records = BTreeMap::new();
    if demand.reactive.is_empty() {
        return Ok(records);
    }
    let clears = rules.grid.as_ref().is_some_and(|terms| terms.reactive_full_price.is_some());
    let grid = entry.grid.as_deref().filter(|_| clears);
    let grid = grid.ok_or("it offers reactive power, of which this market clears none")?;
    let sites = rules.aggregators.get(aggregator).ok_or("it has no sites")?;
    for award in &demand.reactive {
        let bus = *rules.bus_index.get(&award.bus).ok_or("it names a bus that does not exist")?;
        let connection = *sites.get(&bus).ok_or("it names a bus where it has no sites")?;
        let place = rules.tree.place[bus as usize];
        if grid.reactive_prices.get(place) != Some(&award.price) {
            return Err("its reactive price at a bus is not the clearing's");
        }
        if !(RANGE_MIN.0..=connection.0).contains(&award.range.0) {
            return Err("its reactive range at a bus is too little, or exceeds its sites' connections");
        }
        let record = ReactiveRecord { price: award.price, allocation: award.allocation };
        if records.insert(bus, record).is_some() {
            return Err("it names a bus twice");
        }
        let (range, allocation) = (award.range, award.allocation);
        offered.push(PlacedReactive { place, range, allocation });
    }
    Ok(records)
}

/// The first bus where commitments are not what was allocated: with their sum and the allocation.
pub(super) fn differs(
    award: &AwardRecord,
    sites: &[SiteDelivery],
    found: &[&SiteRule],
) -> Option<(u32, i128, Millivar)> {
    let mut committed: BTreeMap<u32, i128> = award.reactive.keys().map(|bus| (*bus, 0)).collect();
    for (site, rule) in sites.iter().zip(found).filter(|(site, _)| site.reactive != Millivar::ZERO) {
        *committed.entry(rule.bus).or_default() += i128::from(site.reactive.0);
    }
    committed.into_iter().find_map(|(bus, committed)| {
        let allocated = award.reactive.get(&bus).map_or(Millivar::ZERO, |record| record.allocation);
        (committed != i128::from(allocated.0)).then_some((bus, committed, allocated))
    })
}
