//! From a clearing to each aggregator's award, and from final demands to the entry the ledger decides on.

use super::answers::{Answers, Buses};
use market::clearing::Clearing;
use market::grid::rules::PlacedDemand;
use market::interval::Interval;
use market::share::{split, Demand as DemandRange};
use market::units::{Milliwatt, PicoEurPerWh};
use std::collections::BTreeMap;
use thiserror::Error;
use wire::hash::Hash32;
use wire::message::{Award, BusPrice, FinalDemand, ReactiveAward};
use wire::party::PartyId;

/// A clearing that does not fit the answers it should follow from.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ApportionError {
    /// Nobody was asked at this bus's price.
    #[error("bus {bus} cleared at a price that {aggregator} was never asked about")]
    NotAsked {
        /// The bus.
        bus: String,
        /// The aggregator.
        aggregator: PartyId,
    },
    /// The bus's allocation is not what its aggregators take together.
    #[error("bus {bus} cleared at {allocation}, which its aggregators do not take together")]
    Unsplittable {
        /// The bus.
        bus: String,
        /// Its allocation.
        allocation: Milliwatt,
    },
}

/// One aggregator's part of a clearing: for each of its buses, in order of name, price and allocation,
/// and the range it answered there.
pub type Part = Vec<(BusPrice, DemandRange)>;

/// Splits each bus's allocation over the aggregators there, by marginal share, in order of aggregator.
///
/// # Errors
/// [`ApportionError`]: the clearing is not one of these answers.
pub fn apportion(
    aggregators: &BTreeMap<PartyId, Buses>,
    answers: &Answers,
    clearing: &Clearing,
) -> Result<BTreeMap<PartyId, Part>, ApportionError> {
    let mut at_bus: BTreeMap<usize, Vec<(&PartyId, &String, DemandRange)>> = BTreeMap::new();
    for (aggregator, buses) in aggregators {
        for (bus, (place, _)) in buses {
            let range = answers.range(aggregator, bus, clearing.prices[*place]).ok_or_else(|| {
                ApportionError::NotAsked { bus: bus.clone(), aggregator: aggregator.clone() }
            })?;
            at_bus.entry(*place).or_default().push((aggregator, bus, range));
        }
    }
    let mut parts: BTreeMap<PartyId, BTreeMap<&String, (BusPrice, DemandRange)>> = BTreeMap::new();
    for (place, takers) in at_bus {
        let allocation = clearing.allocations[place];
        let ranges: Vec<DemandRange> = takers.iter().map(|(_, _, range)| *range).collect();
        let powers = split(allocation, &ranges)
            .ok_or_else(|| ApportionError::Unsplittable { bus: takers[0].1.clone(), allocation })?;
        for ((aggregator, bus, range), power) in takers.into_iter().zip(powers) {
            let at = BusPrice { bus: bus.clone(), price: clearing.prices[place], allocation: power };
            parts.entry(aggregator.clone()).or_default().insert(bus, (at, range));
        }
    }
    Ok(parts.into_iter().map(|(aggregator, part)| (aggregator, part.into_values().collect())).collect())
}

/// The parts of a clearing that knows its grid, which gave every aggregator its own at each bus. `demands`
/// stand in the order of [`Answers::parties`].
pub fn parts_given(
    aggregators: &BTreeMap<PartyId, Buses>,
    clearing: &Clearing,
    demands: &[PlacedDemand],
) -> BTreeMap<PartyId, Part> {
    let mut given = demands.iter();
    let mut part = |buses: &Buses| -> Part {
        let at = |((bus, (place, _)), demand): ((&String, &(usize, Milliwatt)), &PlacedDemand)| {
            let price = clearing.prices[*place];
            (BusPrice { bus: bus.clone(), price, allocation: demand.allocation }, demand.range)
        };
        buses.iter().zip(given.by_ref()).map(at).collect()
    };
    aggregators.iter().map(|(aggregator, buses)| (aggregator.clone(), part(buses))).collect()
}

/// What is said to the aggregator.
pub fn award(interval: Interval, part: &Part, reactive: Vec<ReactiveAward>) -> Award {
    Award { interval, buses: part.iter().map(|(at, _)| at.clone()).collect(), reactive }
}

/// Why a final demand is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FinalError {
    /// Not the bids committed before the first question.
    #[error("the final demand is over other bids than were committed")]
    OtherBids,
    /// It says it was asked in other rounds.
    #[error("the final demand says it was last asked in round {said}, and it was in round {asked}")]
    OtherRounds {
        /// What it says.
        said: u32,
        /// The last round in which it was asked.
        asked: u32,
    },
    /// Prices, allocations or ranges differ from award and answers.
    #[error("the final demand at {bus} is not what was awarded and answered before")]
    Differs {
        /// The first bus where it does.
        bus: String,
    },
    /// The sites' sums are not the buses' sum.
    #[error("the final demand's sites take {sites} together, and its buses {buses}")]
    Sums {
        /// Import less export.
        sites: i128,
        /// Sum of allocations by bus.
        buses: i128,
    },
}

/// Checks a final demand against what its aggregator committed to, answered (the last time in round
/// `asked`) and was awarded. Where prices have a tolerance, the range stated may reach further than the
/// answers that were taken for sure.
///
/// # Errors
/// [`FinalError`] names the first difference.
pub fn check_final(
    bids_root: &Hash32,
    asked: u32,
    (part, tolerance): (&Part, PicoEurPerWh),
    demand: &FinalDemand,
) -> Result<(), FinalError> {
    if demand.bids_root != *bids_root {
        return Err(FinalError::OtherBids);
    }
    if demand.rounds != asked {
        return Err(FinalError::OtherRounds { said: demand.rounds, asked });
    }
    let fits = |(ours, theirs): &(&(BusPrice, DemandRange), &(BusPrice, DemandRange))| {
        let covers = theirs.1.contains(ours.1.low) && theirs.1.contains(ours.1.high);
        ours == theirs || (tolerance > PicoEurPerWh::ZERO && ours.0 == theirs.0 && covers)
    };
    if demand.buses.len() != part.len() || !part.iter().zip(&demand.buses).all(|pair| fits(&pair)) {
        let differs = part.iter().zip(&demand.buses).find(|pair| !fits(pair));
        let bus = differs.map_or_else(|| "the end".to_owned(), |((at, _), _)| at.bus.clone());
        return Err(FinalError::Differs { bus });
    }
    let sites = demand.import.0 as i128 - demand.export.0 as i128;
    let buses = part.iter().map(|(at, _)| at.allocation.0 as i128).sum();
    if sites != buses {
        return Err(FinalError::Sums { sites, buses });
    }
    Ok(())
}
