//! From the DSO's award for a session to each site's positions: the marginal share of its curve and the
//! schedules of its orders, the Merkle-sum tree of each interval over them, and what is then said up (final
//! demand) and down (firm positions).

use super::fixed::{FixedBid, FixedSession};
use crate::aggregator::allocation::sum;
use market::day_ahead::clearing::{DeferrableAward, StorageAward};
use market::parameters::MarketParameters;
use market::share::{split, Demand as DemandRange};
use market::units::{Millivar, Milliwatt, PicoEurPerWh};
use serde_bytes::ByteBuf;
use thiserror::Error;
use wire::merkle_sum::{SumLeaf, SumTree};
use wire::message::day_ahead::{DayAheadAward, DayAheadFinalDemand, DayAheadFirm, DemandIn, DemandOf};

/// Why an award for a session is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum AwardError {
    /// Other buses than ours, other intervals than the session's, or other orders than committed.
    #[error("the award's {what} number {count}, and ours {expected}, or are others")]
    Others {
        /// buses, intervals, storage orders or deferrable orders.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A price the market never clears at.
    #[error(
        "the award's price at bus {bus} in interval {interval}, {price}, is outside the market's bounds"
    )]
    Price {
        /// Place of the interval.
        interval: usize,
        /// Place of the bus.
        bus: u32,
        /// Its price.
        price: PicoEurPerWh,
    },
    /// An allocation our curves do not allow at its price.
    #[error("the award gives bus {bus} {allocation} in interval {interval}, and our curves there take {low} to {high} at its price")]
    BeyondDemand {
        /// Place of the interval.
        interval: usize,
        /// Place of the bus.
        bus: u32,
        /// What it was given.
        allocation: Milliwatt,
        /// The least our curves take.
        low: Milliwatt,
        /// The most our curves take.
        high: Milliwatt,
    },
    /// A schedule that an order does not allow.
    #[error("the award schedules {what} {order} beyond its power, or not in all its intervals")]
    Schedule {
        /// storage order or deferrable order.
        what: &'static str,
        /// Its place among our orders.
        order: usize,
    },
    /// A sum of powers leaves 64 bits.
    #[error("a position in interval {interval} leaves 64 bits")]
    Overflow {
        /// Place of the interval.
        interval: usize,
    },
}

/// What each site of one session was allocated.
#[derive(Clone, Debug)]
pub(super) struct AllocatedSession {
    intervals: Vec<Allocated>,
}

/// The same in one interval.
#[derive(Clone, Debug)]
struct Allocated {
    /// In the order of our buses.
    buses: Vec<DemandOf>,
    /// In the order of the fixed bids, which is the order of accounts.
    positions: Vec<Milliwatt>,
    tree: SumTree,
}

impl AllocatedSession {
    /// Checks `award` against the bids it is about and splits it over their sites, whose demand counts from
    /// `tolerance` below its prices to as much above.
    ///
    /// # Errors
    /// Names what does not fit, and where.
    pub fn by(
        parameters: &MarketParameters,
        tolerance: PicoEurPerWh,
        fixed: &FixedSession,
        award: &DayAheadAward,
    ) -> Result<Self, AwardError> {
        check_shape(fixed, award)?;
        check_schedules(fixed, award)?;
        let limits = (parameters, tolerance);
        let intervals = (0..fixed.intervals).map(|interval| Allocated::by(limits, fixed, award, interval));
        Ok(Self { intervals: intervals.collect::<Result<_, _>>()? })
    }

    /// What is said to the DSO, after `rounds`: the evidence the clearing's certificate rests on.
    pub fn final_demand(&self, fixed: &FixedSession, rounds: u32) -> DayAheadFinalDemand {
        let stated = |allocated: &Allocated| {
            let root = allocated.tree.root();
            DemandIn {
                allocations_root: root.hash,
                import: root.import,
                export: root.export,
                buses: allocated.buses.clone(),
            }
        };
        DayAheadFinalDemand {
            session: fixed.session,
            bids_root: fixed.root(),
            rounds,
            orders: fixed.orders.clone(),
            buses: fixed.places.keys().copied().collect(),
            intervals: self.intervals.iter().map(stated).collect(),
        }
    }

    /// What is said to the site of the bid at `place`, once `finality` proves the session decided.
    pub fn firm(&self, fixed: &FixedSession, place: usize, finality: &ByteBuf) -> Option<DayAheadFirm> {
        let bid = fixed.bids.get(place)?;
        let position = |allocated: &Allocated| {
            Some((*allocated.positions.get(place)?, allocated.tree.path(place)?.steps))
        };
        Some(DayAheadFirm {
            session: fixed.session,
            salt: bid.salt,
            bid_path: fixed.path(place)?,
            storages: bid.storages.clone(),
            deferrables: bid.deferrables.clone(),
            positions: self.intervals.iter().map(position).collect::<Option<_>>()?,
            finality: finality.clone(),
        })
    }

    /// Each site's position, by interval and in the order of the fixed bids.
    pub fn positions(&self) -> impl Iterator<Item = &[Milliwatt]> {
        self.intervals.iter().map(|allocated| allocated.positions.as_slice())
    }
}

impl Allocated {
    fn by(
        (parameters, tolerance): (&MarketParameters, PicoEurPerWh),
        fixed: &FixedSession,
        award: &DayAheadAward,
        interval: usize,
    ) -> Result<Self, AwardError> {
        let mut positions = scheduled(fixed, award, interval).ok_or(AwardError::Overflow { interval })?;
        let mut buses = Vec::with_capacity(award.buses.len());
        for ((bus, places), (price, allocation)) in fixed.places.iter().zip(&award.intervals[interval]) {
            let (bus, price, allocation) = (*bus, *price, *allocation);
            if price < parameters.price_min || price > parameters.price_max {
                return Err(AwardError::Price { interval, bus, price });
            }
            let demand = |place: &usize| fixed.bids[*place].curves[interval].demand_within(price, tolerance);
            let ranges: Vec<DemandRange> = places.iter().map(demand).collect();
            let range = sum(&ranges).ok_or(AwardError::Overflow { interval })?;
            let (low, high) = (range.low, range.high);
            let beyond = || AwardError::BeyondDemand { interval, bus, allocation, low, high };
            let parts = split(allocation, &ranges).ok_or_else(beyond)?;
            for (place, part) in places.iter().zip(parts) {
                let position = &mut positions[*place];
                *position = position.checked_add(part).ok_or(AwardError::Overflow { interval })?;
            }
            buses.push(DemandOf { price, allocation, range });
        }
        let leaf = |(bid, position): (&FixedBid, &Milliwatt)| SumLeaf {
            account: bid.account.clone(),
            bid_hash: bid.bid_hash,
            allocation: *position,
            reactive: Millivar::ZERO,
        };
        let leaves: Vec<SumLeaf> = fixed.bids.iter().zip(&positions).map(leaf).collect();
        Ok(Self { buses, positions, tree: SumTree::build(&leaves) })
    }
}

/// What each site's orders are scheduled for in an interval, in the order of the fixed bids; none where a
/// sum leaves 64 bits.
fn scheduled(fixed: &FixedSession, award: &DayAheadAward, interval: usize) -> Option<Vec<Milliwatt>> {
    let of_bid = |bid: &FixedBid| -> Option<Milliwatt> {
        let storages =
            bid.storages.iter().map(|place| Some(award.storages.get(*place as usize)?.power(interval)));
        let deferrables = bid.deferrables.iter().map(|place| {
            let (_, order) = fixed.orders.deferrables.get(*place as usize)?;
            Some(award.deferrables.get(*place as usize)?.power(order.start, interval))
        });
        storages.chain(deferrables).try_fold(Milliwatt::ZERO, |sum, power| sum.checked_add(power?))
    };
    fixed.bids.iter().map(of_bid).collect()
}

fn check_shape(fixed: &FixedSession, award: &DayAheadAward) -> Result<(), AwardError> {
    let buses = fixed.places.len();
    if !award.buses.iter().eq(fixed.places.keys()) {
        return Err(AwardError::Others { what: "buses", count: award.buses.len(), expected: buses });
    }
    let incomplete = award.intervals.iter().find(|at| at.len() != buses);
    let counts = [
        ("intervals", award.intervals.len(), fixed.intervals),
        ("buses", incomplete.map_or(buses, Vec::len), buses),
        ("storage orders", award.storages.len(), fixed.orders.storages.len()),
        ("deferrable orders", award.deferrables.len(), fixed.orders.deferrables.len()),
    ];
    match counts.into_iter().find(|(_, count, expected)| count != expected) {
        Some((what, count, expected)) => Err(AwardError::Others { what, count, expected }),
        None => Ok(()),
    }
}

/// Schedules within their orders' powers. Whether they are the best at their prices is the certificate's
/// to prove, to everybody.
fn check_schedules(fixed: &FixedSession, award: &DayAheadAward) -> Result<(), AwardError> {
    let within = |powers: &[Milliwatt], most: Milliwatt, count: usize| {
        powers.len() == count && powers.iter().all(|power| (Milliwatt::ZERO..=most).contains(power))
    };
    let storages = fixed.orders.storages.iter().zip(&award.storages);
    for (order, ((_, offer), StorageAward { charge, discharge, .. })) in storages.enumerate() {
        let charges = within(charge, offer.charge_max, fixed.intervals);
        if !charges || !within(discharge, offer.discharge_max, fixed.intervals) {
            return Err(AwardError::Schedule { what: "storage order", order });
        }
    }
    let deferrables = fixed.orders.deferrables.iter().zip(&award.deferrables);
    for (order, ((_, offer), DeferrableAward { power, .. })) in deferrables.enumerate() {
        if !within(power, offer.power_max, offer.end.saturating_sub(offer.start) as usize) {
            return Err(AwardError::Schedule { what: "deferrable order", order });
        }
    }
    Ok(())
}
