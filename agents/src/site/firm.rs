//! What a site checks before it believes a firm price: that the validators decided it, that its own
//! bid lies under both of its aggregator's roots, with this allocation, and that the allocation is its own
//! demand at the price, with the same share of the step as everybody else at its bus, and that the
//! price is made of what it is told.

use super::bidding::OwnBid;
use super::plan::Allocation;
use super::reactive;
use super::standing::Standing;
use ledger::block::verifier::Verifier;
use ledger::proof::FinalityProof;
use market::grid::certificate::{GridClearing, Multipliers};
use market::interval::Interval;
use market::share::Demand;
use market::units::{Millivar, Milliwatt, PicoEurPerWh};
use thiserror::Error;
use wire::entry::{ClearingEntry, Entry};
use wire::envelope::open;
use wire::merkle;
use wire::merkle_sum::{salted_bid_hash, verify, SumLeaf, SumRoot};
use wire::message::{BidPath, Body, BusAward, FinalDemand, Firm};
use wire::party::{PartyId, Role};
use wire::topic::Topic;

/// Why a firm price is not believed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FirmError {
    /// The proof is none, or the validators' votes don't stand behind it.
    #[error("its finality proof: {reason}")]
    Finality {
        /// What the ledger's check says.
        reason: String,
    },
    /// What was decided is no clearing by the DSO of this interval.
    #[error("what was decided is no clearing of {interval} by the DSO")]
    OtherEntry {
        /// The interval the firm price is for.
        interval: Interval,
    },
    /// The clearing holds no demand of the site's aggregator.
    #[error("the clearing holds no final demand of {aggregator}")]
    NoDemand {
        /// The aggregator.
        aggregator: PartyId,
    },
    /// The award told is not the award decided.
    #[error("the award at {bus} is not the one decided")]
    OtherAward {
        /// The site's bus.
        bus: String,
    },
    /// The award breaks its own bounds.
    #[error("{allocation} was awarded at {bus}, outside the bids' range there")]
    AwardOutOfRange {
        /// The site's bus.
        bus: String,
        /// What was awarded.
        allocation: Milliwatt,
    },
    /// The price is told to be made of something else than follows from the clearing.
    #[error("the parts told of the price at {bus} do not follow from the clearing")]
    OtherParts {
        /// The site's bus.
        bus: String,
    },
    /// No bid of the site lies under the root with this allocation.
    #[error("no bid of ours lies under the aggregator's root with an allocation of {allocation}")]
    NotUnderRoot {
        /// The allocation told.
        allocation: Milliwatt,
    },
    /// An older bid of the site's was cleared, although its aggregator had taken a newer one.
    #[error("a bid of ours for the {older} was cleared, and one for the {newer} had been taken")]
    Replaced {
        /// The bid cleared.
        older: Interval,
        /// The bid that should have been.
        newer: Interval,
    },
    /// The bid is not among those fixed before the first question about prices.
    #[error("our bid does not lie under the root that the aggregator fixed its bids by")]
    NotCommitted,
    /// Reactive power is told of that was not offered, or other than was decided.
    #[error("the reactive power told at {bus} is not what was decided on our offer")]
    OtherReactive {
        /// The site's bus.
        bus: String,
    },
    /// The reactive power is not the site's share by its range.
    #[error("{allocation} is not our share, by a range of {own}, of the reactive power awarded")]
    NotReactiveShare {
        /// What was told.
        allocation: Millivar,
        /// What was offered.
        own: Millivar,
    },
    /// The allocation is nothing the site bid for at this price.
    #[error("{allocation} is not within our demand at {price}, from {low} to {high}")]
    NotBid {
        /// The allocation told.
        allocation: Milliwatt,
        /// The price.
        price: PicoEurPerWh,
        /// The least bid for there.
        low: Milliwatt,
        /// The most bid for there.
        high: Milliwatt,
    },
    /// The allocation is within the site's step but not by the marginal share.
    #[error("{allocation} is not our marginal share of the step from {low} to {high}")]
    NotShare {
        /// The allocation told.
        allocation: Milliwatt,
        /// Foot of the site's step.
        low: Milliwatt,
        /// Top of the site's step.
        high: Milliwatt,
    },
}

/// Checks `firm` and gives what it allocates, with the place in `bids` of the bid that was cleared.
/// `bids` stand with the newest first; an older one may have stood in for a missing one.
///
/// # Errors
/// The first check that fails.
pub fn check_firm(
    standing: &Standing,
    verifier: &Verifier,
    firm: &Firm,
    bids: &[&OwnBid],
) -> Result<(Allocation, usize), FirmError> {
    let finality = |reason: String| FirmError::Finality { reason };
    let proof = FinalityProof::decode(&firm.finality).map_err(|e| finality(e.to_string()))?;
    let proven = proof.verify(verifier).map_err(|e| finality(e.to_string()))?;
    let clearing = match proven.entry {
        Entry::Clearing(clearing)
            if clearing.interval == firm.interval && proven.submitter.role == Role::Dso =>
        {
            clearing
        }
        _ => return Err(FirmError::OtherEntry { interval: firm.interval }),
    };
    let demand = aggregator_demand(standing, verifier, &clearing)?;
    check_award(standing, &clearing, &demand, &firm.bus)?;
    check_parts(standing, &clearing, firm)?;
    let bid = cleared_bid(standing, firm, &demand, bids)?;
    check_committed(firm, &demand, bids[bid])?;
    reactive::check(&standing.bus, &demand, bids[bid], firm)?;
    check_share(bids[bid].curve.demand_within(firm.bus.price, standing.price_tolerance), firm)?;
    let export_full = is_export_full(standing, &clearing, firm.bus.price);
    Ok((Allocation { price: firm.bus.price, power: firm.allocation, export_full }, bid))
}

/// A firm price for the log: what is owed, at which price, made of what.
pub fn in_words(firm: &Firm) -> String {
    let (kw, price) = (firm.allocation.kw(), firm.bus.price.eur_per_mwh());
    let parts = firm.parts.map_or_else(|| "of parts unknown".to_owned(), |parts| parts.real.to_string());
    let reactive = firm.reactive.as_ref().map_or_else(String::new, |told| {
        let (kvar, price) = (told.allocation.kvar(), told.award.price.eur_per_mwh());
        format!("; {kvar:.3} kvar at {price:.2} EUR/Mvarh")
    });
    format!("{kw:.3} kW in the {} at {price:.2} EUR/MWh: {parts}{reactive}", firm.interval)
}

/// A price below the grid supply point's says that what carries export away is full, or, where losses are
/// weighed and no limit binds, merely that they are fewer.
fn is_export_full(standing: &Standing, clearing: &ClearingEntry, price: PicoEurPerWh) -> bool {
    let binds = |grid: &GridClearing| grid.multipliers.iter().any(|worth| *worth != Multipliers::default());
    let below = clearing.prices.get(standing.root_place).is_some_and(|root| price < *root);
    below && clearing.grid.as_deref().is_none_or(binds)
}

fn aggregator_demand(
    standing: &Standing,
    verifier: &Verifier,
    clearing: &ClearingEntry,
) -> Result<FinalDemand, FirmError> {
    let none = || FirmError::NoDemand { aggregator: standing.aggregator.clone() };
    let by_ours = |topic: &str| topic.parse::<Topic>().is_ok_and(|t| t.sender == standing.aggregator);
    let envelope = clearing.demands.iter().find(|signed| by_ours(&signed.topic)).ok_or_else(none)?;
    let opened = open(verifier.registry(), verifier.network(), &envelope.topic, &envelope.bytes)
        .map_err(|_| none())?;
    match opened.body {
        Body::FinalDemand(demand) if demand.interval == clearing.interval => Ok(demand),
        _ => Err(none()),
    }
}

fn check_award(
    standing: &Standing,
    clearing: &ClearingEntry,
    demand: &FinalDemand,
    award: &BusAward,
) -> Result<(), FirmError> {
    let decided = demand.buses.iter().find(|(at, _)| at.bus == standing.bus);
    let same = decided.is_some_and(|(at, range)| {
        (&at.bus, at.price, at.allocation, *range) == (&award.bus, award.price, award.allocation, award.range)
    });
    if !same || clearing.prices.get(standing.bus_place) != Some(&award.price) {
        return Err(FirmError::OtherAward { bus: standing.bus.clone() });
    }
    if !award.range.contains(award.allocation) {
        return Err(FirmError::AwardOutOfRange { bus: award.bus.clone(), allocation: award.allocation });
    }
    Ok(())
}

fn check_parts(standing: &Standing, clearing: &ClearingEntry, firm: &Firm) -> Result<(), FirmError> {
    let parts = standing.price_parts.of(clearing).and_then(|parts| parts.get(standing.bus_place).copied());
    if parts == firm.parts {
        return Ok(());
    }
    Err(FirmError::OtherParts { bus: standing.bus.clone() })
}

fn cleared_bid(
    standing: &Standing,
    firm: &Firm,
    demand: &FinalDemand,
    bids: &[&OwnBid],
) -> Result<usize, FirmError> {
    let root = SumRoot { hash: demand.allocations_root, import: demand.import, export: demand.export };
    let lies_under = |bid: &&OwnBid| {
        bid.envelope.as_ref().is_some_and(|envelope| {
            let bid_hash = salted_bid_hash(&firm.path.salt, envelope);
            let (account, allocation) = (standing.account.clone(), firm.allocation);
            let reactive = firm.reactive.as_ref().map_or(Millivar::ZERO, |told| told.allocation);
            let leaf = SumLeaf { account, bid_hash, allocation, reactive };
            verify(&leaf, &firm.path, &root)
        })
    };
    let place = bids.iter().position(lies_under);
    let place = place.ok_or(FirmError::NotUnderRoot { allocation: firm.allocation })?;
    // Newer ones it may never have heard of; of one it has taken, it has.
    match bids[..place].iter().find(|bid| bid.taken) {
        Some(newer) => Err(FirmError::Replaced { older: bids[place].interval, newer: newer.interval }),
        None => Ok(place),
    }
}

/// The bid must lie under the root that was fixed before the first question, as well as under that of the
/// allocations.
fn check_committed(firm: &Firm, demand: &FinalDemand, bid: &OwnBid) -> Result<(), FirmError> {
    let BidPath { place, count, siblings } = &firm.bid_path;
    let leaf = bid.envelope.as_ref().map(|bid| salted_bid_hash(&firm.path.salt, bid));
    let leaf = leaf.map(|hash| merkle::leaf_hash(&hash.0));
    let lies_under = |leaf| merkle::verify_inclusion(&leaf, *place, *count, siblings, &demand.bids_root);
    leaf.is_some_and(lies_under).then_some(()).ok_or(FirmError::NotCommitted)
}

fn check_share(own: Demand, firm: &Firm) -> Result<(), FirmError> {
    let (allocation, BusAward { range, price, .. }) = (firm.allocation, &firm.bus);
    let Demand { low, high } = own;
    if !own.contains(allocation) {
        return Err(FirmError::NotBid { allocation, price: *price, low, high });
    }
    if !is_share(own, allocation, *range, firm.bus.allocation) {
        return Err(FirmError::NotShare { allocation, low, high });
    }
    Ok(())
}

/// Whether `allocation` is `own`'s share where `all` were allocated `together`: within a milliwatt of the exact
/// share of the step, which is as near as [`market::share::split`] comes without losing any.
pub(super) fn is_share(own: Demand, allocation: Milliwatt, all: Demand, together: Milliwatt) -> bool {
    let step = i128::from(all.high.0) - i128::from(all.low.0);
    let served = i128::from(together.0) - i128::from(all.low.0);
    let mine = i128::from(allocation.0) - i128::from(own.low.0);
    let exact_times_step = i128::from(own.step().0) * served;
    (mine * step - exact_times_step).abs() <= step
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(own: (i64, i64), bus: (i64, i64), awarded: i64, allocation: i64, valid: bool) {
        let demand = |(low, high)| Demand { low: Milliwatt(low), high: Milliwatt(high) };
        let bus = BusAward {
            bus: "b".into(),
            price: PicoEurPerWh(5),
            range: demand(bus),
            allocation: Milliwatt(awarded),
        };
        let firm = Firm {
            interval: Interval::default(),
            bus,
            parts: None,
            allocation: Milliwatt(allocation),
            reactive: None,
            path: Default::default(),
            bid_path: Default::default(),
            finality: Default::default(),
        };
        assert_eq!(check_share(demand(own), &firm).is_ok(), valid, "{own:?} {allocation}");
    }

    #[test]
    fn a_share_is_everybody_s_to_the_milliwatt() {
        check((10, 20), (100, 400), 200, 13, true);
        check((10, 20), (100, 400), 200, 14, true);
        check((10, 20), (100, 400), 200, 15, false);
        check((10, 20), (100, 400), 200, 12, false);
        check((10, 20), (100, 400), 400, 20, true);
        check((10, 20), (100, 400), 400, 21, false);
        check((7, 7), (100, 100), 100, 7, true);
        check((-20, 5), (-30, 20), -30, -20, true);
        check((-20, 5), (-30, 20), -30, 5, false);
    }
}
