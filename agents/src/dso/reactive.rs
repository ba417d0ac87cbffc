//! Reactive power at the DSO: what aggregators offer when they fix their bids, and what the clearing gives
//! each of them.

use super::answers::Buses;
use super::problem::Dispatch;
use market::grid::volt_var::{PlacedReactive, ReactiveOffer, RANGE_MIN};
use std::collections::BTreeMap;
use wire::message::{BidsCommitted, ReactiveAward, ReactiveRange};
use wire::party::PartyId;

/// Checks what one aggregator, which has these buses, offers.
///
/// # Errors
/// In words, what is wrong.
pub(super) fn check(clears_reactive: bool, buses: &Buses, committed: &BidsCommitted) -> Result<(), String> {
    let offered = &committed.reactive;
    if !offered.is_empty() && !clears_reactive {
        return Err("reactive power is offered, of which this market clears none".to_owned());
    }
    if let Some(pair) = offered.windows(2).find(|pair| pair[0].bus >= pair[1].bus) {
        return Err(format!("reactive power at {} is not in order of bus name", pair[1].bus));
    }
    for at in offered {
        let (_, limit) = buses.get(&at.bus).ok_or_else(|| format!("{} is none of its buses", at.bus))?;
        if !(RANGE_MIN.0..=limit.0).contains(&at.range.0) {
            let (bus, range) = (&at.bus, at.range);
            return Err(format!("reactive power at {bus}: a range of {range} is too little, or too much"));
        }
    }
    Ok(())
}

/// What all of them offer, in order of aggregator and bus name.
pub(super) fn offers(
    aggregators: &BTreeMap<PartyId, Buses>,
    commitments: &BTreeMap<PartyId, BidsCommitted>,
) -> Vec<ReactiveOffer> {
    let mut offers = Vec::new();
    for (aggregator, committed) in commitments {
        let buses = aggregators.get(aggregator);
        let offer = |at: &ReactiveRange| Some(ReactiveOffer { bus: buses?.get(&at.bus)?.0, range: at.range });
        offers.extend(committed.reactive.iter().filter_map(offer));
    }
    offers
}

/// What each aggregator is given, in the order of [`offers`].
pub(super) fn awards(
    commitments: &BTreeMap<PartyId, BidsCommitted>,
    dispatch: &Dispatch,
) -> BTreeMap<PartyId, Vec<ReactiveAward>> {
    let Some(cleared) = &dispatch.grid else { return BTreeMap::new() };
    let mut given = cleared.reactive.iter();
    let award = |(at, given): (&ReactiveRange, &PlacedReactive)| ReactiveAward {
        bus: at.bus.clone(),
        price: cleared.clearing.reactive_prices.get(given.place).copied().unwrap_or_default(),
        range: given.range,
        allocation: given.allocation,
    };
    let mut awards = BTreeMap::new();
    for (aggregator, committed) in commitments {
        let of_aggregator = committed.reactive.iter().zip(given.by_ref()).map(award);
        awards.insert(aggregator.clone(), of_aggregator.collect());
    }
    awards
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::interval::Interval;
    use market::units::{Millivar, Milliwatt};
    use wire::hash::Hash32;

    fn committed(offered: &[(&str, i64)]) -> BidsCommitted {
        let range =
            |(bus, range): &(&str, i64)| ReactiveRange { bus: (*bus).into(), range: Millivar(*range) };
        let reactive = offered.iter().map(range).collect();
        let (interval, bids_root) = (Interval::default(), Hash32::default());
        BidsCommitted { interval, bids_root, bid_count: 1, reactive }
    }

    fn check_offer(clears: bool, offered: &[(&str, i64)], expected: Result<(), &str>) {
        let buses: Buses =
            [("b1", 3), ("b2", 5)].map(|(bus, place)| (bus.to_owned(), (place, Milliwatt(900_000)))).into();
        match (check(clears, &buses, &committed(offered)), expected) {
            (Ok(()), Ok(())) => {}
            (Err(said), Err(part)) if said.contains(part) => {}
            (said, _) => panic!("{offered:?}: {said:?}, not {expected:?}"),
        }
    }

    #[test]
    fn what_may_be_offered() {
        check_offer(true, &[("b1", 900_000), ("b2", RANGE_MIN.0)], Ok(()));
        check_offer(true, &[], Ok(()));
        check_offer(false, &[], Ok(()));
        check_offer(false, &[("b1", 900_000)], Err("clears none"));
        check_offer(true, &[("b2", 900_000), ("b1", 900_000)], Err("in order"));
        check_offer(true, &[("b1", 900_000), ("b1", 900_000)], Err("in order"));
        check_offer(true, &[("b3", 900_000)], Err("none of its buses"));
        check_offer(true, &[("b1", 900_001)], Err("too much"));
        check_offer(true, &[("b1", RANGE_MIN.0 - 1)], Err("too little"));
    }
}
