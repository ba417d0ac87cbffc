//! From a session's clearing to each aggregator's award, and what its final demand must then say.

use super::Buses;
use market::day_ahead::clearing::{DayAheadClearing, IntervalPrices};
use market::day_ahead::rounds::SessionCleared;
use market::feeder::Tree;
use market::grid::rules::PlacedDemand;
use market::interval::Interval;
use market::units::Milliwatt;
use std::collections::BTreeMap;
use std::ops::Range;
use thiserror::Error;
use wire::message::day_ahead::{
    DayAheadAward, DayAheadCommitted, DayAheadFinalDemand, DemandIn, DemandOf, PlacedOrders,
};
use wire::party::PartyId;

/// One aggregator's part of a clearing.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Its buses, rising.
    pub buses: Vec<u32>,
    /// For each interval and each of these: price, allocation, and what was answered for sure.
    pub intervals: Vec<Vec<DemandOf>>,
    /// Places of its storage orders among all.
    pub storages: Range<usize>,
    /// Places of its deferrable orders among all.
    pub deferrables: Range<usize>,
}

/// Every aggregator's part. `cleared` has its parties by aggregator and bus, and its orders by aggregator.
pub(super) fn parts(
    aggregators: &BTreeMap<PartyId, Buses>,
    commitments: &BTreeMap<PartyId, DayAheadCommitted>,
    tree: &Tree,
    cleared: &SessionCleared,
) -> BTreeMap<PartyId, Part> {
    let (mut party, mut storage, mut deferrable) = (0, 0, 0);
    let mut parts = BTreeMap::new();
    for (aggregator, buses) in aggregators {
        let none = PlacedOrders::default();
        let orders = commitments.get(aggregator).map_or(&none, |committed| &committed.orders);
        let of = |first: usize, count: usize| first..first + count;
        let given = |(demands, interval): (&Vec<PlacedDemand>, &IntervalPrices)| -> Vec<DemandOf> {
            let here = demands.iter().skip(party).zip(buses.keys());
            let at = here.map(|(demand, bus)| DemandOf {
                price: interval.prices.get(tree.place[*bus as usize]).copied().unwrap_or_default(),
                allocation: demand.allocation,
                range: demand.range,
            });
            at.collect()
        };
        let part = Part {
            buses: buses.keys().copied().collect(),
            intervals: cleared.demands.iter().zip(&cleared.clearing.intervals).map(given).collect(),
            storages: of(storage, orders.storages.len()),
            deferrables: of(deferrable, orders.deferrables.len()),
        };
        (party, storage, deferrable) = (party + buses.len(), part.storages.end, part.deferrables.end);
        parts.insert(aggregator.clone(), part);
    }
    parts
}

/// What is said to an aggregator.
pub(super) fn award(session: Interval, part: &Part, clearing: &DayAheadClearing) -> DayAheadAward {
    let intervals = part.intervals.iter().map(|at| at.iter().map(|at| (at.price, at.allocation)).collect());
    DayAheadAward {
        session,
        buses: part.buses.clone(),
        intervals: intervals.collect(),
        storages: clearing.storages.get(part.storages.clone()).unwrap_or_default().to_vec(),
        deferrables: clearing.deferrables.get(part.deferrables.clone()).unwrap_or_default().to_vec(),
    }
}

/// Why a final demand is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum FinalError {
    /// Not the bids and orders committed before the first question.
    #[error("the final demand is over other bids or orders than were committed")]
    OtherBids,
    /// It says it was asked in other rounds.
    #[error("the final demand says it was last asked in round {said}, and it was in round {asked}")]
    OtherRounds {
        /// What it says.
        said: u32,
        /// The last round in which it was asked.
        asked: u32,
    },
    /// Other buses or intervals, prices, allocations or ranges than award and answers.
    #[error("the final demand for interval {interval} is not what was awarded and answered before")]
    Differs {
        /// Place of the first interval where it differs.
        interval: usize,
    },
    /// The sites' sums are not those of buses and orders.
    #[error(
        "the final demand's sites take {sites} together in interval {interval}, and buses and orders {given}"
    )]
    Sums {
        /// Place of the interval.
        interval: usize,
        /// Import less export.
        sites: i128,
        /// Sum of allocations and schedules.
        given: i128,
    },
}

/// Checks a final demand against what its aggregator committed to, answered (the last time in round `asked`)
/// and was awarded. The range stated may reach further than the answers that were taken for sure.
///
/// # Errors
/// [`FinalError`] names the first difference.
pub(super) fn check_final(
    committed: &DayAheadCommitted,
    asked: u32,
    (part, clearing): (&Part, &DayAheadClearing),
    demand: &DayAheadFinalDemand,
) -> Result<(), FinalError> {
    if demand.bids_root != committed.bids_root || demand.orders != committed.orders {
        return Err(FinalError::OtherBids);
    }
    if demand.rounds != asked {
        return Err(FinalError::OtherRounds { said: demand.rounds, asked });
    }
    if demand.buses != part.buses || demand.intervals.len() != part.intervals.len() {
        return Err(FinalError::Differs { interval: 0 });
    }
    for (interval, (ours, theirs)) in part.intervals.iter().zip(&demand.intervals).enumerate() {
        let fits = |(ours, theirs): (&DemandOf, &DemandOf)| {
            let covers = theirs.range.contains(ours.range.low) && theirs.range.contains(ours.range.high);
            (ours.price, ours.allocation) == (theirs.price, theirs.allocation) && covers
        };
        if ours.len() != theirs.buses.len() || !ours.iter().zip(&theirs.buses).all(fits) {
            return Err(FinalError::Differs { interval });
        }
        check_sums(committed, (part, clearing), interval, theirs)?;
    }
    Ok(())
}

fn check_sums(
    committed: &DayAheadCommitted,
    (part, clearing): (&Part, &DayAheadClearing),
    interval: usize,
    stated: &DemandIn,
) -> Result<(), FinalError> {
    let storages = clearing.storages.get(part.storages.clone()).unwrap_or_default();
    let deferrables = clearing.deferrables.get(part.deferrables.clone()).unwrap_or_default();
    let starts = committed.orders.deferrables.iter().map(|(_, order)| order.start);
    let orders = storages
        .iter()
        .map(|award| award.power(interval))
        .chain(deferrables.iter().zip(starts).map(|(award, start)| award.power(start, interval)));
    let curves = stated.buses.iter().map(|at| at.allocation);
    let given: i128 = curves.chain(orders).map(|power: Milliwatt| i128::from(power.0)).sum();
    let sites = i128::from(stated.import.0) - i128::from(stated.export.0);
    if sites != given {
        return Err(FinalError::Sums { interval, sites, given });
    }
    Ok(())
}
