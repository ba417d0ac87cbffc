//! From the DSO's award to each site's allocation: the marginal share, the Merkle-sum tree over it, and
//! what is then said up (final demand) and down (firm price).

use super::reactive::ReactiveShares;
use super::rounds::{FixedBid, FixedBids};
use market::dlmp::BusDlmp;
use market::parameters::MarketParameters;
use market::share::{split, Demand as DemandRange};
use market::units::{Millivar, Milliwatt, PicoEurPerWh};
use serde_bytes::ByteBuf;
use thiserror::Error;
use wire::merkle_sum::{SumLeaf, SumTree};
use wire::message::{Award, BusAward, BusPrice, FinalDemand, Firm};

/// Why an award is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AwardError {
    /// It names other buses than ours, or in another order.
    #[error("the award names the buses {named:?}, and ours are {ours:?}")]
    OtherBuses {
        /// Buses named, at most five of them.
        named: Vec<String>,
        /// Our buses, at most five of them.
        ours: Vec<String>,
    },
    /// A price the market never clears at.
    #[error("the award's price at {bus}, {price} pEUR/Wh, is outside the market's bounds")]
    Price {
        /// The bus.
        bus: String,
        /// Its price.
        price: i64,
    },
    /// An allocation our bids do not allow at its price.
    #[error("the award gives {bus} {allocation}, and our bids there take {low} to {high} at its price")]
    BeyondDemand {
        /// The bus.
        bus: String,
        /// What it was given.
        allocation: Milliwatt,
        /// The least our bids take.
        low: Milliwatt,
        /// The most our bids take.
        high: Milliwatt,
    },
    /// Reactive power at other buses, or of other ranges, than our bids offer.
    #[error("the award's reactive power is not of the ranges our bids offer")]
    OtherReactive,
    /// More reactive power than our bids offer.
    #[error("the award gives {bus} {allocation}, and our bids there offer {range} either way")]
    BeyondReactive {
        /// The bus.
        bus: String,
        /// What it was given.
        allocation: Millivar,
        /// What was offered.
        range: Millivar,
    },
    /// A sum of powers leaves 64 bits.
    #[error("the demand at {bus} leaves 64 bits")]
    Overflow {
        /// The bus.
        bus: String,
    },
}

/// What each site of one interval was allocated.
#[derive(Clone, Debug)]
pub struct Allocated {
    buses: Vec<(BusPrice, DemandRange)>,
    /// In the order of the fixed bids, which is the order of accounts.
    allocations: Vec<Milliwatt>,
    reactive: ReactiveShares,
    /// For each fixed bid, the place of its bus in `buses`.
    bus_of: Vec<usize>,
    tree: SumTree,
}

impl Allocated {
    /// Checks `award` against the bids it is about and splits it over their sites, whose demand counts from
    /// `tolerance` below its prices to as much above.
    ///
    /// # Errors
    /// Names the bus and what does not fit there.
    pub fn by(
        parameters: &MarketParameters,
        tolerance: PicoEurPerWh,
        fixed: &FixedBids,
        award: &Award,
    ) -> Result<Self, AwardError> {
        check_buses(fixed, award)?;
        let mut buses = Vec::with_capacity(award.buses.len());
        let mut allocations = vec![Milliwatt::ZERO; fixed.bids.len()];
        let mut bus_of = vec![0; fixed.bids.len()];
        for (here, (at, places)) in award.buses.iter().zip(fixed.places.values()).enumerate() {
            if at.price < parameters.price_min || at.price > parameters.price_max {
                return Err(AwardError::Price { bus: at.bus.clone(), price: at.price.0 });
            }

            let ranges: Vec<DemandRange> =
                places.iter().map(|p| fixed.bids[*p].curve.demand_within(at.price, tolerance)).collect();
            let range = sum(&ranges).ok_or_else(|| AwardError::Overflow { bus: at.bus.clone() })?;
            let parts = split(at.allocation, &ranges).ok_or_else(|| AwardError::BeyondDemand {
                bus: at.bus.clone(),
                allocation: at.allocation,
                low: range.low,
                high: range.high,
            })?;
            for (place, part) in places.iter().zip(parts) {
                allocations[*place] = part;
                bus_of[*place] = here;
            }
            buses.push((at.clone(), range));
        }
        let reactive = ReactiveShares::by(fixed, award)?;
        let leaf = |((bid, allocation), reactive): ((&FixedBid, &Milliwatt), &Millivar)| SumLeaf {
            account: bid.account.clone(),
            bid_hash: bid.bid_hash,
            allocation: *allocation,
            reactive: *reactive,
        };
        let given = fixed.bids.iter().zip(&allocations).zip(reactive.allocations());
        let tree = SumTree::build(&given.map(leaf).collect::<Vec<_>>());
        Ok(Self { buses, allocations, reactive, bus_of, tree })
    }

    /// What is said to the DSO, after `rounds`: the evidence the clearing's certificate rests on.
    pub fn final_demand(&self, fixed: &FixedBids, rounds: u32) -> FinalDemand {
        let root = self.tree.root();
        FinalDemand {
            interval: fixed.interval,
            bids_root: fixed.root(),
            rounds,
            allocations_root: root.hash,
            import: root.import,
            export: root.export,
            buses: self.buses.clone(),
            reactive: self.reactive.awards().to_vec(),
        }
    }

    /// What is said to the site at `place` of the fixed bids, once `finality` proves the clearing decided, of
    /// which its bus's prices have these parts.
    pub fn firm(
        &self,
        fixed: &FixedBids,
        place: usize,
        parts: impl Fn(&str) -> Option<BusDlmp>,
        finality: &ByteBuf,
    ) -> Option<Firm> {
        let (at, range) = self.buses.get(*self.bus_of.get(place)?)?;
        let mut path = self.tree.path(place)?;
        path.salt = fixed.bids[place].salt;
        Some(Firm {
            interval: fixed.interval,
            bus: BusAward { bus: at.bus.clone(), price: at.price, range: *range, allocation: at.allocation },
            parts: parts(&at.bus),
            allocation: self.allocations[place],
            reactive: self.reactive.firm(place),
            path,
            bid_path: fixed.path(place)?,
            finality: finality.clone(),
        })
    }

    /// What each site was allocated of real and reactive power, in the order of the fixed bids.
    pub fn allocations(&self) -> impl Iterator<Item = (Milliwatt, Millivar)> + '_ {
        self.allocations.iter().copied().zip(self.reactive.allocations().iter().copied())
    }
}

fn check_buses(fixed: &FixedBids, award: &Award) -> Result<(), AwardError> {
    if award.buses.iter().map(|at| &at.bus).eq(fixed.places.keys()) {
        return Ok(());
    }
    let few = |names: Vec<String>| names.into_iter().take(5).collect();
    Err(AwardError::OtherBuses {
        named: few(award.buses.iter().map(|at| at.bus.clone()).collect()),
        ours: few(fixed.places.keys().cloned().collect()),
    })
}

pub(super) fn sum(ranges: &[DemandRange]) -> Option<DemandRange> {
    ranges.iter().try_fold(DemandRange::default(), |sum, range| {
        Some(DemandRange { low: sum.low.checked_add(range.low)?, high: sum.high.checked_add(range.high)? })
    })
}
